//! Tests of the table itself.

use std::collections::HashSet;

use super::{
    Begin, COMMANDS, Command, Find, KeySpec, MAX_NAME, Run, access, all, count_rows, find, flag, numbered,
};

/// Every command of these groups up to Redis 7.2, Redis 8.0 and Valkey 8.0.
const KNOWN: &[&str] = &[
    // string
    "append decr decrby get getdel getex getrange getset incr incrby incrbyfloat lcs mget mset msetnx psetex set setex \
     setnx setrange strlen substr",
    // bitmap
    "bitcount bitfield bitfield_ro bitop bitpos getbit setbit",
    // generic
    "copy del dump exists expire expireat expiretime keys migrate move object object|encoding object|freq object|help \
     object|idletime object|refcount persist pexpire pexpireat pexpiretime pttl randomkey rename renamenx restore scan \
     sort sort_ro touch ttl type unlink wait waitaof",
    // geo
    "geoadd geodist geohash geopos georadius georadius_ro georadiusbymember georadiusbymember_ro geosearch geosearchstore",
    // hyperloglog
    "pfadd pfcount pfdebug pfmerge pfselftest",
    // hash
    "hdel hexists hexpire hexpireat hexpiretime hget hgetall hgetdel hgetex hincrby hincrbyfloat hkeys hlen hmget hmset \
     hpersist hpexpire hpexpireat hpexpiretime hpttl hrandfield hscan hset hsetex hsetnx hstrlen httl hvals",
    // set
    "sadd scard sdiff sdiffstore sinter sintercard sinterstore sismember smembers smismember smove spop srandmember srem \
     sscan sunion sunionstore",
    // list
    "blmove blmpop blpop brpop brpoplpush lindex linsert llen lmove lmpop lpop lpos lpush lpushx lrange lrem lset ltrim \
     rpop rpoplpush rpush rpushx",
    // sorted_set
    "bzmpop bzpopmax bzpopmin zadd zcard zcount zdiff zdiffstore zincrby zinter zintercard zinterstore zlexcount zmpop \
     zmscore zpopmax zpopmin zrandmember zrange zrangebylex zrangebyscore zrangestore zrank zrem zremrangebylex \
     zremrangebyrank zremrangebyscore zrevrange zrevrangebylex zrevrangebyscore zrevrank zscan zscore zunion \
     zunionstore",
    // pubsub
    "psubscribe publish pubsub pubsub|channels pubsub|help pubsub|numpat pubsub|numsub pubsub|shardchannels \
     pubsub|shardnumsub punsubscribe spublish ssubscribe subscribe sunsubscribe unsubscribe",
    // scripting
    "eval eval_ro evalsha evalsha_ro fcall fcall_ro function function|delete function|dump function|flush function|help \
     function|kill function|list function|load function|restore function|stats script script|debug script|exists \
     script|flush script|help script|kill script|load",
    // connection
    "auth client client|caching client|capa client|getname client|getredir client|help client|id client|info \
     client|kill client|list client|no-evict client|no-touch client|pause client|reply client|setinfo client|setname \
     client|tracking client|trackinginfo client|unblock client|unpause echo hello ping quit reset select",
    // transactions
    "discard exec multi unwatch watch",
    // stream
    "xack xadd xautoclaim xclaim xdel xgroup xgroup|create xgroup|createconsumer xgroup|delconsumer xgroup|destroy \
     xgroup|help xgroup|setid xinfo xinfo|consumers xinfo|groups xinfo|help xinfo|stream xlen xpending xrange xread \
     xreadgroup xrevrange xsetid xtrim",
    // server
    "acl bgrewriteaof bgsave command command|count command|docs command|getkeys command|getkeysandflags command|help \
     command|info command|list config config|get config|help config|resetstat config|rewrite config|set dbsize debug \
     failover flushall flushdb info lastsave latency lolwut memory memory|doctor memory|help memory|malloc-stats \
     memory|purge memory|stats memory|usage module monitor psync replconf replicaof restore-asking role save sflush \
     shutdown slaveof slowlog slowlog|get slowlog|help slowlog|len slowlog|reset swapdb sync time",
];

/// The known commands that are not here, and why.
const ABSENT: &[(&str, &str)] = &[
    ("acl", "there is only the default user"),
    ("client|capa sflush", "in later servers only"),
    ("migrate", "comes with the dump format"),
    ("restore-asking", "comes with the cluster"),
    (
        "failover psync sync replconf replicaof slaveof",
        "come with replication",
    ),
    ("script|debug", "there is no debugger of scripts"),
    ("latency", "latencies are not kept"),
    ("module", "there are no modules"),
    ("lolwut", "draws"),
    ("memory|doctor", "its advice is about Redis's own memory"),
];

fn words(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.split(' ').filter(|word| !word.is_empty())
}

/// Every row under its full name.
fn rows() -> Vec<(String, &'static Command)> {
    let mut rows = Vec::new();
    for command in COMMANDS.iter() {
        rows.push((command.name.to_owned(), command));
        for sub in command.subcommands() {
            rows.push((format!("{}|{}", command.name, sub.name), sub));
        }
    }
    rows
}

#[test]
fn every_known_command_is_here_or_absent_for_a_reason() {
    let here: HashSet<String> = rows().into_iter().map(|(name, _)| name).collect();
    let absent: HashSet<&str> = ABSENT.iter().flat_map(|(names, _)| words(names)).collect();
    let known: HashSet<&str> = KNOWN.iter().flat_map(|names| words(names)).collect();
    for name in &known {
        assert!(here.contains(*name) != absent.contains(name), "{name}");
    }
    assert!(absent.is_subset(&known));
}

#[test]
fn names_are_unique_and_can_be_found() {
    let mut seen = HashSet::new();
    for (name, row) in rows() {
        assert!(!row.name.is_empty() && row.name.len() <= MAX_NAME, "{name}");
        assert_eq!(row.name, row.name.to_ascii_lowercase());
        assert!(seen.insert(name.clone()), "{name} twice");
    }
    for found in all() {
        let upper = found.command.name.to_ascii_uppercase();
        let again = find(upper.as_bytes()).unwrap();
        assert_eq!(again.number, found.number);
        assert_eq!(numbered(found.number).command.name, found.command.name);
        for sub in found.command.subcommands() {
            let named = found.subcommand(sub.name.as_bytes()).unwrap();
            assert_eq!(named.command.name, sub.name);
            assert_eq!(numbered(named.number).command.name, sub.name);
        }
    }
    assert_eq!(count_rows(), seen.len());
    assert!(find(&[b'x'; MAX_NAME + 1]).is_none() && find(b"").is_none());
}

#[test]
fn keys_lie_within_the_arity() {
    for (name, row) in rows() {
        let least = row.arity.abs();
        for spec in row.keys {
            let Begin::Index(first) = spec.begin else { continue };
            let last = match spec.find {
                // All that follow: there may be none (PFMERGE).
                Find::Range { last, .. } if last < 0 && first == least => continue,
                Find::Range { last, .. } => first + last.max(0),
                // There may be none.
                Find::KeyNumber { .. } if row.has(flag::NO_MANDATORY_KEYS) => first,
                Find::KeyNumber {
                    number, first: after, ..
                } => first + number.max(after),
                Find::Unknown => first,
            };
            assert!(first >= 1 && last < least, "{name}: argument {last} of {least}");
        }
    }
}

#[test]
fn flags_agree_with_each_other() {
    const KINDS: u32 = access::RO | access::RW | access::OW | access::RM;
    for (name, row) in rows() {
        let (reads, writes) = (row.has(flag::READONLY), row.has(flag::WRITE));
        assert!(!(reads && writes), "{name} is read-only and writes");
        assert!(!row.has(flag::DENYOOM) || writes, "{name} denies without writing");
        for spec in row.keys {
            let kinds = u32::from(spec.names_keys());
            assert_eq!((spec.access & KINDS).count_ones(), kinds, "{name}");
            assert!(
                // PFCOUNT notes the count in the value.
                !reads || spec.access & KINDS == access::RO || name == "pfcount",
                "{name} writes its keys"
            );
            let varies = spec.access & access::VARIABLE_FLAGS != 0;
            assert_eq!(varies, spec.vary.is_some(), "{name}");
        }
        match row.run {
            // It reads for the transaction that is to come.
            Run::Data(_) if name == "watch" => assert!(!reads && !writes),
            Run::Data(_) => {
                let names_keys = row.keys.iter().any(KeySpec::names_keys);
                assert!(reads || writes || !names_keys, "{name}");
            }
            Run::Control(_) | Run::Checkpointed(_) | Run::Exec => {
                assert!(!reads && !writes, "{name} has no transaction")
            }
            // What it does to its keys, only the script knows.
            Run::Scripted(_) => assert!(!writes, "{name}"),
            Run::Container(subcommands, _) => {
                assert!(
                    row.arity < 0 && row.keys.is_empty() && !subcommands.is_empty(),
                    "{name}"
                );
            }
        }
    }
}

#[test]
fn every_row_is_documented() {
    for (name, row) in rows() {
        let docs = row.docs;
        assert!(!docs.since.is_empty() && !docs.summary.is_empty(), "{name}");
        assert!(
            docs.since.split('.').all(|part| part.parse::<u32>().is_ok()),
            "{name}"
        );
        assert_eq!(docs.group.is_empty(), name.contains('|'), "{name}");
        for text in [docs.summary, docs.complexity] {
            assert!(!text.contains("  "), "{name}: {text}");
        }
    }
}

#[test]
fn what_is_warmed_up_is_a_key() {
    let first_key = |name: &str| find(name.as_bytes()).and_then(|found| found.command.first_key());
    assert_eq!(["get", "LPUSH"].map(first_key), [Some(1); 2]);
    assert_eq!(["evalsha", "fcall_ro"].map(first_key), [Some(3); 2]);
    assert_eq!(
        ["publish", "spublish", "ping", "config"].map(first_key),
        [None; 4]
    );
}
