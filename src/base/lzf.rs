//! LZF, by which Redis compresses strings in its files and payloads: only the way back.
//!
//! ```text
//! literal  := 000LLLLL byte*               L + 1 bytes as they stand
//! copy     := LLLooooo oooooooo            L + 2 bytes from o + 1 before here, L in 1..=6
//!           | 111ooooo LLLLLLLL oooooooo   L + 9 of them
//! ```

/// The bytes that were compressed, of which there are `length`; none if they are not as many, or what is compressed makes no
/// sense. Memory is taken for what comes out only, so whoever gives a length bounds that.
pub fn decompress(mut compressed: &[u8], length: usize) -> Option<Vec<u8>> {
    let mut out: Vec<u8> = Vec::new();
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
            // What is copied may be what the copy itself has added.
            for at in from..from + count {
                out.push(out[at]);
            }
        }
        if out.len() > length {
            return None;
        }
    }
    (out.len() == length).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::Random;

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
