# The yardstick of scripts/bench.
noinst_PROGRAMS += rawsign
rawsign_SOURCES = tests/bench/rawsign.c
rawsign_CPPFLAGS = $(AM_CPPFLAGS) $(P11KIT_CFLAGS)
EXTRA_DIST += tests/bench/bench.py
