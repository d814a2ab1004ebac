/*
 * The channel between front and renewer: one JSON object per SOCK_SEQPACKET
 * datagram, at most CHANNEL_MAX bytes, strictly read.
 *
 * The renewer asks, the front answers with the same "id".  The renewer is an
 * untrusted messenger: it names typed operations and the front builds every
 * payload.  docs/ARCHITECTURE.md, "The renewer's channel", lists the messages.
 */
#ifndef AGENT_CHANNEL_H
#define AGENT_CHANNEL_H

#include "stir/jtext.h"

enum { CHANNEL_MAX = 131072 };

/* Send; RC_IO when the peer is gone, RC_BUSY when the socket stays full for a second. */
enum rc channel_send(int fd, const json_t *message, struct fault *f) MUST_CHECK;

/*
 * Receive one message: new reference.  RC_NOT_FOUND when none is there (fd is
 * non-blocking), RC_IO at the end of the stream, RC_INVALID for a bad one.
 */
enum rc channel_recv(int fd, json_t **message, struct fault *f) MUST_CHECK;

#endif
