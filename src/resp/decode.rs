//! The request decoder: finds one request at the start of a buffer and records where its arguments lie.
//!
//! ```text
//! request   = multibulk | inline
//! multibulk = "*" integer CR any { bulk }      as many bulks as the integer says; none if it is not positive
//! bulk      = "$" integer CR any bytes any any
//! inline    = line [ CR ] LF                   see `inline`
//! integer   = "0" | [ "-" ] digit1-9 { digit }
//! ```
//!
//! Redis doesn't look at the bytes marked `any`, normally LF and CR LF, and neither does this decoder.
//! It does differ in NUL bytes in a header or an inline request: Redis's string search stops there, so the
//! request never ends. Here a NUL is a byte like any other.
//!
//! Memory: whatever its headers promise, a request takes 8 bytes for each argument that has arrived, with
//! room for a few in advance; an inline request takes its length once more.

#[cfg(any(test, fuzzing))]
pub mod property;

use super::args::{Args, Span};
use super::error::ProtocolError;
use super::inline;

/// Bytes in one request, because spans have 32 bits.
const MAX_REQUEST: usize = u32::MAX as usize;

/// Spans reserved on the word of a header.
const MAX_RESERVED_SPANS: usize = 256;

/// Spans kept between requests: there is a decoder for each connection, and most of those are idle.
const MAX_KEPT_SPANS: usize = 16;

/// Bytes of unquoted inline arguments that are kept between requests.
const MAX_KEPT_UNQUOTED: usize = 64;

/// What [`Decoder::missing`] may ask for when fewer bytes than this have arrived.
const MIN_MISSING_CAP: usize = 1 << 20;

/// What a connection that has yet to authenticate may send.
const UNAUTHENTICATED_MAX_ARGS: usize = 10;
const UNAUTHENTICATED_MAX_BULK: usize = 16 * 1024;

/// What a request may be, at the moment it is read.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes in one argument: `proto-max-bulk-len`.
    pub max_bulk: usize,
    /// Arguments in one request.
    pub max_args: usize,
    /// Bytes of an inline request, or of a header, whose end has not arrived.
    pub max_inline: usize,
    /// Whether the connection may send large requests. Pipelined requests must be decoded one by one, because
    /// an AUTH changes this for the request behind it.
    pub authenticated: bool,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            max_bulk: 512 << 20,
            max_args: i32::MAX as usize,
            max_inline: 64 << 10,
            authenticated: true,
        }
    }
}

/// What comes next at [`Decoder::position`].
#[derive(Clone, Copy, Debug, Default)]
enum Step {
    /// A request.
    #[default]
    Start,
    /// A bulk's header, or the end when no bulk is expected.
    Header,
    /// A bulk's bytes and its CR LF.
    Body { len: usize },
}

/// The state of one request that is being read.
///
/// Each call of [`decode`](Decoder::decode) sees the request from its first byte and takes up where the last
/// call ended. Once it says that the request is whole, [`args`](Decoder::args) shows the arguments, and
/// [`reset`](Decoder::reset) makes ready for the next request. After an error there is no next request.
#[derive(Debug, Default)]
pub struct Decoder {
    step: Step,
    /// Everything before is decoded.
    position: usize,
    /// The line at `position` doesn't end before this place.
    scanned: usize,
    /// Bulks still to come.
    expected: usize,
    /// How far the buffer went, and how far it has to go at least, when the last call wanted more.
    received: usize,
    wanted: usize,
    /// The arguments so far: in the request itself or, if it is inline, in `unquoted`.
    spans: Vec<Span>,
    unquoted: Vec<u8>,
    is_inline: bool,
}

impl Decoder {
    /// A decoder that awaits the first byte of a request.
    pub fn new() -> Decoder {
        Decoder::default()
    }

    /// Reads on in `buf`, which starts with the first byte of the request and holds everything that it held
    /// at the last call. `Some(n)`: the request is whole and occupies `buf[..n]`. `None`: it isn't yet.
    pub fn decode(&mut self, buf: &[u8], limits: &Limits) -> Result<Option<usize>, ProtocolError> {
        if let Step::Start = self.step {
            match buf.first() {
                None => return Ok(self.want(buf, 1)),
                Some(b'*') => {
                    let Some(count) = self.multibulk_header(buf, limits)? else {
                        return Ok(None);
                    };
                    self.expected = count;
                    self.spans.reserve_exact(count.min(MAX_RESERVED_SPANS));
                    self.step = Step::Header;
                }
                Some(_) => return self.inline(buf, limits),
            }
        }
        while self.expected > 0 {
            let len = match self.step {
                Step::Body { len } => len,
                Step::Start | Step::Header => {
                    let Some(len) = self.bulk_header(buf, limits)? else {
                        return Ok(None);
                    };
                    len
                }
            };
            let end = self.position + len + 2;
            if buf.len() < end {
                self.step = Step::Body { len };
                return Ok(self.want(buf, end));
            }
            self.spans
                .push(Span::new(self.position, len).ok_or(ProtocolError::InvalidBulkLength)?);
            self.position = end;
            self.expected -= 1;
            self.step = Step::Header;
        }
        Ok(Some(self.position))
    }

    /// The arguments, when `decode` has said that the request is whole; `buf` as in that call.
    pub fn args<'a>(&'a self, buf: &'a [u8]) -> Args<'a> {
        let base = if self.is_inline { &self.unquoted } else { buf };
        Args::new(base, &self.spans)
    }

    /// Forgets the request, and returns the memory of an unusually large one.
    pub fn reset(&mut self) {
        self.step = Step::Start;
        self.position = 0;
        self.scanned = 0;
        self.expected = 0;
        self.received = 0;
        self.wanted = 0;
        self.is_inline = false;
        self.spans.clear();
        if self.spans.capacity() > MAX_KEPT_SPANS {
            self.spans = Vec::new();
        }
        self.unquoted.clear();
        if self.unquoted.capacity() > MAX_KEPT_UNQUOTED {
            self.unquoted = Vec::new();
        }
    }

    /// After `decode` has said `None`: how many more bytes it wants at least, which is what to reserve for
    /// the next read. Capped at what has arrived already, or 1 MiB, so that a header alone takes no more
    /// memory than that; doubling up to a large argument still costs no more than one copy of it.
    pub fn missing(&self) -> usize {
        (self.wanted - self.received).min(self.received.max(MIN_MISSING_CAP))
    }

    /// How many bytes of the request have been decoded: all of them, once it is whole.
    pub fn decoded(&self) -> usize {
        self.position
    }

    /// Bytes of memory taken for the request beside its own.
    pub fn memory(&self) -> usize {
        self.spans.capacity() * size_of::<Span>() + self.unquoted.capacity()
    }

    /// Notes that `buf` has to grow to `wanted` bytes; the `None` is `decode`'s answer.
    fn want<T>(&mut self, buf: &[u8], wanted: usize) -> Option<T> {
        self.received = buf.len();
        self.wanted = wanted;
        None
    }

    /// The number of bulks that the request announces.
    fn multibulk_header(&mut self, buf: &[u8], limits: &Limits) -> Result<Option<usize>, ProtocolError> {
        let (count, next) = match short_header(buf) {
            Some(header) => header,
            None => {
                let Some(line) = self.line(buf, limits, ProtocolError::TooBigMultibulkCount)? else {
                    return Ok(None);
                };
                let count = parse_integer(&line[1..]).ok_or(ProtocolError::InvalidMultibulkLength)?;
                (usize::try_from(count).unwrap_or(0), line.len() + 2)
            }
        };
        if count > limits.max_args {
            return Err(ProtocolError::InvalidMultibulkLength);
        }
        if count > UNAUTHENTICATED_MAX_ARGS && !limits.authenticated {
            return Err(ProtocolError::UnauthenticatedMultibulkLength);
        }
        self.position = next;
        Ok(Some(count))
    }

    /// The length of the bulk that comes next.
    fn bulk_header(&mut self, buf: &[u8], limits: &Limits) -> Result<Option<usize>, ProtocolError> {
        let rest = &buf[self.position..];
        let (len, width) = match short_header(rest) {
            Some(header) if rest[0] == b'$' => header,
            _ => {
                let Some(line) = self.line(buf, limits, ProtocolError::TooBigBulkCount)? else {
                    return Ok(None);
                };
                // An empty line is a CR where the `$` should be.
                if rest[0] != b'$' {
                    return Err(ProtocolError::ExpectedDollar(rest[0]));
                }
                let len = parse_integer(&line[1..]).and_then(|len| usize::try_from(len).ok());
                (len.ok_or(ProtocolError::InvalidBulkLength)?, line.len() + 2)
            }
        };
        let next = self.position + width;
        if len > limits.max_bulk || next.saturating_add(len).saturating_add(2) > MAX_REQUEST {
            return Err(ProtocolError::InvalidBulkLength);
        }
        if len > UNAUTHENTICATED_MAX_BULK && !limits.authenticated {
            return Err(ProtocolError::UnauthenticatedBulkLength);
        }
        self.position = next;
        Ok(Some(len))
    }

    /// The header line at `position` up to its CR, when also the byte after the CR has arrived.
    fn line<'a>(
        &mut self,
        buf: &'a [u8],
        limits: &Limits,
        too_big: ProtocolError,
    ) -> Result<Option<&'a [u8]>, ProtocolError> {
        match self.find(b'\r', buf, limits, too_big)? {
            Some(cr) if cr + 1 < buf.len() => Ok(Some(&buf[self.position..cr])),
            _ => Ok(self.want(buf, buf.len() + 1)),
        }
    }

    fn inline(&mut self, buf: &[u8], limits: &Limits) -> Result<Option<usize>, ProtocolError> {
        let Some(lf) = self.find(b'\n', buf, limits, ProtocolError::TooBigInlineRequest)? else {
            return Ok(self.want(buf, buf.len() + 1));
        };
        let line = buf[..lf].strip_suffix(b"\r").unwrap_or(&buf[..lf]);
        inline::split(line, &mut self.unquoted, &mut self.spans)?;
        self.is_inline = true;
        self.step = Step::Header;
        self.position = lf + 1;
        Ok(Some(self.position))
    }

    /// Where the first `byte` at or after `position` is. While it has not arrived, no more than `max_inline` bytes may
    /// have: so, as in Redis, a longer line is taken if its end came with the rest of it.
    fn find(
        &mut self,
        byte: u8,
        buf: &[u8],
        limits: &Limits,
        too_big: ProtocolError,
    ) -> Result<Option<usize>, ProtocolError> {
        let from = self.scanned.max(self.position);
        let found = buf[from..]
            .iter()
            .position(|&b| b == byte)
            .map(|offset| from + offset);
        self.scanned = found.unwrap_or(buf.len());
        if found.is_none() && buf.len() - self.position > limits.max_inline {
            return Err(too_big);
        }
        Ok(found)
    }
}

/// The number in a header such as `$100\r\n` and the header's width, when it takes at most nine digits and is
/// whole: every header of a real client. Any other, good or bad, is left to [`Decoder::line`].
#[inline]
fn short_header(buf: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0u32;
    for width in 1..=10 {
        let byte = *buf.get(width)?;
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            let canonical = width == 2 || (width > 2 && buf[1] != b'0');
            let whole = byte == b'\r' && width + 1 < buf.len();
            return (canonical && whole).then_some((value as usize, width + 2));
        }
        value = value.wrapping_mul(10).wrapping_add(u32::from(digit));
    }
    None
}

/// An integer as Redis's `string2ll` takes it: no plus sign, no leading zero, no blank, no overflow.
fn parse_integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    match digits {
        [b'0'] if !negative => return Some(0),
        [b'1'..=b'9', ..] => {}
        _ => return None,
    }
    digits.iter().try_fold(0i64, |value, &byte| {
        let digit = i64::from(byte.is_ascii_digit().then(|| byte - b'0')?);
        let value = value.checked_mul(10)?;
        if negative {
            value.checked_sub(digit)
        } else {
            value.checked_add(digit)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::property::{Decoded, feed};
    use super::*;

    fn decode_with(input: &[u8], limits: &Limits) -> Decoded {
        let whole = feed(input, limits, || usize::MAX / 2);
        assert_eq!(
            feed(input, limits, || 1),
            whole,
            "byte by byte: {}",
            input.escape_ascii()
        );
        whole
    }

    #[track_caller]
    fn check(input: &[u8], expected: &[&[&str]]) {
        let (requests, error) = decode_with(input, &Limits::default());
        let requests: Vec<Vec<_>> = requests
            .iter()
            .map(|(_, args)| args.iter().map(|arg| std::str::from_utf8(arg).unwrap()).collect())
            .collect();
        assert_eq!(
            (requests, error),
            (expected.iter().map(|args| args.to_vec()).collect(), None)
        );
    }

    #[track_caller]
    fn check_error(input: &[u8], limits: &Limits, text: &str) {
        let error = decode_with(input, limits).1.expect("an error");
        assert_eq!(error.to_string(), format!("Protocol error: {text}"));
    }

    #[test]
    fn multibulk_requests() {
        check(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n", &[&["SET", "k", ""]]);
        check(
            b"*1\r\n$4\r\nPING\r\n*2\r\n$4\r\nECHO\r\n$4\r\na\r\nb\r\n",
            &[&["PING"], &["ECHO", "a\r\nb"]],
        );
        check(
            b"*0\r\n*-1\r\n*-9223372036854775808\r\n*1\r\n$1\r\nx\r\n",
            &[&[], &[], &[], &["x"]],
        );
        check(b"*1\r\n$1\r\n", &[]);
        check(b"*1", &[]);
        check(b"", &[]);
    }

    #[test]
    fn line_ends_are_not_looked_at() {
        check(b"*1\r_$2\r\0hi__*1\r\n$1\r\nx\r\n", &[&["hi"], &["x"]]);
    }

    #[test]
    fn inline_requests() {
        check(
            b"PING\r\nECHO 'a b' \"\\x41\"\n",
            &[&["PING"], &["ECHO", "a b", "A"]],
        );
        check(b"\r\n\n  \r\n\r\r\n$3\r\n", &[&[], &[], &[], &[], &["$3"]]);
        check(b"GET k\r\n*1\r\n$1\r\nx\r\nGET", &[&["GET", "k"], &["x"]]);
        check(b"a\0b\r\n", &[&["a\0b"]]);
    }

    #[test]
    fn wrong_counts_and_lengths() {
        let limits = Limits {
            max_bulk: 1000,
            max_args: 100,
            ..Limits::default()
        };
        for count in [
            "",
            "x",
            "+1",
            "01",
            "-0",
            "-",
            " 1",
            "1 ",
            "1\n",
            "101",
            "3000000000",
            "9223372036854775808",
        ] {
            check_error(
                format!("*{count}\r\n").as_bytes(),
                &limits,
                "invalid multibulk length",
            );
        }
        for len in [
            "",
            "x",
            "+1",
            "01",
            "00",
            "-1",
            "1 ",
            "1\0",
            "1001",
            "4294967296",
            "99999999999999999999",
        ] {
            check_error(
                format!("*1\r\n${len}\r\n").as_bytes(),
                &limits,
                "invalid bulk length",
            );
        }
        assert_eq!(decode_with(b"*100\r\n$1000\r\n", &limits), (vec![], None));
    }

    #[test]
    fn a_bulk_begins_with_a_dollar() {
        for (byte, shown) in [(b'x', "x"), (b'*', "*"), (b'\n', "\n"), (0x80, "\\x80")] {
            let text = format!("expected '$', got '{shown}'");
            check_error(
                &[b"*1\r\n", &[byte][..], b"1\r\n"].concat(),
                &Limits::default(),
                &text,
            );
        }
        check_error(b"*1\r\n\r\n", &Limits::default(), "expected '$', got '\r'");
    }

    #[test]
    fn a_line_must_end_soon() {
        let limits = Limits {
            max_inline: 20,
            ..Limits::default()
        };
        for (before, marker, text) in [
            ("", '*', "too big mbulk count string"),
            ("*2\r\n$1\r\na\r\n", '$', "too big bulk count string"),
            ("", 'P', "too big inline request"),
        ] {
            let line = format!("{before}{marker}{}", "1".repeat(19));
            assert_eq!(decode_with(line.as_bytes(), &limits), (vec![], None));
            check_error(format!("{line}1").as_bytes(), &limits, text);
        }
        // With its end in sight, a line of any length is judged by what it says.
        let whole = |input: String| feed(input.as_bytes(), &limits, || usize::MAX / 2);
        for length in [19, 20, 5000] {
            let (_, error) = whole(format!("*{}\r\n", "1".repeat(length)));
            assert_eq!(error, Some(ProtocolError::InvalidMultibulkLength));
            let (requests, error) = whole(format!("{}\n*0\r\n", "1".repeat(length)));
            assert_eq!((requests.len(), error), (2, None));
        }
    }

    #[test]
    fn an_inline_request_longer_than_the_limit_is_taken_with_its_end() {
        let (mut decoder, limits) = (Decoder::new(), Limits::default());
        let line = [&b"ECHO "[..], &b"x".repeat(70 << 10), b"\r\n"].concat();
        assert_eq!(decoder.decode(&line[..limits.max_inline], &limits), Ok(None));
        assert_eq!(decoder.decode(&line, &limits), Ok(Some(line.len())));
        assert_eq!(decoder.args(&line)[1].len(), 70 << 10);
        let mut decoder = Decoder::new();
        assert_eq!(
            decoder.decode(&line[..=limits.max_inline], &limits),
            Err(ProtocolError::TooBigInlineRequest)
        );
    }

    #[test]
    fn before_authentication_requests_are_small() {
        let limits = Limits {
            authenticated: false,
            ..Limits::default()
        };
        assert_eq!(decode_with(b"*10\r\n$16384\r\n", &limits), (vec![], None));
        check_error(b"*11\r\n", &limits, "unauthenticated multibulk length");
        check_error(b"*1\r\n$16385\r\n", &limits, "unauthenticated bulk length");
        check_error(b"*1\r\n$536870913\r\n", &limits, "invalid bulk length");
    }

    #[test]
    fn a_limit_may_shrink_while_a_line_arrives() {
        let (mut decoder, mut limits) = (Decoder::new(), Limits::default());
        assert_eq!(decoder.decode(&[b'x'; 50], &limits), Ok(None));
        limits.max_inline = 20;
        assert_eq!(
            decoder.decode(&[b'x'; 60], &limits),
            Err(ProtocolError::TooBigInlineRequest)
        );
    }

    #[test]
    fn unbalanced_quotes_are_an_error() {
        check_error(b"SET \"k\r\n", &Limits::default(), "unbalanced quotes in request");
    }

    #[test]
    fn a_request_ends_below_4_gib() {
        let limits = Limits {
            max_bulk: usize::MAX,
            ..Limits::default()
        };
        assert_eq!(decode_with(b"*1\r\n$4294967276\r\n", &limits), (vec![], None));
        check_error(b"*1\r\n$4294967277\r\n", &limits, "invalid bulk length");
        check_error(b"*1\r\n$9223372036854775807\r\n", &limits, "invalid bulk length");
    }

    #[test]
    fn a_header_alone_takes_no_memory() {
        let (mut decoder, limits) = (Decoder::new(), Limits::default());
        assert_eq!(decoder.decode(b"*1048576\r\n", &limits), Ok(None));
        assert!(decoder.memory() <= MAX_RESERVED_SPANS * size_of::<Span>());
        assert_eq!(decoder.missing(), 1);
        let header = b"*1048576\r\n$536870912\r\n";
        assert_eq!(decoder.decode(header, &limits), Ok(None));
        assert_eq!(decoder.missing(), MIN_MISSING_CAP);
        let mut buf = header.to_vec();
        buf.resize(3 << 20, b'x');
        assert_eq!(decoder.decode(&buf, &limits), Ok(None));
        assert_eq!(decoder.missing(), 3 << 20);
    }

    #[test]
    fn missing_is_exact_for_a_bulk() {
        let (mut decoder, limits) = (Decoder::new(), Limits::default());
        let mut buf = b"*1\r\n$300000\r\nabc".to_vec();
        assert_eq!(decoder.decode(&buf, &limits), Ok(None));
        assert_eq!(decoder.missing(), 300_000 - 3 + 2);
        buf.resize(buf.len() + decoder.missing(), b'x');
        assert_eq!(decoder.decode(&buf, &limits), Ok(Some(buf.len())));
        assert_eq!(decoder.args(&buf)[0].len(), 300_000);
    }

    #[test]
    fn an_unusually_large_request_is_forgotten() {
        let mut decoder = Decoder::new();
        let large = [&b"*5000\r\n"[..], &b"$0\r\n\r\n".repeat(5000)].concat();
        let inline = [&b"x".repeat(50_000)[..], b"\r\n"].concat();
        for request in [&large, &inline, &b"*1\r\n$1\r\nx\r\n".to_vec()] {
            assert_eq!(
                decoder.decode(request, &Limits::default()),
                Ok(Some(request.len()))
            );
            decoder.reset();
            assert!(decoder.spans.capacity() <= MAX_KEPT_SPANS);
            assert!(decoder.unquoted.capacity() <= MAX_KEPT_UNQUOTED);
        }
    }
}
