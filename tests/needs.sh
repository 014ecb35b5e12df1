#!/bin/sh
# Says what this machine lacks to build and test Bilten, and how to get it. With --install, and as root, gets it.
set -eu

missing=""
need() { # program, Debian package
    command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}

need cc gcc
need make make
need python3 python3
# A Debian python3 comes without the module that fills a virtual environment.
python3 -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"
# A C compiler without the C library's headers can't build SQLite.
if command -v cc >/dev/null 2>&1; then
    echo '#include <stdlib.h>' | cc -E - >/dev/null 2>&1 || missing="$missing libc6-dev"
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
if [ -n "$missing" ]; then
    echo "This machine lacks:$missing. On Debian: apt-get install -y$missing libc6-dev" >&2
    exit 1
fi
