//! How bytes and command lines are written in text: the quoting of redis-cli.

/// `bytes` between double quotes, with redis-cli's escapes.
pub fn quote(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() + 2);
    text.push('"');
    for &byte in bytes {
        match byte {
            b'\\' => text.push_str("\\\\"),
            b'"' => text.push_str("\\\""),
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            0x07 => text.push_str("\\a"),
            0x08 => text.push_str("\\b"),
            0x20..=0x7e => text.push(byte as char),
            _ => text.push_str(&format!("\\x{byte:02x}")),
        }
    }
    text.push('"');
    text
}

/// An argument as a person would type it: bare if it can be.
pub fn argument(bytes: &[u8]) -> String {
    let bare = |b: &u8| b.is_ascii_graphic() && !b"\"'\\{}#()".contains(b);
    if let Some(text) = repetition(bytes) {
        text
    } else if !bytes.is_empty() && bytes.iter().all(bare) {
        String::from_utf8_lossy(bytes).into_owned()
    } else {
        quote(bytes)
    }
}

pub fn command_line(args: &[Vec<u8>]) -> String {
    args.iter().map(|arg| argument(arg)).collect::<Vec<_>>().join(" ")
}

fn repetition(bytes: &[u8]) -> Option<String> {
    let first = *bytes.first()?;
    let worth_it = bytes.len() > 40 && first.is_ascii_alphanumeric() && bytes.iter().all(|&b| b == first);
    worth_it.then(|| format!("rep({},{})", first as char, bytes.len()))
}

/// Splits a line into arguments: bare words, `"..."` with escapes, `'...'`, and `rep(text,count)`.
pub fn split(line: &str) -> Result<Vec<Vec<u8>>, String> {
    let mut args = Vec::new();
    let mut rest = line.as_bytes();
    loop {
        rest = rest.trim_ascii_start();
        if rest.is_empty() {
            return Ok(args);
        }
        let (arg, after) = match rest[0] {
            b'"' => unquote(&rest[1..])?,
            b'\'' => {
                let end = rest[1..]
                    .iter()
                    .position(|&b| b == b'\'')
                    .ok_or("a ' is not closed")?;
                (rest[1..=end].to_vec(), &rest[end + 2..])
            }
            _ => {
                let end = rest
                    .iter()
                    .position(|b| b.is_ascii_whitespace())
                    .unwrap_or(rest.len());
                (expand_repetition(&rest[..end])?, &rest[end..])
            }
        };
        if after.first().is_some_and(|b| !b.is_ascii_whitespace()) {
            return Err("text right behind a closing quote".into());
        }
        args.push(arg);
        rest = after;
    }
}

/// The bytes up to the closing quote, and what follows it.
fn unquote(mut rest: &[u8]) -> Result<(Vec<u8>, &[u8]), String> {
    let mut bytes = Vec::new();
    loop {
        let (&byte, after) = rest.split_first().ok_or("a \" is not closed")?;
        rest = after;
        match byte {
            b'"' => return Ok((bytes, rest)),
            b'\\' => {
                let (&escape, after) = rest.split_first().ok_or("a line ends in \\")?;
                rest = after;
                bytes.push(match escape {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'a' => 0x07,
                    b'b' => 0x08,
                    b'x' => {
                        let digits = rest.get(..2).and_then(|d| std::str::from_utf8(d).ok());
                        rest = rest.get(2..).unwrap_or_default();
                        digits
                            .and_then(|d| u8::from_str_radix(d, 16).ok())
                            .ok_or("\\x wants two hex digits")?
                    }
                    other => other,
                });
            }
            other => bytes.push(other),
        }
    }
}

/// `rep(ab,3)` is `ababab`; any other word is itself.
pub fn expand_repetition(word: &[u8]) -> Result<Vec<u8>, String> {
    let Some(inside) = word.strip_prefix(b"rep(").and_then(|w| w.strip_suffix(b")")) else {
        return Ok(word.to_vec());
    };
    let inside = String::from_utf8_lossy(inside);
    let (unit, count) = inside.rsplit_once(',').ok_or("rep(text,count) wants a count")?;
    let count: usize = count.parse().map_err(|_| "rep(text,count) wants a count")?;
    Ok(unit.as_bytes().repeat(count))
}

/// Whether `text` fits a pattern of `*` and `?` only.
pub fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    // Where to go on if the part behind the last star does not fit here.
    let (mut p, mut t, mut retry) = (0, 0, None);
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            retry = Some((p, t + 1));
            p += 1;
        } else if pattern.get(p).is_some_and(|&c| c == b'?' || c == text[t]) {
            (p, t) = (p + 1, t + 1);
        } else if let Some((star, next)) = retry {
            (p, t, retry) = (star + 1, next, Some((star, next + 1)));
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|&c| c == b'*')
}

#[test]
fn what_is_quoted_splits_back() {
    let args: Vec<Vec<u8>> = vec![
        b"SET".to_vec(),
        b"".to_vec(),
        (0..=255).collect(),
        b"it's".to_vec(),
        b"a b".to_vec(),
        b"x".repeat(100),
        b"{brace}".to_vec(),
    ];
    assert_eq!(split(&command_line(&args)), Ok(args));
    assert_eq!(
        split("a 'b c' rep(xy,2)"),
        Ok(vec![b"a".to_vec(), b"b c".to_vec(), b"xyxy".to_vec()])
    );
    assert!(split("\"open").is_err() && split("\"a\"b").is_err() && split("rep(x,y)").is_err());
}
