#!/usr/bin/env bash
# Installs what the tests need and runs them: tools/test.sh [cargo test arguments]
# The tests find redis-py and ioredis in $REDKEEP_CLIENTS_DIR (venv/bin/python3 and node_modules).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$HOME/.cache/redkeep/target}"
export REDKEEP_CLIENTS_DIR="${REDKEEP_CACHE:-$HOME/.cache/redkeep}/clients"
# Arithmetic that overflows is an error where it is tested. No dependency is compiled again for that.
export CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS=true

tools/setup.sh --tests
exec cargo test --release "$@"
