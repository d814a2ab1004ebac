#include "agent/front/fresh.h"

struct fresh {
	struct hsm_fresh wait;
	struct api_call call;
	void (*answer)(struct api_call *call);
};

static void
told(struct hsm_fresh *w)
{
	struct fresh *x = w->arg;

	conn_on_lost(x->call.conn, NULL, NULL);
	x->answer(&x->call);
	free(x);
}

static void
lost(void *arg)
{
	struct fresh *x = arg;

	hsm_fresh_drop(&x->wait);
	free(x);
}

void
fresh_answer(struct api_call *call, void (*answer)(struct api_call *call))
{
	struct fresh *x = calloc(1, sizeof *x);

	if (x == NULL) {
		answer(call); /* with what the signers last told */
		return;
	}
	x->wait.done = told;
	x->wait.arg = x;
	x->answer = answer;
	x->call = *call;
	x->call.http = NULL; /* gone when this returns */
	memset(x->call.part, 0, sizeof x->call.part);
	conn_on_lost(call->conn, lost, x);
	hsm_fresh(call->front->desk.hsm, &x->wait);
}
