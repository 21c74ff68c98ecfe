//! The words of a configuration line, which are quoted as those of an inline request are.

pub(super) use crate::resp::split_words;

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
