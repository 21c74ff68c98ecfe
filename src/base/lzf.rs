//! LZF, by which Redis compresses strings in its files and payloads.
//!
//! ```text
//! literal  := 000LLLLL byte*               L + 1 bytes as they stand
//! copy     := LLLooooo oooooooo            L + 2 bytes from o + 1 before here, L in 1..=6
//!           | 111ooooo LLLLLLLL oooooooo   L + 9 of them
//! ```

/// Appends to a vector that is empty the bytes that were compressed, of which there are `length`. False: they are not as many, or
/// what is compressed makes no sense. Memory is taken for what comes out only, so whoever gives a length bounds that.
pub fn decompress_into(compressed: &[u8], length: usize, out: &mut Vec<u8>) -> bool {
    expand(compressed, length, out).is_some()
}

fn expand(mut compressed: &[u8], length: usize, out: &mut Vec<u8>) -> Option<()> {
    while let Some((&control, rest)) = compressed.split_first() {
        compressed = rest;
        if control < 1 << 5 {
            let (literal, rest) = compressed.split_at_checked(usize::from(control) + 1)?;
            out.extend_from_slice(literal);
            compressed = rest;
        } else {
            let mut count = usize::from(control >> 5) + 2;
            if control >> 5 == 7 {
                let (&more, rest) = compressed.split_first()?;
                count += usize::from(more);
                compressed = rest;
            }
            let (&low, rest) = compressed.split_first()?;
            compressed = rest;
            let back = (usize::from(control & 0x1f) << 8 | usize::from(low)) + 1;
            let from = out.len().checked_sub(back)?;
            if back >= count {
                out.extend_from_within(from..from + count);
            } else {
                // What is copied is what the copy itself has added.
                for at in from..from + count {
                    out.push(out[at]);
                }
            }
        }
        if out.len() > length {
            return None;
        }
    }
    (out.len() == length).then_some(())
}

/// Longest literal, farthest and longest copy.
const MOST_LITERAL: usize = 32;
const FARTHEST: usize = 1 << 13;
const LONGEST_COPY: usize = (1 << 8) + (1 << 3);
/// How many bytes Redis compares without looking whether that is more than the longest.
const AT_ONCE: usize = 16;
/// So many bits of what is at a place tell where to look for the same.
const HASH_BITS: u32 = 16;

/// Where three bytes were seen last.
pub struct Compressor {
    /// By what stands there: places, plus 1, plus where all before began to be counted.
    seen: Box<[u32]>,
    /// How many places there were in all texts before.
    before: u32,
}

impl Compressor {
    /// One for any number of texts.
    pub fn new() -> Compressor {
        Compressor {
            seen: vec![0; 1 << HASH_BITS].into(),
            before: 0,
        }
    }

    /// Puts what `bytes` are compressed to into `out`, which is empty. Whether that is shorter than `most`, so that it fits;
    /// what is in `out` otherwise means nothing. The same bytes come out as Redis makes of them.
    pub fn compress(&mut self, bytes: &[u8], most: usize, out: &mut Vec<u8>) -> bool {
        let Some(count) = u32::try_from(bytes.len())
            .ok()
            .filter(|count| *count > 0 && most > 0)
        else {
            return false;
        };
        if self.before.checked_add(count).is_none() {
            self.seen.fill(0);
            self.before = 0;
        }
        let is_shorter = self.compress_counted(bytes, most, out);
        self.before = self.before.saturating_add(count);
        is_shorter
    }

    fn compress_counted(&mut self, bytes: &[u8], most: usize, out: &mut Vec<u8>) -> bool {
        let mut writer = Writer {
            out,
            most,
            literals: 0,
        };
        writer.out.push(0);
        let (mut at, last) = (0, bytes.len().saturating_sub(2));
        while at < last {
            match self.copy_at(bytes, at) {
                Some((from, length)) => {
                    if !writer.copy(at - from - 1, length) {
                        return false;
                    }
                    let behind = at + length;
                    if behind >= last {
                        at = behind;
                        break;
                    }
                    // Only the last two places of what was copied are remembered.
                    for place in behind - 2..behind {
                        self.remember(bytes, place);
                    }
                    at = behind;
                }
                None => {
                    if !writer.literal(bytes[at]) {
                        return false;
                    }
                    at += 1;
                }
            }
        }
        writer.end(&bytes[at..])
    }

    /// Remembers a place. What was remembered there before, if that is of these bytes.
    fn remember(&mut self, bytes: &[u8], at: usize) -> Option<usize> {
        let three = u32::from_be_bytes([0, bytes[at], bytes[at + 1], bytes[at + 2]]);
        let hash = (three >> (24 - HASH_BITS)).wrapping_sub(three.wrapping_mul(5)) & ((1 << HASH_BITS) - 1);
        let place = self.before + at as u32 + 1;
        let seen = std::mem::replace(&mut self.seen[hash as usize], place);
        seen.checked_sub(self.before + 1).map(|seen| seen as usize)
    }

    /// Where the bytes from a place on stand before, and how many of them.
    fn copy_at(&mut self, bytes: &[u8], at: usize) -> Option<(usize, usize)> {
        // The very first place is never copied from.
        let from = self.remember(bytes, at).filter(|&from| from > 0)?;
        if at - from > FARTHEST || bytes[from..from + 3] != bytes[at..at + 3] {
            return None;
        }
        // All that is left but two, or the longest. As Redis compares many at once where it can, it is not exact about that.
        let most = match (bytes.len() - at - 2).min(LONGEST_COPY) {
            few @ ..=AT_ONCE => few.max(3),
            many => many.max(3 + AT_ONCE),
        };
        let same = (3..most).take_while(|&ahead| bytes[from + ahead] == bytes[at + ahead]);
        Some((from, 3 + same.count()))
    }
}

/// What comes out.
struct Writer<'o> {
    out: &'o mut Vec<u8>,
    most: usize,
    /// How many literals stand behind the byte that is to count them.
    literals: usize,
}

impl Writer<'_> {
    fn end_literals(&mut self) {
        let at = self.out.len() - self.literals - 1;
        match self.literals.checked_sub(1) {
            Some(count) => self.out[at] = count as u8,
            None => self.out.truncate(at),
        }
        self.literals = 0;
    }

    fn literal(&mut self, byte: u8) -> bool {
        if self.out.len() >= self.most {
            return false;
        }
        self.push(byte);
        true
    }

    fn push(&mut self, byte: u8) {
        self.out.push(byte);
        self.literals += 1;
        if self.literals == MOST_LITERAL {
            self.end_literals();
            self.out.push(0);
        }
    }

    fn copy(&mut self, back: usize, length: usize) -> bool {
        if self.out.len() - usize::from(self.literals == 0) + 4 >= self.most {
            return false;
        }
        self.end_literals();
        let length = length - 2;
        let high = (back >> 8) as u8;
        if length < 7 {
            self.out.push(high | (length as u8) << 5);
        } else {
            self.out.push(high | 7 << 5);
            self.out.push((length - 7) as u8);
        }
        self.out.push(back as u8);
        self.out.push(0);
        true
    }

    fn end(&mut self, rest: &[u8]) -> bool {
        if self.out.len() + 3 > self.most {
            return false;
        }
        rest.iter().for_each(|byte| self.push(*byte));
        self.end_literals();
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::Random;

    fn decompress(compressed: &[u8], length: usize) -> Option<Vec<u8>> {
        let mut out: Vec<u8> = Vec::new();
        decompress_into(compressed, length, &mut out).then_some(out)
    }

    #[test]
    fn what_redis_has_compressed_comes_back() {
        let code = b"#!lua name=q2\nredis.register_function({function_name=12,callback=function() end})";
        let compressed = b"\x1f#!lua name=q2\nredis.register_fun\x06ction({\xc0\x09\x00_`)\x0b12,callback=\xc0\x19\x07() end})";
        assert_eq!(decompress(compressed, code.len()).as_deref(), Some(&code[..]));
        // Copies that overlap themselves.
        assert_eq!(decompress(b"\x00a\xe0\x05\x00", 15), Some(vec![b'a'; 15]));
        assert_eq!(decompress(b"", 0), Some(Vec::new()));
    }

    #[test]
    fn what_is_compressed_comes_back() {
        let mut random = Random::from_seed(3);
        let (mut compressor, mut out) = (Compressor::new(), Vec::new());
        let mut shorter = 0;
        for round in 0..3000 {
            let letters = 1 + random.below(if round % 2 == 0 { 3 } else { 256 });
            let bytes: Vec<u8> = (0..random.below(1000))
                .map(|_| random.below(letters) as u8)
                .collect();
            out.clear();
            if compressor.compress(&bytes, bytes.len().saturating_sub(4), &mut out) {
                assert!(out.len() + 4 <= bytes.len());
                assert_eq!(decompress(&out, bytes.len()), Some(bytes));
                shorter += 1;
            }
        }
        assert!(shorter > 1000, "{shorter}");
        out.clear();
        assert!(compressor.compress(&[b'a'; 70_000], 70_000, &mut out));
        assert_eq!(decompress(&out, 70_000), Some(vec![b'a'; 70_000]));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (compressed, length) in [
            (&b"\x1fab"[..], 32),
            (b"\x00a\x20\x01", 4),
            (b"\x00a\xe0\x05", 15),
            (b"\x00a\xe0", 15),
            (b"\x00a\x20", 4),
            (b"\x00a", 2),
            (b"\x01ab", 1),
        ] {
            assert_eq!(decompress(compressed, length), None, "{compressed:?}");
        }
        let mut random = Random::from_seed(1);
        for _ in 0..20_000 {
            let bytes: Vec<u8> = (0..random.below(40)).map(|_| random.next_u64() as u8).collect();
            if let Some(out) = decompress(&bytes, 100) {
                assert_eq!(out.len(), 100);
            }
        }
    }
}
