/*
 * The load of vesper bench on another server: one request, again and again,
 * over keep-alive connections to a TCP port of the loopback.
 *
 *	httpload ADDRESS PORT TARGET BODY CONNECTIONS SECONDS
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/http.h"
#include "client/load.h"

enum { ARGUMENTS = 7, REQUEST_MAX = 65536 };

static enum rc
address(struct load_plan *plan, const char *host, const char *port)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)strtoul(port, NULL, 10)) };

	if (inet_pton(AF_INET, host, &to.sin_addr) != 1)
		return RC_INVALID;
	memcpy(&plan->to, &to, sizeof to);
	plan->to_len = sizeof to;
	return RC_OK;
}

int
main(int argc, char **argv)
{
	AUTO_BUF text = BUF_INIT(REQUEST_MAX);
	struct load_plan plan = { .requests = 1 };
	struct load_result r = { 0 };
	struct fault f = { 0 };
	struct span request;

	if (argc != ARGUMENTS || address(&plan, argv[1], argv[2]) != RC_OK) {
		fprintf(
		    stderr, "usage: httpload ADDRESS PORT TARGET BODY CONNECTIONS SECONDS\n");
		return 2;
	}
	http_request(&text, "POST", argv[3], span_str(argv[4]));
	request = buf_view(&text);
	plan.request = &request;
	plan.connections = (unsigned)strtoul(argv[5], NULL, 10);
	plan.seconds = strtod(argv[6], NULL);
	if (load_run(&plan, &r, &f) != RC_OK) {
		fprintf(stderr, "httpload: %s: %s\n", f.reason, f.detail);
		return 1;
	}
	printf("{\"rate\":%.1f,\"good\":%llu,\"refused\":%llu,\"failed\":%llu,"
	       "\"p50_us\":%.1f,\"p99_us\":%.1f}\n",
	    (double)r.good / r.seconds, (unsigned long long)r.good,
	    (unsigned long long)r.refused, (unsigned long long)r.failed, r.p50_us, r.p99_us);
	return r.good > 0 ? 0 : 1;
}
