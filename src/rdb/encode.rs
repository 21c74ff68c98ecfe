//! What everything in a dump is made of, encoded; `input.rs` has its grammar.

use crate::base::lzf::Compressor;
use crate::base::num::parse_i64;

/// Texts longer than this are compressed, if that makes them shorter.
const COMPRESSED_ABOVE: usize = 20;
/// Compressed, a text is to be shorter by so many bytes.
const GAIN: usize = 4;
/// Texts longer than this are no numbers of 32 bits.
const NUMBER_DIGITS: usize = 11;

/// Appends lengths and strings.
pub(super) struct Encoder {
    compressor: Compressor,
    compressed: Vec<u8>,
}

/// Appends a length, or a number that is written as one.
pub(super) fn push_length(out: &mut Vec<u8>, length: u64) {
    match length {
        0..0x40 => out.push(length as u8),
        0x40..0x4000 => out.extend_from_slice(&(length as u16 | 0x4000).to_be_bytes()),
        0x4000..=0xffff_ffff => {
            out.push(0x80);
            out.extend_from_slice(&(length as u32).to_be_bytes());
        }
        _ => {
            out.push(0x81);
            out.extend_from_slice(&length.to_be_bytes());
        }
    }
}

impl Encoder {
    /// One for any number of strings.
    pub fn new() -> Encoder {
        Encoder {
            compressor: Compressor::new(),
            compressed: Vec::new(),
        }
    }

    /// Appends a string: as a number if it is a small one, compressed if that is shorter.
    pub fn push_string(&mut self, out: &mut Vec<u8>, text: &[u8]) {
        if text.len() <= NUMBER_DIGITS
            && let Some(number) = parse_i64(text)
            && push_number(out, number)
        {
            return;
        }
        if text.len() > COMPRESSED_ABOVE {
            self.compressed.clear();
            if self
                .compressor
                .compress(text, text.len() - GAIN, &mut self.compressed)
            {
                out.push(0xc3);
                push_length(out, self.compressed.len() as u64);
                push_length(out, text.len() as u64);
                out.extend_from_slice(&self.compressed);
                return;
            }
        }
        push_length(out, text.len() as u64);
        out.extend_from_slice(text);
    }
}

/// Appends a number's digits as a string, if it is of 32 bits; whether it is.
fn push_number(out: &mut Vec<u8>, number: i64) -> bool {
    let le = number.to_le_bytes();
    let (form, width) = match number {
        -0x80..0x80 => (0xc0, 1),
        -0x8000..0x8000 => (0xc1, 2),
        -0x8000_0000..0x8000_0000 => (0xc2, 4),
        _ => return false,
    };
    out.push(form);
    out.extend_from_slice(&le[..width]);
    true
}
