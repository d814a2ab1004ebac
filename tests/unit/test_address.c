/* Which addresses a URL may lead to that somebody else has chosen */
#include "agent/renewer/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "stir/attr.h"
#include "tests/unit/cm.h"
#include "tests/unit/rows.h"

static struct address_case {
	const char *name;
	bool good;
} addresses[] = {
	{ "8.8.8.8", true },
	{ "1.0.0.0", true },
	{ "9.255.255.255", true },
	{ "11.0.0.0", true },
	{ "100.63.255.255", true },
	{ "100.128.0.0", true },
	{ "126.255.255.255", true },
	{ "128.0.0.0", true },
	{ "168.63.129.15", true },
	{ "168.63.129.17", true },
	{ "169.253.255.255", true },
	{ "172.15.255.255", true },
	{ "172.32.0.0", true },
	{ "192.0.1.0", true },
	{ "192.167.255.255", true },
	{ "192.169.0.0", true },
	{ "198.17.255.255", true },
	{ "198.20.0.0", true },
	{ "223.255.255.255", true },
	{ "0.0.0.0", false },
	{ "0.1.2.3", false },
	{ "10.0.0.0", false },
	{ "10.255.255.255", false },
	{ "100.64.0.0", false },
	{ "100.127.255.255", false },
	{ "127.0.0.1", false },
	{ "127.255.255.255", false },
	{ "168.63.129.16", false },
	{ "169.254.169.254", false },
	{ "172.16.0.0", false },
	{ "172.31.255.255", false },
	{ "192.0.0.8", false },
	{ "192.0.2.1", false },
	{ "192.88.99.1", false },
	{ "192.168.0.1", false },
	{ "198.18.0.0", false },
	{ "198.19.255.255", false },
	{ "198.51.100.1", false },
	{ "203.0.113.255", false },
	{ "224.0.0.1", false },
	{ "240.0.0.1", false },
	{ "255.255.255.255", false },
	{ "2a00:1450::1", true },
	{ "2001:200::1", true },
	{ "2001:4860:4860::8888", true },
	{ "3ffe::1", true },
	{ "64:ff9b::808:808", true },
	{ "::", false },
	{ "::1", false },
	{ "::ffff:127.0.0.1", false },
	{ "::ffff:8.8.8.8", false },
	{ "::8.8.8.8", false },
	{ "64:ff9b::7f00:1", false },
	{ "64:ff9b::10.1.2.3", false },
	{ "64:ff9b::168.63.129.16", false },
	{ "64:ff9b:1::808:808", false },
	{ "100::1", false },
	{ "2001::1", false },
	{ "2001:1ff:ffff::1", false },
	{ "2001:db8::1", false },
	{ "2002:a00:1::1", false },
	{ "3fff::1", false },
	{ "3fff:fff::1", false },
	{ "4000::1", false },
	{ "fc00::1", false },
	{ "fdff::1", false },
	{ "fe80::1", false },
	{ "ff02::1", false },
};

/* RFC 5280 s8: where a list is fetched over http */
static void
one_address(void **state)
{
	const struct address_case *c = *state;
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	bool of_4 = inet_pton(AF_INET, c->name, &v4.sin_addr) == 1;
	const void *at = of_4 ? (const void *)&v4 : (const void *)&v6;
	socklen_t len = of_4 ? sizeof v4 : sizeof v6;

	if (!of_4)
		assert_int_equal(inet_pton(AF_INET6, c->name, &v6.sin6_addr), 1);
	assert_int_equal(address_is_public(at, len), c->good);
	assert_false(address_is_public(at, len - 1));
}

static void
of_other_families(void **state)
{
	struct sockaddr_storage at = { .ss_family = AF_UNIX };

	(void)state;
	assert_false(address_is_public((const struct sockaddr *)&at, sizeof at));
	at.ss_family = AF_UNSPEC;
	assert_false(address_is_public((const struct sockaddr *)&at, sizeof at));
}

int
main(void)
{
	struct CMUnitTest tests[ARRAY_LEN(addresses) + 1];
	size_t n = 0;

	ROWS(tests, n, addresses, one_address);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(of_other_families);
	return _cmocka_run_group_tests("address", tests, n, NULL, NULL);
}
