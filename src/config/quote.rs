//! The words of a configuration line: blanks separate them, quotes hold them together.
//!
//! ```text
//! line   = { blank } { word blank { blank } } [ word ]
//! word   = { plain } [ '"' { escape | char } '"' | "'" { "\'" | char } "'" ]     a quote closes its word
//! escape = "\x" hex hex | "\n" | "\r" | "\t" | "\b" | "\a" | "\" char
//! ```

/// Splits a line into its words; None when a quote is not closed, or is followed by something other than a
/// blank.
pub(super) fn split_words(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut rest = line;
    loop {
        rest = rest.trim_ascii_start();
        if rest.is_empty() {
            return Some(words);
        }
        let mut word = Vec::new();
        rest = take_word(rest, &mut word)?;
        words.push(word);
    }
}

/// Moves the first word of `rest` to `word` and returns what follows it.
fn take_word<'a>(mut rest: &'a [u8], word: &mut Vec<u8>) -> Option<&'a [u8]> {
    while let [byte, tail @ ..] = rest {
        match byte {
            b' ' | b'\n' | b'\r' | b'\t' => break,
            b'"' => return take_quoted(tail, b'"', word),
            b'\'' => return take_quoted(tail, b'\'', word),
            plain => word.push(*plain),
        }
        rest = tail;
    }
    Some(rest)
}

fn take_quoted<'a>(mut rest: &'a [u8], quote: u8, word: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        let (byte, tail) = match rest {
            [] => return None,
            [byte, tail @ ..] if *byte == quote => {
                let closed = tail.first().is_none_or(u8::is_ascii_whitespace);
                return closed.then_some(tail);
            }
            [b'\\', b'\'', tail @ ..] if quote == b'\'' => (b'\'', tail),
            [b'\\', escape @ ..] if quote == b'"' && !escape.is_empty() => unescape(escape),
            [byte, tail @ ..] => (*byte, tail),
        };
        word.push(byte);
        rest = tail;
    }
}

/// The byte that the escape (its backslash removed, not empty) stands for, and what follows it.
fn unescape(escape: &[u8]) -> (u8, &[u8]) {
    if let [b'x', high, low, tail @ ..] = escape
        && let (Some(high), Some(low)) = (hex_digit(*high), hex_digit(*low))
    {
        return (high << 4 | low, tail);
    }
    let byte = match escape[0] {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 0x08,
        b'a' => 0x07,
        other => other,
    };
    (byte, &escape[1..])
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

/// Spells `word` so that `split_words` reads it back as one word.
pub(super) fn quote(word: &[u8]) -> String {
    let plain = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'\\');
    if !word.is_empty() && word.iter().all(plain) {
        return String::from_utf8_lossy(word).into_owned();
    }
    let mut quoted = String::from("\"");
    for byte in word {
        match byte {
            b'"' | b'\\' => quoted.extend(['\\', char::from(*byte)]),
            b'\n' => quoted.push_str("\\n"),
            b'\r' => quoted.push_str("\\r"),
            b'\t' => quoted.push_str("\\t"),
            b' '..=b'~' => quoted.push(char::from(*byte)),
            other => quoted.push_str(&format!("\\x{other:02x}")),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Option<Vec<String>> {
        let words = split_words(line.as_bytes())?;
        Some(
            words
                .into_iter()
                .map(|word| word.escape_ascii().to_string())
                .collect(),
        )
    }

    #[test]
    fn words_and_quotes() {
        for (line, expected) in [
            ("", &[][..]),
            ("  \t ", &[]),
            ("port 7000", &["port", "7000"]),
            ("  save  3600 1 ", &["save", "3600", "1"]),
            (r#"save """#, &["save", ""]),
            (r#"dir "/a b" x"#, &["dir", "/a b", "x"]),
            (r"dir '/a b' ''", &["dir", "/a b", ""]),
            (r#"ab"c d" e"#, &["abc d", "e"]),
            (r#""\x41\n\"\q\x4""#, &[r#"A\n\"qx4"#]),
            (r"'it\'s \n'", &[r"it\'s \\n"]),
            (r"a\ b", &[r"a\\", "b"]),
        ] {
            assert_eq!(
                words(line).as_deref(),
                Some(&expected.iter().map(|w| w.to_string()).collect::<Vec<_>>()[..]),
                "{line}"
            );
        }
    }

    #[test]
    fn unbalanced_quotes() {
        for line in [r#"a "b"#, "'b", r#""a"b"#, "'a'b", r#""a\""#, "'a\\'"] {
            assert_eq!(words(line), None, "{line}");
        }
    }

    #[test]
    fn quoted_words_read_back() {
        let all: Vec<u8> = (0..=255).collect();
        for word in [&b""[..], b"plain", b"two words", b"\"'\\", b"-::1", b"#", &all] {
            assert_eq!(
                split_words(quote(word).as_bytes()),
                Some(vec![word.to_vec()]),
                "{}",
                quote(word)
            );
        }
        assert_eq!(quote(b"/var/lib/redkeep"), "/var/lib/redkeep");
        assert_eq!(quote(b"a b"), r#""a b""#);
    }
}
