#include "pkcs11/signer.h"

#include <pthread.h>
#include <string.h>

#include "pkcs11/p11rc.h"
#include "pkcs11/processor.h"
#include "pkcs11/wire.h"

static enum frame_code
learn(struct hsm *h, struct session *s, const struct frame *frame, CK_RV *rv)
{
	enum frame_code code = keymap_learn(h->map, frame->key_id, frame->body, rv);

	return *rv == CKR_OK ? code : hsm_code(h, s, *rv);
}

static enum frame_code
answer(struct hsm *h, struct session *s, struct frame *frame, CK_RV *rv)
{
	switch (frame->op) {
	case FRAME_LEARN: return learn(h, s, frame, rv);
	case FRAME_LOOK: return keymap_look(h->map, frame->key_id, frame->body);
	case FRAME_FORGET:
		return keymap_forget(h->map, frame->key_id) ? FRAME_OK : FRAME_NO_KEY;
	default: return hsm_answer(h, s, frame, rv);
	}
}

struct worker {
	struct hsm *hsm;
	struct session session;
};

static void *
work(void *arg)
{
	struct worker *w = arg;

	hsm_serve(w->hsm, &w->session, answer);
}

/* All sessions before the first thread: a token short of them fails here and not under load. */
static enum rc
open_sessions(struct hsm *h, struct worker *worker, struct fault *f)
{
	for (uint32_t i = 0; i < h->threads; i++) {
		CK_RV rv = session_open(&worker[i].session, &h->login);

		worker[i].hsm = h;
		if (rv != CKR_OK)
			return FAULT(f, RC_HSM, "session", "session %u of %u: %s", i + 1,
			    h->threads, p11rc_name(rv));
	}
	return hsm_prove(h, &worker[0].session, f);
}

enum rc
signer_run(struct hsm *h, struct fault *f)
{
	/* For the life of the process: the threads never end before it. */
	static struct worker worker[OPTIONS_MAX_THREADS];
	struct frame hello;
	pthread_t thread;

	TRY(open_sessions(h, worker, f));
	hsm_hello(h, &hello);
	if (!wire_send(h->fd, &hello, 0))
		return FAULT(f, RC_CONFLICT, "peer", "the front is gone");
	leave_limit(0, h->options->hang_s * 1000);
	leave_exit(); /* the start is over */
	processor_keep(h->options->place, h->options->places);
	for (uint32_t i = 1; i < h->threads; i++) {
		if (pthread_create(&thread, NULL, work, &worker[i]) != 0)
			leave_now(LEAVE_REBUILD, NULL);
		pthread_detach(thread);
	}
	work(&worker[0]);
	return FAULT(f, RC_BUG, "signer", "the loop ended");
}
