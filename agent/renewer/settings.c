#include "agent/renewer/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "agent/renewer/renew.h"

enum { ANCHORS_FILE_MAX = 4 * 1024 * 1024 };

static enum rc
read_file(const char *path, struct buf *out, struct fault *f)
{
	AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return FAULT(f, RC_IO, "config", "%s: %s", path, strerror(errno));
	for (;;) {
		uint8_t chunk[4096];
		ssize_t n = read(fd, chunk, sizeof chunk);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return FAULT(f, RC_IO, "config", "%s: %s", path, strerror(errno));
		if (n == 0)
			return buf_check(out, f);
		buf_put(out, chunk, (size_t)n);
		TRY(buf_check(out, f));
	}
}

static enum rc
read_anchors(const char *path, struct anchors **out, struct fault *f)
{
	AUTO_BUF pem = BUF_INIT(ANCHORS_FILE_MAX);

	if (path == NULL)
		return RC_OK;
	TRY(read_file(path, &pem, f));
	return anchors_read_pem(buf_view(&pem), out, f);
}

static enum rc
make_cas(struct settings *s, const struct io *io, struct store *store, struct fault *f)
{
	s->ca = calloc(s->config->cas > 0 ? s->config->cas : 1, sizeof *s->ca);
	if (s->ca == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "settings");
	for (size_t i = 0; i < s->config->cas; i++) {
		struct ca_slot *slot = &s->ca[s->cas];

		if (s->config->ca[i].issuer == ISSUER_HAND)
			continue;
		slot->config = &s->config->ca[i];
		lane_init(
		    &slot->lane, slot->config->concurrency, slot->config->rate_per_minute);
		lane_init(&slot->begin, RENEW_BEGINS, 0);
		if (slot->config->issuer == ISSUER_ACME)
			TRY(acme_new(slot->config, io, store, &slot->acme, f));
		s->cas++;
	}
	return RC_OK;
}

static enum rc
make_authorities(struct settings *s, struct fault *f)
{
	size_t n = s->config->authorities;

	s->authority = calloc(n > 0 ? n : 1, sizeof *s->authority);
	if (s->authority == NULL)
		return FAULT(f, RC_NO_MEMORY, "no_memory", "settings");
	for (s->authorities = 0; s->authorities < n; s->authorities++) {
		struct authority_slot *slot = &s->authority[s->authorities];

		slot->config = &s->config->authority[s->authorities];
		lane_init(
		    &slot->lane, slot->config->concurrency, slot->config->rate_per_minute);
	}
	return RC_OK;
}

enum rc
settings_new(struct config *config, const struct io *io, struct store *store,
    struct settings **out, struct fault *f)
{
	AUTO(settings) *s = calloc(1, sizeof *s);

	if (s == NULL) {
		config_free(config);
		return FAULT(f, RC_NO_MEMORY, "no_memory", "settings");
	}
	s->config = config;
	TRY(read_anchors(config->authority_anchors, &s->authority_anchors, f));
	/* With a list of roots the front alone knows all of them, and judges. */
	if (config->sti_pa_url == NULL)
		TRY(read_anchors(config->trust_anchors, &s->trust_anchors, f));
	TRY(make_authorities(s, f));
	TRY(make_cas(s, io, store, f));
	*out = TAKE(s);
	return RC_OK;
}

void
settings_free(struct settings *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->cas; i++)
		acme_free(s->ca[i].acme);
	free(s->ca);
	free(s->authority);
	anchors_free(s->authority_anchors);
	anchors_free(s->trust_anchors);
	config_free(s->config);
	free(s);
}

struct ca_slot *
settings_ca(const struct settings *s, const char *name)
{
	for (size_t i = 0; i < s->cas; i++) {
		if (strcmp(s->ca[i].config->name, name) == 0)
			return &s->ca[i];
	}
	return NULL;
}

struct authority_slot *
settings_authority(const struct settings *s, const char *name)
{
	for (size_t i = 0; i < s->authorities; i++) {
		if (strcmp(s->authority[i].config->name, name) == 0)
			return &s->authority[i];
	}
	return NULL;
}

void
settings_inherit(struct settings *s, const struct settings *before)
{
	for (size_t i = 0; i < s->cas; i++) {
		const struct ca_slot *was = settings_ca(before, s->ca[i].config->name);

		if (was == NULL)
			continue;
		lane_inherit(&s->ca[i].lane, &was->lane);
		lane_inherit(&s->ca[i].begin, &was->begin);
		s->ca[i].begin.interval_ms = was->begin.interval_ms;
	}
	for (size_t i = 0; i < s->authorities; i++) {
		const struct authority_slot *was =
		    settings_authority(before, s->authority[i].config->name);

		if (was != NULL)
			lane_inherit(&s->authority[i].lane, &was->lane);
	}
}
