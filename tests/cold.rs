//! Whatever a command reads of what is cold comes in a few rounds, however much it is: each round runs the command once more
//! from its beginning, on the thread that serves everybody.

use crate::support::server::{Kind, Setup};
use crate::support::{Client, Server, Value};
use redkeep::facade::data_commands;
use std::collections::BTreeSet;

/// How often a command may find records missing.
const MOST_ROUNDS: u64 = 8;

/// Large values, each under the name of its key, that cases copy.
const TEMPLATES: &str = "
    SET counter 1
    SETRANGE long 1000000 x
    SETRANGE other 1000000 y
    RPUSH list {e#:0..10000}
    RPUSH mixed {e# x:0..5000}
    RPUSH ids {#:0..10000}
    SADD set {m#:0..10000}
    SADD set2 {m#:5000..15000}
    HSET hash {f# v#:0..10000}
    HSET numbers {f# #:0..10000}
    HSET timed {f# v#:0..10000}
    HEXPIRE timed 100000 FIELDS 10000 {f#:0..10000}
    ZADD zset {# m#:0..10000}
    ZADD zset2 {# m#:5000..15000}
    ZADD same {0 m#:0..10000}
    GEOADD geo {1.# 2.# m#:0..10000}
    PFADD hll {m#:0..10000}
    PFADD hll2 {m#:5000..15000}
    XGROUP CREATE stream g 0 MKSTREAM
";

/// Name, what is there before, and the command, which touches 10,000 elements where it can. What is there: names of templates,
/// or commands.
const CASES: &str = "
    append                  | long                  | APPEND long x
    decr                    | counter               | DECR counter
    decrby                  | counter               | DECRBY counter 2
    get                     | long                  | GET long
    getdel                  | long                  | GETDEL long
    getex                   | long                  | GETEX long EX 1000
    getrange                | long                  | GETRANGE long 0 -1
    getset                  | long                  | GETSET long x
    incr                    | counter               | INCR counter
    incrby                  | counter               | INCRBY counter 2
    incrbyfloat             | counter               | INCRBYFLOAT counter 1.5
    lcs                     | SET a abc; SET b bcd  | LCS a b
    mget                    | MSET {k# v#:0..10000} | MGET {k#:0..10000}
    mset                    | MSET {k# v#:0..10000} | MSET {k# w#:0..10000}
    msetnx                  |                       | MSETNX {new# w#:0..10000}
    psetex                  | long                  | PSETEX long 100000 x
    set                     | long                  | SET long x GET
    setex                   | long                  | SETEX long 1000 x
    setnx                   | long                  | SETNX long x
    setrange                | long                  | SETRANGE long 500000 xyz
    strlen                  | long                  | STRLEN long
    substr                  | long                  | SUBSTR long 0 -1

    bitcount                | long                  | BITCOUNT long
    bitfield                | long                  | BITFIELD long {SET u8 1#00 3:0..10000}
    bitfield_ro             | long                  | BITFIELD_RO long {GET u8 1#00:0..10000}
    bitop                   | long; other           | BITOP XOR target long other
    bitpos                  | long                  | BITPOS long 1
    getbit                  | long                  | GETBIT long 4000000
    setbit                  | long                  | SETBIT long 4000000 1

    copy                    | stream                | COPY stream copied REPLACE
    copy                    | set                   | COPY set copied REPLACE
    copy                    | timed                 | COPY timed copied REPLACE
    copy                    | zset                  | COPY zset copied REPLACE
    copy                    | list                  | COPY list copied REPLACE
    copy                    | long                  | COPY long copied REPLACE
    dbsize                  |                       | DBSIZE
    debug|object            | zset                  | DEBUG OBJECT zset
    del                     | MSET {k# v#:0..10000} | DEL {k#:0..10000}
    exists                  | MSET {k# v#:0..10000} | EXISTS {k#:0..10000}
    expire                  | long                  | EXPIRE long 1000
    expireat                | long                  | EXPIREAT long 33000000000
    expiretime              | long                  | EXPIRETIME long
    flushdb                 | SELECT 9; MSET {k# v#:0..10000} | FLUSHDB
    keys                    | SELECT 0              | KEYS k*
    memory|usage            | stream                | MEMORY USAGE stream SAMPLES 10000
    move                    | set                   | MOVE set 5
    object|encoding         | set                   | OBJECT ENCODING set
    object|freq             | set                   | OBJECT FREQ nothing
    object|idletime         | set                   | OBJECT IDLETIME set
    object|refcount         | set                   | OBJECT REFCOUNT set
    persist                 | long                  | PERSIST long
    pexpire                 | long                  | PEXPIRE long 1000000
    pexpireat               | long                  | PEXPIREAT long 33000000000000
    pexpiretime             | long                  | PEXPIRETIME long
    pttl                    | long                  | PTTL long
    randomkey               |                       | RANDOMKEY
    rename                  | set; zset             | RENAME set zset
    renamenx                | set                   | RENAMENX set renamed
    scan                    |                       | SCAN 0 COUNT 10000
    sort                    | ids; MSET {w# #:0..10000}; MSET {d# #:0..10000} | SORT ids BY w* GET d* GET # STORE sorted
    sort                    | set; MSET {wm# #:0..10000} | SORT set BY w* STORE sorted
    sort                    | hash; ids; hash       | SORT ids BY hash->f* STORE sorted
    sort_ro                 | ids; MSET {w# #:0..10000}; MSET {d# #:0..10000} | SORT_RO ids BY w* GET d*
    swapdb                  |                       | SWAPDB 10 11
    touch                   | MSET {k# v#:0..10000} | TOUCH {k#:0..10000}
    ttl                     | long                  | TTL long
    type                    | set                   | TYPE set
    unlink                  | MSET {k# v#:0..10000} | UNLINK {k#:0..10000}

    lindex                  | list                  | LINDEX list 5000
    linsert                 | list                  | LINSERT list BEFORE e9000 x
    llen                    | list                  | LLEN list
    lmove                   | list; mixed           | LMOVE list mixed LEFT RIGHT
    lmpop                   | list                  | LMPOP 2 nothing list LEFT COUNT 9000
    lpop                    | list                  | LPOP list 10000
    lpos                    | mixed                 | LPOS mixed x COUNT 0
    lpush                   | list                  | LPUSH list {n#:0..10000}
    lpushx                  | list                  | LPUSHX list {n#:0..10000}
    lrange                  | list                  | LRANGE list 0 -1
    lrem                    | mixed                 | LREM mixed 0 x
    lrem                    | mixed                 | LREM mixed -4000 x
    lset                    | list                  | LSET list 5000 x
    ltrim                   | list                  | LTRIM list 9000 9100
    rpop                    | list                  | RPOP list 9000
    rpoplpush               | list; mixed           | RPOPLPUSH list mixed
    rpush                   | list                  | RPUSH list {n#:0..10000}
    rpushx                  | list                  | RPUSHX list {n#:0..10000}

    geoadd                  | geo                   | GEOADD geo {2.# 1.# m#:0..10000}
    geodist                 | geo                   | GEODIST geo m1 m9999
    geohash                 | geo                   | GEOHASH geo {m#:0..10000}
    geopos                  | geo                   | GEOPOS geo {m#:0..10000}
    georadius               | geo                   | GEORADIUS geo 1.5 2.5 500 km STORE found
    georadius_ro            | geo                   | GEORADIUS_RO geo 1.5 2.5 500 km
    georadiusbymember       | geo                   | GEORADIUSBYMEMBER geo m1 500 km STOREDIST found
    georadiusbymember_ro    | geo                   | GEORADIUSBYMEMBER_RO geo m1 500 km
    geosearch               | geo                   | GEOSEARCH geo FROMMEMBER m1 BYRADIUS 500 km WITHDIST
    geosearchstore          | geo                   | GEOSEARCHSTORE found geo FROMMEMBER m1 BYBOX 500 500 km

    pfadd                   | hll                   | PFADD hll {n#:0..10000}
    pfcount                 | hll; hll2             | PFCOUNT hll hll2
    pfdebug                 | hll                   | PFDEBUG ENCODING hll
    pfmerge                 | hll; hll2             | PFMERGE merged hll hll2

    hdel                    | hash                  | HDEL hash {f#:0..9990}
    hdel                    | timed                 | HDEL timed {f#:0..10000}
    hexists                 | hash                  | HEXISTS hash f1
    hexpire                 | hash                  | HEXPIRE hash 1000 FIELDS 10000 {f#:0..10000}
    hexpire                 | timed                 | HEXPIRE timed 0 FIELDS 9990 {f#:0..9990}
    hexpireat               | timed                 | HEXPIREAT timed 33000000000 FIELDS 10000 {f#:0..10000}
    hexpiretime             | timed                 | HEXPIRETIME timed FIELDS 10000 {f#:0..10000}
    hget                    | hash                  | HGET hash f1
    hgetall                 | hash                  | HGETALL hash
    hgetdel                 | hash                  | HGETDEL hash FIELDS 10000 {f#:0..10000}
    hgetdel                 | timed                 | HGETDEL timed FIELDS 9990 {f#:0..9990}
    hgetex                  | timed                 | HGETEX timed PERSIST FIELDS 10000 {f#:0..10000}
    hincrby                 | numbers               | HINCRBY numbers f1 3
    hincrbyfloat            | numbers               | HINCRBYFLOAT numbers f1 1.5
    hkeys                   | hash                  | HKEYS hash
    hlen                    | hash                  | HLEN hash
    hmget                   | hash                  | HMGET hash {f#:0..10000}
    hmset                   | hash                  | HMSET hash {f# w#:0..10000}
    hpersist                | timed                 | HPERSIST timed FIELDS 10000 {f#:0..10000}
    hpexpire                | hash                  | HPEXPIRE hash 1000000 FIELDS 10000 {f#:0..10000}
    hpexpireat              | hash                  | HPEXPIREAT hash 33000000000000 FIELDS 10000 {f#:0..10000}
    hpexpiretime            | timed                 | HPEXPIRETIME timed FIELDS 10000 {f#:0..10000}
    hpttl                   | timed                 | HPTTL timed FIELDS 10000 {f#:0..10000}
    hrandfield              | hash                  | HRANDFIELD hash 9000
    hrandfield              | timed                 | HRANDFIELD timed -10000 WITHVALUES
    hscan                   | hash                  | HSCAN hash 0 COUNT 10000
    hset                    | hash                  | HSET hash {n# v#:0..10000}
    hset                    | timed                 | HSET timed {f# w#:0..10000}
    hsetex                  | timed                 | HSETEX timed FXX EX 2000 FIELDS 10000 {f# w#:0..10000}
    hsetnx                  | hash                  | HSETNX hash new x
    hstrlen                 | hash                  | HSTRLEN hash f1
    httl                    | timed                 | HTTL timed FIELDS 10000 {f#:0..10000}
    hvals                   | hash                  | HVALS hash

    sadd                    | set                   | SADD set {n#:0..10000}
    scard                   | set                   | SCARD set
    sdiff                   | set; set2             | SDIFF set set2
    sdiffstore              | set; set2             | SDIFFSTORE found set set2
    sinter                  | set; set2             | SINTER set set2
    sintercard              | set; set2             | SINTERCARD 2 set set2
    sinterstore             | set; set2             | SINTERSTORE found set set2
    sismember               | set                   | SISMEMBER set m1
    smembers                | set                   | SMEMBERS set
    smismember              | set                   | SMISMEMBER set {m#:0..10000}
    smove                   | set; set2             | SMOVE set set2 m1
    spop                    | set                   | SPOP set 2000
    spop                    | set                   | SPOP set 6000
    spop                    | set                   | SPOP set 9999
    srandmember             | set                   | SRANDMEMBER set -10000
    srem                    | set                   | SREM set {m#:0..9990}
    sscan                   | set                   | SSCAN set 0 COUNT 10000
    sunion                  | set; set2             | SUNION set set2
    sunionstore             | set; set2             | SUNIONSTORE found set set2

    zadd                    | zset                  | ZADD zset {# n#:0..10000}
    zadd                    | zset                  | ZADD zset INCR 5 m1
    zadd                    | zset                  | ZADD zset XX GT {7# m#:0..10000}
    zcard                   | zset                  | ZCARD zset
    zcount                  | zset                  | ZCOUNT zset 10 9000
    zdiff                   | zset; zset2           | ZDIFF 2 zset zset2
    zdiffstore              | zset; zset2           | ZDIFFSTORE found 2 zset zset2
    zincrby                 | zset                  | ZINCRBY zset 5 m1
    zinter                  | zset; zset2           | ZINTER 2 zset zset2
    zintercard              | zset; zset2           | ZINTERCARD 2 zset zset2
    zinterstore             | zset; zset2           | ZINTERSTORE found 2 zset zset2
    zlexcount               | same                  | ZLEXCOUNT same - +
    zmpop                   | zset                  | ZMPOP 2 nothing zset MIN COUNT 9000
    zmscore                 | zset                  | ZMSCORE zset {m#:0..10000}
    zpopmax                 | zset                  | ZPOPMAX zset 9000
    zpopmin                 | zset                  | ZPOPMIN zset 10000
    zrandmember             | zset                  | ZRANDMEMBER zset 9000 WITHSCORES
    zrandmember             | zset                  | ZRANDMEMBER zset -10000
    zrange                  | zset                  | ZRANGE zset 0 -1
    zrangebylex             | same                  | ZRANGEBYLEX same - +
    zrangebyscore           | zset                  | ZRANGEBYSCORE zset 10 9000
    zrangestore             | zset                  | ZRANGESTORE found zset 10 9000
    zrank                   | zset                  | ZRANK zset m5000
    zrem                    | zset                  | ZREM zset {m#:0..9990}
    zremrangebylex          | same                  | ZREMRANGEBYLEX same [m1 [m8
    zremrangebyrank         | zset                  | ZREMRANGEBYRANK zset 10 9000
    zremrangebyscore        | zset                  | ZREMRANGEBYSCORE zset 10 9000
    zrevrange               | zset                  | ZREVRANGE zset 0 -1
    zrevrangebylex          | same                  | ZREVRANGEBYLEX same + -
    zrevrangebyscore        | zset                  | ZREVRANGEBYSCORE zset 9000 10
    zrevrank                | zset                  | ZREVRANK zset m5000
    zscan                   | zset                  | ZSCAN zset 0 COUNT 10000
    zscore                  | zset                  | ZSCORE zset m5000
    zunion                  | zset; zset2           | ZUNION 2 zset zset2
    zunionstore             | zset; zset2           | ZUNIONSTORE found 2 zset zset2

    xack                    | stream                | XACK stream g {#-1:1..10001}
    xadd                    | stream                | XADD stream * a b
    xadd                    | stream                | XADD stream MAXLEN 10 * a b
    xautoclaim              | stream                | XAUTOCLAIM stream g d 0 0 COUNT 10000
    xautoclaim              | stream; XTRIM stream MAXLEN 5000 | XAUTOCLAIM stream g d 0 0 COUNT 10000 JUSTID
    xclaim                  | stream                | XCLAIM stream g d 0 {#-1:1..10001}
    xclaim                  | stream; XACK stream g {#-1:1..9001} | XCLAIM stream g d 0 {#-1:1..10001} FORCE
    xdel                    | stream                | XDEL stream {#-1:1..9001}
    xgroup|create           | stream                | XGROUP CREATE stream h 5000-1
    xgroup|createconsumer   | stream                | XGROUP CREATECONSUMER stream g d
    xgroup|delconsumer      | stream                | XGROUP DELCONSUMER stream g c
    xgroup|destroy          | stream                | XGROUP DESTROY stream g
    xgroup|setid            | stream                | XGROUP SETID stream g 5000-1
    xinfo|consumers         | stream                | XINFO CONSUMERS stream g
    xinfo|groups            | stream                | XINFO GROUPS stream
    xinfo|stream            | stream                | XINFO STREAM stream FULL COUNT 10000
    xlen                    | stream                | XLEN stream
    xpending                | stream                | XPENDING stream g - + 10000 c
    xpending                | stream                | XPENDING stream g
    xrange                  | stream                | XRANGE stream - +
    xread                   | stream                | XREAD STREAMS stream 0
    xreadgroup              | stream                | XREADGROUP GROUP g c STREAMS stream 0
    xreadgroup              | stream; XGROUP CREATE stream h 0 | XREADGROUP GROUP h d STREAMS stream >
    xrevrange               | stream                | XREVRANGE stream + -
    xsetid                  | stream                | XSETID stream 20000-1
    xtrim                   | stream                | XTRIM stream MAXLEN 10

    flushall                |                       | FLUSHALL
";

/// Commands that read no key.
const WITHOUT_KEYS: [&str; 5] = ["object|help", "pfselftest", "wait", "xgroup|help", "xinfo|help"];

/// `{a# b#:0..3}` stands for `a0 b0 a1 b1 a2 b2`.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        if let Some(group) = rest.strip_prefix('{') {
            let (group, after) = group.split_once('}').expect("an end of the group");
            let (pattern, range) = group.rsplit_once(':').expect("a range");
            let (from, to) = range.split_once("..").expect("two numbers");
            let number = |text: &str| text.parse::<u64>().expect("a number");
            for n in number(from)..number(to) {
                let number = n.to_string();
                words.extend(pattern.split(' ').map(|word| word.replace('#', &number)));
            }
            rest = after.trim_start();
        } else {
            let (word, after) = rest.split_once(' ').unwrap_or((rest, ""));
            words.push(word.to_owned());
            rest = after.trim_start();
        }
    }
    words
}

fn run(client: &mut Client, text: &str) -> Value {
    let reply = client.run(&words(text));
    let beginning: String = text.chars().take(100).collect();
    let expected = text.starts_with("OBJECT FREQ");
    assert!(expected || !reply.is_error(), "{beginning}: {reply:?}");
    reply
}

/// The figure of this name in INFO.
fn figure(client: &mut Client, name: &str) -> u64 {
    let info = client.run(&["INFO", "everything"]).text().expect("a text");
    let line = info
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|figure| figure.parse().ok()).expect("the figure")
}

fn make_templates(client: &mut Client) {
    for line in TEMPLATES.lines().map(str::trim).filter(|line| !line.is_empty()) {
        run(client, line);
    }
    for n in 1..10_001 {
        client.run(&[
            "XADD",
            "stream",
            &format!("{n}-1"),
            "field",
            &format!("value {n}"),
        ]);
    }
    run(client, "XREADGROUP GROUP g c COUNT 10000 STREAMS stream >");
    for key in client.run(&["KEYS", "*"]).items() {
        let key = key.text().expect("a name");
        client.ok(&["RENAME", &key, &format!("template:{key}")]);
    }
}

fn cold_server() -> (Server, Client) {
    let flags = ["--enable-debug-command", "yes", "--save", ""];
    let server = Setup::new(Kind::Redkeep, &flags).start();
    let client = server.client();
    (server, client)
}

/// Brings a case's keys about, on disk only.
fn prepare(client: &mut Client, before: &str) {
    run(client, "SELECT 0");
    for step in before.split(';').map(str::trim).filter(|step| !step.is_empty()) {
        match step.contains(' ') {
            true => drop(run(client, step)),
            false => drop(run(client, &format!("COPY template:{step} {step} REPLACE"))),
        }
    }
    run(client, "DEBUG DROP-HOT");
}

#[test]
fn commands_on_cold_data_do_not_run_once_for_each_missing_record() {
    let (_server, mut client) = cold_server();
    make_templates(&mut client);
    let mut seen: BTreeSet<String> = WITHOUT_KEYS.map(str::to_owned).into();
    let mut slow = Vec::new();
    for line in CASES.lines().map(str::trim).filter(|line| !line.is_empty()) {
        // Names of subcommands have a bar, too, but no spaces around it.
        let (name, rest) = line.split_once(" | ").expect("a name");
        let (before, command) = rest.split_once('|').expect("a command");
        seen.insert(name.trim().to_owned());
        prepare(&mut client, before);
        let rounds = figure(&mut client, "faults");
        run(&mut client, command.trim());
        let rounds = figure(&mut client, "faults") - rounds;
        if rounds > MOST_ROUNDS {
            slow.push(format!("{rounds} rounds: {line}"));
        }
    }
    assert!(slow.is_empty(), "{}", slow.join("\n"));
    let all: BTreeSet<String> = data_commands().into_iter().collect();
    let differ: Vec<&String> = seen.symmetric_difference(&all).collect();
    assert!(
        differ.is_empty(),
        "without a case here, or not in the table: {differ:?}"
    );
}
