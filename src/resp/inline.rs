//! Inline requests: one line of words, as a person types them into a terminal, with Redis's quoting rules.
//!
//! ```text
//! line   = { blank } { word blank { blank } } [ word ]
//! word   = { plain } [ '"' { escape | char } '"' | "'" { "\'" | char } "'" ]     a quote closes its word
//! escape = "\x" hex hex | "\n" | "\r" | "\t" | "\b" | "\a" | "\" char
//! ```

use super::args::{Args, Span};
use super::error::ProtocolError;

/// Splits `line` into words, whose bytes (quotes and escapes resolved) are appended to `unquoted`.
pub(super) fn split(line: &[u8], unquoted: &mut Vec<u8>, words: &mut Vec<Span>) -> Result<(), ProtocolError> {
    let mut at = 0;
    loop {
        at += line[at..].iter().take_while(|&&byte| is_space(byte)).count();
        if at == line.len() {
            return Ok(());
        }
        let start = unquoted.len();
        at = word(line, at, unquoted)?;
        let span = Span::new(start, unquoted.len() - start);
        words.push(span.ok_or(ProtocolError::TooBigInlineRequest)?);
    }
}

/// The words of a line; `None` when a quote is not closed, or is followed by something other than a blank.
pub fn split_words(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let (mut unquoted, mut spans) = (Vec::new(), Vec::new());
    split(line, &mut unquoted, &mut spans).ok()?;
    let words = Args::new(&unquoted, &spans);
    Some(words.iter().map(<[u8]>::to_vec).collect())
}

/// Appends the word at `at` and returns the place after it.
fn word(line: &[u8], mut at: usize, unquoted: &mut Vec<u8>) -> Result<usize, ProtocolError> {
    while let Some(&byte) = line.get(at) {
        match byte {
            // Vertical tab and form feed separate words, but don't end one. Redis is like that.
            b' ' | b'\n' | b'\r' | b'\t' => break,
            b'"' => return double_quoted(line, at + 1, unquoted),
            b'\'' => return single_quoted(line, at + 1, unquoted),
            _ => unquoted.push(byte),
        }
        at += 1;
    }
    Ok(at)
}

fn double_quoted(line: &[u8], mut at: usize, unquoted: &mut Vec<u8>) -> Result<usize, ProtocolError> {
    loop {
        let (byte, width) = match line[at..] {
            [b'"', ref rest @ ..] => return close(rest, at + 1),
            [b'\\', b'x', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                (hex(high) << 4 | hex(low), 4)
            }
            [b'\\', escaped, ..] => (unescape(escaped), 2),
            [byte, ..] => (byte, 1),
            [] => return Err(ProtocolError::UnbalancedQuotes),
        };
        unquoted.push(byte);
        at += width;
    }
}

fn single_quoted(line: &[u8], mut at: usize, unquoted: &mut Vec<u8>) -> Result<usize, ProtocolError> {
    loop {
        let (byte, width) = match line[at..] {
            [b'\'', ref rest @ ..] => return close(rest, at + 1),
            [b'\\', b'\'', ..] => (b'\'', 2),
            [byte, ..] => (byte, 1),
            [] => return Err(ProtocolError::UnbalancedQuotes),
        };
        unquoted.push(byte);
        at += width;
    }
}

/// A closing quote must be followed by a blank or by the end of the line.
fn close(rest: &[u8], at: usize) -> Result<usize, ProtocolError> {
    match rest.first() {
        Some(&byte) if !is_space(byte) => Err(ProtocolError::UnbalancedQuotes),
        _ => Ok(at),
    }
}

/// C's `isspace`.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// The value of a hexadecimal digit.
fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

fn unescape(byte: u8) -> u8 {
    match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 0x08,
        b'a' => 0x07,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &[u8], expected: &[&[u8]]) {
        assert_eq!(
            split_words(line).as_deref(),
            Some(expected.iter().map(|w| w.to_vec()).collect::<Vec<_>>().as_slice())
        );
    }

    #[test]
    fn words_are_separated_by_blanks() {
        check(b"", &[]);
        check(b" \t\r\x0b\x0c ", &[]);
        check(b"SET  k\tv ", &[b"SET", b"k", b"v"]);
        check(b"a\x0bb \x0bc\x0c", &[b"a\x0bb", b"c\x0c"]);
        check(b"a\0b \xff", &[b"a\0b", b"\xff"]);
    }

    #[test]
    fn quotes_and_escapes() {
        check(br#""" ''"#, &[b"", b""]);
        check(br#""a b" 'c d'"#, &[b"a b", b"c d"]);
        check(br#""\x41\xfF\n\r\t\b\a\"\\\q""#, &[b"A\xff\n\r\t\x08\x07\"\\q"]);
        check(br#""\x4" "\xg0" "\x""#, &[b"x4", b"xg0", b"x"]);
        check(br"'it\'s' 'a\nb\\c'", &[b"it's", br"a\nb\\c"]);
        check(br#"k"e y" k'e y'"#, &[b"ke y", b"ke y"]);
        check(b"\"a\"\x0bb", &[b"a", b"b"]);
        check(br"a\x41 \", &[br"a\x41", br"\"]);
    }

    #[test]
    fn unbalanced_quotes() {
        for line in [
            &br#"""#[..],
            b"'",
            br#""a"#,
            br#""a\"#,
            br#""a\""#,
            br"'a\'",
            br#""a"b"#,
            b"'a'b",
            br#"""""#,
        ] {
            assert_eq!(split_words(line), None, "{}", line.escape_ascii());
        }
    }
}
