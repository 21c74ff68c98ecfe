//! Tests of globs.

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
