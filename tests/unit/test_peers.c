/* peers: chains of other parties in a directory, by the digest of their x5u */
#include "agent/front/peers.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/log.h"
#include "tests/unit/cm.h"
#include "tests/unit/pki.h"
#include "tests/unit/tree.h"

#define A "https://a.example/a.pem"

static char home[] = "/tmp/test_peers-XXXXXX";
static struct buf pem_a, pem_b;

static const char *
name_of(const char *x5u)
{
	static char name[PEERS_NAME + 1];
	uint8_t digest[32];

	assert_int_equal(EVP_Q_digest(NULL, "SHA256", NULL, x5u, strlen(x5u), digest, NULL), 1);
	for (size_t i = 0; i < sizeof digest; i++)
		snprintf(name + 2 * i, 3, "%02x", digest[i]);
	snprintf(name + 64, 5, ".pem");
	return name;
}

static void
put(const char *name, struct span text)
{
	FILE *f = fopen(name, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text.ptr, 1, text.len, f), text.len);
	assert_int_equal(fclose(f), 0);
}

static struct peers *
load(const char *dir)
{
	struct peers *p = NULL;

	assert_int_equal(peers_load(dir, &p, NULL), RC_OK);
	assert_non_null(p);
	return p;
}

static void
expect_serial(const struct peers *p, const char *x5u, const char *serial)
{
	const struct chain *c = peers_find(p, span_str(x5u));

	if (serial == NULL)
		assert_null(c);
	else
		assert_string_equal(c->cert[0]->serial, serial);
}

static int
enter(void **state)
{
	(void)state;
	snprintf(home, sizeof home, "/tmp/test_peers-XXXXXX");
	assert_non_null(mkdtemp(home));
	assert_int_equal(chdir(home), 0);
	assert_int_equal(mkdir("chains", 0700), 0);
	assert_int_equal(chdir("chains"), 0);
	return 0;
}

static int
leave(void **state)
{
	(void)state;
	assert_int_equal(chdir("/"), 0);
	tree_remove(home);
	return 0;
}

static void
finds_by_x5u(void **state)
{
	char x5u[64];

	(void)state;
	put(name_of(A), buf_view(&pem_a));
	for (int i = 0; i < 100; i++) {
		snprintf(x5u, sizeof x5u, "https://b.example/%d", i);
		put(name_of(x5u), buf_view(&pem_b));
	}
	{
		AUTO(peers) *p = load(".");

		assert_int_equal(peers_len(p), 101);
		expect_serial(p, A, "a1");
		for (int i = 0; i < 100; i++) {
			snprintf(x5u, sizeof x5u, "https://b.example/%d", i);
			expect_serial(p, x5u, "b1");
		}
		expect_serial(p, "https://b.example/100", NULL);
		expect_serial(p, "", NULL);
		expect_serial(p, A "x", NULL);
	}
	expect_serial(NULL, A, NULL);
}

/* The good one is known whatever lies beside it. */
static void
leaves_out_the_rest(void **state)
{
	static uint8_t large[PEERS_FILE_MAX + 1];
	AUTO_BUF upper = BUF_INIT(100);

	(void)state;
	memset(large, '\n', sizeof large);
	memcpy(large, pem_b.ptr, pem_b.len);
	put(name_of(A), buf_view(&pem_a));
	put("README", span_str("text"));
	put("a.pem", buf_view(&pem_b));
	put(name_of("rubbish"), span_str("rubbish"));
	put(name_of("empty"), span_str(""));
	put(name_of("half"), span_of(pem_b.ptr, pem_b.len / 2));
	put(name_of("large"), span_of(large, sizeof large));
	put(name_of("fits"), span_of(large, sizeof large - 1));
	assert_int_equal(mkdir(name_of("directory"), 0700), 0);
	assert_int_equal(mkfifo(name_of("pipe"), 0600), 0);
	assert_int_equal(symlink("nowhere", name_of("dangling")), 0);
	assert_int_equal(symlink(name_of(A), "link"), 0);
	buf_str(&upper, name_of("upper"));
	for (size_t i = 0; i < 64; i++)
		upper.ptr[i] =
		    (uint8_t)(upper.ptr[i] >= 'a' ? upper.ptr[i] - 32 : upper.ptr[i]);
	put(buf_text(&upper), buf_view(&pem_b));
	{
		AUTO(peers) *p = load(".");

		assert_int_equal(peers_len(p), 2);
		expect_serial(p, A, "a1");
		expect_serial(p, "fits", "b1");
	}
}

static void
no_directory(void **state)
{
	AUTO(peers) *none = load("missing");
	AUTO(peers) *file = NULL;

	(void)state;
	assert_int_equal(peers_len(none), 0);
	expect_serial(none, A, NULL);
	put("file", buf_view(&pem_a));
	file = load("file");
	assert_int_equal(peers_len(file), 0);
}

static void
is_bounded(void **state)
{
	char x5u[64];

	(void)state;
	put("../one", buf_view(&pem_a));
	for (int i = 0; i < PEERS_MAX + 3; i++) {
		snprintf(x5u, sizeof x5u, "%d", i);
		assert_int_equal(symlink("../one", name_of(x5u)), 0);
	}
	{
		AUTO(peers) *p = load(".");

		assert_int_equal(peers_len(p), PEERS_MAX);
	}
}

static int
make_world(void **state)
{
	AUTO_OSSL(EVP_PKEY) *key = pki_p256();
	AUTO_OSSL(X509) *a =
	    pki_issue(&(struct pki_spec){ .cn = "A", .key = key, .serial = "a1" });
	AUTO_OSSL(X509) *b =
	    pki_issue(&(struct pki_spec){ .cn = "B", .key = key, .serial = "b1" });

	(void)state;
	log_open("test", LEVEL_ERR);
	pem_a = BUF_INIT(10000);
	pem_b = BUF_INIT(10000);
	pki_pem(&pem_a, a);
	pki_pem(&pem_b, b);
	return 0;
}

static int
drop_world(void **state)
{
	(void)state;
	buf_free(&pem_a);
	buf_free(&pem_b);
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, enter, leave)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(finds_by_x5u),
		TEST(leaves_out_the_rest),
		TEST(no_directory),
		TEST(is_bounded),
	};

	return cmocka_run_group_tests(tests, make_world, drop_world);
}
