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
		tail -n 60 "$log" >&2
		printf '== the whole log: %s\n' "$log" >&2
	fi
	return $rc
}
