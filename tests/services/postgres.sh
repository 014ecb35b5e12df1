# PostgreSQL from the distribution's package. It refuses to run as root, so root starts it as the user postgres.

postgres_bin() {
    local found
    found=$(find /usr/lib/postgresql/*/bin /usr/pgsql-*/bin -name initdb 2>/dev/null | sort -V | tail -n 1)
    found=${found:-$(command -v initdb || true)}
    [ -n "$found" ] || fail "PostgreSQL is missing: install the package postgresql"
    dirname "$found"
}

as_postgres() {
    if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}

postgres_answers() {
    PGPASSWORD=bilten "$(postgres_bin)/psql" -q -h 127.0.0.1 -p "$postgres_port" -U bilten -d bilten -c 'select 1'
}

postgres_start() {
    local bin data=$dir/postgres
    bin=$(postgres_bin)
    if [ ! -s "$data/PG_VERSION" ]; then
        rm -rf "$data"
        mkdir -p "$data"
        echo bilten >"$dir/postgres.password"
        [ "$(id -u)" != 0 ] || chown postgres "$data" "$dir/postgres.password"
        as_postgres "$bin/initdb" -D "$data" -U bilten --pwfile="$dir/postgres.password" --auth=scram-sha-256 \
            --encoding=UTF8 --locale=C >>"$dir/postgres.log" 2>&1 || fail "initdb failed; see $dir/postgres.log"
        # The database is called like the user, so that the first connection finds one.
        echo 'create database bilten' | as_postgres "$bin/postgres" --single -D "$data" postgres >>"$dir/postgres.log" 2>&1
    fi
    # A postmaster that was killed leaves its children behind for a moment.
    for _ in $(seq 1 50); do
        [ -n "$(as_postgres "$bin/pg_ctl" -D "$data" status 2>/dev/null | grep 'is running' || true)" ] || break
        sleep 0.1
    done
    rm -f "$data/postmaster.pid"
    local run=("$bin/postgres" -D "$data" -p "$postgres_port" -c listen_addresses=127.0.0.1
        -c "unix_socket_directories=" -c max_connections=200 -c shared_buffers=128MB)
    [ "$(id -u)" != 0 ] || run=(setpriv --reuid=postgres --regid=postgres --init-groups "${run[@]}")
    launch postgres "${run[@]}"
}
