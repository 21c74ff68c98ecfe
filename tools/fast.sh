#!/usr/bin/env bash
# Cargo with the quick profile, for the loop of edit, compile, test:
#
#   tools/fast.sh check --all-targets
#   tools/fast.sh test --lib string         one family's unit tests
#   tools/fast.sh test --test redkeep tcp   one test of a running server
#   tools/fast.sh clippy --all-targets -- -D warnings
#   tools/fast.sh build --bin redkeep-server
#
# The profile `fast` of Cargo.toml compiles Redkeep a little optimized, in pieces, and only those that changed; overflow is
# an error. It never compiles RocksDB: it links the library that tools/test.sh (or tools/run.sh) has built, so one of them
# has to run once. How long the loops take: tools/CONTRIBUTING.md. What it builds is not for measuring speed.
#
# What it makes is kept in $HOME/.cache/redkeep/target-fast (or "$CARGO_TARGET_DIR-fast").
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

die() {
    echo "fast: $*" >&2
    exit 1
}

if [ $# -eq 0 ]; then
    sed -n '2,/^set /{/^#/p}' "${BASH_SOURCE[0]}" | sed -E 's/^# ?//' >&2
    exit 2
fi
command=$1
shift
case "$command" in
check | test | clippy | build | doc | run) ;;
*) die "$command is not among check, test, clippy, build, doc and run" ;;
esac
cd "$root"

slow=$(realpath -m "${CARGO_TARGET_DIR:-$HOME/.cache/redkeep/target}")
fast="$slow-fast"

# A library of the version that Cargo.lock names; a build that was broken off has not written its output yet.
version=$(awk -F '"' '/^name = "librocksdb-sys"$/ { getline; print $2 }' Cargo.lock)
[ -n "$version" ] || die "Cargo.lock names no librocksdb-sys"
built=
for output in "$slow"/release/build/librocksdb-sys-*/output; do
    library="${output%/*}/out/librocksdb.a"
    if [ -e "$library" ] && grep -qF "librocksdb-sys-$version" "$output"; then
        if [ -z "$built" ] || [ "$library" -nt "$built" ]; then
            built=$library
        fi
    fi
done

# A copy of its own: the place that cargo chose for it changes, and with it what depends on it would be compiled again.
kept="$fast/rocksdb-$version"
if [ -n "$built" ]; then
    mkdir -p "$kept"
    cp -up "$built" "$kept/librocksdb.a"
elif [ ! -e "$kept/librocksdb.a" ]; then
    die "RocksDB $version is not built yet under $slow. Run tools/test.sh --no-run once (a quarter of an hour on two cores)"
fi

export CARGO_TARGET_DIR="$fast"
export ROCKSDB_LIB_DIR="$kept" ROCKSDB_STATIC=1
export REDKEEP_CLIENTS_DIR="${REDKEEP_CACHE:-$HOME/.cache/redkeep}/clients"
exec cargo "$command" --profile fast "$@"
