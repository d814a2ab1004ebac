# the audit
libfront_la_SOURCES += \
	agent/front/audit.c agent/front/audit.h \
	agent/front/auditchain.c agent/front/auditchain.h \
	agent/front/auditfile.c agent/front/auditfile.h \
	agent/front/auditspool.c agent/front/auditspool.h
