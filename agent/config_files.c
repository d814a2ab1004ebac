/* Are the files that the configuration names what they should be? */
#include "agent/config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "agent/config_parse.h"
#include "stir/chain.h"
#include "stir/sct.h"

typedef enum rc content_fn(struct span in, struct fault *f);

static enum rc
is_anchors(struct span in, struct fault *f)
{
	AUTO(anchors) *a = NULL;

	return anchors_read_pem(in, &a, f);
}

static enum rc
is_ctlogs(struct span in, struct fault *f)
{
	AUTO(ctlogs) *logs = NULL;

	return ctlogs_read(in, &logs, f);
}

/* What cannot be read yet, or not by this user, is not judged. */
static enum rc
check(int dir, const char *what, const char *path, content_fn *is, const char *wanted,
    struct fault *f)
{
	AUTO_BUF text = BUF_INIT(CONFIG_MAX_FILE);
	struct fault why = { 0 };

	if (path == NULL || config_slurp(dir, path, CONFIG_MAX_FILE, &text, &why) != RC_OK ||
	    is(buf_view(&text), &why) == RC_OK)
		return RC_OK;
	return FAULT(
	    f, RC_INVALID, "config", "%s %s: %s; name %s", what, path, why.detail, wanted);
}

enum rc
config_check_files(const struct config *c, struct fault *f)
{
	static const char roots[] = "a PEM file of certificates";
	AUTO_FD dir = open(c->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return FAULT(f, RC_IO, "config", "%s: %s", c->dir, strerror(errno));
	TRY(check(dir, "trust_anchors", c->trust_anchors, is_anchors, roots, f));
	TRY(check(dir, "authority_anchors", c->authority_anchors, is_anchors, roots, f));
	return check(dir, "ct_logs", c->ct_logs, is_ctlogs, "a JSON list of logs", f);
}
