#include "agent/renewer/address.h"

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "stir/attr.h"

enum { V4_LEN = 4, V6_LEN = 16, OCTET_BITS = 8 };

struct prefix {
	uint8_t octet[V6_LEN];
	unsigned bits;
};

/* RFC 6890 and what has come to its registry since. */
static const struct prefix special4[] = {
	{ { 0 }, 8 },		  /* "this network" */
	{ { 10 }, 8 },		  /* private, RFC 1918 */
	{ { 100, 64 }, 10 },	  /* shared with a provider, RFC 6598 */
	{ { 127 }, 8 },		  /* loopback */
	{ { 169, 254 }, 16 },	  /* link-local, RFC 3927 */
	{ { 172, 16 }, 12 },	  /* private */
	{ { 192, 0, 0 }, 24 },	  /* protocol assignments */
	{ { 192, 0, 2 }, 24 },	  /* documentation, RFC 5737 */
	{ { 192, 88, 99 }, 24 },  /* 6to4 relays, RFC 7526 */
	{ { 192, 168 }, 16 },	  /* private */
	{ { 198, 18 }, 15 },	  /* benchmarks, RFC 2544 */
	{ { 198, 51, 100 }, 24 }, /* documentation */
	{ { 203, 0, 113 }, 24 },  /* documentation */
	{ { 224 }, 3 },		  /* multicast, reserved, broadcast */
	/* In no registry: by it a cloud's host answers its guests, and nobody else. */
	{ { 168, 63, 129, 16 }, 32 },
};

/* Global unicast (RFC 4291 section 2.4), and what of it is not. */
static const struct prefix global6 = { { 0x20 }, 3 };
static const struct prefix special6[] = {
	{ { 0x20, 0x01 }, 23 },		    /* protocol assignments, Teredo: RFC 2928 */
	{ { 0x20, 0x01, 0x0d, 0xb8 }, 32 }, /* documentation, RFC 3849 */
	{ { 0x20, 0x02 }, 16 },		    /* 6to4, RFC 3056: leads to any address of IPv4 */
	{ { 0x3f, 0xff }, 20 },		    /* documentation, RFC 9637 */
};

/* RFC 6052: an address of IPv4 behind a translator. */
static const struct prefix translated = { { 0x00, 0x64, 0xff, 0x9b }, 96 };

static bool
is_within(const uint8_t *address, const struct prefix *p)
{
	unsigned whole = p->bits / OCTET_BITS, rest = p->bits % OCTET_BITS;
	uint8_t mask = (uint8_t)(0xff00U >> rest);

	return memcmp(address, p->octet, whole) == 0 &&
	       (rest == 0 || (address[whole] & mask) == (p->octet[whole] & mask));
}

static bool
is_public4(const uint8_t *address)
{
	for (size_t i = 0; i < ARRAY_LEN(special4); i++) {
		if (is_within(address, &special4[i]))
			return false;
	}
	return true;
}

static bool
is_public6(const uint8_t *address)
{
	if (is_within(address, &translated))
		return is_public4(address + V6_LEN - V4_LEN);
	for (size_t i = 0; i < ARRAY_LEN(special6); i++) {
		if (is_within(address, &special6[i]))
			return false;
	}
	return is_within(address, &global6);
}

bool
address_is_public(const struct sockaddr *at, socklen_t len)
{
	uint8_t octets[V6_LEN];

	if (at->sa_family == AF_INET && len >= sizeof(struct sockaddr_in)) {
		memcpy(octets, (const uint8_t *)at + offsetof(struct sockaddr_in, sin_addr),
		    V4_LEN);
		return is_public4(octets);
	}
	if (at->sa_family == AF_INET6 && len >= sizeof(struct sockaddr_in6)) {
		memcpy(octets, (const uint8_t *)at + offsetof(struct sockaddr_in6, sin6_addr),
		    V6_LEN);
		return is_public6(octets);
	}
	return false;
}
