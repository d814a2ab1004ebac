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

# The log of a test.
#	log_of TEST DIR
log_of() {
	local log
	for log in "$2/${1%.py}.log" "$2/$1.log"; do
		[ ! -f "$log" ] || { printf '%s\n' "$log"; break; }
	done
}

# What a failed test itself says was wrong: its failed cases, or what ended it.
#	reasons TEST DIR
reasons() {
	local log what='^not ok|^\[ +(ERROR|LINE|FAILED) +\]|^[A-Za-z_.]*(Error|Trouble|Expired|Exception): '
	log=$(log_of "$1" "$2")
	[ -z "$log" ] || grep -aE "$what|Sanitizer: |runtime error: |process did not end well" "$log" |
		cut -c 1-400 | uniq | head -n 12 || true
}

# The results of a "make check", and beneath each that failed what it says.
#	results OUTPUT DIR
results() {
	local line name
	while read -r line; do
		printf '%s\n' "$line"
		case $line in FAIL* | ERROR*) ;; *) continue ;; esac
		name=${line#*: }
		reasons "${name%% *}" "$2" | sed 's/^/\t/'
	done < <(grep -aE '^(PASS|FAIL|SKIP|ERROR)' "$1" || true)
}

# Why the tests failed that the output of a "make check" names: what each says
# itself, and only then the last lines of their logs.  A reader of whom only
# the first lines are left has the reasons.
#	failed_tests OUTPUT DIR
failed_tests() {
	local each log names
	names=$(sed -n -E 's/^(FAIL|ERROR): ([^ ]*).*/\2/p' "$1" | sort -u)
	printf '== failed tests:\n'
	for each in $names; do
		printf '%s\n' "$each"
		reasons "$each" "$2" | sed 's/^/\t/'
	done
	for each in $names; do
		log=$(log_of "$each" "$2")
		printf '\n---- the end of the log of %s\n' "$each"
		[ -z "$log" ] || tail -n 40 "$log" | cut -c 1-400
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
