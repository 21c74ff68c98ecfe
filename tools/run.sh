#!/usr/bin/env bash
# Builds Redkeep and starts it: tools/run.sh [server arguments]
# RocksDB takes a while to compile the first time; its build is kept in $HOME/.cache/redkeep/target for every checkout.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CARGO_TARGET_DIR=$(realpath -m "${CARGO_TARGET_DIR:-$HOME/.cache/redkeep/target}")
export CARGO_TARGET_DIR

"$root/tools/setup.sh"
# Cargo reads .cargo/config.toml from the directory it runs in; the server keeps the caller's, for relative paths.
(cd "$root" && cargo build --release --bin redkeep-server)
exec "$CARGO_TARGET_DIR/release/redkeep-server" "$@"
