//! Redis's glob patterns (KEYS, SCAN MATCH, PSUBSCRIBE, CONFIG GET): `?`, `*`, `[a-z]`, `[^a]` and `\`
//! escapes.
//!
//! The corner cases are Redis's too, since clients see them: an unterminated class ends with the pattern,
//! a range compares *signed* bytes, an escape inside a class is case-sensitive, `*` does not match the empty
//! text, and a pattern that needs more than 1,000 stars matches nothing.

/// Redis gives up on patterns that nest deeper than this many stars.
const MAX_STARS: usize = 1000;

/// Whether `pattern` matches the whole of `text`; `nocase` folds ASCII case.
///
/// Only the latest `*` is ever retried: when the rest of a pattern fits nowhere behind that star, a longer
/// match of an earlier one cannot help. The cost is bounded by `pattern.len() * text.len()`.
pub fn matches(pattern: &[u8], text: &[u8], nocase: bool) -> bool {
    if text.is_empty() {
        return pattern.is_empty();
    }
    let (mut p, mut t) = (0, 0);
    let mut stars = 0;
    // Just behind the latest star, and the text position at which it was last tried.
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            p = skip_stars(pattern, p);
            if p == pattern.len() {
                return true;
            }
            stars += 1;
            if stars > MAX_STARS {
                return false;
            }
            retry = Some((p, t));
        } else if let Some(next) = match_one(pattern, p, text[t], nocase) {
            (p, t) = (next, t + 1);
        } else {
            let Some((behind_star, tried)) = retry else {
                return false;
            };
            (p, t) = (behind_star, tried + 1);
            retry = Some((p, t));
        }
    }
    skip_stars(pattern, p) == pattern.len()
}

/// The literal bytes every match starts with, and whether the pattern is nothing but that literal.
pub fn literal_prefix(pattern: &[u8]) -> (Vec<u8>, bool) {
    let mut prefix = Vec::with_capacity(pattern.len());
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

fn skip_stars(pattern: &[u8], from: usize) -> usize {
    from + pattern[from..].iter().take_while(|&&byte| byte == b'*').count()
}

/// Matches one byte of text against the element at `p`, which is not a star: where the next element starts,
/// if it fits.
fn match_one(pattern: &[u8], p: usize, byte: u8, nocase: bool) -> Option<usize> {
    let (matched, next) = match pattern.get(p..).unwrap_or_default() {
        [] => return None,
        [b'?', ..] => (true, p + 1),
        [b'[', ..] => match_class(pattern, p + 1, byte, nocase),
        [b'\\', escaped, ..] => (same(*escaped, byte, nocase), p + 2),
        [literal, ..] => (same(*literal, byte, nocase), p + 1),
    };
    matched.then_some(next)
}

/// Matches a class whose `[` is behind us: whether the byte is in it, and where the next element starts.
fn match_class(pattern: &[u8], mut p: usize, byte: u8, nocase: bool) -> (bool, usize) {
    let negated = pattern.get(p) == Some(&b'^');
    if negated {
        p += 1;
    }
    let mut listed = false;
    loop {
        match pattern.get(p..).unwrap_or_default() {
            [] => return (listed != negated, p),
            [b'\\', escaped, ..] => {
                listed |= *escaped == byte;
                p += 2;
            }
            [b']', ..] => return (listed != negated, p + 1),
            [first, b'-', last, ..] => {
                listed |= in_range(*first, *last, byte, nocase);
                p += 3;
            }
            [member, ..] => {
                listed |= same(*member, byte, nocase);
                p += 1;
            }
        }
    }
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
            assert_eq!(literal_prefix(pattern), (prefix.to_vec(), literal), "{pattern:?}");
        }
    }
}
