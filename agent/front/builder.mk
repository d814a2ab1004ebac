# The builder thread and what it does.
libfront_la_SOURCES += \
	agent/front/builder.h agent/front/credset.h
