//! How option values are written, checked and shown: one type for each spelling. The error texts are Redis's.

use std::{
    ffi::OsStr,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::PathBuf,
};

use super::quote::quote;
use crate::base::{
    num::parse_i64,
    size::{format_memory, parse_memory},
};

/// The error for too few words, or too many.
pub(super) const WRONG_ARGUMENTS: &str = "wrong number of arguments";
/// Of a change; the error is what follows the option's name in what a client or the log is told.
pub(super) type Outcome = Result<(), String>;

/// The way an option whose value is a `T` is spelled.
pub(super) trait Kind<T> {
    /// Whether a value is a list of words, as in `save 3600 1`. Other values are a single word.
    const LIST: bool = false;

    /// Sets `value` from `words`, which are not one only if `LIST`.
    fn set(&self, value: &mut T, words: &[&[u8]]) -> Outcome;

    /// The value as CONFIG GET shows it.
    fn show(&self, value: &T) -> Vec<u8>;

    /// What CONFIG REWRITE writes behind the option's name, line by line.
    fn lines(&self, value: &T) -> Vec<String> {
        vec![quote(&self.show(value))]
    }

    /// The type as the reference names it.
    fn describe(&self) -> String;
}

/// A kind whose value is one word.
pub(super) trait Word<T> {
    /// The value that a word stands for. The error says what is wrong with it, to a client or in the log.
    fn parse(&self, word: &[u8]) -> Result<T, String>;

    /// As [`Kind::show`].
    fn show(&self, value: &T) -> Vec<u8>;

    /// As [`Kind::describe`].
    fn describe(&self) -> String;

    /// The one of [`Kind::lines`].
    fn line(&self, value: &T) -> String {
        quote(&self.show(value))
    }
}

impl<T, K: Word<T>> Kind<T> for K {
    fn set(&self, value: &mut T, words: &[&[u8]]) -> Outcome {
        let [word] = words else {
            return Err(WRONG_ARGUMENTS.into());
        };
        *value = self.parse(word)?;
        Ok(())
    }

    fn show(&self, value: &T) -> Vec<u8> {
        Word::show(self, value)
    }

    fn lines(&self, value: &T) -> Vec<String> {
        vec![self.line(value)]
    }

    fn describe(&self) -> String {
        Word::describe(self)
    }
}

/// `yes` or `no`.
pub(super) struct YesNo;

impl Word<bool> for YesNo {
    fn parse(&self, word: &[u8]) -> Result<bool, String> {
        match word.to_ascii_lowercase().as_slice() {
            b"yes" => Ok(true),
            b"no" => Ok(false),
            _ => Err("argument must be 'yes' or 'no'".into()),
        }
    }

    fn show(&self, value: &bool) -> Vec<u8> {
        if *value { b"yes".to_vec() } else { b"no".to_vec() }
    }

    fn describe(&self) -> String {
        "yes, no".into()
    }
}

/// A switch that cannot be turned on here; says why.
pub(super) struct NoOnly(pub(super) &'static str);

impl Word<bool> for NoOnly {
    fn parse(&self, word: &[u8]) -> Result<bool, String> {
        if YesNo.parse(word)? {
            Err(self.0.into())
        } else {
            Ok(false)
        }
    }

    fn show(&self, value: &bool) -> Vec<u8> {
        Word::show(&YesNo, value)
    }

    fn describe(&self) -> String {
        "no".into()
    }
}

/// The integer types of options; all fit an `i64`.
pub(super) trait Integer: Copy + TryFrom<i64> + TryInto<i64> {}
impl<T: Copy + TryFrom<i64> + TryInto<i64>> Integer for T {}

fn check_range<T: Integer>(number: i64, min: i64, max: i64) -> Result<T, String> {
    let narrow = T::try_from(number).ok().filter(|_| (min..=max).contains(&number));
    narrow.ok_or_else(|| format!("argument must be between {min} and {max} inclusive"))
}

fn widen<T: Integer>(value: T) -> i64 {
    value.try_into().unwrap_or(i64::MAX)
}

/// A decimal integer from the first number to the second.
pub(super) struct Int(pub(super) i64, pub(super) i64);

impl<T: Integer> Word<T> for Int {
    fn parse(&self, word: &[u8]) -> Result<T, String> {
        let number = parse_i64(word).ok_or("argument couldn't be parsed into an integer")?;
        check_range(number, self.0, self.1)
    }

    fn show(&self, value: &T) -> Vec<u8> {
        widen(*value).to_string().into_bytes()
    }

    fn describe(&self) -> String {
        match (self.0, self.1) {
            (min, max) if max >= i64::from(i32::MAX) && min <= i64::from(i32::MIN) => "integer".into(),
            (min, max) if max >= i64::from(i32::MAX) => format!("integer, at least {min}"),
            (min, max) => format!("integer, {min} to {max}"),
        }
    }
}

/// A frequency: what lies outside Redis's 1 to 500 is moved there rather than refused.
pub(super) struct Hertz;

impl Word<u32> for Hertz {
    fn parse(&self, word: &[u8]) -> Result<u32, String> {
        let hertz: u32 = Int(0, i64::from(i32::MAX)).parse(word)?;
        Ok(hertz.clamp(1, 500))
    }

    fn show(&self, value: &u32) -> Vec<u8> {
        value.to_string().into_bytes()
    }

    fn describe(&self) -> String {
        "integer, 1 to 500".into()
    }
}

/// File permissions, in octal.
pub(super) struct Octal;

impl Word<u32> for Octal {
    fn parse(&self, word: &[u8]) -> Result<u32, String> {
        let number = str::from_utf8(word)
            .ok()
            .and_then(|text| i64::from_str_radix(text, 8).ok());
        let number = number.ok_or("argument couldn't be parsed as an octal number")?;
        let mode = u32::try_from(number).ok().filter(|mode| *mode <= 0o777);
        mode.ok_or_else(|| "argument must be between 0 and 777 inclusive".into())
    }

    fn show(&self, value: &u32) -> Vec<u8> {
        format!("{value:o}").into_bytes()
    }

    fn describe(&self) -> String {
        "octal, 0 to 777".into()
    }
}

/// An amount of memory (`100mb`) from the first number of bytes to the second.
pub(super) struct Memory(pub(super) u64, pub(super) u64);

impl Word<u64> for Memory {
    fn parse(&self, word: &[u8]) -> Result<u64, String> {
        let bytes = str::from_utf8(word)
            .ok()
            .and_then(parse_memory)
            .ok_or("argument must be a memory value")?;
        if (self.0..=self.1).contains(&bytes) {
            return Ok(bytes);
        }
        Err(format!(
            "argument must be between {} and {} inclusive",
            self.0, self.1
        ))
    }

    fn show(&self, value: &u64) -> Vec<u8> {
        value.to_string().into_bytes()
    }

    fn line(&self, value: &u64) -> String {
        format_memory(*value)
    }

    fn describe(&self) -> String {
        match self.0 {
            0 => "memory".into(),
            min => format!("memory, at least {}", format_memory(min)),
        }
    }
}

/// An amount of memory, or a percentage of `maxmemory`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemoryShare {
    /// A number of bytes.
    Bytes(u64),
    /// A percentage of `maxmemory`, 0 to 100.
    Percent(u8),
}

impl Default for MemoryShare {
    fn default() -> MemoryShare {
        MemoryShare::Bytes(0)
    }
}

/// Bytes with or without a unit, or a percentage of `maxmemory`.
pub(super) struct MemoryOrPercent;

impl Word<MemoryShare> for MemoryOrPercent {
    fn parse(&self, word: &[u8]) -> Result<MemoryShare, String> {
        if let Some(bytes) = str::from_utf8(word).ok().and_then(parse_memory) {
            return Ok(MemoryShare::Bytes(bytes));
        }
        match word.strip_suffix(b"%").and_then(parse_i64) {
            Some(percent @ 0..=100) => Ok(MemoryShare::Percent(percent as u8)),
            Some(101..) => Err("percentage argument must be less or equal to 100".into()),
            _ => Err("argument must be a memory or percent value".into()),
        }
    }

    fn show(&self, value: &MemoryShare) -> Vec<u8> {
        match value {
            MemoryShare::Bytes(bytes) => bytes.to_string().into_bytes(),
            MemoryShare::Percent(percent) => format!("{percent}%").into_bytes(),
        }
    }

    fn line(&self, value: &MemoryShare) -> String {
        match value {
            MemoryShare::Bytes(bytes) => format_memory(*bytes),
            MemoryShare::Percent(percent) => format!("{percent}%"),
        }
    }

    fn describe(&self) -> String {
        "memory or percentage".into()
    }
}

/// The error for a word that is none of these.
pub(super) fn not_one_of<'a>(names: impl Iterator<Item = &'a str>) -> String {
    format!(
        "argument(s) must be one of the following: {}",
        names.collect::<Vec<_>>().join(", ")
    )
}

/// An enum whose variants are words in the configuration.
pub(super) trait Named: Copy + PartialEq + 'static {
    /// Every variant with its name, in the order in which error texts list them.
    const NAMES: &'static [(&'static str, Self)];

    /// The word for this variant.
    fn name(self) -> &'static str {
        // The macro that declares such an enum names every variant.
        Self::NAMES
            .iter()
            .find(|(_, variant)| *variant == self)
            .map_or("", |(name, _)| name)
    }
}

/// Declares an enum and the names of its variants.
macro_rules! named_enum {
    ($(#[$meta:meta])* $name:ident {
        $($(#[$variant_meta:meta])* $variant:ident = $text:literal),* $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub enum $name { $($(#[$variant_meta])* $variant),* }

        impl crate::config::kind::Named for $name {
            const NAMES: &'static [(&'static str, $name)] = &[$(($text, $name::$variant)),*];
        }
    };
}
pub(super) use named_enum;

/// A variant of a `Named` enum.
pub(super) struct Choice;

impl<E: Named> Word<E> for Choice {
    fn parse(&self, word: &[u8]) -> Result<E, String> {
        let found = E::NAMES
            .iter()
            .find(|(name, _)| word.eq_ignore_ascii_case(name.as_bytes()));
        found
            .map(|(_, variant)| *variant)
            .ok_or_else(|| not_one_of(E::NAMES.iter().map(|(name, _)| *name)))
    }

    fn show(&self, value: &E) -> Vec<u8> {
        value.name().into()
    }

    fn describe(&self) -> String {
        E::NAMES
            .iter()
            .map(|(name, _)| *name)
            .collect::<Vec<_>>()
            .join(", ")
    }
}

/// One of a few words, for options that are stored and shown but decide nothing.
pub(super) struct OneOf(pub(super) &'static [&'static str]);

impl Word<&'static str> for OneOf {
    fn parse(&self, word: &[u8]) -> Result<&'static str, String> {
        let found = self
            .0
            .iter()
            .find(|name| word.eq_ignore_ascii_case(name.as_bytes()));
        found.copied().ok_or_else(|| not_one_of(self.0.iter().copied()))
    }

    fn show(&self, value: &&'static str) -> Vec<u8> {
        (*value).into()
    }

    fn describe(&self) -> String {
        self.0.join(", ")
    }
}

/// Any text.
pub(super) struct Text;

impl Word<String> for Text {
    fn parse(&self, word: &[u8]) -> Result<String, String> {
        String::from_utf8(word.to_vec()).map_err(|_| "argument must be valid UTF-8".into())
    }

    fn show(&self, value: &String) -> Vec<u8> {
        value.as_bytes().to_vec()
    }

    fn describe(&self) -> String {
        "string".into()
    }
}

/// A text that must be empty here; says why.
pub(super) struct EmptyOnly(pub(super) &'static str);

impl Word<String> for EmptyOnly {
    fn parse(&self, word: &[u8]) -> Result<String, String> {
        if word.is_empty() {
            Ok(String::new())
        } else {
            Err(self.0.into())
        }
    }

    fn show(&self, value: &String) -> Vec<u8> {
        value.as_bytes().to_vec()
    }

    fn describe(&self) -> String {
        "empty".into()
    }
}

/// Any bytes, for passwords.
pub(super) struct Secret;

impl Word<Vec<u8>> for Secret {
    fn parse(&self, word: &[u8]) -> Result<Vec<u8>, String> {
        Ok(word.to_vec())
    }

    fn show(&self, value: &Vec<u8>) -> Vec<u8> {
        value.clone()
    }

    fn describe(&self) -> String {
        "string".into()
    }
}

/// The path of a file or directory; empty means none.
pub(super) struct FilePath;

impl Word<PathBuf> for FilePath {
    fn parse(&self, word: &[u8]) -> Result<PathBuf, String> {
        Ok(PathBuf::from(OsStr::from_bytes(word)))
    }

    fn show(&self, value: &PathBuf) -> Vec<u8> {
        value.clone().into_os_string().into_vec()
    }

    fn describe(&self) -> String {
        "path".into()
    }
}

/// The path of a directory.
pub(super) struct Directory;

impl Word<PathBuf> for Directory {
    fn parse(&self, word: &[u8]) -> Result<PathBuf, String> {
        if word.is_empty() {
            Err("argument can't be empty".into())
        } else {
            FilePath.parse(word)
        }
    }

    fn show(&self, value: &PathBuf) -> Vec<u8> {
        Word::show(&FilePath, value)
    }

    fn describe(&self) -> String {
        "path".into()
    }
}

/// The name of a file or directory, without a path. `option` and `what` are for the error text.
pub(super) struct BaseName {
    /// The option's name.
    pub(super) option: &'static str,
    /// What it is the name of: a file, a directory.
    pub(super) what: &'static str,
    /// Whether the empty word is allowed.
    pub(super) may_be_empty: bool,
}

impl Word<String> for BaseName {
    fn parse(&self, word: &[u8]) -> Result<String, String> {
        let name = Text.parse(word)?;
        if name.is_empty() && !self.may_be_empty {
            return Err(format!("{} can't be empty", self.option));
        }
        if name.contains(['/', '\\']) {
            return Err(format!("{} can't be a path, just a {}", self.option, self.what));
        }
        Ok(name)
    }

    fn show(&self, value: &String) -> Vec<u8> {
        value.as_bytes().to_vec()
    }

    fn describe(&self) -> String {
        self.what.into()
    }
}
