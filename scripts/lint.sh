#!/usr/bin/env bash
# Runs every static check: format, vet, golangci-lint, known vulnerabilities. All of them run, then the result is told.
set -uo pipefail
cd "$(dirname "$0")/.."
tools=$PWD/.cache/bin
failed=()

step() { printf 'lint: %s\n' "$1"; }

step "gofumpt"
# Files that Git ignores are not ours; without Git every file is looked at.
if ! files=$(git ls-files --cached --others --exclude-standard -- '*.go' 2>/dev/null) || [ -z "$files" ]; then
	files=$(find . \( -name .cache -o -name node_modules \) -prune -o -name '*.go' -print)
fi
# A deleted file that is still in the index cannot be read.
unformatted=$(for f in $files; do [ -e "$f" ] && printf '%s\n' "$f"; done | xargs "$tools/gofumpt" -l) || failed+=(gofumpt)
if [ -n "$unformatted" ]; then
	printf '%s\n' "$unformatted" "these files are not formatted: make fmt"
	failed+=(format)
fi

step "go vet"
go vet ./... || failed+=(vet)
# The Go SDK is for other systems, too.
for os in darwin windows; do
	GOOS=$os go vet . ./llm ./examples/... || failed+=("vet for $os")
done

step "golangci-lint"
"$tools/golangci-lint" run ./... || failed+=(golangci-lint)

step "govulncheck"
report=$("$tools/govulncheck" ./... 2>&1)
code=$?
# 0: nothing found. 3: something found. Other codes: it could not look.
if [ $code = 3 ]; then
	printf '%s\n' "$report"
	failed+=(govulncheck)
elif [ $code != 0 ]; then
	if grep -q 'fetching vulnerabilities' <<<"$report"; then
		step "govulncheck LEFT OUT: the Go vulnerability database cannot be reached from this machine"
	else
		printf '%s\n' "$report"
		failed+=(govulncheck)
	fi
fi

if [ ${#failed[@]} -gt 0 ]; then
	step "FAILED: ${failed[*]}"
	exit 1
fi
step "ok"
