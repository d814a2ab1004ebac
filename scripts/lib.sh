# Shared by the scripts: where we are, how we speak, which packages exist for what.
# shellcheck shell=bash

set -euo pipefail

# Used by the scripts that read this file.
# shellcheck disable=SC2034
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export LC_ALL=C.UTF-8

say() {
	printf '== %s\n' "$*" >&2
}

die() {
	printf '%s: %s\n' "$(basename "$0")" "$*" >&2
	exit 1
}

# Why the tests failed that the output of a "make check" names: the last lines
# of the log of each.
#	failed_tests OUTPUT DIR
failed_tests() {
	local each log
	printf '== failed tests:\n'
	for each in $(sed -n -E 's/^(FAIL|ERROR): ([^ ]*).*/\2/p' "$1" | sort -u); do
		printf '\n---- %s\n' "$each"
		for log in "$2/${each%.py}.log" "$2/$each.log"; do
			[ ! -f "$log" ] || { tail -n 40 "$log"; break; }
		done
	done
}

# Runs a long step: its output goes to a log, a terminal sees the seconds
# count, anything else sees one line when it begins and one when it ends.
step() {
	local what=$1 log=$2 began=$SECONDS pid rc=0
	shift 2
	if [ -t 2 ]; then
		"$@" >"$log" 2>&1 &
		pid=$!
		while kill -0 "$pid" 2>/dev/null; do
			printf '\r== %s … %ds ' "$what" $((SECONDS - began)) >&2
			sleep 1
		done
		wait "$pid" || rc=$?
		printf '\r== %s: %ds%s\n' "$what" $((SECONDS - began)) \
			"$([ $rc -eq 0 ] || echo ' FAILED')" >&2
	else
		say "$what"
		"$@" >"$log" 2>&1 || rc=$?
		say "$what: $((SECONDS - began))s$([ $rc -eq 0 ] || echo ' FAILED')"
	fi
	if [ $rc -ne 0 ]; then
		if grep -q '^== failed tests:$' "$log"; then
			sed -n '/^== failed tests:$/,$p' "$log" | tail -n 600 >&2
		else
			tail -n 60 "$log" >&2
		fi
		printf '== the whole log: %s\n' "$log" >&2
	fi
	return $rc
}
