//! SUBSCRIBE and its like, and PUBSUB. (PUBLISH: `command/publish.rs`; who gets what: `exec/pubsub/`.)

use super::help as help_lines;
use crate::base::glob::Pattern;
use crate::exec::pubsub::Kind;
use crate::exec::{Client, Engine, Session};
use crate::resp::aggregate::Shape;
use crate::resp::{Aggregate, Args, Protocol, Reply, encode_push};
use crate::store::OUT_OF_MEMORY;

const HELP: &[&str] = &[
    "CHANNELS [<pattern>]",
    "    Return the currently active channels matching a <pattern> (default: '*').",
    "NUMPAT",
    "    Return number of subscriptions to patterns.",
    "NUMSUB [<channel> ...]",
    "    Return the number of subscribers for the specified channels, excluding",
    "    pattern subscriptions(default: no channels).",
    "SHARDCHANNELS [<pattern>]",
    "    Return the currently active shard level channels matching a <pattern> (default: '*').",
    "SHARDNUMSUB [<shardchannel> ...]",
    "    Return the number of subscribers for the specified shard level channel(s)",
];

/// SUBSCRIBE channel [channel ...]: a push for each, with how many channels and patterns the client listens to then.
pub fn subscribe(engine: &mut Engine, session: &mut Session, args: Args) -> Reply {
    subscribe_to(Kind::Channel, engine, session, args)
}

/// PSUBSCRIBE pattern [pattern ...]: the same for all channels whose names fit.
pub fn psubscribe(engine: &mut Engine, session: &mut Session, args: Args) -> Reply {
    subscribe_to(Kind::Pattern, engine, session, args)
}

/// SSUBSCRIBE channel [channel ...]: the same for channels of slots, which are counted apart. An error in a transaction.
pub fn ssubscribe(engine: &mut Engine, session: &mut Session, args: Args) -> Reply {
    if session.client.queued.get().is_some() {
        return Reply::err("ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client");
    }
    subscribe_to(Kind::Shard, engine, session, args)
}

/// UNSUBSCRIBE [channel ...]: a push for each, or for all that the client listens to; one with null if there are none.
pub fn unsubscribe(engine: &mut Engine, session: &mut Session, args: Args) -> Reply {
    unsubscribe_from(Kind::Channel, engine, session, args)
}

/// PUNSUBSCRIBE [pattern ...]: the same for patterns.
pub fn punsubscribe(engine: &mut Engine, session: &mut Session, args: Args) -> Reply {
    unsubscribe_from(Kind::Pattern, engine, session, args)
}

/// SUNSUBSCRIBE [channel ...]: the same for channels of slots.
pub fn sunsubscribe(engine: &mut Engine, session: &mut Session, args: Args) -> Reply {
    unsubscribe_from(Kind::Shard, engine, session, args)
}

fn subscribe_to(kind: Kind, engine: &mut Engine, session: &mut Session, args: Args) -> Reply {
    let word: &[u8] = match kind {
        Kind::Channel => b"subscribe",
        Kind::Pattern => b"psubscribe",
        Kind::Shard => b"ssubscribe",
    };
    let mut pushes = Vec::new();
    for name in args.iter().skip(1) {
        engine.pubsub.subscribe(&session.client, kind, name);
        let number = number_told(&session.client, kind);
        encode_push(&[word, name], Some(number), session.protocol, &mut pushes);
    }
    engine.choose_events();
    Reply::Pushes(pushes)
}

fn unsubscribe_from(kind: Kind, engine: &mut Engine, session: &mut Session, args: Args) -> Reply {
    let word: &[u8] = match kind {
        Kind::Channel => b"unsubscribe",
        Kind::Pattern => b"punsubscribe",
        Kind::Shard => b"sunsubscribe",
    };
    let mut pushes = Vec::new();
    let mut leave = |name: &[u8]| {
        engine.pubsub.unsubscribe(&session.client, kind, name);
        let number = number_told(&session.client, kind);
        encode_push(&[word, name], Some(number), session.protocol, &mut pushes);
    };
    if args.len() > 1 {
        args.iter().skip(1).for_each(leave);
    } else {
        let names = session.client.subscribed(kind);
        names.iter().for_each(|name| leave(name));
        if names.is_empty() {
            let number = number_told(&session.client, kind);
            no_name(word, number, session.protocol, &mut pushes);
        }
    }
    engine.choose_events();
    Reply::Pushes(pushes)
}

/// The number that confirms a subscription, or its end: channels and patterns are counted together.
fn number_told(client: &Client, kind: Kind) -> i64 {
    let count = |kind| client.subscriptions(kind) as i64;
    match kind {
        Kind::Channel | Kind::Pattern => count(Kind::Channel) + count(Kind::Pattern),
        Kind::Shard => count(Kind::Shard),
    }
}

/// Appends what the end of all subscriptions of a kind is confirmed with if there were none.
fn no_name(word: &[u8], number: i64, protocol: Protocol, out: &mut Vec<u8>) {
    let push = Reply::Push(vec![Reply::bulk(word.to_vec()), Reply::Null, Reply::Int(number)]);
    crate::resp::encode(&push, protocol, out);
}

/// PUBSUB HELP: a line about each subcommand, as simple strings.
pub fn help(_: &mut Engine, _: &mut Session, _: Args) -> Reply {
    help_lines("PUBSUB", HELP)
}

/// PUBSUB CHANNELS [pattern]: the names of channels that somebody listens to, of those that fit.
pub fn channels(engine: &mut Engine, session: &mut Session, args: Args) -> Reply {
    channels_of(Kind::Channel, engine, session, args)
}

/// PUBSUB SHARDCHANNELS [pattern]: the same for channels of slots.
pub fn shard_channels(engine: &mut Engine, session: &mut Session, args: Args) -> Reply {
    channels_of(Kind::Shard, engine, session, args)
}

fn channels_of(kind: Kind, engine: &mut Engine, session: &mut Session, args: Args) -> Reply {
    if args.len() > 3 {
        return wrong_number(args);
    }
    let pattern = args.get(2).map(|pattern| Pattern::new(pattern, false));
    let mut names = Aggregate::new(Shape::Array, session.protocol);
    for name in engine.pubsub.names(kind) {
        if pattern.as_ref().is_none_or(|pattern| pattern.matches(name)) {
            names.push(name);
        }
        if names.encoded().len() > engine.limits.gathered {
            return Reply::err(OUT_OF_MEMORY);
        }
    }
    Reply::Aggregate(Box::new(names))
}

/// PUBSUB NUMSUB [channel ...]: each channel, and how many listen to it.
pub fn numsub(engine: &mut Engine, session: &mut Session, args: Args) -> Reply {
    numsub_of(Kind::Channel, engine, session, args)
}

/// PUBSUB SHARDNUMSUB [channel ...]: the same for channels of slots.
pub fn shard_numsub(engine: &mut Engine, session: &mut Session, args: Args) -> Reply {
    numsub_of(Kind::Shard, engine, session, args)
}

fn numsub_of(kind: Kind, engine: &mut Engine, session: &mut Session, args: Args) -> Reply {
    let mut counts = Aggregate::new(Shape::Array, session.protocol);
    for name in args.iter().skip(2) {
        counts.push(name);
        let count = engine.pubsub.subscribers(kind, name);
        counts.push_reply(&Reply::Int(count as i64));
    }
    Reply::Aggregate(Box::new(counts))
}

/// PUBSUB NUMPAT: how many patterns somebody has subscribed to.
pub fn numpat(engine: &mut Engine, _: &mut Session, _: Args) -> Reply {
    Reply::Int(engine.pubsub.count(Kind::Pattern) as i64)
}

/// What a subcommand answers to more arguments than it takes.
fn wrong_number(args: Args) -> Reply {
    let name = crate::resp::shown(&args[1]);
    Reply::err(format!(
        "ERR unknown subcommand or wrong number of arguments for '{name}'. Try PUBSUB HELP."
    ))
}
