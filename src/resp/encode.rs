//! The reply encoder: RESP3, and RESP2 with what it lacks replaced as Redis does.

use super::aggregate::Aggregate;
use super::double::format_long_double;
use super::reply::Reply;
use super::wire::{Out, Protocol, blob_bulk, bulk, double, header, line, parts_bulk, verbatim};

/// How deep aggregates may nest; what would be deeper becomes an error in its place. Commands nest a few
/// levels, so only a script can come near. It bounds the stack that encoding takes.
const MAX_DEPTH: usize = 128;

/// Appends the reply's bytes to `out`.
pub fn encode<O: Out>(reply: &Reply, protocol: Protocol, out: &mut O) {
    match reply {
        // Above all others, so that the most frequent replies don't wait for the aggregates' stack frame.
        Reply::Ok => out.text().extend_from_slice(b"+OK\r\n"),
        Reply::Bulk(blob) => blob_bulk(blob, out),
        Reply::Nothing => {}
        other => element(other, protocol, 0, out),
    }
}

fn element<O: Out>(reply: &Reply, protocol: Protocol, depth: usize, out: &mut O) {
    let resp3 = protocol == Protocol::Resp3;
    match reply {
        Reply::Ok => out.text().extend_from_slice(b"+OK\r\n"),
        Reply::Simple(text) => line(b'+', text, out.text()),
        Reply::Error(text) => line(b'-', text, out.text()),
        Reply::Int(value) => header(b':', *value, out.text()),
        Reply::Double(value) => double(*value, protocol, out.text()),
        Reply::LongDouble(value) if resp3 => line(b',', &format_long_double(*value), out.text()),
        Reply::LongDouble(value) => bulk(format_long_double(*value).as_bytes(), out.text()),
        Reply::Bool(value) if resp3 => {
            out.text()
                .extend_from_slice(if *value { b"#t\r\n" } else { b"#f\r\n" })
        }
        Reply::Bool(value) => header(b':', i64::from(*value), out.text()),
        Reply::BigNumber(digits) if resp3 => line(b'(', digits, out.text()),
        Reply::BigNumber(digits) => bulk(digits.as_bytes(), out.text()),
        Reply::Bulk(blob) => blob_bulk(blob, out),
        Reply::Parts(parts) => parts_bulk(parts, out),
        Reply::Verbatim(format, text) if resp3 => verbatim(format, text, out),
        Reply::Verbatim(_, text) => blob_bulk(text, out),
        // Within an aggregate something has to stand where an element was announced.
        Reply::Null | Reply::NullArray | Reply::Nothing if resp3 => out.text().extend_from_slice(b"_\r\n"),
        Reply::Null | Reply::Nothing => out.text().extend_from_slice(b"$-1\r\n"),
        Reply::NullArray => out.text().extend_from_slice(b"*-1\r\n"),
        Reply::Array(_)
        | Reply::Map(_)
        | Reply::NestedMap(_)
        | Reply::Pairs(_)
        | Reply::Set(_)
        | Reply::Push(_)
        | Reply::Attribute(..)
            if depth == MAX_DEPTH =>
        {
            out.text()
                .extend_from_slice(b"-ERR reply is nested too deeply\r\n");
        }
        Reply::Pushes(bytes) => out.text().extend_from_slice(bytes),
        Reply::Spoken(protocol, reply) => element(reply, *protocol, depth, out),
        Reply::Array(items) => elements(b'*', items, protocol, depth, out),
        Reply::Aggregate(aggregate) => aggregate.encode(out),
        Reply::Set(items) => elements(if resp3 { b'~' } else { b'*' }, items, protocol, depth, out),
        Reply::Push(items) => elements(if resp3 { b'>' } else { b'*' }, items, protocol, depth, out),
        Reply::Map(entries) => {
            if resp3 {
                header(b'%', entries.len(), out.text());
            } else {
                header(b'*', 2 * entries.len(), out.text());
            }
            pairs(entries, protocol, depth, out);
        }
        Reply::NestedMap(entries) if resp3 => {
            header(b'%', entries.len(), out.text());
            pairs(entries, protocol, depth, out);
        }
        Reply::Pairs(entries) if !resp3 => {
            header(b'*', 2 * entries.len(), out.text());
            pairs(entries, protocol, depth, out);
        }
        Reply::NestedMap(entries) | Reply::Pairs(entries) => {
            header(b'*', entries.len(), out.text());
            for entry in entries {
                header(b'*', 2, out.text());
                pairs(std::slice::from_ref(entry), protocol, depth + 1, out);
            }
        }
        Reply::Attribute(attributes, reply) => with_attributes(attributes, reply, protocol, depth, out),
    }
}

fn with_attributes<O: Out>(
    attributes: &[(Reply, Reply)],
    reply: &Reply,
    protocol: Protocol,
    depth: usize,
    out: &mut O,
) {
    if protocol == Protocol::Resp3 {
        header(b'|', attributes.len(), out.text());
        pairs(attributes, protocol, depth, out);
    }
    element(reply, protocol, depth + 1, out);
}

fn pairs<O: Out>(pairs: &[(Reply, Reply)], protocol: Protocol, depth: usize, out: &mut O) {
    for (key, value) in pairs {
        element(key, protocol, depth + 1, out);
        element(value, protocol, depth + 1, out);
    }
}

fn elements<O: Out>(marker: u8, items: &[Reply], protocol: Protocol, depth: usize, out: &mut O) {
    header(marker, items.len(), out.text());
    for item in items {
        element(item, protocol, depth + 1, out);
    }
}

/// Appends a push whose elements are bulks, and behind them maybe an integer. RESP2: an array.
pub fn encode_push(bulks: &[&[u8]], number: Option<i64>, protocol: Protocol, out: &mut Vec<u8>) {
    let marker = match protocol {
        Protocol::Resp2 => b'*',
        Protocol::Resp3 => b'>',
    };
    header(marker, bulks.len() + usize::from(number.is_some()), out);
    bulks.iter().for_each(|bytes| bulk(bytes, out));
    if let Some(number) = number {
        header(b':', number, out);
    }
}

/// What is made of whole replies.
impl Aggregate {
    /// Adds an element to an array or a set.
    pub fn push_reply(&mut self, element: &Reply) {
        self.count += 1;
        encode(element, self.protocol, &mut self.encoded);
    }

    /// Adds two elements to a map or to pairs.
    pub fn push_entry(&mut self, (first, second): &(Reply, Reply)) {
        self.begin_pair();
        encode(first, self.protocol, &mut self.encoded);
        encode(second, self.protocol, &mut self.encoded);
    }

    /// Adds an element to the array that [`Aggregate::begin_nested`] has begun.
    pub fn push_nested(&mut self, element: &Reply) {
        encode(element, self.protocol, &mut self.encoded);
    }
}

#[cfg(test)]
mod tests {
    use super::super::aggregate::{Second, Shape};
    use super::*;

    #[track_caller]
    fn check(reply: Reply, resp2: &str, resp3: &str) {
        for (protocol, expected) in [(Protocol::Resp2, resp2), (Protocol::Resp3, resp3)] {
            let mut out = b"before".to_vec();
            encode(&reply, protocol, &mut out);
            assert_eq!(
                out.escape_ascii().to_string(),
                format!("before{expected}").escape_default().to_string()
            );
        }
    }

    #[track_caller]
    fn same(reply: Reply, expected: &str) {
        check(reply, expected, expected);
    }

    #[test]
    fn what_both_protocols_have() {
        same(Reply::Ok, "+OK\r\n");
        same(Reply::simple("QUEUED"), "+QUEUED\r\n");
        same(Reply::err("ERR syntax error"), "-ERR syntax error\r\n");
        same(Reply::from(-12), ":-12\r\n");
        same(Reply::from(i64::MIN), ":-9223372036854775808\r\n");
        same(Reply::bulk(""), "$0\r\n\r\n");
        same(Reply::bulk("a\r\nb"), "$4\r\na\r\nb\r\n");
        same(
            Reply::bulk("x".repeat(100)),
            &format!("$100\r\n{}\r\n", "x".repeat(100)),
        );
        same(Reply::Array(vec![]), "*0\r\n");
        same(
            Reply::Array(vec![Reply::from(1), Reply::Array(vec![Reply::Ok])]),
            "*2\r\n:1\r\n*1\r\n+OK\r\n",
        );
        same(Reply::Nothing, "");
    }

    #[test]
    fn what_resp2_lacks() {
        check(Reply::Null, "$-1\r\n", "_\r\n");
        check(Reply::NullArray, "*-1\r\n", "_\r\n");
        check(Reply::Double(1.5), "$3\r\n1.5\r\n", ",1.5\r\n");
        check(Reply::Double(f64::NEG_INFINITY), "$4\r\n-inf\r\n", ",-inf\r\n");
        check(Reply::Bool(true), ":1\r\n", "#t\r\n");
        check(Reply::Bool(false), ":0\r\n", "#f\r\n");
        check(Reply::BigNumber("-123".into()), "$4\r\n-123\r\n", "(-123\r\n");
        check(
            Reply::Verbatim(*b"txt", "hi".into()),
            "$2\r\nhi\r\n",
            "=6\r\ntxt:hi\r\n",
        );
        let items = || vec![Reply::from(1), Reply::Null];
        check(Reply::Set(items()), "*2\r\n:1\r\n$-1\r\n", "~2\r\n:1\r\n_\r\n");
        check(Reply::Push(items()), "*2\r\n:1\r\n$-1\r\n", ">2\r\n:1\r\n_\r\n");
        let pairs = vec![
            (Reply::bulk("k"), Reply::Bool(true)),
            (Reply::from(2), Reply::Map(vec![])),
        ];
        check(
            Reply::Pairs(pairs.clone()),
            "*4\r\n$1\r\nk\r\n:1\r\n:2\r\n*0\r\n",
            "*2\r\n*2\r\n$1\r\nk\r\n#t\r\n*2\r\n:2\r\n%0\r\n",
        );
        check(
            Reply::Map(pairs),
            "*4\r\n$1\r\nk\r\n:1\r\n:2\r\n*0\r\n",
            "%2\r\n$1\r\nk\r\n#t\r\n:2\r\n%0\r\n",
        );
    }

    #[test]
    fn a_text_cannot_end_its_line() {
        same(Reply::err("ERR got '\r\n+OK\r\n'"), "-ERR got '  +OK  '\r\n");
        same(Reply::simple("a\nb"), "+a b\r\n");
        check(Reply::BigNumber("1\r\n2".into()), "$4\r\n1\r\n2\r\n", "(1  2\r\n");
    }

    #[test]
    fn nothing_within_an_aggregate_is_null() {
        check(Reply::Array(vec![Reply::Nothing]), "*1\r\n$-1\r\n", "*1\r\n_\r\n");
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |levels: usize| (0..levels).fold(Reply::Ok, |inner, _| Reply::Array(vec![inner]));
        same(
            nested(MAX_DEPTH),
            &format!("{}+OK\r\n", "*1\r\n".repeat(MAX_DEPTH)),
        );
        let cut = format!(
            "{}-ERR reply is nested too deeply\r\n",
            "*1\r\n".repeat(MAX_DEPTH)
        );
        same(nested(MAX_DEPTH + 1), &cut);
        same(nested(5000), &cut);
    }

    fn encoded(aggregate: Aggregate) -> String {
        let mut out = Vec::new();
        encode(&Reply::Aggregate(Box::new(aggregate)), Protocol::Resp2, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_shape_in_either_protocol_is_what_the_reply_with_the_same_elements_is() {
        let bulks = || vec![Reply::bulk("a"), Reply::bulk("b")];
        let pairs = || vec![(Reply::bulk("a"), Reply::Double(1.5))];
        for protocol in [Protocol::Resp2, Protocol::Resp3] {
            for (shape, expected) in [
                (Shape::Array, Reply::Array(bulks())),
                (Shape::Set, Reply::Set(bulks())),
                (Shape::Map, Reply::Map(pairs())),
                (Shape::Pairs, Reply::Pairs(pairs())),
                (
                    Shape::NestedMap,
                    Reply::NestedMap(vec![(Reply::bulk("a"), Reply::Array(bulks()))]),
                ),
            ] {
                let mut aggregate = Aggregate::new(shape, protocol);
                match shape {
                    Shape::Array | Shape::Set => {
                        aggregate.push(b"a");
                        aggregate.push_reply(&Reply::bulk("b"));
                    }
                    Shape::Map | Shape::Pairs => aggregate.push_pair(b"a", Second::Double(1.5)),
                    Shape::NestedMap => {
                        aggregate.begin_nested(b"a", 2);
                        bulks().iter().for_each(|bulk| aggregate.push_nested(bulk));
                    }
                }
                let mut out = Vec::new();
                encode(&expected, protocol, &mut out);
                assert_eq!(encoded(aggregate), String::from_utf8(out).unwrap(), "{shape:?}");
            }
        }
    }
}
