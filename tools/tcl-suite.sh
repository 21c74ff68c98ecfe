#!/usr/bin/env bash
# Runs Redis's own Tcl test suite (7.0, from Debian's source package) against a server, one unit at a time.
#
#   tools/tcl-suite.sh --reference          run Debian's redis-server once and remember which tests pass
#   tools/tcl-suite.sh                      run Redkeep and compare with that, test by test
#   tools/tcl-suite.sh unit/scan unit/sort  only these units
#
# Each unit meets a fresh server with an empty data directory, because an aborted unit leaves settings behind.
# Test names are compared, not totals: one failed assertion makes later tests of its unit fail or vanish.
# The suite is downloaded to a cache outside the checkout and is never part of this repository.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
    cat <<'USAGE'
usage: tools/tcl-suite.sh [options] [unit...]
  --reference      run redis-server and store the names of the tests that pass
  --server CMD     the server to start; {port} and {dir} are replaced (default: the release build of Redkeep)
  --port N         the server's port; the harness takes some of the 200 ports above it (default 22100)
  --out DIR        where logs and summary.tsv go (default: in the cache)
  --unit-timeout S give up on a unit after this many seconds (default 400)
  --all            run the units and tests of tcl-suite-exclusions.txt as well
  --list           print the default units and stop
  --fetch          download the suite and stop
USAGE
}

readonly DEFAULT_UNITS=(
    unit/protocol unit/keyspace unit/scan unit/info-command unit/type/string unit/type/incr unit/type/list
    unit/type/list-2 unit/type/list-3 unit/type/set unit/type/zset unit/type/hash unit/type/stream unit/type/stream-cgroups
    unit/sort unit/expire unit/other unit/multi unit/quit unit/dump unit/pubsub unit/slowlog unit/scripting
    unit/functions unit/introspection unit/introspection-2 unit/latency-monitor unit/bitops unit/bitfield
    unit/geo unit/hyperloglog unit/tracking unit/pause unit/querybuf
)
# Redis internals (DEBUG, replicas, RDB files, eviction) and values over 100 MB are outside this profile.
readonly TAGS="-needs:debug -needs:pfdebug -needs:repl -needs:save -needs:config-maxmemory -large-memory"
readonly WANTED_VERSION='5:7.0.15-1~deb12u'

readonly CACHE="${REDKEEP_CACHE:-$HOME/.cache/redkeep}/tcl-suite"
readonly SUITE="$CACHE/suite"
readonly REFERENCE="$CACHE/reference"
readonly EXCLUSIONS="$PWD/tools/tcl-suite-exclusions.txt"
readonly TARGET="${CARGO_TARGET_DIR:-$HOME/.cache/redkeep/target}"

reference=no
server=
port=22100
out=
unit_timeout=400
all=no
units=()

die() {
    echo "tcl-suite: $*" >&2
    exit 2
}

parse_arguments() {
    while [ $# -gt 0 ]; do
        case "$1" in
        --reference) reference=yes ;;
        --server) server=${2:?--server needs a command} && shift ;;
        --port) port=${2:?--port needs a number} && shift ;;
        --out) out=${2:?--out needs a directory} && shift ;;
        --unit-timeout) unit_timeout=${2:?--unit-timeout needs seconds} && shift ;;
        --all) all=yes ;;
        --list) printf '%s\n' "${DEFAULT_UNITS[@]}" && exit 0 ;;
        --fetch) fetch_suite && exit 0 ;;
        --help | -h) usage && exit 0 ;;
        -*) usage >&2 && die "unknown option $1" ;;
        *) units+=("$1") ;;
        esac
        shift
    done
    if [ "$reference" = yes ]; then
        all=yes # the reference is every test that can pass; exclusions are taken off when comparing
        out=${out:-$REFERENCE}
    fi
    if [ -z "$server" ] && [ "$reference" = yes ]; then
        server='redis-server --port {port} --dir {dir} --save ""'
    elif [ -z "$server" ]; then
        server="'$TARGET/release/redkeep-server' --port {port} --dir {dir}"
    fi
    out=$(realpath -m "${out:-$CACHE/runs/redkeep}")
    if [ ${#units[@]} -eq 0 ]; then
        choose_default_units
    fi
}

# The default units without those that the exclusions leave out whole.
choose_default_units() {
    local unit
    for unit in "${DEFAULT_UNITS[@]}"; do
        if [ "$all" = yes ] || ! grep -qxF "$unit" "$EXCLUSIONS"; then
            units+=("$unit")
        fi
    done
}

# Sources for apt that are the machine's own Debian mirrors, turned into deb-src; the machine's lists stay as they are.
source_lists() {
    local codename
    # shellcheck source=/dev/null
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    # shellcheck disable=SC2016 # apt expands these names
    apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
        awk -v name="$codename" '$2 == name || $2 == name "-updates" || $2 == name "-security" { print "deb-src", $0 }' |
        sort -u
}

fetch_suite() {
    if [ -x "$SUITE/runtest" ]; then
        return
    fi
    command -v apt-get >/dev/null || die "the suite comes from Debian's source package: apt-get is needed"
    local apt="$CACHE/apt" version
    mkdir -p "$apt/lists/partial" "$apt/archives/partial" "$apt/source"
    source_lists >"$apt/sources.list"
    local options=(-q -o "Dir::Etc::sourcelist=$apt/sources.list" -o "Dir::Etc::sourceparts=-"
        -o "Dir::State::lists=$apt/lists" -o "Dir::Cache=$apt" -o APT::Sandbox::User=root)
    apt-get "${options[@]}" update >&2 || die "cannot read the list of Debian's source packages"
    version=$(apt-cache "${options[@]}" madison redis |
        awk -v wanted="$WANTED_VERSION" 'index($3, wanted) == 1 { print $3; exit }')
    [ -n "$version" ] || die "no source package redis=$WANTED_VERSION* here (Debian 12 has it)"
    (cd "$apt/source" && apt-get "${options[@]}" source --download-only "redis=$version" >&2)
    unpack_suite "$apt/source"
}

# The harness refuses to start without an executable src/redis-server, though an external server never uses it.
unpack_suite() {
    local tree="$SUITE.new" program
    rm -rf "$tree"
    mkdir -p "$tree/src"
    tar -xzf "$1"/redis_*.orig.tar.gz -C "$tree" --strip-components=1 --wildcards '*/tests' '*/runtest'
    for program in redis-server redis-cli redis-benchmark; do
        ln -s "$(command -v "$program" || command -v true)" "$tree/src/$program"
    done
    mkdir -p "$tree/tests/tmp"
    rm -rf "$SUITE"
    mv "$tree" "$SUITE"
}

listening() {
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null
}

server_pid=
data_dir=
stop_server() {
    if [ -n "$server_pid" ]; then
        kill -KILL "$server_pid" 2>/dev/null || true
        wait "$server_pid" 2>/dev/null || true
        server_pid=
    fi
    if [ -n "$data_dir" ]; then
        rm -rf "$data_dir"
        data_dir=
    fi
}
trap stop_server EXIT

start_server() { # LOG
    local command attempt
    if listening; then
        die "port $port is taken; choose another with --port"
    fi
    data_dir=$(mktemp -d "${TMPDIR:-/tmp}/redkeep-tcl.XXXXXX")
    command=${server//\{port\}/$port}
    command=${command//\{dir\}/$data_dir}
    (eval "exec $command") >"$1" 2>&1 &
    server_pid=$!
    for attempt in {1..200}; do
        if listening; then
            return
        fi
        kill -0 "$server_pid" 2>/dev/null || break
        sleep 0.05
    done
    cat "$1" >&2
    die "the server did not start: $command (attempt $attempt)"
}

count() { # KIND LOG
    sed '/^ *The End$/,$d' "$2" | grep -c "^\[$1\]: " || true
}

names() { # KIND LOG -> the tests' names, sorted; a test that ran twice is there twice
    sed '/^ *The End$/,$d' "$2" | sed -nE "s/^\[$1\]: (.*)/\1/p" | sed -E 's/ \([0-9]+ ms\)$//' | LC_ALL=C sort
}

# Runs one unit and appends its line to the summary.
run_unit() {
    local unit=$1 name=${1//\//_} log status=0 started=$SECONDS missing=-
    log="$out/$name.log"
    rm -f "$out/$name".*
    start_server "$out/$name.server.log"
    (cd "$SUITE" && exec env TERM=dumb timeout -k 5 "$unit_timeout" ./runtest --host 127.0.0.1 --port "$port" \
        --baseport $((port + 100)) --portcount 90 --single "$unit" --durable --timeout 60 --ignore-encoding \
        --ignore-digest --skipfile "$out/skipped-tests" --tags "$TAGS") >"$log" 2>&1 </dev/null || status=$?
    stop_server
    names ok "$log" >"$out/$name.ok"
    if [ "$reference" = no ] && [ -f "$REFERENCE/$name.ok" ]; then
        names skip "$log" | LC_ALL=C sort -m - "$out/$name.ok" |
            LC_ALL=C comm -13 - "$REFERENCE/$name.ok" >"$out/$name.missing"
        missing=$(wc -l <"$out/$name.missing")
    fi
    printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$unit" "$(count ok "$log")" "$(count err "$log")" \
        "$(count ignore "$log")" "$(count skip "$log")" "$(count exception "$log")" "$missing" "$status" \
        $((SECONDS - started)) | tee -a "$out/summary.tsv" | print_row
}

print_row() {
    awk -F '\t' '{ printf "%-26s %6s %5s %8s %8s %10s %8s %5s %8s\n", $1, $2, $3, $4, $5, $6, $7, $8, $9 }'
}

report() {
    awk -F '\t' -v OFS='\t' 'NR > 1 { for (i = 2; i <= 9; i++) sum[i] += $i; if ($7 != "-") compared = 1 }
        END { print "TOTAL", sum[2] + 0, sum[3] + 0, sum[4] + 0, sum[5] + 0, sum[6] + 0,
              compared ? sum[7] : "-", "", sum[9] }' "$out/summary.tsv" | print_row
    echo "logs: $out"
    if [ "$reference" = no ] && [ ! -d "$REFERENCE" ]; then
        echo "nothing to compare with: tools/tcl-suite.sh --reference runs redis-server once"
    fi
    local unit first=yes
    for unit in "${units[@]}"; do
        if [ -s "$out/${unit//\//_}.missing" ]; then
            [ "$first" = yes ] && echo "tests that pass on redis-server and did not here:"
            first=no
            sed "s|^|  $unit: |" "$out/${unit//\//_}.missing"
        fi
    done
    # Failed when a test that should pass did not, or, with nothing to compare, when anything went wrong.
    awk -F '\t' 'NR > 1 && ($7 == "-" ? $3 + $6 > 0 || $8 != 0 : $7 > 0) { failed = 1 } END { exit failed }' \
        "$out/summary.tsv"
}

main() {
    parse_arguments "$@"
    command -v tclsh8.6 >/dev/null || die "tclsh8.6 is missing: tools/setup.sh --tcl-suite installs it"
    fetch_suite
    mkdir -p "$out"
    if [ "$all" = yes ]; then
        : >"$out/skipped-tests"
    else
        grep -vE '^(#|unit/|$)' "$EXCLUSIONS" >"$out/skipped-tests" || true
    fi
    printf 'unit\tok\terr\tignored\tskipped\texception\tmissing\texit\tseconds\n' |
        tee "$out/summary.tsv" | print_row
    local unit
    for unit in "${units[@]}"; do
        run_unit "$unit"
    done
    report
}

main "$@"
