//! A reply as the wire gave it, and the way transcripts write it.

use super::text::quote;
use std::fmt;

/// One reply of RESP2 or RESP3; no kinds are merged, so that a test sees what a client would.
#[derive(Clone, PartialEq)]
pub enum Value {
    Simple(String),
    Error(String),
    Integer(i64),
    Bulk(Vec<u8>),
    /// RESP2's null bulk string (`$-1`).
    Nil,
    /// RESP2's null array (`*-1`).
    NilArray,
    /// RESP3's null (`_`).
    Null,
    /// As the server wrote it: its digits are part of the reply.
    Double(String),
    Boolean(bool),
    BigNumber(String),
    /// Format (`txt`, `mkd`) and text.
    Verbatim(String, Vec<u8>),
    Array(Vec<Value>),
    Set(Vec<Value>),
    Push(Vec<Value>),
    Map(Vec<(Value, Value)>),
}

impl Value {
    pub fn bulk(bytes: impl Into<Vec<u8>>) -> Value {
        Value::Bulk(bytes.into())
    }

    pub fn is_ok(&self) -> bool {
        matches!(self, Value::Simple(text) if text == "OK")
    }

    pub fn is_error(&self) -> bool {
        matches!(self, Value::Error(_))
    }

    /// The text of a reply that is one piece of text or a number.
    pub fn text(&self) -> Option<String> {
        match self {
            Value::Simple(text) | Value::Double(text) | Value::BigNumber(text) => Some(text.clone()),
            Value::Bulk(bytes) | Value::Verbatim(_, bytes) => {
                Some(String::from_utf8_lossy(bytes).into_owned())
            }
            Value::Integer(n) => Some(n.to_string()),
            _ => None,
        }
    }

    pub fn integer(&self) -> i64 {
        match self {
            Value::Integer(n) => *n,
            other => panic!("an integer was expected, not {other:?}"),
        }
    }

    /// The elements of an array, set or push.
    pub fn items(&self) -> &[Value] {
        match self {
            Value::Array(items) | Value::Set(items) | Value::Push(items) => items,
            other => panic!("an array was expected, not {other:?}"),
        }
    }

    /// Sorts, at every depth, the arrays and sets that hold only scalars: for replies without an order.
    pub fn sort(&mut self) {
        match self {
            Value::Array(items) | Value::Set(items) => {
                items.iter_mut().for_each(Value::sort);
                // A cursor stays before its array.
                let aggregates = items.iter().filter(|item| item.is_aggregate()).count();
                if aggregates == 0 || aggregates == items.len() {
                    items.sort_by_key(|item| format!("{item:?}"));
                }
            }
            Value::Map(pairs) => {
                pairs.iter_mut().for_each(|(_, value)| value.sort());
                pairs.sort_by_key(|(key, _)| format!("{key:?}"));
            }
            _ => {}
        }
    }

    fn is_aggregate(&self) -> bool {
        matches!(
            self,
            Value::Array(_) | Value::Set(_) | Value::Push(_) | Value::Map(_)
        )
    }

    /// The reply in the notation of transcripts, a line for each scalar.
    pub fn lines(&self) -> Vec<String> {
        match self {
            Value::Array(items) => Value::list(items, ')', "(empty array)"),
            Value::Set(items) => Value::list(items, '~', "(empty set)"),
            Value::Push(items) => Value::list(items, '!', "(empty push)"),
            Value::Map(pairs) => Value::map(pairs),
            scalar => vec![scalar.scalar()],
        }
    }

    fn scalar(&self) -> String {
        match self {
            Value::Simple(text) => line(text),
            Value::Error(text) => format!("(error) {}", line(text)),
            Value::Integer(n) => format!("(integer) {n}"),
            Value::Bulk(bytes) => quote(bytes),
            Value::Nil => "(nil)".into(),
            Value::NilArray => "(nil array)".into(),
            Value::Null => "(null)".into(),
            Value::Double(text) => format!("(double) {text}"),
            Value::Boolean(true) => "(true)".into(),
            Value::Boolean(false) => "(false)".into(),
            Value::BigNumber(text) => format!("(big number) {text}"),
            Value::Verbatim(format, bytes) => format!("(verbatim {format}) {}", quote(bytes)),
            Value::Array(_) | Value::Set(_) | Value::Push(_) | Value::Map(_) => self.lines().join(" "),
        }
    }

    fn list(items: &[Value], mark: char, empty: &str) -> Vec<String> {
        if items.is_empty() {
            return vec![empty.into()];
        }
        let width = items.len().to_string().len();
        let mut lines = Vec::new();
        for (index, item) in items.iter().enumerate() {
            indent(&mut lines, format!("{:>width$}{mark} ", index + 1), &item.lines());
        }
        lines
    }

    fn map(pairs: &[(Value, Value)]) -> Vec<String> {
        if pairs.is_empty() {
            return vec!["(empty map)".into()];
        }
        let width = pairs.len().to_string().len();
        let mut lines = Vec::new();
        for (index, (key, value)) in pairs.iter().enumerate() {
            let head = format!("{:>width$}# {} =>", index + 1, key.lines().join(" "));
            let value = value.lines();
            if value.len() == 1 {
                lines.push(format!("{head} {}", value[0]));
            } else {
                lines.push(head);
                indent(&mut lines, " ".repeat(width + 2), &value);
            }
        }
        lines
    }
}

/// The text of a line, between quotes if it would not be seen as it is.
fn line(text: &str) -> String {
    if text == text.trim() && !text.contains(char::is_control) {
        text.into()
    } else {
        quote(text.as_bytes())
    }
}

/// Adds `block` with `head` before its first line and as much space before the others.
fn indent(lines: &mut Vec<String>, head: String, block: &[String]) {
    let space = " ".repeat(head.len());
    for (index, line) in block.iter().enumerate() {
        lines.push(format!("{}{line}", if index == 0 { &head } else { &space }));
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.lines();
        match &lines[..] {
            [line] => f.write_str(line),
            lines => write!(f, "[{}]", lines.join(" ")),
        }
    }
}

#[test]
fn nested_replies_are_indented() {
    let value = Value::Array(vec![
        Value::bulk("0"),
        Value::Array(vec![Value::bulk("a\n"), Value::Nil]),
        Value::Map(vec![
            (Value::bulk("k"), Value::Integer(1)),
            (
                Value::bulk("m"),
                Value::Set(vec![Value::Boolean(true), Value::Double("1.5".into())]),
            ),
        ]),
        Value::Array(vec![]),
    ]);
    let expected = [
        "1) \"0\"",
        "2) 1) \"a\\n\"",
        "   2) (nil)",
        "3) 1# \"k\" => (integer) 1",
        "   2# \"m\" =>",
        "      1~ (true)",
        "      2~ (double) 1.5",
        "4) (empty array)",
    ];
    assert_eq!(value.lines(), expected);
}
