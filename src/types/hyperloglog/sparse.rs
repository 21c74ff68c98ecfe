//! The sparse encoding: runs of equal registers.
//!
//! ```text
//! opcode := 0b00zzzzzz                       z + 1 registers of 0 ("zero")
//!         | 0b01zzzzzz 0bzzzzzzzz            z + 1 registers of 0, the high bits first ("long zero")
//!         | 0b1vvvvvrr                       r + 1 registers of v + 1 ("value")
//! ```

const LONG_ZERO: u8 = 0x40;
const VALUE: u8 = 0x80;
const ZERO_MAX: usize = 64;
const VALUE_RUN_MAX: usize = 4;
const VALUE_MAX: u8 = 32;
/// How many opcodes after a change are looked at for neighbours to join, as in Redis.
const JOINED: usize = 5;

/// A run of equal registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opcode {
    /// Up to 64 registers of value 0, in one byte.
    Zero {
        /// How many.
        run: usize,
    },
    /// Up to 16384 registers of value 0, in two bytes.
    LongZero {
        /// How many.
        run: usize,
    },
    /// Up to 4 registers of a value of 1 to 32, in one byte.
    Value {
        /// What each of them holds.
        value: u8,
        /// How many.
        run: usize,
    },
}

impl Opcode {
    /// The opcode at the head of `bytes`, which are not empty. What is cut off counts as 0: Redis reads the NUL there.
    fn decode(bytes: &[u8]) -> Opcode {
        let byte = bytes[0];
        let low = bytes.get(1).copied().unwrap_or(0);
        match byte >> 6 {
            0 => Opcode::Zero {
                run: usize::from(byte) + 1,
            },
            1 => Opcode::LongZero {
                run: usize::from(u16::from_be_bytes([byte & !LONG_ZERO, low])) + 1,
            },
            _ => Opcode::Value {
                value: (byte >> 2 & 0x1f) + 1,
                run: usize::from(byte & 3) + 1,
            },
        }
    }

    /// How many registers it is for.
    pub fn run(self) -> usize {
        match self {
            Opcode::Zero { run } | Opcode::LongZero { run } | Opcode::Value { run, .. } => run,
        }
    }

    /// What each of them holds.
    pub fn value(self) -> u8 {
        match self {
            Opcode::Zero { .. } | Opcode::LongZero { .. } => 0,
            Opcode::Value { value, .. } => value,
        }
    }

    fn len(self) -> usize {
        match self {
            Opcode::LongZero { .. } => 2,
            Opcode::Zero { .. } | Opcode::Value { .. } => 1,
        }
    }
}

/// The opcodes of a body.
pub struct Opcodes<'a>(pub &'a [u8]);

impl Iterator for Opcodes<'_> {
    type Item = Opcode;

    fn next(&mut self) -> Option<Opcode> {
        if self.0.is_empty() {
            return None;
        }
        let opcode = Opcode::decode(self.0);
        self.0 = self.0.get(opcode.len()..).unwrap_or_default();
        Some(opcode)
    }
}

/// What came of raising a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Raised {
    /// It was as high already.
    Same,
    /// It has the value now.
    Changed,
    /// The sparse encoding has no room for it.
    TooLarge,
    /// The opcodes make no sense.
    Corrupted,
}

/// Raises the register `index` to `value`. The opcodes are `bytes[start..]`, and `bytes` must not grow beyond `max`.
pub fn raise(bytes: &mut Vec<u8>, start: usize, index: usize, value: u8, max: u64) -> Raised {
    if value > VALUE_MAX {
        return Raised::TooLarge;
    }
    let Some(found) = find(bytes, start, index) else {
        return Raised::Corrupted;
    };
    let Found {
        at, opcode, first, ..
    } = found;
    if opcode.value() >= value {
        return Raised::Same;
    }
    if opcode.run() == 1 && opcode.len() == 1 {
        bytes[at] = value_opcode(value, 1);
    } else {
        let before = index - first;
        let mut sequence = Vec::with_capacity(5);
        push_run(&mut sequence, opcode.value(), before);
        push_run(&mut sequence, value, 1);
        push_run(&mut sequence, opcode.value(), opcode.run() - before - 1);
        let len = bytes.len() + sequence.len() - opcode.len();
        if sequence.len() > opcode.len() && len as u64 > max {
            return Raised::TooLarge;
        }
        let end = bytes.len().min(at + opcode.len());
        bytes.splice(at..end, sequence);
        // Of a last opcode that was cut off, Redis keeps as much.
        bytes.truncate(len);
    }
    join(bytes, found.previous.unwrap_or(start));
    Raised::Changed
}

/// Where a register is.
struct Found {
    /// The position of its opcode, and of the one before.
    at: usize,
    previous: Option<usize>,
    opcode: Opcode,
    /// The first register of the opcode.
    first: usize,
}

fn find(bytes: &[u8], start: usize, index: usize) -> Option<Found> {
    let (mut at, mut previous, mut first) = (start, None, 0);
    while at < bytes.len() {
        let opcode = Opcode::decode(&bytes[at..]);
        if index < first + opcode.run() {
            return Some(Found {
                at,
                previous,
                opcode,
                first,
            });
        }
        previous = Some(at);
        at += opcode.len();
        first += opcode.run();
    }
    None
}

fn push_run(out: &mut Vec<u8>, value: u8, run: usize) {
    match (run, value) {
        (0, _) => {}
        (_, 0) => push_zeros(out, run),
        (_, value) => out.push(value_opcode(value, run)),
    }
}

/// A run of zeros, of at most all registers.
pub fn push_zeros(out: &mut Vec<u8>, run: usize) {
    let run = run - 1;
    if run >= ZERO_MAX {
        out.extend([LONG_ZERO | (run >> 8) as u8, run as u8]);
    } else {
        out.push(run as u8);
    }
}

fn value_opcode(value: u8, run: usize) -> u8 {
    VALUE | (value - 1) << 2 | (run - 1) as u8
}

/// Joins neighbouring runs of one value, a few opcodes from `at` on.
fn join(bytes: &mut Vec<u8>, mut at: usize) {
    for _ in 0..JOINED {
        let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) else {
            return;
        };
        let opcode = Opcode::decode(rest);
        if let Opcode::Value { value, run } = opcode
            && let Some(Opcode::Value {
                value: next,
                run: more,
            }) = rest.get(1..2).map(Opcode::decode)
            && next == value
            && run + more <= VALUE_RUN_MAX
        {
            bytes[at + 1] = value_opcode(value, run + more);
            bytes.remove(at);
            continue;
        }
        at += opcode.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8]) -> Vec<Opcode> {
        Opcodes(bytes).collect()
    }

    #[test]
    fn a_run_is_split_and_joined_again() {
        let mut bytes = Vec::new();
        push_zeros(&mut bytes, 100);
        for index in [50, 51, 49, 48] {
            assert_eq!(raise(&mut bytes, 0, index, 7, 3000), Raised::Changed);
            assert_eq!(raise(&mut bytes, 0, index, 7, 3000), Raised::Same);
        }
        let (zeros, value) = (|run| Opcode::Zero { run }, |run| Opcode::Value { value: 7, run });
        assert_eq!(all(&bytes), [zeros(48), value(4), zeros(48)]);
        assert_eq!(raise(&mut bytes, 0, 49, 9, 3000), Raised::Changed);
        let raised = Opcode::Value { value: 9, run: 1 };
        assert_eq!(all(&bytes), [zeros(48), value(1), raised, value(2), zeros(48)]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut bytes = Vec::new();
        push_zeros(&mut bytes, 16384);
        let before = bytes.clone();
        assert_eq!(raise(&mut bytes, 0, 100, VALUE_MAX + 1, 3000), Raised::TooLarge);
        assert_eq!(raise(&mut bytes, 0, 100, 1, 4), Raised::TooLarge);
        assert_eq!(raise(&mut bytes, 0, 16384, 1, 3000), Raised::Corrupted);
        assert_eq!(bytes, before);
        assert_eq!(raise(&mut bytes, 0, 100, VALUE_MAX, 5), Raised::Changed);
        assert_eq!(bytes.len(), 5);
        let longest = |run| Opcode::LongZero { run };
        let value = Opcode::Value {
            value: VALUE_MAX,
            run: 1,
        };
        assert_eq!(all(&bytes), [longest(100), value, longest(16283)]);
    }
}
