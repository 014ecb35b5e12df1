# A server that speaks S3: Versity's gateway over a folder, built by Go. Chosen because its conditional put holds when many
# ask at once (it checks and publishes under one lock; 20 at a time on one key, plain and multipart, gave one winner in
# each of 100 rounds), and because kill -9 loses no answered put (a file is linked when it is complete). Garage has no
# conditional put, and moto keeps everything in memory.

s3_version=v1.8.0
s3_access_key=bilten
s3_secret_key=bilten-secret

s3_answers() {
    curl --silent --output /dev/null --max-time 2 "http://127.0.0.1:$s3_port/$bucket"
}

s3_start() {
    local program=$cache/versitygw-$s3_version/versitygw
    if [ ! -x "$program" ]; then
        command -v go >/dev/null || fail "Go is missing: install Go 1.21 or newer"
        GOBIN=$(dirname "$program") go install "github.com/versity/versitygw/cmd/versitygw@$s3_version" >&2 ||
            fail "the S3 gateway can't be built"
    fi
    mkdir -p "$dir/s3/$bucket"
    launch s3 env "ROOT_ACCESS_KEY=$s3_access_key" "ROOT_SECRET_KEY=$s3_secret_key" \
        "$program" --port "127.0.0.1:$s3_port" --quiet posix "$dir/s3"
}
