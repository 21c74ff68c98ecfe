//! Redis's glob patterns (KEYS, SCAN MATCH, PSUBSCRIBE, CONFIG GET): `?`, `*`, `[a-z]`, `[^a]` and `\`
//! escapes.
//!
//! The corner cases are Redis's too, since clients see them: an unterminated class ends with the pattern,
//! a range compares *signed* bytes, an escape inside a class is case-sensitive, `*` does not match the empty
//! text, and a pattern that needs more than 1,000 stars matches nothing.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memmem::Finder;

/// Redis gives up on patterns that nest deeper than this many stars.
const MAX_STARS: usize = 1000;
/// A class of more bytes is read once, into a set. A shorter one takes no longer to read than a set to make.
const SHORT_CLASS: usize = 16;
/// Segments of so many elements are looked for at all places at once; shorter ones at one after the other, as longer ones,
/// for which that would take much memory.
const SHIFTED: Range<usize> = 4..1 << 16;

/// A pattern, ready to be matched against many texts.
///
/// Stars divide it into segments, each of which takes as many bytes of a text as it has elements. The first begins the
/// text and the last ends it; those between are looked for in their order, each behind the one before: when one fits
/// nowhere there, a longer match of an earlier star cannot help. So a match takes at most [`Pattern::effort`] steps.
pub struct Pattern<'p> {
    source: Cow<'p, [u8]>,
    first: Segment<'p>,
    /// Behind each star but the last.
    between: Vec<Segment<'p>>,
    /// Behind the last star, if there is one.
    last: Option<Segment<'p>>,
}

impl<'p> Pattern<'p> {
    /// `nocase` folds ASCII case.
    pub fn new(source: &'p [u8], nocase: bool) -> Pattern<'p> {
        let mut segments = Vec::new();
        let mut at = 0;
        loop {
            let segment = Segment::read(&source[at..], nocase);
            let end = at + segment.source.len();
            segments.push(segment);
            if end == source.len() {
                break;
            }
            at = skip_stars(source, end);
        }
        let mut segments = segments.into_iter();
        let first = segments.next().unwrap_or_default();
        let mut between: Vec<_> = segments.collect();
        let last = between.pop();
        between.iter_mut().for_each(Segment::prepare_to_find);
        Pattern {
            source: Cow::Borrowed(source),
            first,
            between,
            last,
        }
    }

    /// The same, with bytes of its own.
    pub fn into_owned(self) -> Pattern<'static> {
        Pattern {
            source: Cow::Owned(self.source.into_owned()),
            first: self.first.into_owned(),
            between: self.between.into_iter().map(Segment::into_owned).collect(),
            last: self.last.map(Segment::into_owned),
        }
    }

    /// As it was given.
    pub fn source(&self) -> &[u8] {
        &self.source
    }

    /// What it takes of memory, in bytes, if its bytes are its own.
    pub fn memory(&self) -> usize {
        let segments = [&self.first].into_iter().chain(&self.between).chain(&self.last);
        size_of::<Pattern>() + self.source.len() + segments.map(Segment::memory).sum::<usize>()
    }

    /// Whether the pattern matches the whole of `text`.
    pub fn matches(&self, text: &[u8]) -> bool {
        if text.is_empty() {
            return self.source.is_empty();
        }
        let Some(last) = &self.last else {
            return text.len() == self.first.len && self.first.fits(text);
        };
        let stars = self.between.len() + usize::from(last.len > 0);
        let Some((begin, rest)) = text.split_at_checked(self.first.len) else {
            return false;
        };
        let Some(middle) = rest.len().checked_sub(last.len) else {
            return false;
        };
        let (mut middle, end) = rest.split_at(middle);
        if stars > MAX_STARS || !self.first.fits(begin) || !last.fits(end) {
            return false;
        }
        for segment in &self.between {
            let Some(found) = segment.find(middle) else {
                return false;
            };
            middle = &middle[found + segment.len..];
        }
        true
    }

    /// As [`Pattern::matches`], but `*` alone matches the empty text, too: so it is in KEYS, SCAN and its like.
    pub fn selects(&self, text: &[u8]) -> bool {
        *self.source == *b"*" || self.matches(text)
    }

    /// How many bytes and elements a match against so long a text may look at, at most.
    pub fn effort(&self, text: usize) -> usize {
        let sought = self.between.iter().map(Segment::effort).sum::<usize>();
        text.saturating_mul(1 + sought)
    }

    /// The literal bytes every match starts with, and whether the pattern is nothing but that literal.
    pub fn literal_prefix(&self) -> (Vec<u8>, bool) {
        let pattern = &*self.source;
        let mut prefix = Vec::new();
        let mut p = 0;
        while p < pattern.len() {
            match pattern[p] {
                b'*' | b'?' | b'[' => return (prefix, false),
                b'\\' if p + 1 < pattern.len() => p += 1,
                _ => {}
            }
            prefix.push(pattern[p]);
            p += 1;
        }
        (prefix, true)
    }
}

/// Elements without a star: each takes one byte.
#[derive(Default)]
struct Segment<'p> {
    source: Cow<'p, [u8]>,
    /// How many elements it has.
    len: usize,
    nocase: bool,
    /// Its long classes, in their order.
    classes: Vec<Class>,
    /// Each element is a byte that stands for itself.
    is_literal: bool,
    finder: Option<Box<Finder<'p>>>,
    shifted: Option<Shifted>,
}

struct Class {
    place: Range<usize>,
    set: ByteSet,
}

/// A segment as bit masks, to be looked for by "shift-and": for each byte, the elements that it fits, 64 in a word.
struct Shifted {
    words: usize,
    masks: Vec<u64>,
}

impl Shifted {
    fn find(&self, len: usize, text: &[u8]) -> Option<usize> {
        // Bit `n`: the text before fits the first `n + 1` elements.
        let mut fitting = vec![0u64; self.words];
        let (word, bit) = ((len - 1) / 64, (len - 1) % 64);
        for (at, &byte) in text.iter().enumerate() {
            let masks = &self.masks[usize::from(byte) * self.words..][..self.words];
            let mut carry = 1;
            for (bits, mask) in fitting.iter_mut().zip(masks) {
                let shifted = *bits << 1 | carry;
                carry = *bits >> 63;
                *bits = shifted & mask;
            }
            if fitting[word] >> bit & 1 == 1 {
                return Some(at + 1 - len);
            }
        }
        None
    }
}

/// A set of bytes.
#[derive(Clone, Copy, Default)]
struct ByteSet([u64; 4]);

impl ByteSet {
    fn of(holds: impl Fn(u8) -> bool) -> ByteSet {
        let mut set = ByteSet::default();
        for byte in (0..=u8::MAX).filter(|&byte| holds(byte)) {
            set.0[usize::from(byte >> 6)] |= 1 << (byte & 63);
        }
        set
    }

    fn has(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 6)] & 1 << (byte & 63) != 0
    }

    fn bytes(self) -> impl Iterator<Item = u8> {
        (0..=u8::MAX).filter(move |&byte| self.has(byte))
    }
}

impl<'p> Segment<'p> {
    /// What of the pattern is before a star.
    fn read(pattern: &'p [u8], nocase: bool) -> Segment<'p> {
        let mut segment = Segment {
            nocase,
            ..Segment::default()
        };
        let (mut p, mut is_literal) = (0, !nocase);
        while let Some(&byte) = pattern.get(p).filter(|&&byte| byte != b'*') {
            is_literal &= !matches!(byte, b'?' | b'[' | b'\\');
            let next = element_end(pattern, p);
            if byte == b'[' && next - p > SHORT_CLASS {
                segment.classes.push(Class {
                    place: p..next,
                    set: class_set(pattern, p + 1, nocase),
                });
            }
            segment.len += 1;
            p = next;
        }
        segment.source = Cow::Borrowed(&pattern[..p]);
        segment.is_literal = is_literal;
        segment
    }

    fn into_owned(self) -> Segment<'static> {
        Segment {
            source: Cow::Owned(self.source.into_owned()),
            finder: self.finder.map(|finder| Box::new(finder.into_owned())),
            ..self
        }
    }

    /// What it takes of memory beside itself, in bytes, if its bytes are its own.
    fn memory(&self) -> usize {
        let masks = self.shifted.as_ref().map_or(0, |shifted| shifted.masks.len() * 8);
        let finder = self
            .finder
            .as_ref()
            .map_or(0, |_| size_of::<Finder>() + self.source.len());
        size_of::<Segment>() + self.source.len() + self.classes.len() * size_of::<Class>() + masks + finder
    }

    fn prepare_to_find(&mut self) {
        if self.is_literal {
            let finder = match &self.source {
                Cow::Borrowed(source) => Finder::new(*source),
                Cow::Owned(source) => Finder::new(source).into_owned(),
            };
            self.finder = Some(Box::new(finder));
        } else if SHIFTED.contains(&self.len) {
            let words = self.len.div_ceil(64);
            let mut masks = vec![0; 256 * words];
            let mut p = 0;
            for number in 0..self.len {
                for byte in self.set_at(p).bytes() {
                    masks[usize::from(byte) * words + number / 64] |= 1 << (number % 64);
                }
                p = element_end(&self.source, p);
            }
            self.shifted = Some(Shifted { words, masks });
        }
    }

    /// The bytes that the element at `p` matches.
    fn set_at(&self, p: usize) -> ByteSet {
        match self.source[p] {
            b'[' => class_set(&self.source, p + 1, self.nocase),
            _ => ByteSet::of(|byte| match_one(&self.source, p, byte, self.nocase).0),
        }
    }

    /// Whether it matches the whole of a text that is as long as it is.
    fn fits(&self, text: &[u8]) -> bool {
        if self.is_literal {
            return *self.source == *text;
        }
        let mut classes = self.classes.iter().peekable();
        let mut p = 0;
        for &byte in text {
            let (matches, next) = match classes.next_if(|class| class.place.start == p) {
                Some(class) => (class.set.has(byte), class.place.end),
                None => match_one(&self.source, p, byte, self.nocase),
            };
            if !matches {
                return false;
            }
            p = next;
        }
        true
    }

    /// The first place where it matches.
    fn find(&self, text: &[u8]) -> Option<usize> {
        match (&self.finder, &self.shifted) {
            (Some(finder), _) => finder.find(text),
            (_, Some(shifted)) => shifted.find(self.len, text),
            _ => {
                (0..(text.len() + 1).saturating_sub(self.len)).find(|&at| self.fits(&text[at..at + self.len]))
            }
        }
    }

    /// Steps of [`Segment::find`] for each byte of the text beside one, at most.
    fn effort(&self) -> usize {
        match &self.shifted {
            _ if self.is_literal => 0,
            Some(shifted) => shifted.words,
            None => self.len * SHORT_CLASS,
        }
    }
}

fn skip_stars(pattern: &[u8], from: usize) -> usize {
    from + pattern[from..].iter().take_while(|&&byte| byte == b'*').count()
}

/// Where the element behind the one at `p`, which is not a star, starts.
fn element_end(pattern: &[u8], p: usize) -> usize {
    match pattern[p..] {
        [b'[', ..] => {
            let mut items = Items::new(pattern, p + 1);
            items.by_ref().for_each(drop);
            items.p
        }
        [b'\\', _, ..] => p + 2,
        _ => p + 1,
    }
}

/// Matches one byte of text against the element at `p`, which is not a star: whether it fits, and where the next element
/// starts.
fn match_one(pattern: &[u8], p: usize, byte: u8, nocase: bool) -> (bool, usize) {
    match pattern.get(p..).unwrap_or_default() {
        [] => (false, p),
        [b'?', ..] => (true, p + 1),
        [b'[', ..] => match_class(pattern, p + 1, byte, nocase),
        [b'\\', escaped, ..] => (same(*escaped, byte, nocase), p + 2),
        [literal, ..] => (same(*literal, byte, nocase), p + 1),
    }
}

/// What a class lists.
enum Item {
    /// Behind a backslash: case counts.
    Escaped(u8),
    Range(u8, u8),
    Byte(u8),
}

/// A class, read from behind its `[`.
struct Items<'p> {
    pattern: &'p [u8],
    p: usize,
    negated: bool,
}

impl<'p> Items<'p> {
    fn new(pattern: &'p [u8], p: usize) -> Items<'p> {
        let negated = pattern.get(p) == Some(&b'^');
        Items {
            pattern,
            p: p + usize::from(negated),
            negated,
        }
    }
}

impl Iterator for Items<'_> {
    type Item = Item;

    /// After the last one, `p` is behind the class.
    fn next(&mut self) -> Option<Item> {
        let (item, width) = match self.pattern.get(self.p..).unwrap_or_default() {
            [] => return None,
            [b'\\', escaped, ..] => (Item::Escaped(*escaped), 2),
            [b']', ..] => {
                self.p += 1;
                return None;
            }
            [first, b'-', last, ..] => (Item::Range(*first, *last), 3),
            [byte, ..] => (Item::Byte(*byte), 1),
        };
        self.p += width;
        Some(item)
    }
}

/// Matches a class whose `[` is behind us: whether the byte is in it, and where the next element starts.
fn match_class(pattern: &[u8], p: usize, byte: u8, nocase: bool) -> (bool, usize) {
    let mut items = Items::new(pattern, p);
    let mut listed = false;
    for item in items.by_ref() {
        listed |= match item {
            Item::Escaped(escaped) => escaped == byte,
            Item::Range(first, last) => in_range(first, last, byte, nocase),
            Item::Byte(member) => same(member, byte, nocase),
        };
    }
    (listed != items.negated, items.p)
}

/// The set of bytes that are in a class whose `[` is behind us.
fn class_set(pattern: &[u8], p: usize, nocase: bool) -> ByteSet {
    let mut items = Items::new(pattern, p);
    let mut listed = [false; 256];
    for item in items.by_ref() {
        match item {
            Item::Escaped(escaped) => listed[usize::from(escaped)] = true,
            Item::Byte(member) if nocase => {
                listed[usize::from(member.to_ascii_lowercase())] = true;
                listed[usize::from(member.to_ascii_uppercase())] = true;
            }
            Item::Byte(member) => listed[usize::from(member)] = true,
            Item::Range(first, last) => (0..=u8::MAX)
                .filter(|&byte| in_range(first, last, byte, nocase))
                .for_each(|byte| listed[usize::from(byte)] = true),
        }
    }
    ByteSet::of(|byte| listed[usize::from(byte)] != items.negated)
}

/// The ends may come in either order. They are put in order as signed bytes and folded only then, to unsigned
/// ones.
fn in_range(first: u8, last: u8, byte: u8, nocase: bool) -> bool {
    let (start, end) = if first.cast_signed() <= last.cast_signed() {
        (first, last)
    } else {
        (last, first)
    };
    if nocase {
        let fold = |byte: u8| byte.to_ascii_lowercase();
        (fold(start)..=fold(end)).contains(&fold(byte))
    } else {
        (start.cast_signed()..=end.cast_signed()).contains(&byte.cast_signed())
    }
}

fn same(expected: u8, byte: u8, nocase: bool) -> bool {
    expected == byte || nocase && expected.eq_ignore_ascii_case(&byte)
}

#[cfg(test)]
mod tests;
