//! Reads replies of RESP2 and RESP3, wherever their bytes come from.

use super::Value;
use std::io::{self, BufRead, Error, ErrorKind};

/// Reads one reply or push.
pub fn read(from: &mut impl BufRead) -> io::Result<Value> {
    let line = line(from)?;
    let (kind, rest) = line.split_at_checked(1).ok_or_else(|| malformed(&line))?;
    match kind {
        "+" => Ok(Value::Simple(rest.into())),
        "-" => Ok(Value::Error(rest.into())),
        ":" => rest.parse().map(Value::Integer).map_err(|_| malformed(&line)),
        "$" if rest == "-1" => Ok(Value::Nil),
        "$" => blob(from, rest).map(Value::Bulk),
        "*" if rest == "-1" => Ok(Value::NilArray),
        "*" => items(from, rest).map(Value::Array),
        "~" => items(from, rest).map(Value::Set),
        ">" => items(from, rest).map(Value::Push),
        "%" => pairs(from, rest).map(Value::Map),
        "_" if rest.is_empty() => Ok(Value::Null),
        "," => Ok(Value::Double(rest.into())),
        "#" if rest == "t" || rest == "f" => Ok(Value::Boolean(rest == "t")),
        "(" => Ok(Value::BigNumber(rest.into())),
        "=" => verbatim(from, rest),
        _ => Err(malformed(&line)),
    }
}

fn line(from: &mut impl BufRead) -> io::Result<String> {
    let mut bytes = Vec::new();
    from.read_until(b'\n', &mut bytes)?;
    if bytes.is_empty() {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    let text = bytes
        .strip_suffix(b"\r\n")
        .ok_or_else(|| malformed(&String::from_utf8_lossy(&bytes)))?;
    Ok(String::from_utf8_lossy(text).into_owned())
}

fn blob(from: &mut impl BufRead, length: &str) -> io::Result<Vec<u8>> {
    let length: usize = length.parse().map_err(|_| malformed(length))?;
    let mut bytes = vec![0; length + 2];
    from.read_exact(&mut bytes)?;
    if !bytes.ends_with(b"\r\n") {
        return Err(malformed("a bulk string without its end of line"));
    }
    bytes.truncate(length);
    Ok(bytes)
}

fn verbatim(from: &mut impl BufRead, length: &str) -> io::Result<Value> {
    let bytes = blob(from, length)?;
    match bytes.split_at_checked(4) {
        Some((format, text)) if format[3] == b':' => Ok(Value::Verbatim(
            String::from_utf8_lossy(&format[..3]).into_owned(),
            text.to_vec(),
        )),
        _ => Err(malformed("a verbatim string without its format")),
    }
}

fn items(from: &mut impl BufRead, count: &str) -> io::Result<Vec<Value>> {
    let count: usize = count.parse().map_err(|_| malformed(count))?;
    (0..count).map(|_| read(from)).collect()
}

fn pairs(from: &mut impl BufRead, count: &str) -> io::Result<Vec<(Value, Value)>> {
    let count: usize = count.parse().map_err(|_| malformed(count))?;
    (0..count).map(|_| Ok((read(from)?, read(from)?))).collect()
}

fn malformed(line: &str) -> Error {
    Error::new(ErrorKind::InvalidData, format!("malformed reply {line:?}"))
}
