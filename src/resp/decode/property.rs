//! What holds for any bytes: the seeded test below and the fuzz target `tests/fuzz` call the same [`check`].

use super::{Decoder, Limits, MAX_KEPT_SPANS, MAX_KEPT_UNQUOTED, MIN_MISSING_CAP, ProtocolError};

/// What the bytes decode to: each request's width and arguments, and the error at the end, if any.
pub type Decoded = (Vec<(usize, Vec<Vec<u8>>)>, Option<ProtocolError>);

/// How many sizes of pieces a case has; they are used in turn.
const SIZES: usize = 8;
/// The bytes of a case before its input: a choice of limits, and the sizes.
pub const CASE_HEAD: usize = 1 + SIZES;

/// Wherever reads end: no panic, bounded memory, and the same requests as from one read. (But for a line that is longer
/// than allowed: it is taken if its end comes with it.)
///
/// ```text
/// case := limits:u8 size:u8*8 input:byte*
/// ```
pub fn check(case: &[u8]) {
    let Some((head, input)) = case.split_first_chunk::<CASE_HEAD>() else {
        return;
    };
    let limits = chosen_limits(head[0]);
    let mut sizes = head[1..].iter().map(|&size| 1 + usize::from(size)).cycle();
    let whole = feed(input, &limits, || usize::MAX / 2);
    let pieces = feed(input, &limits, || sizes.next().unwrap_or(1));
    if let (requests, Some(error)) = &pieces
        && is_too_big(*error)
    {
        assert!(whole.0.starts_with(requests), "{}", input.escape_ascii());
    } else {
        assert_eq!(pieces, whole, "{}", input.escape_ascii());
    }
}

fn is_too_big(error: ProtocolError) -> bool {
    matches!(
        error,
        ProtocolError::TooBigInlineRequest
            | ProtocolError::TooBigMultibulkCount
            | ProtocolError::TooBigBulkCount
    )
}

/// Each limit as it is by default, or so small that random input reaches it.
fn chosen_limits(choice: u8) -> Limits {
    let has = |bit: u8| choice & 1 << bit != 0;
    Limits {
        max_bulk: if has(0) { 30 } else { 512 << 20 },
        max_args: if has(1) { 8 } else { 1 << 20 },
        max_inline: if has(2) { 16 } else { 64 << 10 },
        authenticated: !(has(3) && has(4)),
    }
}

/// Feeds `input` as a connection would, in pieces of the sizes that `next_size` gives.
pub fn feed(input: &[u8], limits: &Limits, mut next_size: impl FnMut() -> usize) -> Decoded {
    let (mut decoder, mut requests) = (Decoder::new(), Vec::new());
    let (mut start, mut end, mut wanted) = (0, 0, 0);
    loop {
        let buf = &input[start..end];
        match decoder.decode(buf, limits) {
            Ok(Some(width)) => {
                assert_eq!(decoder.decode(buf, limits), Ok(Some(width)));
                let args = decoder.args(&buf[..width]);
                requests.push((width, args.iter().map(<[u8]>::to_vec).collect()));
                decoder.reset();
                assert!(decoder.spans.capacity() <= MAX_KEPT_SPANS);
                assert!(decoder.unquoted.capacity() <= MAX_KEPT_UNQUOTED);
                assert!(wanted <= width);
                (start, wanted) = (start + width, 0);
            }
            Ok(None) => {
                assert!(decoder.spans.capacity() <= MAX_KEPT_SPANS.max(buf.len()));
                assert!((1..=MIN_MISSING_CAP.max(buf.len())).contains(&decoder.missing()));
                wanted = buf.len() + decoder.missing();
                if end == input.len() {
                    return (requests, None);
                }
                end = input.len().min(end + next_size());
            }
            Err(error) => return (requests, Some(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUNDS: usize = 200_000;

    /// A small deterministic generator: xorshift64.
    struct Random(u64);

    impl Random {
        fn below(&mut self, bound: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 >> 16) as usize % bound
        }

        fn pick<'a>(&mut self, choices: &[&'a [u8]]) -> &'a [u8] {
            choices[self.below(choices.len())]
        }
    }

    /// Adds bytes that look like requests: valid ones, pieces of their grammar, and noise.
    fn push_input(input: &mut Vec<u8>, random: &mut Random) {
        let start = input.len();
        for _ in 0..=random.below(4) {
            match random.below(4) {
                0 => {
                    let pieces: [&[u8]; 12] = [
                        b"*", b"$", b"\r\n", b"\r", b"\n", b"1", b"-1", b"0", b"\"", b"'", b"\\x4", b" a",
                    ];
                    (0..random.below(20)).for_each(|_| input.extend_from_slice(random.pick(&pieces)));
                }
                1 => (0..random.below(40)).for_each(|_| input.push(random.below(256) as u8)),
                2 => input.extend_from_slice(random.pick(&[
                    b"PING\r\n",
                    b"SET k \"v\\n\"\n",
                    b"\r\n",
                    b"*-3\r\n",
                ])),
                _ => push_request(input, random),
            }
        }
        for _ in 0..random.below(3).min(input.len() - start) {
            let at = start + random.below(input.len() - start);
            match random.below(3) {
                0 => input[at] = random.below(256) as u8,
                1 => drop(input.remove(at)),
                _ => input.insert(at, random.pick(&[b"\r", b"\n", b"9", b"*", b"$", b"-"])[0]),
            }
        }
    }

    fn push_request(input: &mut Vec<u8>, random: &mut Random) {
        let count = random.below(12);
        input.extend_from_slice(format!("*{count}\r\n").as_bytes());
        for _ in 0..count {
            let arg = vec![random.below(256) as u8; random.below(40)];
            input.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
            input.extend_from_slice(&arg);
            input.extend_from_slice(b"\r\n");
        }
    }

    #[test]
    fn random_bytes_in_random_pieces() {
        let mut random = Random(0x9E37_79B9_7F4A_7C15);
        let mut case = Vec::new();
        for _ in 0..ROUNDS {
            case.clear();
            case.push(random.below(256) as u8);
            let bound = 1 + random.below(24);
            case.extend((0..SIZES).map(|_| random.below(bound) as u8));
            push_input(&mut case, &mut random);
            check(&case);
        }
    }
}
