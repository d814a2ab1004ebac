#include "tests/fault/handles.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_HANDLES = 20000, MAX_SESSIONS = 256 };

static struct {
	pthread_mutex_t lock;
	CK_OBJECT_HANDLE known[MAX_HANDLES]; /* sorted */
	size_t len;
	CK_OBJECT_HANDLE shuffled[MAX_HANDLES]; /* those that a reshuffle moved; sorted */
	size_t moved;
	size_t shift;
	struct {
		CK_SESSION_HANDLE session;
		char id[HANDLES_ID_TEXT];
	} signing[MAX_SESSIONS];
} state = { .lock = PTHREAD_MUTEX_INITIALIZER };

static size_t
place(const CK_OBJECT_HANDLE *list, size_t len, CK_OBJECT_HANDLE handle)
{
	size_t low = 0, high = len;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (list[mid] < handle)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

void
handles_add(CK_OBJECT_HANDLE real)
{
	size_t at;

	pthread_mutex_lock(&state.lock);
	at = place(state.known, state.len, real);
	if (state.len == MAX_HANDLES)
		abort();
	if (at == state.len || state.known[at] != real) {
		memmove(&state.known[at + 1], &state.known[at],
		    (state.len - at) * sizeof state.known[0]);
		state.known[at] = real;
		state.len++;
	}
	pthread_mutex_unlock(&state.lock);
}

void
handles_reshuffle(void)
{
	pthread_mutex_lock(&state.lock);
	if (state.moved == 0) {
		memcpy(state.shuffled, state.known, state.len * sizeof state.known[0]);
		state.moved = state.len;
	}
	state.shift = state.moved > 0 ? (state.shift + 1) % state.moved : 0;
	pthread_mutex_unlock(&state.lock);
}

static CK_OBJECT_HANDLE
turn(CK_OBJECT_HANDLE handle, bool forth)
{
	size_t at, by;

	pthread_mutex_lock(&state.lock);
	at = place(state.shuffled, state.moved, handle);
	if (at < state.moved && state.shuffled[at] == handle) {
		by = forth ? state.shift : state.moved - state.shift;
		handle = state.shuffled[(at + by) % state.moved];
	}
	pthread_mutex_unlock(&state.lock);
	return handle;
}

CK_OBJECT_HANDLE
handles_real(CK_OBJECT_HANDLE seen)
{
	return turn(seen, true);
}

CK_OBJECT_HANDLE
handles_seen(CK_OBJECT_HANDLE real)
{
	return turn(real, false);
}

CK_OBJECT_HANDLE
handles_other(CK_OBJECT_HANDLE real)
{
	size_t at;

	pthread_mutex_lock(&state.lock);
	at = place(state.known, state.len, real);
	if (state.len > 0)
		real = state.known[(at + 1) % state.len];
	pthread_mutex_unlock(&state.lock);
	return real;
}

CK_ULONG
handles_count(void)
{
	CK_ULONG n;

	pthread_mutex_lock(&state.lock);
	n = state.len;
	pthread_mutex_unlock(&state.lock);
	return n;
}

void
handles_signing(CK_SESSION_HANDLE session, const char *id)
{
	size_t at = session % MAX_SESSIONS;

	pthread_mutex_lock(&state.lock);
	state.signing[at].session = session;
	snprintf(state.signing[at].id, HANDLES_ID_TEXT, "%s", id);
	pthread_mutex_unlock(&state.lock);
}

void
handles_signs(CK_SESSION_HANDLE session, char out[HANDLES_ID_TEXT])
{
	size_t at = session % MAX_SESSIONS;

	pthread_mutex_lock(&state.lock);
	out[0] = 0;
	if (state.signing[at].session == session)
		memcpy(out, state.signing[at].id, HANDLES_ID_TEXT);
	pthread_mutex_unlock(&state.lock);
}
