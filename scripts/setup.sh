#!/usr/bin/env bash
# Gets what the checks need and the machine lacks. Each part is skipped at once when it is there already.
#
#   scripts/setup.sh [lint|servers|compat|all]
#
#   lint    golangci-lint, gofumpt and govulncheck, built into .cache/bin
#   compat  Python and Node.js, a virtual environment and node_modules with the pinned clients, both for test/compat
#   servers a Valkey or Redis server and a Postgres server, which the Go tests start
#   all     everything (the default)
#
# Programs of the system (a C compiler for the race detector, Python, Node.js) come from Debian's packages when they are
# missing and this is root or has sudo; elsewhere one line says what to install.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
# shellcheck source=scripts/versions.sh
source scripts/versions.sh

cache=$root/.cache
tools=$cache/bin
compat=$cache/compat

say() { printf 'setup: %s\n' "$*"; }
fail() {
	printf 'setup: %s\n' "$*" >&2
	exit 1
}

# newer A B: version A is at least B.
newer() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

# debian WHAT PACKAGE...: installs Debian packages, or says what is missing.
debian() {
	local what=$1
	shift
	local sudo=()
	if ! command -v apt-get >/dev/null; then
		fail "$what is missing: install it and run this again"
	fi
	if [ "$(id -u)" != 0 ]; then
		command -v sudo >/dev/null && sudo -n true 2>/dev/null || fail "$what is missing: run 'apt-get install $*' as root"
		sudo=(sudo -n)
	fi
	say "installing $* (Debian)"
	if [ ! -e "$cache/apt-updated" ]; then
		"${sudo[@]}" apt-get update -qq || fail "apt-get update failed: install $what by hand"
		mkdir -p "$cache" && touch "$cache/apt-updated"
	fi
	"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >"$cache/apt.log" 2>&1 </dev/null ||
		fail "apt-get install $* failed (see .cache/apt.log): install $what by hand"
}

go_itself() {
	command -v go >/dev/null || fail "Go is missing: install the version that go.mod names, or a newer one"
	local need have
	need=$(awk '$1 == "go" { print $2; exit }' go.mod)
	have=$(go env GOVERSION | sed 's/^go//')
	newer "$have" "$need" || fail "Go $have is too old: go.mod asks for $need"
	command -v "${CC:-cc}" >/dev/null || debian "a C compiler (for the race detector)" gcc libc6-dev
}

# tool NAME MODULE/PATH VERSION: builds a Go program into .cache/bin, once for each version of it and of Go.
tool() {
	local name=$1 path=$2 version=$3
	local stamp=$tools/$name.version
	local want
	want="$version $(go env GOVERSION)"
	if [ -x "$tools/$name" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$want" ]; then
		return
	fi
	say "building $name $version${4:+ ($4)}"
	mkdir -p "$tools"
	local log=$cache/$name.log
	GOFLAGS= CGO_ENABLED=0 GOBIN=$tools go install "$path@$version" >"$log" 2>&1 ||
		{ tail -n 5 "$log" >&2; fail "$name $version could not be built (see .cache/$name.log)"; }
	printf '%s\n' "$want" >"$stamp"
}

lint() {
	tool gofumpt mvdan.cc/gofumpt "$gofumpt_version"
	tool govulncheck golang.org/x/vuln/cmd/govulncheck "$govulncheck_version"
	tool golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint "$golangci_lint_version" "takes some minutes, once"
}

python_works() {
	"$1" -c "import sys, venv, ensurepip; sys.exit(sys.version_info < tuple(map(int, '$python_minimum'.split('.'))))" 2>/dev/null
}

node_works() {
	command -v node >/dev/null && command -v npm >/dev/null &&
		newer "$(node --version | sed 's/^v//')" "$node_minimum"
}

find_python() {
	local p
	for p in python3 /usr/bin/python3; do
		if command -v "$p" >/dev/null && python_works "$p"; then
			command -v "$p"
			return
		fi
	done
	return 1
}

python_part() {
	local python stamp=$compat/venv/requirements.sum want
	want=$(sha256sum <test/compat/requirements.txt)
	if [ -x "$compat/venv/bin/python" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$want" ] && "$compat/venv/bin/python" -c '' 2>/dev/null; then
		return
	fi
	if ! python=$(find_python); then
		debian "Python $python_minimum with venv" python3 python3-venv
		python=$(find_python) || fail "Python $python_minimum or newer with the modules venv and ensurepip is needed"
	fi
	say "making the Python environment of test/compat"
	rm -rf "$compat/venv"
	mkdir -p "$compat"
	"$python" -m venv "$compat/venv"
	"$compat/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input -r test/compat/requirements.txt ||
		fail "the packages of test/compat/requirements.txt could not be installed"
	printf '%s\n' "$want" >"$stamp"
}

# old_part makes an environment with an old boto3 alone.
old_part() {
	local stamp=$compat/old/requirements.sum want
	want=$(sha256sum <test/compat/requirements-old.txt)
	if [ -x "$compat/old/bin/python" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$want" ] && "$compat/old/bin/python" -c '' 2>/dev/null; then
		return
	fi
	say "making the Python environment of the old boto3"
	rm -rf "$compat/old"
	"$compat/venv/bin/python" -m venv "$compat/old"
	"$compat/old/bin/python" -m pip install --quiet --disable-pip-version-check --no-input -r test/compat/requirements-old.txt ||
		fail "the packages of test/compat/requirements-old.txt could not be installed"
	printf '%s\n' "$want" >"$stamp"
}

servers() {
	command -v valkey-server >/dev/null || command -v redis-server >/dev/null || debian "a Redis server (for the tests of several replicas)" redis-server
	command -v initdb >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || debian "a Postgres server (for the tests of what several replicas share)" postgresql
}

curl_part() { command -v curl >/dev/null || debian "curl (for the lines that the demo prints)" curl; }

node_part() {
	local folder=$1 what=$2
	local stamp=$folder/node_modules/.lock.sum want
	if ! node_works; then
		debian "Node.js $node_minimum with npm" nodejs npm
		node_works || fail "Node.js $node_minimum or newer with npm is needed; this machine has $(node --version 2>/dev/null || echo none)"
	fi
	want=$(cat "$folder/package-lock.json" "$folder/package.json" | sha256sum)
	if [ "$(cat "$stamp" 2>/dev/null)" = "$want" ]; then
		return
	fi
	say "installing $what"
	mkdir -p "$cache"
	(cd "$folder" && npm ci --silent --no-audit --no-fund --ignore-scripts </dev/null) >"$cache/npm.log" 2>&1 ||
		{ tail -n 5 "$cache/npm.log" >&2; fail "npm ci failed in $folder (see .cache/npm.log)"; }
	printf '%s\n' "$want" >"$stamp"
}

part=${1:-all}
case $part in
lint | servers | compat | all) ;;
*) fail "unknown part '$part': lint, servers, compat or all" ;;
esac
go_itself
case $part in lint | all) lint ;; esac
case $part in servers | all) servers ;; esac
if [ "$part" = compat ] || [ "$part" = all ]; then
	curl_part
	python_part
	old_part
	node_part test/compat/node "the Node.js clients of test/compat"
	node_part test/compat/codex "OpenAI's Codex, for test/compat"
	node_part test/compat/claude-code "Claude Code, for test/compat"
fi
