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

# Waits until no process works in the folder.
postgres_is_left() {
    for _ in $(seq 1 100); do
        [ -n "$(find /proc/[0-9]*/cwd -maxdepth 0 -lname "$1" 2>/dev/null || true)" ] || return 0
        sleep 0.1
    done
    return 1
}

postgres_start() {
    local bin data=$dir/postgres
    bin=$(postgres_bin)
    if [ ! -s "$data/PG_VERSION" ]; then
        # Made beside and then renamed, so that a start that was interrupted leaves no half of a database.
        local new=$data.new
        rm -rf "$new" "$data"
        mkdir -p "$new"
        echo bilten >"$dir/postgres.password"
        [ "$(id -u)" != 0 ] || chown postgres "$new" "$dir/postgres.password"
        as_postgres "$bin/initdb" -D "$new" -U bilten --pwfile="$dir/postgres.password" --auth=scram-sha-256 \
            --encoding=UTF8 --locale=C >>"$dir/postgres.log" 2>&1 || fail "initdb failed; see $dir/postgres.log"
        # The database is called like the user, so that the first connection finds one.
        echo 'create database bilten' | as_postgres "$bin/postgres" --single -D "$new" postgres >>"$dir/postgres.log" 2>&1
        mv "$new" "$data"
    fi
    # A postmaster that was killed leaves children behind for a moment, and postmaster.pid. That file must stay while one
    # of them works on the data; after that it only stands in the way, because a zombie still has its number.
    postgres_is_left "$(realpath "$data")" || fail "processes of a PostgreSQL that was killed still use $data"
    rm -f "$data/postmaster.pid"
    local run=("$bin/postgres" -D "$data" -p "$postgres_port" -c listen_addresses=127.0.0.1
        -c "unix_socket_directories=" -c max_connections=200 -c shared_buffers=128MB)
    [ "$(id -u)" != 0 ] || run=(setpriv --reuid=postgres --regid=postgres --init-groups "${run[@]}")
    launch postgres "${run[@]}"
}
