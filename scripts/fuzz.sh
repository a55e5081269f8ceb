#!/usr/bin/env bash
# Runs every fuzz target of the module for FUZZTIME (default 60s), one after the other.
#
#   scripts/fuzz.sh [REGEXP]    only the targets whose "package Name" matches
#
# What a target finds is written to its testdata/fuzz folder, where it is a plain test from then on.
set -euo pipefail
cd "$(dirname "$0")/.."
fuzztime=${FUZZTIME:-60s}
only=${1:-.}
count=0
failed=()

while read -r dir; do
	for target in $(grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$dir"/*_test.go 2>/dev/null | sed 's/^func //' | sort -u); do
		package=./${dir#"$PWD"/}
		grep -qE "$only" <<<"$package $target" || continue
		count=$((count + 1))
		printf 'fuzz: %s %s for %s\n' "$package" "$target" "$fuzztime"
		go test "$package" -run '^$' -fuzz "^$target\$" -fuzztime "$fuzztime" || failed+=("$package $target")
	done
done < <(go list -f '{{.Dir}}' ./...)

if [ "$count" = 0 ]; then
	printf 'fuzz: no target matches %s\n' "$only" >&2
	exit 1
fi
if [ ${#failed[@]} -gt 0 ]; then
	printf 'fuzz: FAILED: %s\n' "${failed[@]}" >&2
	exit 1
fi
printf 'fuzz: nothing found; targets: %d\n' "$count"
