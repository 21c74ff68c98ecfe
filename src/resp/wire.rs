//! How bytes are written for either protocol: headers, bulks, lines, and where they go.

use super::blob::Blob;
use super::double::format_double;
use super::rope::{LEAST_REFERRED, Rope};

/// The most that a marker, a length and its CR LF take.
const MAX_HEADER: usize = 1 + 20 + 2;

/// What HELLO has negotiated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// What every client speaks.
    #[default]
    Resp2,
    /// What a client has asked for with HELLO 3.
    Resp3,
}

/// Where encoded bytes go.
pub trait Out {
    /// To be appended to.
    fn text(&mut self) -> &mut Vec<u8>;
    /// Appends bytes that may be referred to instead of copied.
    fn push(&mut self, blob: &Blob);
    /// As [`Out::push`], where a copy would be one too many whatever the length.
    fn push_part(&mut self, blob: &Blob);
    /// Appends all bytes of a rope.
    fn append(&mut self, rope: &Rope);
}

impl Out for Vec<u8> {
    fn text(&mut self) -> &mut Vec<u8> {
        self
    }

    fn push(&mut self, blob: &Blob) {
        self.extend_from_slice(blob);
    }

    fn push_part(&mut self, blob: &Blob) {
        self.extend_from_slice(blob);
    }

    fn append(&mut self, rope: &Rope) {
        self.extend_from_slice(&rope.to_vec());
    }
}

impl Out for Rope {
    #[inline]
    fn text(&mut self) -> &mut Vec<u8> {
        Rope::text(self)
    }

    #[inline]
    fn push(&mut self, blob: &Blob) {
        Rope::push(self, blob);
    }

    fn push_part(&mut self, blob: &Blob) {
        self.refer_to(blob.clone());
    }

    fn append(&mut self, rope: &Rope) {
        Rope::append(self, rope);
    }
}

/// Writes a marker and an integer, a length or a count.
pub(super) fn header(marker: u8, value: impl itoa::Integer, out: &mut Vec<u8>) {
    out.reserve(MAX_HEADER);
    out.push(marker);
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Writes a bulk.
#[inline]
pub(super) fn bulk(bytes: &[u8], out: &mut Vec<u8>) {
    out.reserve(MAX_HEADER + bytes.len() + 2);
    header(b'$', bytes.len(), out);
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

/// Writes a bulk; what is long is not copied.
#[inline]
pub(super) fn blob_bulk<O: Out>(blob: &Blob, out: &mut O) {
    if blob.len() < LEAST_REFERRED {
        return bulk(blob, out.text());
    }
    header(b'$', blob.len(), out.text());
    out.push(blob);
    out.text().extend_from_slice(b"\r\n");
}

/// Writes a bulk of parts, none of which is copied where `out` can refer to them.
pub(super) fn parts_bulk<O: Out>(parts: &[Blob], out: &mut O) {
    header(
        b'$',
        parts.iter().map(|part| part.len()).sum::<usize>(),
        out.text(),
    );
    parts.iter().for_each(|part| out.push_part(part));
    out.text().extend_from_slice(b"\r\n");
}

/// Writes RESP3's text with a format.
pub(super) fn verbatim<O: Out>(format: &[u8; 3], text: &Blob, out: &mut O) {
    header(b'=', format.len() + 1 + text.len(), out.text());
    out.text().extend_from_slice(format);
    out.text().push(b':');
    out.push(text);
    out.text().extend_from_slice(b"\r\n");
}

/// Writes a double, which RESP2 has no type for.
pub(super) fn double(value: f64, protocol: Protocol, out: &mut Vec<u8>) {
    let text = format_double(value);
    match protocol {
        Protocol::Resp2 => bulk(&text, out),
        Protocol::Resp3 => {
            out.push(b',');
            out.extend_from_slice(&text);
            out.extend_from_slice(b"\r\n");
        }
    }
}

/// Writes a line. A text that its own CR or LF would end too early has spaces there instead.
pub(super) fn line(marker: u8, text: &str, out: &mut Vec<u8>) {
    out.push(marker);
    out.extend(
        text.bytes()
            .map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { byte }),
    );
    out.extend_from_slice(b"\r\n");
}
