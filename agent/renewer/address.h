/*
 * Which addresses are the public network's: what a URL may lead to that
 * somebody else has chosen and whose server proves nothing about itself.
 * Not a firewall: a public address of this machine is one, too.
 *
 * Pure.
 */
#ifndef AGENT_RENEWER_ADDRESS_H
#define AGENT_RENEWER_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

/*
 * Is it an IPv4 or IPv6 address that is reachable by anybody (RFC 6890)?  Not
 * loopback, private, link-local, shared, for documentation or tests, multicast
 * or reserved, nor IPv6 that only wraps such a one of IPv4.
 */
bool address_is_public(const struct sockaddr *at, socklen_t len);

#endif
