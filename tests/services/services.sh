#!/usr/bin/env bash
# Real servers for the tests: PostgreSQL, Apache Kafka, and one that speaks S3.
#
#   services.sh start|stop|kill|restart|status [postgres|kafka|s3]…   all of them if none is named
#   services.sh env                                                   the variables by which tests find them
#
# `start` does nothing for what runs already; `kill` is kill -9, `restart` is `kill` and `start`, and the data stay. Data
# and logs stand in $BILTEN_SERVICES_DIR, programs in the user's cache. Only processes that were started here are stopped.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
dir=${BILTEN_SERVICES_DIR:-${TMPDIR:-/tmp}/bilten-services-$(id -u)}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/bilten-services
# Below the ports that connections are given by themselves: while a server is down, its own port must not go to a client.
postgres_port=${BILTEN_POSTGRES_PORT:-15430}
kafka_port=${BILTEN_KAFKA_PORT:-19092}
controller_port=${BILTEN_KAFKA_CONTROLLER_PORT:-$((kafka_port + 1))}
kafka_proxied_port=${BILTEN_KAFKA_PROXIED_PORT:-$((kafka_port + 2))}
kafka_proxy_port=${BILTEN_KAFKA_PROXY_PORT:-$((kafka_port + 3))}
kafka_sasl_port=${BILTEN_KAFKA_SASL_PORT:-$((kafka_port + 4))}
s3_port=${BILTEN_S3_PORT:-19000}
bucket=bilten

# shellcheck source=/dev/null
. "$here/postgres.sh"
# shellcheck source=/dev/null
. "$here/kafka.sh"
# shellcheck source=/dev/null
. "$here/s3.sh"

fail() {
    echo "services: $*" >&2
    exit 1
}

# The process that a service's file names, if it is one of ours: numbers are used again.
pid_of() {
    local pid
    pid=$(cat "$dir/$1.pid" 2>/dev/null) || return 1
    # Without a pipe: a reader that has found its line and goes would look like a failure.
    grep -zqxF "BILTEN_SERVICE=$dir/$1" "/proc/$pid/environ" 2>/dev/null || return 1
    echo "$pid"
}

# Starts a command in the background, marked as ours, and waits until `$1_answers`.
launch() {
    local name=$1
    shift
    local log=$dir/$name.log
    BILTEN_SERVICE=$dir/$name setsid nohup "$@" >>"$log" 2>&1 </dev/null 9>&- &
    echo $! >"$dir/$name.pid"
    local i
    for i in $(seq 1 600); do
        if "${name}_answers" >/dev/null 2>&1; then
            echo "$name runs; its log is $log" >&2
            return 0
        fi
        pid_of "$name" >/dev/null || [ "$i" -lt 20 ] || break
        sleep 0.1
    done
    tail -n 30 "$log" >&2
    fail "$name did not start; its log is $log"
}

# One at a time changes a service: two who start it at once would both find it stopped.
lock() {
    mkdir -p "$dir" "$cache"
    chmod 755 "$dir"
    exec 9>"$dir/$1.lock"
    flock -w 120 9 || fail "$1 is being started or stopped by another process for too long"
}

start() {
    lock "$1"
    if pid_of "$1" >/dev/null && "$1_answers" >/dev/null 2>&1; then
        echo "$1 runs; its log is $dir/$1.log" >&2
        return 0
    fi
    end "$1" KILL
    ! "$1_answers" >/dev/null 2>&1 || fail "another server has the port of $1: stop it, or set BILTEN_${1^^}_PORT"
    "$1_start"
}

stop() {
    lock "$1"
    end "$1" "$2"
}

# Ends a service by its process id, and whatever it started.
end() {
    local pid
    pid=$(pid_of "$1") || return 0
    kill "-$2" -- "-$pid" 2>/dev/null || kill "-$2" "$pid" 2>/dev/null || true
    for _ in $(seq 1 300); do
        pid_of "$1" >/dev/null || break
        sleep 0.1
    done
    pid=$(pid_of "$1") && kill -KILL -- "-$pid" 2>/dev/null || true
    rm -f "$dir/$1.pid"
}

variables() {
    cat <<EOF
export BILTEN_SERVICES=$here/services.sh
export BILTEN_SERVICES_DIR=$dir
export BILTEN_TEST_POSTGRES=postgres://bilten:bilten@127.0.0.1:$postgres_port/bilten
export BILTEN_TEST_KAFKA=127.0.0.1:$kafka_port
export BILTEN_TEST_KAFKA_PROXIED=127.0.0.1:$kafka_proxied_port
export BILTEN_TEST_KAFKA_PROXY=127.0.0.1:$kafka_proxy_port
export BILTEN_TEST_KAFKA_SASL=127.0.0.1:$kafka_sasl_port
export BILTEN_TEST_KAFKA_USER='$kafka_user'
export BILTEN_TEST_KAFKA_PASSWORD='$kafka_password'
export BILTEN_TEST_S3=http://127.0.0.1:$s3_port
export BILTEN_TEST_S3_BUCKET=$bucket
export AWS_ACCESS_KEY_ID=$s3_access_key
export AWS_SECRET_ACCESS_KEY=$s3_secret_key
export AWS_REGION=us-east-1
EOF
}

command=${1:-}
[ $# -gt 0 ] && shift
names=("$@")
[ ${#names[@]} -gt 0 ] || names=(postgres kafka s3)
case $command in
start) for name in "${names[@]}"; do start "$name"; done ;;
stop) for name in "${names[@]}"; do stop "$name" TERM; done ;;
kill) for name in "${names[@]}"; do stop "$name" KILL; done ;;
restart) for name in "${names[@]}"; do stop "$name" KILL && start "$name"; done ;;
status)
    for name in "${names[@]}"; do
        pid=$(pid_of "$name") && echo "$name runs as $pid; its log is $dir/$name.log" || echo "$name does not run"
    done
    ;;
env) variables ;;
*) fail "usage: services.sh start|stop|kill|restart|status|env [postgres|kafka|s3]…" ;;
esac
