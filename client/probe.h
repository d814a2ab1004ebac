/* vesper-probe, which reaches the parties outside as the renewer does: run it, take its word. */
#ifndef CLIENT_PROBE_H
#define CLIENT_PROBE_H

#include "client/program.h"

enum { PROBE_TEXT_MAX = 4 * 1024 * 1024 };

/* What to do where it did not end well. */
#define PROBE_TODO "standard error says why: install the agent completely, or run this as root"

/*
 * With url NULL all CAs and authorities of the configuration; tls_ca may be
 * NULL.  *probes: a new reference to the array of agent/renewer/probe.h.
 * EXIT_DONE, else it has been said.
 */
int probe_run(const struct cli *cli, const char *config, const char *url, const char *tls_ca,
    json_t **probes);

#endif
