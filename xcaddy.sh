#!/usr/bin/env bash
# Builds Caddy with the auth gateway, runs the demo, tests and measures.
#
#   ./xcaddy.sh             builds ./caddy; needs only Go
#   ./xcaddy.sh run         builds and starts the demo; needs only Go
#   ./xcaddy.sh test        everything; installs what it needs on Debian as root
#     --fuzz 10m            with so much time for each fuzz target, not 10 s
#   ./xcaddy.sh test unit   what needs only Go
#   ./xcaddy.sh bench       prints the performance table
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

readonly module=github.com/auth-gateway/caddy-auth-gateway
readonly staticcheck=honnef.co/go/tools/cmd/staticcheck@v0.8.2
# Databases of Caddy's own ACME server that a gateway has no use for.
readonly tags=nobadger,nomysql,nopgx
# The same flags everywhere, so that every part finds the others' objects in
# the build cache.
export GOFLAGS="${GOFLAGS:+$GOFLAGS }-trimpath -tags=$tags"

usage() {
	sed -n '2,9s/^# \{0,1\}//p' "$0"
}

fail() {
	printf 'xcaddy.sh: %s\n' "$*" >&2
	exit 1
}

# part NAME COMMAND... runs a part of the tests and says how long it took. The
# command is not tried with || or if: in those, bash goes on after errors within.
part() {
	local began=$SECONDS
	current=$1
	shift
	printf -- '--- %s\n' "$current"
	"$@"
	printf -- '--- %s: %d s\n' "$current" "$((SECONDS - began))"
	current=
}
current=
scratch=
trap 'status=$?; [[ -z $scratch ]] || rm -rf "$scratch"; [[ -z $current ]] || printf "xcaddy.sh: %s failed\n" "$current" >&2; exit $status' EXIT

version() {
	git describe --tags --always --dirty 2>/dev/null || echo unversioned
}

build() {
	if command -v xcaddy >/dev/null; then
		xcaddy build --with "$module=." --output ./caddy
		return
	fi
	local caddy
	caddy=$(go list -m -f '{{.Version}}' github.com/caddyserver/caddy/v2)
	go build -ldflags "-w -s -X github.com/caddyserver/caddy/v2.CustomVersion=$caddy+auth-gateway.$(version)" \
		-o ./caddy ./integration/caddy
}

run() {
	build
	go build -o ./examples/demo/data/demo ./examples/demo
	exec ./examples/demo/data/demo -caddy ./caddy -dir ./examples/demo
}

# missing lists what the integration tests need and this machine lacks, one
# Debian package a line; "npm ci" stands for what package-lock.json pins.
missing() {
	command -v chromium >/dev/null || echo chromium
	command -v oathtool >/dev/null || echo oathtool
	command -v node >/dev/null || echo nodejs
	command -v npm >/dev/null || echo npm
	command -v plackup >/dev/null || echo libplack-perl
	[[ -e /usr/share/perl5/Lemonldap/NG/Portal/Main.pm ]] || echo liblemonldap-ng-portal-perl
	perl -MCrypt::OpenSSL::Bignum -e1 2>/dev/null || echo libcrypt-openssl-bignum-perl
	perl -MIO::String -e1 2>/dev/null || echo libio-string-perl
	perl -MString::Random -e1 2>/dev/null || echo libstring-random-perl
	[[ -e /usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc ]] || echo fonts-noto-cjk
	cmp -s integration/npm/package-lock.json integration/npm/node_modules/.installed || echo 'npm ci'
}

# recent_node tells whether Node.js is new enough for oidc-provider: Debian 12
# has version 18.
recent_node() {
	[[ $(node -p 'process.versions.node.split(".")[0] >= 20') == true ]]
}

# npm_packages installs what package-lock.json pins and, where the machine's
# Node.js is too old for it, a Node.js beside it.
npm_packages() {
	local arch
	cd integration/npm || return
	npm ci --no-audit --no-fund || return
	if ! recent_node; then
		arch=$(uname -m)
		arch=${arch/x86_64/x64}
		npm install --no-save --no-audit --no-fund "node-linux-${arch/aarch64/arm64}@22" || return
	fi
	cp package-lock.json node_modules/.installed
}

# tools installs what missing lists, on Debian as root; elsewhere it says what
# there is to install.
tools() {
	local lacking packages
	lacking=$(missing)
	[[ -n $lacking ]] || return 0
	packages=$(grep -v '^npm ci$' <<<"$lacking" || true)
	if [[ -n $packages ]]; then
		if [[ ! -e /etc/debian_version || $EUID -ne 0 ]]; then
			fail "the tests need these Debian packages, or what they stand for: ${packages//$'\n'/ }"
		fi
		export DEBIAN_FRONTEND=noninteractive
		apt-get update -q
		without_services xargs apt-get install -y -q --no-install-recommends <<<"$packages"
	fi
	if grep -q '^npm ci$' <<<"$lacking"; then
		(npm_packages) || return
	fi
	lacking=$(missing)
	[[ -z $lacking ]] || fail "still missing after the installation: ${lacking//$'\n'/ }"
}

# without_services runs a command while Debian starts no service that a
# package brings along.
without_services() {
	local policy=/usr/sbin/policy-rc.d
	if [[ -e $policy ]]; then
		"$@"
		return
	fi
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod +x "$policy"
	local status=0
	"$@" || status=$?
	rm -f "$policy"
	return "$status"
}

formatted() {
	local files
	files=$(git ls-files -z --cached --others --exclude-standard '*.go' | xargs -0 gofmt -l)
	[[ -z $files ]] || fail "not formatted by gofmt: ${files//$'\n'/ }"
}

vet() {
	go vet ./...
	go vet -tags="$tags,integration" ./integration/... ./module/pages
}

lint() {
	go run "$staticcheck" ./...
	go run "$staticcheck" -tags "$tags,integration" ./integration/... ./module/pages
}

# examples adapts every example's Caddyfile.
examples() {
	local file
	for file in examples/*/Caddyfile; do
		(cd "$(dirname "$file")" && "$OLDPWD/caddy" adapt --config Caddyfile >/dev/null) ||
			fail "$file does not adapt"
	done
}

unit() {
	part 'gofmt' formatted
	part 'go vet' vet
	part 'go test -race' raced
}

# raced tests every package that has tests which need only Go. Building the
# others for the race detector, Caddy with all its modules among them, would
# take most of the time.
raced() {
	local packages
	packages=$(go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' ./...)
	# shellcheck disable=SC2086 # one word a package
	go test -race -timeout 10m $packages
}

# fuzz runs every fuzz target for a while. What fails is kept as a file below
# the package's testdata/fuzz, where go test finds it again; what was merely
# interesting is kept in Go's cache until `go clean -fuzzcache`.
#
# Only our own packages are instrumented: `go test -fuzz` would compile Caddy
# with all its modules and SQLite once more for it.
fuzz() {
	local package program target
	scratch=$(mktemp -d)
	export fuzztime scratch
	fuzzcache=$(go env GOCACHE)/fuzz/$module
	export fuzzcache
	for package in $(grep -rl --include='*_test.go' '^func Fuzz' caddyfile module | xargs -n1 dirname | sort -u); do
		program=$scratch/${package//\//-}.test
		go test -c -gcflags="$module/...=-d=libfuzzer" -o "$program" "./$package"
		for target in $(cd "$package" && "$program" -test.list '^Fuzz'); do
			printf '%s\n' "$program" "$package" "$target"
		done
	done >"$scratch/targets"
	# One worker each, as many at a time as there are cores.
	xargs -P "$(nproc)" -n 3 bash -c '
		log=$scratch/$2.log
		if (cd "$1" && "$0" -test.run "^\$" -test.fuzz "^$2\$" -test.fuzztime "$fuzztime" \
			-test.fuzzminimizetime 100x -test.parallel 1 -test.fuzzcachedir "$fuzzcache/$1") >"$log" 2>&1; then
			printf -- "--- %s in %s, %s: %s\n" "$2" "$1" "$fuzztime" "$(grep "^fuzz: elapsed" "$log" | tail -n 1)"
			exit
		fi
		# Before version 1.27, Go may take the end of the time itself for a
		# failure (golang.org/issue/75804). It keeps no input of that.
		if [[ $(tail -n 2 "$log") == "    context deadline exceeded"$'"'"'\n'"'"'FAIL ]]; then
			printf -- "--- %s in %s, %s: ended late\n" "$2" "$1" "$fuzztime"
			exit
		fi
		printf -- "--- %s in %s failed; what it was given is in testdata/fuzz/%s there\n" "$2" "$1" "$2"
		cat "$log"
		exit 255' <"$scratch/targets" || fail 'a fuzz target failed'
}
fuzztime=${AUTH_GATEWAY_FUZZTIME:-10s}

# The integration tests come last: their closing lines close the run.
all() {
	part 'tools' tools
	part 'gofmt' formatted
	part 'go vet' vet
	part 'staticcheck' lint
	part 'build' build
	part 'examples' examples
	part 'go test -race' raced
	part 'fuzz' fuzz
	printf -- '--- integration, after %d s\n' "$SECONDS"
	AUTH_GATEWAY_BINARY=$PWD/caddy go test -tags "$tags,integration" -timeout 20m ./module/pages ./integration/...
}

bench() {
	build
	mkdir -p integration/output
	go build -ldflags '-w -s' -o integration/output/plain-caddy github.com/caddyserver/caddy/v2/cmd/caddy
	go run ./integration/bench -caddy ./caddy -plain integration/output/plain-caddy "$@"
}

case "${1:-build} ${2:-}" in
'build ') build ;;
'run ') run ;;
'test ') all ;;
'test unit') unit ;;
'test --fuzz')
	[[ ${3:-} =~ ^[0-9]+(ms|s|m|h|x)$ ]] || fail "--fuzz needs a time, for example: ./xcaddy.sh test --fuzz 10m"
	fuzztime=$3
	all
	;;
'bench '*) bench "${@:2}" ;;
'help ' | '-h ' | '--help ') usage ;;
*)
	usage >&2
	exit 2
	;;
esac
