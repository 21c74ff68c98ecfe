//! Values of options that decide nothing here: checked as strictly as all others, then kept as text.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use super::kind::{BaseName, EmptyOnly, Int, Kind, Memory, NoOnly, OneOf, Outcome, Secret, Text, YesNo};
use super::special::{OomScores, Percentiles, ReplicaOf, ShutdownFlags};

/// What such an option is set to.
#[derive(Debug, Clone, PartialEq, Eq)]
struct IdleValue {
    /// As CONFIG GET shows it.
    shown: Vec<u8>,
    /// As CONFIG REWRITE writes it.
    lines: Vec<String>,
}

/// The values of the options without effect, by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IdleValues(BTreeMap<&'static str, IdleValue>);

impl IdleValues {
    /// Sets an option from words that its kind accepts.
    pub(super) fn set(&mut self, name: &'static str, kind: &dyn IdleKind, words: &[&[u8]]) -> Outcome {
        let (shown, lines) = kind.read(words)?;
        self.0.insert(name, IdleValue { shown, lines });
        Ok(())
    }

    /// The value as CONFIG GET shows it; empty if there is no such option without effect.
    pub(super) fn shown(&self, name: &str) -> Vec<u8> {
        self.0
            .get(name)
            .map(|value| value.shown.clone())
            .unwrap_or_default()
    }

    /// The same as a text.
    pub fn text(&self, name: &str) -> String {
        String::from_utf8_lossy(&self.shown(name)).into_owned()
    }

    /// What CONFIG REWRITE writes behind the name, line by line.
    pub(super) fn lines(&self, name: &str) -> Vec<String> {
        self.0
            .get(name)
            .map(|value| value.lines.clone())
            .unwrap_or_default()
    }
}

/// A [`Kind`] whose values nobody needs but as text.
pub(super) trait IdleKind: Sync {
    /// Whether a value is a list of words.
    fn is_list(&self) -> bool;

    /// Checks a value: how it is shown, and the lines that CONFIG REWRITE writes.
    fn read(&self, words: &[&[u8]]) -> Result<(Vec<u8>, Vec<String>), String>;

    /// The type as the reference names it.
    fn describe(&self) -> String;
}

/// The kind `K` of values `T`, which are forgotten once they are text.
pub(super) struct AsText<T, K>(K, PhantomData<fn() -> T>);

impl<T, K> AsText<T, K> {
    const fn of(kind: K) -> AsText<T, K> {
        AsText(kind, PhantomData)
    }
}

impl<T: Default, K: Kind<T> + Sync> IdleKind for AsText<T, K> {
    fn is_list(&self) -> bool {
        K::LIST
    }

    fn read(&self, words: &[&[u8]]) -> Result<(Vec<u8>, Vec<String>), String> {
        let mut value = T::default();
        self.0.set(&mut value, words)?;
        Ok((self.0.show(&value), self.0.lines(&value)))
    }

    fn describe(&self) -> String {
        self.0.describe()
    }
}

/// `yes` or `no`.
pub(super) const YES_NO: AsText<bool, YesNo> = AsText::of(YesNo);
/// Any text.
pub(super) const TEXT: AsText<String, Text> = AsText::of(Text);
/// Any bytes, which are not told in errors.
pub(super) const SECRET: AsText<Vec<u8>, Secret> = AsText::of(Secret);
/// Three integers.
pub(super) const OOM_SCORES: AsText<[i64; 3], OomScores> = AsText::of(OomScores);
/// Numbers from 0 to 100; an empty word: none.
pub(super) const PERCENTILES: AsText<Vec<f64>, Percentiles> = AsText::of(Percentiles);
/// A host and a port, or `no one`.
pub(super) const REPLICA_OF: AsText<String, ReplicaOf> = AsText::of(ReplicaOf);
/// Words of what a signal has SHUTDOWN do.
pub(super) const SHUTDOWN_FLAGS: AsText<Vec<&'static str>, ShutdownFlags> = AsText::of(ShutdownFlags);

/// A decimal integer from `min` to `max`.
pub(super) const fn int(min: i64, max: i64) -> AsText<i64, Int> {
    AsText::of(Int(min, max))
}

/// An amount of memory, from `min` to `max` bytes.
pub(super) const fn memory(min: u64, max: u64) -> AsText<u64, Memory> {
    AsText::of(Memory(min, max))
}

/// One of a few words.
pub(super) const fn one_of(words: &'static [&'static str]) -> AsText<&'static str, OneOf> {
    AsText::of(OneOf(words))
}

/// A switch that cannot be turned on here, for this reason.
pub(super) const fn no_only(reason: &'static str) -> AsText<bool, NoOnly> {
    AsText::of(NoOnly(reason))
}

/// A text that must be empty here, for this reason.
pub(super) const fn empty_only(reason: &'static str) -> AsText<String, EmptyOnly> {
    AsText::of(EmptyOnly(reason))
}

/// The name of a file or directory, without a path.
pub(super) const fn base_name(
    option: &'static str,
    what: &'static str,
    may_be_empty: bool,
) -> AsText<String, BaseName> {
    AsText::of(BaseName {
        option,
        what,
        may_be_empty,
    })
}
