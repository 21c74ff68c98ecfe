//! Options whose value is more than one word, and the types they have.

use super::kind::{Kind, Outcome, WRONG_ARGUMENTS, Word, not_one_of};
use super::quote::quote;
use crate::base::{
    events::Events,
    num::{parse_f64, parse_i64},
    size::{format_memory, parse_memory},
};

fn text(word: &[u8]) -> Option<&str> {
    str::from_utf8(word).ok()
}

fn integer(word: &[u8]) -> Option<i64> {
    text(word)?.parse().ok()
}

fn join<T: ToString>(values: impl IntoIterator<Item = T>) -> String {
    values
        .into_iter()
        .map(|value| value.to_string())
        .collect::<Vec<_>>()
        .join(" ")
}

/// The words of a list of which `""` is the empty one.
fn list<'a, 'w>(words: &'a [&'w [u8]]) -> &'a [&'w [u8]] {
    match words {
        [b""] => &[],
        words => words,
    }
}

/// An address to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindAddress {
    /// An IP address or host name; `*` and `::*` stand for all IPv4 and all IPv6 interfaces.
    pub host: String,
    /// Written with a leading `-`: not being able to listen there is no error.
    pub optional: bool,
}

impl BindAddress {
    /// The host as the socket interface wants it.
    pub fn listen_host(&self) -> &str {
        match self.host.as_str() {
            "*" => "0.0.0.0",
            "::*" => "::",
            host => host,
        }
    }
}

impl std::fmt::Display for BindAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", if self.optional { "-" } else { "" }, self.host)
    }
}

/// Words, each an address or `*`; at most 16, and an empty word for none.
pub(super) struct Bind;

impl Kind<Vec<BindAddress>> for Bind {
    const LIST: bool = true;

    fn set(&self, value: &mut Vec<BindAddress>, words: &[&[u8]]) -> Outcome {
        const MAX_ADDRESSES: usize = 16;
        if words.len() > MAX_ADDRESSES {
            return Err("Too many bind addresses specified.".into());
        }
        let address = |word: &&[u8]| {
            let written = text(word)?;
            let host = written.strip_prefix('-').unwrap_or(written);
            Some(BindAddress {
                host: host.to_owned(),
                optional: host != written,
            })
        };
        let addresses: Option<Vec<_>> = list(words).iter().map(address).collect();
        *value = addresses.ok_or("argument must be valid UTF-8")?;
        Ok(())
    }

    fn show(&self, value: &Vec<BindAddress>) -> Vec<u8> {
        join(value).into_bytes()
    }

    fn lines(&self, value: &Vec<BindAddress>) -> Vec<String> {
        vec![if value.is_empty() {
            "\"\"".into()
        } else {
            join(value)
        }]
    }

    fn describe(&self) -> String {
        "addresses".into()
    }
}

/// `save <seconds> <changes>`: when to write a dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SavePoint {
    /// At least 1.
    pub seconds: i64,
    /// At least 0.
    pub changes: i64,
}

impl std::fmt::Display for SavePoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.seconds, self.changes)
    }
}

/// Pairs of seconds, at least 1, and changes; an empty word for none.
pub(super) struct Save;

impl Kind<Vec<SavePoint>> for Save {
    const LIST: bool = true;

    fn set(&self, value: &mut Vec<SavePoint>, words: &[&[u8]]) -> Outcome {
        const INVALID: &str = "Invalid save parameters";
        let (pairs, []) = list(words).as_chunks::<2>() else {
            return Err(INVALID.into());
        };
        let point = |[seconds, changes]: &[&[u8]; 2]| {
            let seconds = integer(seconds).filter(|seconds| *seconds >= 1)?;
            let changes = integer(changes).filter(|changes| *changes >= 0)?;
            Some(SavePoint { seconds, changes })
        };
        *value = pairs.iter().map(point).collect::<Option<_>>().ok_or(INVALID)?;
        Ok(())
    }

    fn show(&self, value: &Vec<SavePoint>) -> Vec<u8> {
        join(value).into_bytes()
    }

    fn lines(&self, value: &Vec<SavePoint>) -> Vec<String> {
        if value.is_empty() {
            vec!["\"\"".into()]
        } else {
            value.iter().map(SavePoint::to_string).collect()
        }
    }

    fn describe(&self) -> String {
        "pairs of seconds and changes".into()
    }
}

/// How much may wait to be sent to a client before it is disconnected; 0 is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OutputLimit {
    /// Disconnect at once.
    pub hard_bytes: u64,
    /// Disconnect after `soft_seconds` above this.
    pub soft_bytes: u64,
    /// Seconds, see `soft_bytes`.
    pub soft_seconds: u64,
}

/// The limits of each class of clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OutputLimits {
    /// Of clients that are no others.
    pub normal: OutputLimit,
    /// Of replicas.
    pub replica: OutputLimit,
    /// Of clients that have subscribed.
    pub pubsub: OutputLimit,
}

/// Fours of a class of clients, two amounts of memory and seconds.
pub(super) struct OutputBufferLimits;

impl Kind<OutputLimits> for OutputBufferLimits {
    const LIST: bool = true;

    /// Classes that are not mentioned keep their limits.
    fn set(&self, value: &mut OutputLimits, words: &[&[u8]]) -> Outcome {
        let (classes, []) = words.as_chunks::<4>() else {
            return Err("Wrong number of arguments in buffer limit configuration.".into());
        };
        let mut limits = *value;
        for [class, hard, soft, seconds] in classes {
            let limit = match class.to_ascii_lowercase().as_slice() {
                b"normal" => &mut limits.normal,
                b"replica" | b"slave" => &mut limits.replica,
                b"pubsub" => &mut limits.pubsub,
                _ => return Err("Invalid client class specified in buffer limit configuration.".into()),
            };
            let bytes = |word| text(word).and_then(parse_memory);
            let seconds = integer(seconds).and_then(|seconds| u64::try_from(seconds).ok());
            let (Some(hard_bytes), Some(soft_bytes), Some(soft_seconds)) =
                (bytes(hard), bytes(soft), seconds)
            else {
                return Err(
                    "Error in hard, soft or soft_seconds setting in buffer limit configuration.".into(),
                );
            };
            *limit = OutputLimit {
                hard_bytes,
                soft_bytes,
                soft_seconds,
            };
        }
        *value = limits;
        Ok(())
    }

    fn show(&self, value: &OutputLimits) -> Vec<u8> {
        let class = |name: &str, limit: OutputLimit| {
            format!(
                "{name} {} {} {}",
                limit.hard_bytes, limit.soft_bytes, limit.soft_seconds
            )
        };
        // Redis still shows replicas under their old name here.
        let classes = [
            class("normal", value.normal),
            class("slave", value.replica),
            class("pubsub", value.pubsub),
        ];
        classes.join(" ").into_bytes()
    }

    fn lines(&self, value: &OutputLimits) -> Vec<String> {
        let class = |name: &str, limit: OutputLimit| {
            let (hard, soft) = (format_memory(limit.hard_bytes), format_memory(limit.soft_bytes));
            format!("{name} {hard} {soft} {}", limit.soft_seconds)
        };
        vec![
            class("normal", value.normal),
            class("replica", value.replica),
            class("pubsub", value.pubsub),
        ]
    }

    fn describe(&self) -> String {
        "groups of class, hard limit, soft limit, seconds".into()
    }
}

/// Scores that tell Linux's OOM killer which process to prefer.
pub(super) struct OomScores;

impl Kind<[i64; 3]> for OomScores {
    const LIST: bool = true;

    fn set(&self, value: &mut [i64; 3], words: &[&[u8]]) -> Outcome {
        let words: &[&[u8]; 3] = words.try_into().map_err(|_| WRONG_ARGUMENTS)?;
        for (slot, word) in value.iter_mut().zip(words) {
            *slot = integer(word)
                .filter(|score| (-2000..=2000).contains(score))
                .ok_or("Invalid oom-score-adj-values, elements must be between -2000 and 2000.")?;
        }
        Ok(())
    }

    fn show(&self, value: &[i64; 3]) -> Vec<u8> {
        join(value).into_bytes()
    }

    fn lines(&self, value: &[i64; 3]) -> Vec<String> {
        vec![join(value)]
    }

    fn describe(&self) -> String {
        "three integers, -2000 to 2000".into()
    }
}

/// Percentages, 0 to 100.
pub(super) struct Percentiles;

impl Percentiles {
    /// C's `%f` without trailing zeros.
    fn format(percentile: &f64) -> String {
        format!("{percentile:.6}")
            .trim_end_matches('0')
            .trim_end_matches('.')
            .to_owned()
    }
}

impl Kind<Vec<f64>> for Percentiles {
    const LIST: bool = true;

    fn set(&self, value: &mut Vec<f64>, words: &[&[u8]]) -> Outcome {
        let percentile = |word: &&[u8]| match parse_f64(word) {
            None => Err("Invalid latency-tracking-info-percentiles parameters"),
            Some(percentile) if (0.0..=100.0).contains(&percentile) => Ok(percentile),
            Some(_) => Err("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]"),
        };
        *value = list(words).iter().map(percentile).collect::<Result<_, _>>()?;
        Ok(())
    }

    fn show(&self, value: &Vec<f64>) -> Vec<u8> {
        join(value.iter().map(Self::format)).into_bytes()
    }

    fn lines(&self, value: &Vec<f64>) -> Vec<String> {
        vec![if value.is_empty() {
            "\"\"".into()
        } else {
            join(value.iter().map(Self::format))
        }]
    }

    fn describe(&self) -> String {
        "percentages".into()
    }
}

/// What Redis does on a signal to stop: `default`, or flags from this list.
pub(super) struct ShutdownFlags;

const SHUTDOWN_FLAGS: [&str; 5] = ["default", "save", "nosave", "now", "force"];

impl Kind<Vec<&'static str>> for ShutdownFlags {
    const LIST: bool = true;

    fn set(&self, value: &mut Vec<&'static str>, words: &[&[u8]]) -> Outcome {
        let named = |flag: &str| {
            words
                .iter()
                .any(|word| word.eq_ignore_ascii_case(flag.as_bytes()))
        };
        let known = |word: &&[u8]| {
            SHUTDOWN_FLAGS
                .iter()
                .any(|flag| word.eq_ignore_ascii_case(flag.as_bytes()))
        };
        if words.is_empty() || !words.iter().all(known) {
            return Err(not_one_of(SHUTDOWN_FLAGS.into_iter()));
        }
        if named("save") && named("nosave") {
            return Err("shutdown options SAVE and NOSAVE can't be used simultaneously".into());
        }
        // `default` is the absence of flags.
        *value = SHUTDOWN_FLAGS
            .into_iter()
            .filter(|flag| *flag != "default" && named(flag))
            .collect();
        Ok(())
    }

    fn show(&self, value: &Vec<&'static str>) -> Vec<u8> {
        if value.is_empty() {
            b"default".to_vec()
        } else {
            join(value).into_bytes()
        }
    }

    fn lines(&self, value: &Vec<&'static str>) -> Vec<String> {
        vec![if value.is_empty() {
            "default".into()
        } else {
            join(value)
        }]
    }

    fn describe(&self) -> String {
        "default, or flags of save, nosave, now, force".into()
    }
}

/// One word of letters, a class of events each.
pub(super) struct EventClasses;

impl EventClasses {
    /// The classes that `A` stands for.
    const COMMON: [(u8, Events); 10] = [
        (b'g', Events::GENERIC),
        (b'$', Events::STRING),
        (b'l', Events::LIST),
        (b's', Events::SET),
        (b'h', Events::HASH),
        (b'z', Events::SORTED_SET),
        (b'x', Events::EXPIRED),
        (b'e', Events::EVICTED),
        (b't', Events::STREAM),
        (b'd', Events::MODULE),
    ];
    /// Those that have to be asked for, and that Redis does not show beside an `A`.
    const BESIDE_COMMON: [(u8, Events); 3] = [
        (b'n', Events::NEW),
        (b'o', Events::OVERWRITTEN),
        (b'c', Events::TYPE_CHANGED),
    ];
    /// What is shown behind the others in any case.
    const APART: [(u8, Events); 3] = [
        (b'K', Events::KEYSPACE),
        (b'E', Events::KEYEVENT),
        (b'm', Events::KEY_MISS),
    ];

    fn common() -> Events {
        Self::COMMON.into_iter().map(|(_, class)| class).collect()
    }

    fn class(letter: u8) -> Option<Events> {
        if letter == b'A' {
            return Some(Self::common());
        }
        let all = Self::COMMON.into_iter().chain(Self::BESIDE_COMMON);
        all.chain(Self::APART)
            .find(|(known, _)| *known == letter)
            .map(|(_, class)| class)
    }

    /// The letters of those that are in `events`; of those that are neither common nor apart, of these.
    fn letters(beside: &[(u8, Events)], events: Events) -> Vec<u8> {
        let all = [(b'A', Self::common())];
        let common = match events.contains(Self::common()) {
            true => &all[..],
            false => &Self::COMMON,
        };
        let shown = common.iter().chain(beside).chain(&Self::APART);
        let shown = shown.filter(|(_, class)| events.contains(*class));
        shown.map(|(letter, _)| *letter).collect()
    }
}

impl Word<Events> for EventClasses {
    fn parse(&self, word: &[u8]) -> Result<Events, String> {
        let classes: Option<Events> = word.iter().map(|letter| Self::class(*letter)).collect();
        classes.ok_or_else(|| "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.".into())
    }

    fn show(&self, events: &Events) -> Vec<u8> {
        match events.contains(Self::common()) {
            true => Self::letters(&[], *events),
            false => Self::letters(&Self::BESIDE_COMMON, *events),
        }
    }

    /// All of them: what is read from the file again is what was in effect.
    fn line(&self, events: &Events) -> String {
        quote(&Self::letters(&Self::BESIDE_COMMON, *events))
    }

    fn describe(&self) -> String {
        "letters of `KEg$lshzxetdmnocA`".into()
    }
}

/// Whose replica this server is. Only `no one` is accepted: there is no replication.
pub(super) struct ReplicaOf;

impl Kind<String> for ReplicaOf {
    const LIST: bool = true;

    fn set(&self, value: &mut String, words: &[&[u8]]) -> Outcome {
        let [host, port] = words else {
            return Err(WRONG_ARGUMENTS.into());
        };
        if host.eq_ignore_ascii_case(b"no") && port.eq_ignore_ascii_case(b"one") {
            value.clear();
            return Ok(());
        }
        match parse_i64(port) {
            Some(0..=65535) => Err("replication is not supported".into()),
            _ => Err("Invalid master port".into()),
        }
    }

    fn show(&self, value: &String) -> Vec<u8> {
        value.as_bytes().to_vec()
    }

    fn lines(&self, _: &String) -> Vec<String> {
        vec!["no one".into()]
    }

    fn describe(&self) -> String {
        "no one".into()
    }
}
