#!/usr/bin/env bash
# Installs what is missing to build Redkeep on Debian 12 (with --tests, also to test it). Does nothing, quickly, when
# everything is there.
#
#   tools/setup.sh                a C++ compiler, make and libclang, for RocksDB, jemalloc and their bindings
#   tools/setup.sh --tests        and redis-server, redis-py and Node's clients, which the tests compare and talk with
#   tools/setup.sh --tcl-suite    and tclsh, for tools/tcl-suite.sh
#
# The client libraries go to $HOME/.cache/redkeep/clients, out of the way of the system's Python and Node.
set -euo pipefail

readonly CLIENTS="${REDKEEP_CACHE:-$HOME/.cache/redkeep}/clients"
# packaging is what kombu's Redis transport takes, which Celery stands on.
readonly PYTHON_CLIENTS=(redis==8.1.0 rq==3.0.0 celery==5.7.0 kombu==5.7.0 packaging==26.3)
readonly NODE_CLIENTS=(ioredis@5.11.1 bullmq@6.7.0 redlock@5.0.0-beta.2 rate-limiter-flexible@11.4.0
    socket.io@4.8.4 socket.io-client@4.8.4 @socket.io/redis-adapter@8.3.0 @socket.io/redis-streams-adapter@0.3.1)

die() {
    echo "setup: $*" >&2
    exit 1
}

has() {
    command -v "$1" >/dev/null 2>&1
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

has_libclang() {
    local libraries=(/usr/lib/llvm-*/lib/libclang*.so*)
    [ -n "${LIBCLANG_PATH:-}" ] || [ -e "${libraries[0]}" ] || /sbin/ldconfig -p | grep -q 'libclang.*\.so'
}

has_ensurepip() {
    python3 -c 'import ensurepip' 2>/dev/null
}

has_python_clients() {
    local client modules
    for client in "${PYTHON_CLIENTS[@]}"; do
        modules=("$CLIENTS"/venv/lib/python3*/site-packages/"${client%%=*}")
        [ -d "${modules[0]}" ] || return 1
    done
}

has_node_clients() {
    local client
    for client in "${NODE_CLIENTS[@]}"; do
        [ -d "$CLIENTS/node_modules/${client%@*}" ] || return 1
    done
}

# Prints the Debian packages that are missing, one a line.
missing_packages() {
    has g++ || echo g++
    has make || echo make
    has clang || echo clang
    has_libclang || echo libclang-dev
    if [ "$tests" = yes ]; then
        has redis-server || echo redis-server
        has redis-benchmark || echo redis-tools
        has_python_clients || has python3 || echo python3
        has_python_clients || has_ensurepip || echo python3-venv
        has node || echo nodejs
        has_node_clients || has npm || echo npm
    fi
    if [ "$tcl_suite" = yes ]; then
        has tclsh8.6 || echo tcl8.6
    fi
}

# Debian starts a service as its package is installed; a redis-server that takes port 6379 is not what anyone asked for.
policy=/usr/sbin/policy-rc.d
policy_is_ours=no
forbid_services() {
    if [ ! -e "$policy" ]; then
        policy_is_ours=yes
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod 755 "$policy"
    fi
}

allow_services() {
    if [ "$policy_is_ours" = yes ]; then
        as_root rm -f "$policy"
        policy_is_ours=no
    fi
}
trap allow_services EXIT

install_packages() {
    has apt-get || die "missing: $*. This script installs Debian's packages; here, install these by other means"
    [ "$(id -u)" -eq 0 ] || has sudo || die "missing: $*. Install them as root (neither root nor sudo here)"
    echo "setup: installing $*" >&2
    local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300)
    forbid_services
    as_root "${apt[@]}" update >&2 || die "apt-get update failed"
    as_root "${apt[@]}" install --no-install-recommends "$@" >&2 || die "apt-get could not install: $*"
    allow_services
    case " $* " in
    *' redis-server '*) disable_redis_service ;;
    esac
}

# Only ever called when this script has just installed the package, so no one's own server is stopped.
disable_redis_service() {
    if [ -d /run/systemd/system ]; then
        as_root systemctl disable --now redis-server >&2 || die "could not switch off the redis-server service"
    fi
}

install_clients() {
    mkdir -p "$CLIENTS"
    if ! has_python_clients; then
        python3 -m venv --clear "$CLIENTS/venv" || die "could not make a Python environment in $CLIENTS/venv"
        "$CLIENTS/venv/bin/python" -m pip install --quiet "${PYTHON_CLIENTS[@]}" >&2 ||
            die "pip could not install ${PYTHON_CLIENTS[*]}"
    fi
    if ! has_node_clients; then
        npm install --silent --no-audit --no-fund --prefix "$CLIENTS" "${NODE_CLIENTS[@]}" >&2 ||
            die "npm could not install ${NODE_CLIENTS[*]}"
    fi
}

tests=no
tcl_suite=no
for argument in "$@"; do
    case "$argument" in
    --tests) tests=yes ;;
    --tcl-suite) tcl_suite=yes ;;
    *) die "unknown option $argument (there are --tests and --tcl-suite)" ;;
    esac
done

has cargo || die "cargo is missing: install Rust with rustup, then open a new shell"
mapfile -t packages < <(missing_packages)
if [ ${#packages[@]} -gt 0 ]; then
    install_packages "${packages[@]}"
fi
if [ "$tests" = yes ]; then
    install_clients
fi
