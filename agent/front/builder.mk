# The builder thread and what it does.
libfront_la_SOURCES += \
	agent/front/accounts.c agent/front/accounts.h \
	agent/front/acme_ops.c agent/front/acme_ops.h \
	agent/front/builder.c agent/front/builder.h \
	agent/front/contents.c agent/front/contents.h \
	agent/front/tnlist.c agent/front/tnlist.h \
	agent/front/tnlist_ops.c agent/front/tnlist_ops.h \
	agent/front/credset.c agent/front/credset.h \
	agent/front/hand.c agent/front/hand.h \
	agent/front/install.c agent/front/install.h \
	agent/front/judge.c agent/front/judge.h \
	agent/front/keyfile.c agent/front/keyfile.h \
	agent/front/lint.c agent/front/lint.h \
	agent/front/load.c agent/front/load.h \
	agent/front/observe.c agent/front/observe.h \
	agent/front/ops.c agent/front/ops.h \
	agent/front/peers.c agent/front/peers.h \
	agent/front/pending.c agent/front/pending.h \
	agent/front/plan.c agent/front/plan.h \
	agent/front/publish.c agent/front/publish.h \
	agent/front/retire.c agent/front/retire.h \
	agent/front/unnamed.c agent/front/unnamed.h \
	agent/front/allow.c agent/front/allow.h \
	agent/front/store.c agent/front/store.h \
	agent/front/want.c agent/front/want.h \
	agent/front/weburl.c agent/front/weburl.h \
	agent/front/works.c agent/front/works.h
