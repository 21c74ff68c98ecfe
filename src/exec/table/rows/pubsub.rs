//! Rows of the commands about messages to subscribers.

use super::*;
use crate::command::publish::{publish, spublish};
use crate::exec::control::pubsub;

/// A row of this group.
const fn row(name: &'static str, arity: i32, control: Control) -> Command {
    Command::control(name, arity, control)
}

const SUBSCRIBES: u32 = PUBSUB | NOSCRIPT | LOADING | STALE | WHILE_SUBSCRIBED;
const PUBLISHES: u32 = PUBSUB | LOADING | STALE | FAST | MAY_REPLICATE;

/// The group is filled in by [`super::COMMANDS`].
pub const ROWS: &[Command] = &[
    row("psubscribe", -2, pubsub::psubscribe).flags(SUBSCRIBES).docs(
        "2.0.0",
        "Listen for messages published to channels matching the given patterns",
        "O(N) where N is the number of patterns to subscribe to.",
    ),
    Command::data("publish", 3, publish).flags(PUBLISHES).docs(
        "2.0.0",
        "Post a message to a channel",
        "O(N+M) where N is the number of clients subscribed to the receiving channel and M is the total number of \
            subscribed patterns (by any client).",
    ),
    Command::container("pubsub", SUBCOMMANDS).docs(
        "2.8.0",
        "A container for Pub/Sub commands",
        "Depends on subcommand.",
    ),
    row("punsubscribe", -1, pubsub::punsubscribe).flags(SUBSCRIBES).docs(
        "2.0.0",
        "Stop listening for messages posted to channels matching the given patterns",
        "O(N) where N is the number of patterns to unsubscribe.",
    ),
    Command::data("spublish", 3, spublish)
        .flags(PUBLISHES)
        .keys(&[at(1, NOT_KEY)])
        .docs(
            "7.0.0",
            "Post a message to a shard channel",
            "O(N) where N is the number of clients subscribed to the receiving shard channel.",
        ),
    row("ssubscribe", -2, pubsub::ssubscribe)
        .flags(SUBSCRIBES)
        .keys(&[range(1, -1, 1, NOT_KEY)])
        .docs(
            "7.0.0",
            "Listen for messages published to the given shard channels",
            "O(N) where N is the number of shard channels to subscribe to.",
        ),
    row("subscribe", -2, pubsub::subscribe).flags(SUBSCRIBES).docs(
        "2.0.0",
        "Listen for messages published to the given channels",
        "O(N) where N is the number of channels to subscribe to.",
    ),
    row("sunsubscribe", -1, pubsub::sunsubscribe)
        .flags(SUBSCRIBES)
        .keys(&[range(1, -1, 1, NOT_KEY)])
        .docs(
            "7.0.0",
            "Stop listening for messages posted to the given shard channels",
            "O(N) where N is the number of shard channels to unsubscribe.",
        ),
    row("unsubscribe", -1, pubsub::unsubscribe).flags(SUBSCRIBES).docs(
        "2.0.0",
        "Stop listening for messages posted to the given channels",
        "O(N) where N is the number of channels to unsubscribe.",
    ),
];

const SUBCOMMANDS: &[Command] = &[
    row("channels", -2, pubsub::channels)
        .flags(PUBSUB | LOADING | STALE)
        .docs(
            "2.8.0",
            "List active channels",
            "O(N) where N is the number of active channels, and assuming constant time pattern matching (relatively \
                short channels and patterns)",
        ),
    row("help", 2, pubsub::help).flags(LOADING | STALE).docs(
        "6.2.0",
        "Show helpful text about the different subcommands",
        "O(1)",
    ),
    row("numpat", 2, pubsub::numpat)
        .flags(PUBSUB | LOADING | STALE)
        .docs(
            "2.8.0",
            "Get the count of unique patterns pattern subscriptions",
            "O(1)",
        ),
    row("numsub", -2, pubsub::numsub)
        .flags(PUBSUB | LOADING | STALE)
        .docs(
            "2.8.0",
            "Get the count of subscribers for channels",
            "O(N) for the NUMSUB subcommand, where N is the number of requested channels",
        ),
    row("shardchannels", -2, pubsub::shard_channels)
        .flags(PUBSUB | LOADING | STALE)
        .docs(
            "7.0.0",
            "List active shard channels",
            "O(N) where N is the number of active shard channels, and assuming constant time pattern matching \
                (relatively short shard channels).",
        ),
    row("shardnumsub", -2, pubsub::shard_numsub)
        .flags(PUBSUB | LOADING | STALE)
        .docs(
            "7.0.0",
            "Get the count of subscribers for shard channels",
            "O(N) for the SHARDNUMSUB subcommand, where N is the number of requested shard channels",
        ),
];
