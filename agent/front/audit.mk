# the audit
libfront_la_SOURCES += agent/front/audit.h
