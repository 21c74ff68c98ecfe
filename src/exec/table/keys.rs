//! Key specs: where a command's keys are among its arguments, and what is done to them.

use super::Command;
use super::flags::access::*;
use crate::base::num;
use crate::resp::Args;

/// Where some of a command's keys are, and what is done to them.
#[derive(Clone, Copy)]
pub struct KeySpec {
    /// Or-ed constants of [`super::access`].
    pub access: u32,
    /// With `VARIABLE_FLAGS`: what the given arguments do.
    pub vary: Option<fn(Args) -> u32>,
    /// What COMMAND INFO says beside the rule; mostly nothing.
    pub notes: &'static str,
    /// Where the search for the keys begins.
    pub begin: Begin,
    /// Where the keys are from there.
    pub find: Find,
}

/// Where the search for keys begins.
#[derive(Clone, Copy)]
pub enum Begin {
    /// At this argument; the command's name is number 0.
    Index(i32),
    /// After this word, looked for from the argument `from` on (negative: backwards from the end).
    Keyword { word: &'static str, from: i32 },
    /// Where no rule says; the function knows.
    Unknown(fn(Args) -> Option<usize>),
}

/// Where keys are, from where their search begins.
#[derive(Clone, Copy)]
pub enum Find {
    /// `last` counts from the first key; negative: from the end. `limit` 0 or 1: all of them; n: the first 1/n.
    Range { last: i32, step: i32, limit: i32 },
    /// A number of keys, at `number` from where the search begins; the keys begin at `first` from there.
    KeyNumber { number: i32, first: i32, step: i32 },
    /// The one key where the search begins, as far as a rule would say.
    Unknown,
}

/// One key, at argument `index`.
pub const fn at(index: i32, access: u32) -> KeySpec {
    range(index, 0, 1, access)
}

/// Keys from argument `first` on, each `step` arguments. `last` is as in [`Find::Range`].
pub const fn range(first: i32, last: i32, step: i32, access: u32) -> KeySpec {
    KeySpec {
        access,
        vary: None,
        notes: "",
        begin: Begin::Index(first),
        find: Find::Range { last, step, limit: 0 },
    }
}

/// One key, behind a word that is looked for from argument `from` on.
pub const fn behind(word: &'static str, from: i32, access: u32) -> KeySpec {
    KeySpec {
        begin: Begin::Keyword { word, from },
        ..at(0, access)
    }
}

/// One key or none, of which only a function knows where it is.
pub const fn unknown(access: u32, locate: fn(Args) -> Option<usize>) -> KeySpec {
    KeySpec {
        begin: Begin::Unknown(locate),
        find: Find::Unknown,
        ..at(0, access)
    }
}

/// As many keys as argument `index` says, right behind it.
pub const fn numbered(index: i32, access: u32) -> KeySpec {
    KeySpec {
        find: Find::KeyNumber {
            number: 0,
            first: 1,
            step: 1,
        },
        ..at(index, access)
    }
}

impl KeySpec {
    /// The rule with a note for people, which COMMAND INFO shows.
    pub const fn noted(mut self, notes: &'static str) -> KeySpec {
        self.notes = notes;
        self
    }

    /// What is done to the keys depends on the arguments.
    pub const fn varying(mut self, access: fn(Args) -> u32) -> KeySpec {
        self.vary = Some(access);
        self
    }

    /// Whether what it finds are keys.
    pub fn names_keys(&self) -> bool {
        self.access & NOT_KEY == 0
    }

    fn access(&self, args: Args) -> u32 {
        self.vary.map_or(self.access, |vary| vary(args))
    }

    fn collect(&self, args: Args, out: &mut Vec<(usize, u32)>) -> Option<()> {
        let Some(begin) = self.begin.position(args) else {
            // A word that is not there names no key; where an index leads, one has to be.
            return (!matches!(self.begin, Begin::Index(_))).then_some(());
        };
        let (first, last, step) = self.find.positions(begin, args)?;
        if last >= args.len() {
            return None;
        }
        let access = self.access(args);
        out.extend((first..=last).step_by(step).map(|at| (at, access)));
        Some(())
    }
}

impl Begin {
    fn position(self, args: Args) -> Option<usize> {
        match self {
            Begin::Index(i) => Some(i as usize).filter(|&i| i < args.len()),
            Begin::Keyword { word, from } => {
                let is_word = |i: &usize| args[*i].eq_ignore_ascii_case(word.as_bytes());
                let found = if from >= 0 {
                    (from as usize..args.len()).find(is_word)
                } else {
                    (1..(args.len() + 1).checked_sub(from.unsigned_abs() as usize)?)
                        .rev()
                        .find(is_word)
                };
                Some(found? + 1).filter(|&i| i < args.len())
            }
            Begin::Unknown(locate) => locate(args),
        }
    }
}

impl Find {
    /// The first key, the last, and the step between two.
    fn positions(self, begin: usize, args: Args) -> Option<(usize, usize, usize)> {
        match self {
            Find::Range { last, step, limit } => {
                let end = if last >= 0 {
                    begin + last as usize
                } else if last == -1 && limit > 1 {
                    begin + (args.len() - begin) / limit as usize - 1
                } else {
                    args.len().checked_sub(last.unsigned_abs() as usize)?
                };
                Some((begin, end, step.max(1) as usize))
            }
            Find::KeyNumber { number, first, step } => {
                let count = num::parse_i64(args.get(begin + number as usize)?)?;
                let count = usize::try_from(count).ok().filter(|&n| n > 0)?;
                let (first, step) = (begin + first as usize, step.max(1) as usize);
                let last = first.checked_add((count - 1).checked_mul(step)?)?;
                Some((first, last, step))
            }
            Find::Unknown => Some((begin, begin, 1)),
        }
    }
}

impl Command {
    /// The positions of the keys among the arguments, and what is done to each; `None` where the arguments make no
    /// sense.
    pub fn key_uses(&self, args: Args) -> Option<Vec<(usize, u32)>> {
        let mut uses = Vec::new();
        for spec in self.keys.iter().filter(|spec| spec.names_keys()) {
            spec.collect(args, &mut uses)?;
        }
        Some(uses)
    }

    /// The positions of the keys among the arguments; `None` where the arguments make no sense.
    pub fn key_positions(&self, args: Args) -> Option<Vec<usize>> {
        let uses = self.key_uses(args)?;
        Some(uses.into_iter().map(|(at, _)| at).collect())
    }

    /// First key, last key and step, as COMMAND INFO has told them since before there were key specs. Specs that follow
    /// each other become one range; what cannot be told so is left out.
    pub fn legacy_range(&self) -> (i32, i32, i32) {
        if let [only] = self.keys {
            return only.legacy_range().unwrap_or((0, 0, 0));
        }
        let (mut first, mut last) = (0, 0);
        for (spec_first, spec_last, step) in self.keys.iter().filter_map(KeySpec::legacy_range) {
            if step != 1 || (last != 0 && spec_first != last + 1) {
                return (0, 0, 0);
            }
            if first == 0 {
                first = spec_first;
            }
            last = spec_last;
        }
        (first, last, i32::from(first != 0))
    }
}

impl KeySpec {
    fn legacy_range(&self) -> Option<(i32, i32, i32)> {
        match (self.begin, self.find) {
            (Begin::Index(first), Find::Range { last, step, .. }) => {
                let last = if last >= 0 { first + last } else { last };
                Some((first, last, step))
            }
            _ => None,
        }
    }
}

/// SET returns the old value only with GET.
pub fn set_access(args: Args) -> u32 {
    if args.iter().skip(3).any(|arg| arg.eq_ignore_ascii_case(b"get")) {
        RW | ACCESS | UPDATE
    } else {
        OW | UPDATE
    }
}

/// Where SORT stores: behind the last STORE that is no argument of another option.
pub fn sort_target(args: Args) -> Option<usize> {
    let (mut at, mut target) = (2, None);
    while let Some(word) = args.get(at) {
        let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
        at += match word {
            _ if is("limit") => 3,
            _ if is("get") || is("by") => 2,
            _ => 1,
        };
        if is("store") && at < args.len() {
            target = Some(at);
        }
    }
    target
}

/// BITFIELD with GET alone changes nothing. One that makes no sense counts as one that does.
pub fn bitfield_access(args: Args) -> u32 {
    let mut at = 2;
    while let Some(word) = args.get(at) {
        let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
        let operands = match word {
            _ if is("get") => 2,
            _ if is("overflow") => 1,
            _ => return RW | ACCESS | UPDATE,
        };
        at += 1 + operands;
    }
    match at > args.len() {
        true => RW | ACCESS | UPDATE,
        false => RO | ACCESS,
    }
}

#[cfg(test)]
mod tests {
    use super::super::find;
    use crate::resp::OwnedArgs;

    fn positions(words: &[&str]) -> Option<Vec<usize>> {
        let args = OwnedArgs::new(words).unwrap();
        find(words[0].as_bytes())
            .unwrap()
            .command
            .key_positions(args.as_args())
    }

    #[test]
    fn keys_are_where_the_specs_say() {
        assert_eq!(positions(&["get", "a"]), Some(vec![1]));
        assert_eq!(positions(&["SET", "a", "1"]), Some(vec![1]));
        assert_eq!(positions(&["ping"]), Some(vec![]));
        assert_eq!(positions(&["sort", "a"]), Some(vec![1]));
        assert_eq!(positions(&["pfmerge", "a", "b"]), Some(vec![1, 2]));
        assert_eq!(positions(&["pfmerge", "a"]), None);
        assert_eq!(
            positions(&["sort", "a", "BY", "store", "GET", "x", "STORE", "b"]),
            Some(vec![1, 7])
        );
        assert_eq!(
            positions(&["georadius", "a", "1", "1", "1", "m", "asc", "storedist", "b"]),
            Some(vec![1, 8])
        );
    }
}
