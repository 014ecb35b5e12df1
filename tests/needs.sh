#!/bin/sh
# Says what this machine lacks to build and test Bilten, and how to get it. With --install, and as root, gets it.
# With EMBEDDED=1 the servers that the tests run against are not asked for. A browser is asked for with TESTS=1 alone.
set -eu

missing=""
need() { # program, Debian package
    command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}

need cc gcc
need c++ g++
need make make
need python3 python3
# A Debian python3 comes without the module that fills a virtual environment.
python3 -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"
# A C compiler without the C library's headers can't build SQLite.
if command -v cc >/dev/null 2>&1; then
    echo '#include <stdlib.h>' | cc -E - >/dev/null 2>&1 || missing="$missing libc6-dev"
    # Kafka's client is built against OpenSSL and zlib.
    echo '#include <openssl/ssl.h>' | cc -E - >/dev/null 2>&1 || missing="$missing libssl-dev"
    echo '#include <zlib.h>' | cc -E - >/dev/null 2>&1 || missing="$missing zlib1g-dev"
fi
need pkg-config pkg-config
# The pages are built by Vite.
need node nodejs
need npm npm
if [ -n "${TESTS:-}" ] || [ "${1:-}" = "--install" ]; then
    # Whichever browser of this family there is. Arabic and the like must not be boxes on the pages that it looks at.
    for browser in chromium chromium-browser google-chrome google-chrome-stable; do
        command -v "$browser" >/dev/null 2>&1 && break
    done || missing="$missing chromium fonts-noto-core"
    # It asks the lake, with and without servers.
    need psql postgresql-client
fi
if [ -z "${EMBEDDED:-}" ]; then
    ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || need initdb postgresql
    need java default-jre-headless
    need mvn maven
    need curl curl
    need flock util-linux
    # The S3 server wants a newer Go than distributions have. From 1.21 on Go fetches the version that a program wants.
    need go golang-go
fi

if [ -n "$missing" ] && [ "${1:-}" = "--install" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    apt-get update -qq
    # shellcheck disable=SC2086  # a list of packages
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing libc6-dev
    missing=""
fi
if ! command -v cargo >/dev/null 2>&1; then
    echo "The Rust toolchain is missing: install rustup, or the version that rust-toolchain.toml names." >&2
    exit 1
fi
node_version=$(node --version 2>/dev/null | sed 's/^v\([0-9]*\).*/\1/')
if command -v node >/dev/null 2>&1 && [ "${node_version:-0}" -lt 18 ]; then
    echo "Node.js is older than 18, and the pages are built by a newer one." >&2
    exit 1
fi
go_version=$(go env GOVERSION 2>/dev/null | sed 's/^go1\.\([0-9]*\).*/\1/')
if [ -z "${EMBEDDED:-}" ] && command -v go >/dev/null 2>&1 && [ "${go_version:-0}" -lt 21 ]; then
    echo "Go is older than 1.21, and the S3 server of the tests needs a newer one: take it from Debian's backports or" \
        "from go.dev. EMBEDDED=1 does without servers." >&2
    exit 1
fi
if [ -n "$missing" ]; then
    echo "This machine lacks:$missing. On Debian: apt-get install -y$missing libc6-dev" >&2
    exit 1
fi
