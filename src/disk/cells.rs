//! Byte strings in a row, as packed collections, pages and nodes hold them.
//!
//! ```text
//! varint  := seven bits a byte, the lowest first; the high bit says that more follow (LEB128), at most 10 bytes
//! cell    := length:varint byte*length
//! ```

use super::format::Malformed;

const TRUNCATED: Malformed = Malformed("truncated cell");

/// Longest encoding of a varint, in bytes.
pub const VARINT_MAX: usize = 10;

/// Appends a number, seven bits a byte, the lowest first; the last byte is below 0x80.
pub fn push_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a byte string: its length as a varint, then its bytes.
pub fn push_cell(out: &mut Vec<u8>, bytes: &[u8]) {
    push_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// How many bytes a cell takes, its length in front included.
pub const fn cell_len(bytes: usize) -> usize {
    let bits = usize::BITS - (bytes | 1).leading_zeros();
    bits.div_ceil(7) as usize + bytes
}

/// Reads varints, cells and plain bytes from the head of a byte string.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    /// Whether nothing is left.
    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// Takes a varint.
    #[inline(always)]
    pub fn varint(&mut self) -> Result<u64, Malformed> {
        // Nearly all are short.
        match *self.0 {
            [byte @ ..0x80, ref rest @ ..] => {
                self.0 = rest;
                Ok(u64::from(byte))
            }
            [low, high @ ..0x80, ref rest @ ..] => {
                self.0 = rest;
                Ok(u64::from(low & 0x7f) | u64::from(high) << 7)
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0;
        for (i, &byte) in self.0.iter().take(VARINT_MAX).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * i);
            if byte < 0x80 {
                self.0 = &self.0[i + 1..];
                return Ok(value);
            }
        }
        Err(TRUNCATED)
    }

    /// Takes a byte string with its length in front.
    #[inline(always)]
    pub fn cell(&mut self) -> Result<&'a [u8], Malformed> {
        let len = usize::try_from(self.varint()?).map_err(|_| TRUNCATED)?;
        self.bytes(len)
    }

    /// Takes `len` bytes.
    #[inline]
    pub fn bytes(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (bytes, rest) = self.0.split_at_checked(len).ok_or(TRUNCATED)?;
        self.0 = rest;
        Ok(bytes)
    }

    /// Takes eight bytes, big endian.
    pub fn u64(&mut self) -> Result<u64, Malformed> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or(TRUNCATED)?;
        self.0 = rest;
        Ok(u64::from_be_bytes(*bytes))
    }
}

/// The cells of a byte string that holds nothing else.
#[derive(Clone, Copy, Debug)]
pub struct Cells<'a>(pub &'a [u8]);

impl<'a> Iterator for Cells<'a> {
    type Item = Result<&'a [u8], Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let mut reader = Reader(self.0);
        let cell = reader.cell();
        self.0 = if cell.is_ok() { reader.0 } else { b"" };
        Some(cell)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_and_cells_come_back() {
        for value in [0, 1, 127, 128, 300, 1 << 35, u64::MAX] {
            let mut out = Vec::new();
            push_varint(&mut out, value);
            let mut reader = Reader(&out);
            assert_eq!(reader.varint(), Ok(value));
            assert!(reader.is_empty());
        }
        let long = vec![b'x'; 200];
        let mut out = Vec::new();
        for cell in [&b""[..], b"a", &long] {
            let before = out.len();
            push_cell(&mut out, cell);
            assert_eq!(out.len() - before, cell_len(cell.len()));
        }
        let cells: Result<Vec<_>, _> = Cells(&out).collect();
        assert_eq!(cells, Ok(vec![&b""[..], b"a", &long]));
    }

    #[test]
    fn a_cell_that_ends_early_is_an_error_and_the_last() {
        let cells: Vec<_> = Cells(b"\x01a\x05bc").collect();
        assert_eq!(cells, [Ok(&b"a"[..]), Err(TRUNCATED)]);
        assert_eq!(Reader(&[0xff; 11]).varint(), Err(TRUNCATED));
        assert_eq!(Reader(b"\x80").varint(), Err(TRUNCATED));
    }
}
