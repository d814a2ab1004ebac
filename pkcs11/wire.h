/*
 * The answering end of the frames: receive one request, send one answer.
 * Any thread; the descriptor is shared and the kernel gives each frame to one.
 */
#ifndef PKCS11_WIRE_H
#define PKCS11_WIRE_H

#include "pkcs11/frame.h"

#include <stdbool.h>

enum wire {
	WIRE_GONE, /* the peer is gone */
	WIRE_IDLE, /* nothing came in time */
	WIRE_BAD,  /* a frame of another size, version or generation: *frame is its answer */
	WIRE_FRAME,
};

/* flags as of recv(2).  On WIRE_FRAME and WIRE_BAD the frame is ready to be answered. */
enum wire wire_recv(int fd, int flags, uint32_t generation, struct frame *frame);

/* False when the peer is gone. */
bool wire_send(int fd, const struct frame *frame, int flags);

#endif
