# Documentation: manual pages are installed, the rest goes into the tarball.
dist_man_MANS += docs/man/vesperd.8 docs/man/vesperd.conf.5 docs/man/vesper.1
EXTRA_DIST += docs/ARCHITECTURE.md docs/PROTOCOL.md docs/STANDARDS.md docs/HACKING.md \
	docs/LAB.md docs/TESTING.md docs/SCALING.md docs/PERFORMANCE.md docs/THREATS.md docs/HSM.md
