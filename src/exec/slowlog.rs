//! The slow log: the last requests that kept the executor for long, newest first.

use std::collections::VecDeque;

use super::Client;
use super::table::{Command, flag};
use crate::base::num::parse_i64;
use crate::config::Config;
use crate::resp::Args;

/// Arguments that an entry keeps, and bytes of each.
const MAX_ARGUMENTS: usize = 32;
const MAX_ARGUMENT: usize = 128;

/// In the place of a secret.
pub(super) const REDACTED: &[u8] = b"(redacted)";

/// A request that took long.
#[derive(PartialEq, Debug)]
pub struct Entry {
    /// Counts from 0, and goes on when the log was emptied.
    pub id: u64,
    /// Unix time in seconds.
    pub time: u64,
    /// The executor's time that it took, waiting not among it.
    pub microseconds: u64,
    /// At most [`MAX_ARGUMENTS`], each cut to [`MAX_ARGUMENT`] bytes; secrets are replaced.
    pub args: Vec<Vec<u8>>,
    /// The client's, as in [`Client::address`].
    pub address: Vec<u8>,
    /// What CLIENT SETNAME said; empty: nothing.
    pub client_name: Vec<u8>,
}

/// An entry as it is kept.
struct Kept {
    id: u64,
    time: u64,
    microseconds: u64,
    /// How many arguments there are, and how many bytes all texts of the entry take.
    args: usize,
    bytes: usize,
}

/// As many entries as `slowlog-max-len` says. They live long, among much that does not: each in places of its own would keep the allocator from giving back what was
/// around them. So their texts are in one place.
#[derive(Default)]
pub struct SlowLog {
    /// Newest first.
    entries: VecDeque<Kept>,
    /// Of each entry its arguments, address and client name, each behind its length; the oldest entry first.
    texts: VecDeque<u8>,
    next_id: u64,
}

impl SlowLog {
    /// Logs a request if it was slow, as the configuration says.
    pub fn note(
        &mut self,
        config: &Config,
        client: &Client,
        command: &Command,
        args: Args,
        nanoseconds: u64,
        now_ms: u64,
    ) {
        let microseconds = nanoseconds / 1000;
        let Ok(threshold) = u64::try_from(config.slowlog_log_slower_than) else {
            return;
        };
        if microseconds < threshold || command.has(flag::SKIP_SLOWLOG) {
            return;
        }
        self.add(&Entry {
            id: self.next_id,
            time: now_ms / 1000,
            microseconds,
            args: shown_arguments(args),
            address: client.address.clone().into_bytes(),
            client_name: client.name.borrow().clone(),
        });
        self.next_id += 1;
        self.trim(config);
    }

    fn add(&mut self, entry: &Entry) {
        let before = self.texts.len();
        for text in entry.args.iter().chain([&entry.address, &entry.client_name]) {
            self.texts.extend(text.len().to_ne_bytes());
            self.texts.extend(text);
        }
        self.entries.push_front(Kept {
            id: entry.id,
            time: entry.time,
            microseconds: entry.microseconds,
            args: entry.args.len(),
            bytes: self.texts.len() - before,
        });
    }

    /// Keeps as many entries as the configuration says.
    pub fn trim(&mut self, config: &Config) {
        self.keep(usize::try_from(config.slowlog_max_len).unwrap_or(usize::MAX));
    }

    fn keep(&mut self, most: usize) {
        while self.entries.len() > most
            && let Some(oldest) = self.entries.pop_back()
        {
            self.texts.drain(..oldest.bytes);
        }
        if self.texts.len() < self.texts.capacity() / 4 {
            self.texts.shrink_to(2 * self.texts.len());
        }
    }

    /// The newest first.
    pub fn entries(&self) -> impl Iterator<Item = Entry> {
        let mut end = self.texts.len();
        self.entries.iter().map(move |kept| {
            let mut bytes = self.texts.range(end - kept.bytes..end).copied();
            end -= kept.bytes;
            let mut text = || {
                let mut length = 0usize.to_ne_bytes();
                length.fill_with(|| bytes.next().unwrap_or(0));
                bytes.by_ref().take(usize::from_ne_bytes(length)).collect()
            };
            Entry {
                id: kept.id,
                time: kept.time,
                microseconds: kept.microseconds,
                args: (0..kept.args).map(|_| text()).collect(),
                address: text(),
                client_name: text(),
            }
        })
    }

    /// How many entries there are.
    pub fn count(&self) -> usize {
        self.entries.len()
    }

    /// Forgets all entries; ids go on from where they were.
    pub fn clear(&mut self) {
        (self.entries, self.texts) = Default::default();
    }
}

/// The arguments without what is too many, too long or secret.
fn shown_arguments(args: Args) -> Vec<Vec<u8>> {
    let kept = if args.len() > MAX_ARGUMENTS {
        MAX_ARGUMENTS - 1
    } else {
        args.len()
    };
    let mut shown: Vec<Vec<u8>> = (0..kept)
        .map(|i| {
            if is_secret(args, i) {
                REDACTED.to_vec()
            } else {
                shortened(&args[i])
            }
        })
        .collect();
    if kept < args.len() {
        shown.push(format!("... ({} more arguments)", args.len() - kept).into_bytes());
    }
    shown
}

fn shortened(arg: &[u8]) -> Vec<u8> {
    // Integers are shown whole, as Redis does: they are short.
    if arg.len() <= MAX_ARGUMENT || parse_i64(arg).is_some() {
        return arg.to_vec();
    }
    let rest = arg.len() - MAX_ARGUMENT;
    [
        &arg[..MAX_ARGUMENT],
        format!("... ({rest} more bytes)").as_bytes(),
    ]
    .concat()
}

/// Whether argument `i` is a password, or goes with one.
pub(super) fn is_secret(args: Args, i: usize) -> bool {
    let is = |at: usize, word: &str| {
        args.get(at)
            .is_some_and(|arg| arg.eq_ignore_ascii_case(word.as_bytes()))
    };
    if is(0, "auth") {
        return i > 0;
    }
    if is(0, "hello") {
        return i > 2 && (is(i - 1, "auth") || is(i - 2, "auth"));
    }
    is(0, "config") && is(1, "set") && i > 2 && i % 2 == 1 && Config::is_sensitive(&args[i - 1])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::OwnedArgs;

    fn shown(words: &[&str]) -> Vec<String> {
        let args = OwnedArgs::new(words).unwrap();
        shown_arguments(args.as_args())
            .into_iter()
            .map(|arg| String::from_utf8(arg).unwrap())
            .collect()
    }

    #[test]
    fn passwords_are_not_logged() {
        assert_eq!(shown(&["AUTH", "u", "p"]), ["AUTH", "(redacted)", "(redacted)"]);
        let hello = ["HELLO", "3", "AUTH", "u", "p", "SETNAME", "n"];
        let logged = ["HELLO", "3", "AUTH", "(redacted)", "(redacted)", "SETNAME", "n"];
        assert_eq!(shown(&hello), logged);
        let config = ["CONFIG", "SET", "hz", "10", "requirepass", "p"];
        assert_eq!(shown(&config)[3..], ["10", "requirepass", "(redacted)"]);
    }

    #[test]
    fn long_requests_are_cut() {
        let many = vec!["x"; 40];
        assert_eq!(shown(&many).len(), MAX_ARGUMENTS);
        assert_eq!(shown(&many)[31], "... (9 more arguments)");
        let long = "a".repeat(129);
        assert_eq!(
            shown(&["SET", "k", &long])[2],
            format!("{}... (1 more bytes)", "a".repeat(128))
        );
    }

    #[test]
    fn entries_stay_whole_while_the_oldest_go() {
        let mut log = SlowLog::default();
        let entry = |n: u64| Entry {
            id: n,
            time: 7,
            microseconds: n * 2,
            args: vec![vec![b'x'; n as usize % 50], n.to_string().into_bytes()],
            address: b"address".to_vec(),
            client_name: Vec::new(),
        };
        for n in 0..300 {
            log.add(&entry(n));
            log.keep(10);
            let newest: Vec<Entry> = (0..=n).rev().take(10).map(entry).collect();
            assert_eq!(log.entries().collect::<Vec<_>>(), newest);
        }
        log.keep(0);
        assert_eq!((log.count(), log.texts.len(), log.texts.capacity()), (0, 0, 0));
    }
}
