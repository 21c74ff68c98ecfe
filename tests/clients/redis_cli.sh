#!/bin/sh
# redis-cli against the server on the port given: one command, a pipe of commands, --pipe, --scan, -x, --bigkeys, -3.
set -eu
port=$1

cli() {
    redis-cli -h 127.0.0.1 -p "$port" "$@"
}

expect() {
    expected=$1
    shift
    actual=$("$@")
    if [ "$actual" != "$expected" ]; then
        printf 'FAILED: %s\n  expected: %s\n  actual:   %s\n' "$*" "$expected" "$actual" >&2
        exit 1
    fi
    checks=$((checks + 1))
}
checks=0

expect PONG cli PING
expect OK cli SET greeting "hello world"
expect "hello world" cli GET greeting
expect '"hello world"' cli --no-raw GET greeting
expect 11 cli STRLEN greeting
expect "" cli GET missing
expect "(nil)" cli --no-raw GET missing
expect "(integer) 1" cli --no-raw INCR counter
expect 'ERR value is not an integer or out of range' cli INCR greeting
expect OK cli -n 3 SET in-three yes
expect yes cli -n 3 GET in-three
expect "" cli GET in-three
expect OK cli MSET a 1 b 2 c 3
expect "1
2

3" cli MGET a b missing c
expect '1) "1"
2) (nil)' cli --no-raw MGET a missing

# Standard input: commands, a value, the protocol itself.
expect "OK
7
7" sh -c "printf 'SET x 6\nINCR x\nGET x\n' | redis-cli -h 127.0.0.1 -p $port"
expect OK sh -c "printf 'from stdin' | redis-cli -h 127.0.0.1 -p $port -x SET stdin"
expect "from stdin" cli GET stdin
awk 'BEGIN { for (i = 0; i < 1000; i++) printf "*3\r\n$3\r\nSET\r\n$8\r\npipe%04d\r\n$1\r\nv\r\n", i }' |
    cli --pipe >/dev/null
expect 1000 sh -c "redis-cli -h 127.0.0.1 -p $port --scan --pattern 'pipe*' | sort -u | wc -l | tr -d ' '"

expect "\"1\",\"2\"" cli --csv MGET a b

# RESP3, repeats, looks at the whole key space, a password.
expect "(nil)" cli -3 --no-raw GET missing
expect '1# "appendfsync" => "everysec"' cli -3 --no-raw CONFIG GET appendfsync
expect "1
2
3" cli -r 3 INCR repeated
cli --bigkeys >/dev/null
cli INFO server | grep -q '^redis_version:'
cli CLIENT LIST | grep -q 'cmd=client|list'
expect OK cli CONFIG SET requirepass secret
expect 'NOAUTH Authentication required.' cli GET greeting
expect "hello world" cli --no-auth-warning -a secret GET greeting
expect "hello world" cli --no-auth-warning --user default --pass secret GET greeting
expect OK cli --no-auth-warning -a secret CONFIG SET requirepass ""
expect OK cli FLUSHALL
expect 0 cli DBSIZE

echo "redis-cli: $checks checks"
