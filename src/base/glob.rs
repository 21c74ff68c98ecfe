//! Redis's glob patterns (KEYS, SCAN MATCH, PSUBSCRIBE, CONFIG GET): `?`, `*`, `[a-z]`, `[^a]` and `\`
//! escapes.
//!
//! The corner cases are Redis's too, since clients see them: an unterminated class ends with the pattern,
//! a range compares *signed* bytes, an escape inside a class is case-sensitive, `*` does not match the empty
//! text, and a pattern that needs more than 1,000 stars matches nothing.

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
    source: &'p [u8],
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
            source,
            first,
            between,
            last,
        }
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
        self.source == b"*" || self.matches(text)
    }

    /// How many bytes and elements a match against so long a text may look at, at most.
    pub fn effort(&self, text: usize) -> usize {
        let sought = self.between.iter().map(Segment::effort).sum::<usize>();
        text.saturating_mul(1 + sought)
    }

    /// The literal bytes every match starts with, and whether the pattern is nothing but that literal.
    pub fn literal_prefix(&self) -> (Vec<u8>, bool) {
        let pattern = self.source;
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
    source: &'p [u8],
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
        segment.source = &pattern[..p];
        segment.is_literal = is_literal;
        segment
    }

    fn prepare_to_find(&mut self) {
        if self.is_literal {
            self.finder = Some(Box::new(Finder::new(self.source)));
        } else if SHIFTED.contains(&self.len) {
            let words = self.len.div_ceil(64);
            let mut masks = vec![0; 256 * words];
            let mut p = 0;
            for number in 0..self.len {
                for byte in self.set_at(p).bytes() {
                    masks[usize::from(byte) * words + number / 64] |= 1 << (number % 64);
                }
                p = element_end(self.source, p);
            }
            self.shifted = Some(Shifted { words, masks });
        }
    }

    /// The bytes that the element at `p` matches.
    fn set_at(&self, p: usize) -> ByteSet {
        match self.source[p] {
            b'[' => class_set(self.source, p + 1, self.nocase),
            _ => ByteSet::of(|byte| match_one(self.source, p, byte, self.nocase).0),
        }
    }

    /// Whether it matches the whole of a text that is as long as it is.
    fn fits(&self, text: &[u8]) -> bool {
        if self.is_literal {
            return self.source == text;
        }
        let mut classes = self.classes.iter().peekable();
        let mut p = 0;
        for &byte in text {
            let (matches, next) = match classes.next_if(|class| class.place.start == p) {
                Some(class) => (class.set.has(byte), class.place.end),
                None => match_one(self.source, p, byte, self.nocase),
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
mod tests {
    use super::*;
    use crate::base::random::Random;

    fn matches(pattern: &[u8], text: &[u8], nocase: bool) -> bool {
        Pattern::new(pattern, nocase).matches(text)
    }

    #[track_caller]
    fn check(pattern: &str, text: &str, expected: bool) {
        assert_eq!(
            matches(pattern.as_bytes(), text.as_bytes(), false),
            expected,
            "{pattern:?} on {text:?}"
        );
    }

    #[test]
    fn stars_and_question_marks() {
        for (pattern, text, expected) in [
            ("*", "anything", true),
            ("h?llo", "hello", true),
            ("h?llo", "hllo", false),
            ("h*llo", "hllo", true),
            ("h*llo", "heeeello", true),
            ("*a*b*c", "xxaxxbxxc", true),
            ("*a*b*c", "xxaxxcxxb", false),
            ("a**b", "ab", true),
            ("a*", "a", true),
            ("a***", "a", true),
            ("*ab", "aab", true),
            ("*aab", "aaab", true),
            ("?", "ab", false),
        ] {
            check(pattern, text, expected);
        }
    }

    #[test]
    fn the_empty_text_matches_only_the_empty_pattern() {
        check("", "", true);
        check("*", "", false);
        check("", "a", false);
        check("[^a]", "", false);
    }

    #[test]
    fn classes() {
        for (pattern, text, expected) in [
            ("h[ae]llo", "hallo", true),
            ("h[ae]llo", "hillo", false),
            ("h[^e]llo", "hallo", true),
            ("h[^e]llo", "hello", false),
            ("h[a-c]llo", "hbllo", true),
            ("h[c-a]llo", "hbllo", true),
            ("[]a]", "a", false),
            ("[]", "]", false),
            ("[^]", "x", true),
            ("[^]x", "xx", true),
            ("[a-]", "^", true),
            ("[a-]", "-", false),
            ("[ab-]", "-", false),
            ("[\\]]", "]", true),
            ("[\\-z]", "-", true),
        ] {
            check(pattern, text, expected);
        }
    }

    #[test]
    fn an_unterminated_class_ends_with_the_pattern() {
        check("[abc", "c", true);
        check("[abc", "d", false);
        check("[", "a", false);
        check("[^", "a", true);
        check("[a-", "-", true);
        check("x[a-c", "xb", true);
    }

    #[test]
    fn escapes() {
        check("h\\*llo", "h*llo", true);
        check("h\\*llo", "hello", false);
        check("a\\", "a\\", true);
        check("\\\\", "\\", true);
    }

    #[test]
    fn case_folding() {
        assert!(matches(b"HELLO*", b"hello world", true));
        assert!(matches(b"[A-Z]", b"q", true));
        assert!(matches(b"\\Q", b"q", true));
        assert!(
            !matches(b"[\\Q]", b"q", true),
            "an escape inside a class is not folded"
        );
        assert!(!matches(b"HELLO", b"hello", false));
    }

    #[test]
    fn ranges_compare_signed_bytes() {
        assert!(matches(b"[a-\xff]", b"Z", false), "0xff is -1, below 'Z'");
        assert!(!matches(b"[a-\xff]", b"b", false));
        assert!(matches(b"[\x80-\xff]", b"\x90", false));
    }

    #[test]
    fn hostile_patterns_stay_cheap() {
        let text = vec![b'a'; 50_000];
        let mut pattern = b"a*".repeat(900);
        pattern.push(b'b');
        assert!(!matches(&pattern, &text, false));
        assert!(matches(&b"*a".repeat(MAX_STARS), &text, false));
        assert!(!matches(&b"*a".repeat(MAX_STARS + 1), &text, false));
    }

    /// What Redis does, as it does it: each star tries every length.
    fn matches_slowly(pattern: &[u8], text: &[u8], nocase: bool) -> bool {
        match (pattern, text) {
            ([b'*', rest @ ..], _) => {
                let rest = &rest[skip_stars(rest, 0)..];
                rest.is_empty() || (0..text.len()).any(|at| matches_slowly(rest, &text[at..], nocase))
            }
            ([], _) | (_, []) => pattern.is_empty() && text.is_empty(),
            (_, [byte, text @ ..]) => {
                let (fits, next) = match_one(pattern, 0, *byte, nocase);
                let rest = &pattern[next.min(pattern.len())..];
                let done = text.is_empty() && skip_stars(rest, 0) == rest.len();
                fits && (done || matches_slowly(rest, text, nocase))
            }
        }
    }

    #[test]
    fn random_patterns_match_as_if_every_length_of_a_star_were_tried() {
        let mut random = Random::from_seed(7);
        let mut word = |alphabet: &[u8], most: u64| -> Vec<u8> {
            let len = random.below(most + 1);
            let byte = |_| alphabet[random.below(alphabet.len() as u64) as usize];
            (0..len).map(byte).collect()
        };
        let mut matched = 0;
        for round in 0..200_000 {
            let pattern = word(b"aAbB**??[]^-\\\xff", 12);
            let text = word(b"aAbB*-]^\xff", 8);
            let nocase = round % 2 == 0;
            let expected = match text.is_empty() {
                true => pattern.is_empty(),
                false => matches_slowly(&pattern, &text, nocase),
            };
            assert_eq!(
                matches(&pattern, &text, nocase),
                expected,
                "{} on {}, {nocase}",
                pattern.escape_ascii(),
                text.escape_ascii()
            );
            matched += u32::from(expected);
        }
        assert!(matched > 5000, "{matched}");
    }

    #[test]
    fn a_set_has_the_bytes_that_its_class_matches() {
        let mut random = Random::from_seed(8);
        for round in 0..5000 {
            let mut class = b"[".to_vec();
            class.extend((0..random.below(40)).map(|_| b"aAzZ09^-\\\x80\xff"[random.below(11) as usize]));
            let nocase = round % 2 == 0;
            let set = class_set(&class, 1, nocase);
            for byte in 0..=u8::MAX {
                let (fits, end) = match_class(&class, 1, byte, nocase);
                assert_eq!(set.has(byte), fits, "{} {byte}", class.escape_ascii());
                assert_eq!(element_end(&class, 0), end);
            }
        }
    }

    #[test]
    fn a_long_class_costs_a_byte_of_text_one_step() {
        let class = [&b"*["[..], &b"abcdefghij".repeat(1000), b"]"].concat();
        let pattern = Pattern::new(&class, false);
        assert!(pattern.last.as_ref().is_some_and(|last| last.classes.len() == 1));
        assert_eq!(pattern.effort(20_000), 20_000);
        assert!(pattern.matches(&[b'j'; 20_000]) && !pattern.matches(&[b'k'; 20_000]));
        // In the middle, a step for each element of the segment.
        let class = [&class[..], b"x*y"].concat();
        let pattern = Pattern::new(&class, false);
        assert_eq!(pattern.effort(20_000), 20_000 * (1 + 2 * SHORT_CLASS));
        assert!(!pattern.matches(&[b'j'; 20_000]));
        // Or for 64 of them, if they are not very few: here it fits nowhere, but nearly, everywhere.
        let classes = [&b"*"[..], &b"[jk]".repeat(3000), b"b*"].concat();
        let pattern = Pattern::new(&classes, false);
        assert_eq!(pattern.effort(20_000), 20_000 * (1 + 3001_usize.div_ceil(64)));
        assert!(!pattern.matches(&[b'j'; 20_000]));
        assert!(pattern.matches(&[&[b'j'; 20_000][..], b"bj"].concat()));
        assert!(!pattern.matches(&[&[b'j'; 2999][..], b"bj"].concat()));
        // A literal is sought in a time that does not go by its length.
        assert_eq!(Pattern::new(b"*aaaaaaaaaab*", false).effort(20_000), 20_000);
    }

    #[test]
    fn literal_prefixes() {
        let cases: [(&[u8], &[u8], bool); 8] = [
            (b"user:*", b"user:", false),
            (b"user:1", b"user:1", true),
            (b"a\\*b*", b"a*b", false),
            (b"a\\*b", b"a*b", true),
            (b"a[bc]", b"a", false),
            (b"?", b"", false),
            (b"", b"", true),
            (b"tail\\", b"tail\\", true),
        ];
        for (pattern, prefix, literal) in cases {
            assert_eq!(
                Pattern::new(pattern, false).literal_prefix(),
                (prefix.to_vec(), literal),
                "{pattern:?}"
            );
        }
    }
}
