//! Bytes from anywhere, summed up as they are read; and what everything in a dump is made of:
//!
//! ```text
//! length := 00LLLLLL | 01LLLLLL LLLLLLLL | 0x80 u32 be | 0x81 u64 be
//! string := length byte*
//!         | 0xc0 i8 | 0xc1 i16 le | 0xc2 i32 le      a number's digits
//!         | 0xc3 length length byte*                 LZF: lengths compressed and not
//! ```
//!
//! A length is believed only as far as bytes come: memory is taken for what has been read.

use std::io::Read;

use super::error::{Error, Result};
use crate::base::crc64::add_crc64;
use crate::base::lzf;

/// How many bytes are asked for at once.
const BUFFER: usize = 64 << 10;
/// The longest string that is read: more than any server takes.
const LONGEST_STRING: u64 = 4 << 30;
/// A compressed text grows by no more than this factor: a copy of 264 bytes takes three.
pub(super) const MOST_GROWTH: u64 = 88;

/// What stands before a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    Plain(u64),
    /// How the string is encoded.
    Encoded(u8),
}

/// The bytes, and how far they were read.
pub(super) struct Input<R> {
    source: R,
    buffer: Box<[u8]>,
    /// What of the buffer is read.
    at: usize,
    /// Where in the buffer its bytes end.
    end: usize,
    /// Up to where in the buffer bytes are in the sum.
    summed: usize,
    sum: u64,
    /// How many bytes came before those in the buffer.
    before: u64,
    /// For compressed bytes.
    compressed: Vec<u8>,
    /// The longest string that is read.
    longest: u64,
}

impl<R: Read> Input<R> {
    /// All that comes from `source`.
    pub fn new(source: R) -> Input<R> {
        Input {
            source,
            buffer: vec![0; BUFFER].into(),
            at: 0,
            end: 0,
            summed: 0,
            sum: 0,
            before: 0,
            compressed: Vec::new(),
            longest: LONGEST_STRING,
        }
    }

    /// The same, and no string of more bytes is read.
    pub fn with_longest(mut self, bytes: u64) -> Input<R> {
        self.longest = bytes;
        self
    }

    /// How many bytes were read.
    pub fn position(&self) -> u64 {
        self.before + self.at as u64
    }

    /// The sum of all that was read.
    pub fn sum(&mut self) -> u64 {
        self.sum = add_crc64(self.sum, &self.buffer[self.summed..self.at]);
        self.summed = self.at;
        self.sum
    }

    /// An error that names this place.
    pub fn malformed<T>(&self, what: &'static str) -> Result<T> {
        let at = self.position();
        Err(Error::Malformed { at, what })
    }

    /// An error that names this place.
    pub fn unsupported<T>(&self, what: String) -> Result<T> {
        let at = self.position();
        Err(Error::Unsupported { at, what })
    }

    /// Reads on, all of the buffer being read. Whether anything came.
    fn fill(&mut self) -> Result<bool> {
        self.sum();
        self.before += self.at as u64;
        (self.at, self.end, self.summed) = (0, 0, 0);
        self.end = loop {
            match self.source.read(&mut self.buffer) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        Ok(self.end > 0)
    }

    /// Whether all is read.
    pub fn is_at_end(&mut self) -> Result<bool> {
        Ok(self.at == self.end && !self.fill()?)
    }

    /// Up to `most` bytes, at least one.
    fn some(&mut self, most: u64) -> Result<&[u8]> {
        if self.is_at_end()? {
            return self.malformed("it ends in the middle");
        }
        let count = usize::try_from(most)
            .unwrap_or(usize::MAX)
            .min(self.end - self.at);
        self.at += count;
        Ok(&self.buffer[self.at - count..self.at])
    }

    /// The next byte.
    pub fn byte(&mut self) -> Result<u8> {
        match self.buffer[..self.end].get(self.at) {
            Some(byte) => {
                self.at += 1;
                Ok(*byte)
            }
            None => Ok(self.some(1)?[0]),
        }
    }

    /// The next bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut array = [0; N];
        let mut filled = 0;
        while filled < N {
            let some = self.some((N - filled) as u64)?;
            array[filled..filled + some.len()].copy_from_slice(some);
            filled += some.len();
        }
        Ok(array)
    }

    /// Appends this many bytes.
    fn append(&mut self, count: u64, out: &mut Vec<u8>) -> Result<()> {
        let mut left = count;
        while left > 0 {
            let some = self.some(left)?;
            left -= some.len() as u64;
            out.extend_from_slice(some);
        }
        Ok(())
    }

    /// Passes over bytes.
    pub fn skip(&mut self, count: u64) -> Result<()> {
        let mut left = count;
        while left > 0 {
            left -= self.some(left)?.len() as u64;
        }
        Ok(())
    }

    /// What stands before a string.
    pub fn length(&mut self) -> Result<Length> {
        let first = self.byte()?;
        Ok(match (first >> 6, first) {
            (0, _) => Length::Plain(u64::from(first)),
            (1, _) => Length::Plain(u64::from(first & 0x3f) << 8 | u64::from(self.byte()?)),
            (2, 0x80) => Length::Plain(u64::from(u32::from_be_bytes(self.array()?))),
            (2, 0x81) => Length::Plain(u64::from_be_bytes(self.array()?)),
            (2, _) => return self.malformed("a length of an unknown form"),
            _ => Length::Encoded(first & 0x3f),
        })
    }

    /// A length, or a number that is written as one.
    pub fn number(&mut self) -> Result<u64> {
        match self.length()? {
            Length::Plain(length) => Ok(length),
            Length::Encoded(_) => self.malformed("an encoding where a number should be"),
        }
    }

    /// Reads a string into `out`, in place of what that held.
    pub fn string(&mut self, out: &mut Vec<u8>) -> Result<()> {
        out.clear();
        match self.length()? {
            Length::Plain(length) if length <= self.longest => self.append(length, out),
            Length::Plain(_) => self.malformed("a string longer than any server takes"),
            Length::Encoded(3) => self.compressed(out),
            Length::Encoded(form) => {
                let value = self.integer(form)?;
                out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
                Ok(())
            }
        }
    }

    fn integer(&mut self, form: u8) -> Result<i32> {
        match form {
            0 => Ok(i8::from_le_bytes(self.array()?).into()),
            1 => Ok(i16::from_le_bytes(self.array()?).into()),
            2 => Ok(i32::from_le_bytes(self.array()?)),
            _ => self.malformed("a string of an unknown encoding"),
        }
    }

    fn compressed(&mut self, out: &mut Vec<u8>) -> Result<()> {
        let (compressed, length) = (self.number()?, self.number()?);
        if compressed > self.longest || length > self.longest {
            return self.malformed("a string longer than any server takes");
        }
        if length > compressed.saturating_mul(MOST_GROWTH) {
            return self.malformed("a compressed string cannot grow that much");
        }
        let mut bytes = std::mem::take(&mut self.compressed);
        bytes.clear();
        self.append(compressed, &mut bytes)?;
        let is_whole = lzf::decompress_into(&bytes, length as usize, out);
        self.compressed = bytes;
        match is_whole {
            true => Ok(()),
            false => self.malformed("a compressed string is damaged"),
        }
    }

    /// Passes over a string.
    pub fn skip_string(&mut self) -> Result<()> {
        match self.length()? {
            Length::Plain(length) => self.skip(length),
            Length::Encoded(3) => {
                let (compressed, _) = (self.number()?, self.number()?);
                self.skip(compressed)
            }
            Length::Encoded(form) => self.integer(form).map(drop),
        }
    }
}
