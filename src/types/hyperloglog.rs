//! HyperLogLogs: how many different elements a stream had, within about 0.8 %, in at most 12 KiB.
//!
//! A HyperLogLog is a string in Redis's own format, byte for byte, so that GET and SET carry one between servers:
//!
//! ```text
//! sketch   := "HYLL" encoding:u8 byte*3 count:u64le registers
//! encoding := 0 dense | 1 sparse
//! count    := what was counted last; its highest bit says that registers have changed since
//! dense    := register:u6 * 16384, each beginning in the lowest free bit                           12,288 bytes
//! sparse   := opcode*, for all 16384 registers in order: see `sparse`
//! ```
//!
//! An element's hash names a register and holds a number that the register is raised to. A sketch starts sparse; it
//! becomes dense, and stays so, when a register exceeds 32 or the string would exceed `hll-sparse-max-bytes`.

mod estimate;
mod hash;
pub mod self_test;
mod sparse;

use super::WRONG_TYPE;
use super::string::{self, string_entry};
use crate::disk::format::{Kind, SEGMENT};
use crate::store::{Entry, Key, Result, Stop, Txn, Value};

use estimate::Histogram;
pub use hash::REGISTERS;
pub use sparse::Opcode;
use sparse::{Opcodes, Raised};

const CORRUPTED: &str = "INVALIDOBJ Corrupted HLL object detected";
const NOT_A_SKETCH: &str = "WRONGTYPE Key is not a valid HyperLogLog string value.";

const REGISTER_BITS: usize = 6;
const REGISTER_MAX: u8 = (1 << REGISTER_BITS) - 1;

const MAGIC: &[u8; 4] = b"HYLL";
const ENCODING_AT: usize = 4;
const COUNT_AT: usize = 8;
const HEADER: usize = 16;
const DENSE_LEN: usize = HEADER + REGISTERS * REGISTER_BITS / 8;
/// A longer sparse string has more opcodes than there are registers.
const SPARSE_MAX: u64 = (HEADER + 2 * REGISTERS) as u64;

/// How a sketch's registers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Six bits for each.
    Dense,
    /// In runs of equal ones: see `sparse`.
    Sparse,
}

/// The value of every register.
pub type Registers = [u8; REGISTERS];

/// What the first bytes of a sketch say.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    /// How its registers are written.
    pub encoding: Encoding,
    /// The count, unless registers have changed since it was made.
    pub count: Option<u64>,
}

impl Header {
    /// Checks what Redis checks of every key before it is used as a sketch.
    fn decode(head: &[u8], length: u64) -> Result<Header> {
        let Some(head) = head.first_chunk::<HEADER>() else {
            return Stop::error(NOT_A_SKETCH);
        };
        let encoding = match head[ENCODING_AT] {
            0 if length == DENSE_LEN as u64 => Encoding::Dense,
            1 => Encoding::Sparse,
            _ => return Stop::error(NOT_A_SKETCH),
        };
        if !head.starts_with(MAGIC) {
            return Stop::error(NOT_A_SKETCH);
        }
        let count = head.last_chunk().map_or(0, |count| u64::from_le_bytes(*count));
        Ok(Header {
            encoding,
            count: (count >> 63 == 0).then_some(count),
        })
    }

    /// The header of the sketch that the entry holds.
    pub fn read(txn: &mut Txn, entry: &Entry) -> Result<Header> {
        if !string::is_string(entry.header.kind) {
            return Stop::error(WRONG_TYPE);
        }
        let length = string::len(entry)?;
        let head = string::read_range(txn, entry, 0..length.min(HEADER as u64))?;
        Header::decode(&head, length)
    }
}

/// A sketch, whole: the bytes of its string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sketch {
    bytes: Vec<u8>,
}

impl Default for Sketch {
    fn default() -> Sketch {
        Sketch::new()
    }
}

impl Sketch {
    /// An empty one.
    pub fn new() -> Sketch {
        let mut bytes = vec![0; HEADER];
        bytes[..MAGIC.len()].copy_from_slice(MAGIC);
        bytes[ENCODING_AT] = 1;
        sparse::push_zeros(&mut bytes, REGISTERS);
        Sketch { bytes }
    }

    /// The sketch that the entry holds.
    pub fn read(txn: &mut Txn, entry: &Entry) -> Result<Sketch> {
        Header::read(txn, entry)?;
        if string::len(entry)? > SPARSE_MAX {
            return Stop::error(CORRUPTED);
        }
        let bytes = string::read(txn, entry)?.to_vec();
        Ok(Sketch { bytes })
    }

    /// Makes the sketch the key's value; `old` is what the key holds. The deadline stays.
    pub fn save(&self, txn: &mut Txn, key: Key, old: Option<&Entry>) -> Result<()> {
        let length = self.bytes.len() as u64;
        let in_place = match old {
            Some(entry) => entry.header.kind == Kind::LongString && string::len(entry)? == length,
            None => false,
        };
        let Some(old) = old.filter(|_| in_place) else {
            let deadline = old.and_then(|entry| entry.header.deadline);
            return string::set(txn, key, old, &self.bytes, deadline);
        };
        let mut changed = Vec::new();
        for (index, bytes) in (0..).zip(self.bytes.chunks(SEGMENT)) {
            if *string::segment(txn, old, index)? != *bytes {
                changed.push((index, Value::from(bytes)));
            }
        }
        string::put_segments(txn, key, Some(old), length, changed)
    }

    /// How its registers are written.
    pub fn encoding(&self) -> Encoding {
        match self.bytes[ENCODING_AT] {
            0 => Encoding::Dense,
            _ => Encoding::Sparse,
        }
    }

    fn body(&self) -> &[u8] {
        &self.bytes[HEADER..]
    }

    /// The runs of equal registers of a sparse sketch.
    pub fn opcodes(&self) -> impl Iterator<Item = Opcode> {
        Opcodes(self.body())
    }

    /// Adds an element; whether that changed a register. `sparse_max`: the option `hll-sparse-max-bytes`.
    pub fn add(&mut self, element: &[u8], sparse_max: u64) -> Result<bool> {
        let (index, value) = hash::register(element);
        self.raise(index, value, sparse_max)
    }

    /// Raises a register to at least `value`; whether it was less.
    fn raise(&mut self, index: usize, value: u8, sparse_max: u64) -> Result<bool> {
        if self.encoding() == Encoding::Sparse {
            match sparse::raise(&mut self.bytes, HEADER, index, value, sparse_max) {
                Raised::Same => return Ok(false),
                Raised::Changed => {
                    self.forget_count();
                    return Ok(true);
                }
                Raised::Corrupted => return Stop::error(CORRUPTED),
                Raised::TooLarge => self.make_dense()?,
            };
        }
        let raised = dense_register(self.body(), index) < value;
        if raised {
            set_dense_register(&mut self.bytes[HEADER..], index, value);
        }
        Ok(raised)
    }

    /// Says that the count is of other registers than these.
    pub fn forget_count(&mut self) {
        self.bytes[HEADER - 1] |= 0x80;
    }

    /// Keeps the count of the registers as they are.
    pub fn remember_count(&mut self, count: u64) {
        self.bytes[COUNT_AT..HEADER].copy_from_slice(&count.to_le_bytes());
    }

    /// About how many elements were added, from the registers.
    pub fn count(&self) -> Result<u64> {
        let mut histogram = Histogram::default();
        match self.encoding() {
            Encoding::Dense => {
                for_each_dense(self.body(), |_, value| histogram.add(value, 1));
            }
            Encoding::Sparse => {
                let mut total = 0;
                for opcode in self.opcodes() {
                    histogram.add(opcode.value(), opcode.run());
                    total += opcode.run();
                }
                if total != REGISTERS {
                    return Stop::error(CORRUPTED);
                }
            }
        }
        Ok(histogram.estimate())
    }

    /// Raises each of `registers` to its value here.
    pub fn merge_into(&self, registers: &mut Registers) -> Result<()> {
        if self.encoding() == Encoding::Dense {
            for_each_dense(self.body(), |index, value| {
                registers[index] = registers[index].max(value);
            });
            return Ok(());
        }
        self.for_each_run(|range, value| {
            for register in &mut registers[range] {
                *register = value.max(*register);
            }
        })
    }

    /// Visits the runs of a sparse sketch that are not zero.
    fn for_each_run(&self, mut visit: impl FnMut(std::ops::Range<usize>, u8)) -> Result<()> {
        let mut index = 0;
        for opcode in self.opcodes() {
            let end = index + opcode.run();
            if opcode.value() > 0 {
                if end > REGISTERS {
                    break;
                }
                visit(index..end, opcode.value());
            }
            index = end;
        }
        if index == REGISTERS {
            Ok(())
        } else {
            Stop::error(CORRUPTED)
        }
    }

    /// Raises every register to at least what `registers` has.
    pub fn raise_all(&mut self, registers: &Registers, sparse_max: u64) -> Result<()> {
        for (index, &value) in registers.iter().enumerate().filter(|(_, value)| **value > 0) {
            self.raise(index, value, sparse_max)?;
        }
        Ok(())
    }

    /// Makes a sparse sketch dense; whether it was sparse.
    pub fn make_dense(&mut self) -> Result<bool> {
        if self.encoding() == Encoding::Dense {
            return Ok(false);
        }
        let mut dense = vec![0; DENSE_LEN];
        dense[..HEADER].copy_from_slice(&self.bytes[..HEADER]);
        dense[ENCODING_AT] = 0;
        self.for_each_run(|range, value| {
            for index in range {
                set_dense_register(&mut dense[HEADER..], index, value);
            }
        })?;
        self.bytes = dense;
        Ok(true)
    }
}

/// The sketch at a key, if there is one.
pub fn lookup(txn: &mut Txn, key: Key) -> Result<Option<(Entry, Sketch)>> {
    match string_entry(txn.lookup(key)?)? {
        Some(entry) => {
            let sketch = Sketch::read(txn, &entry)?;
            Ok(Some((entry, sketch)))
        }
        None => Ok(None),
    }
}

/// About how many elements were added to the sketch at the key, and notes it there: for a GET shows it, as in Redis.
pub fn count(txn: &mut Txn, key: Key, entry: &Entry) -> Result<u64> {
    if let Some(count) = Header::read(txn, entry)?.count {
        return Ok(count);
    }
    let mut sketch = Sketch::read(txn, entry)?;
    let count = sketch.count()?;
    sketch.remember_count(count);
    sketch.save(txn, key, Some(entry))?;
    Ok(count)
}

/// Checks that keys hold sketches or nothing, in their order: what comes behind one that holds something else is not told to be
/// missed, as with Redis.
pub fn check<'k>(
    txn: &mut Txn,
    keys: impl Iterator<Item = Key<'k>>,
    entries: &[Option<Entry>],
) -> Result<()> {
    let strings = entries.iter().flatten();
    let mut heads = Vec::new();
    for entry in strings.filter(|entry| string::is_string(entry.header.kind)) {
        heads.push((entry, 0..string::len(entry)?.min(HEADER as u64)));
    }
    string::fetch(txn, heads.into_iter())?;
    for (key, entry) in keys.zip(entries) {
        match entry {
            Some(entry) => drop(Header::read(txn, entry)?),
            None => txn.notify_miss(key),
        }
    }
    Ok(())
}

/// The registers of the union of the sketches, and whether one of them is dense.
pub fn union(txn: &mut Txn, entries: &[Option<Entry>]) -> Result<(Box<Registers>, bool)> {
    let mut registers = Box::new([0; REGISTERS]);
    let mut any_dense = false;
    let mut parts = Vec::new();
    for entry in entries.iter().flatten() {
        parts.push((entry, 0..string::len(entry)?.min(SPARSE_MAX)));
    }
    string::fetch(txn, parts.into_iter())?;
    for entry in entries.iter().flatten() {
        let sketch = Sketch::read(txn, entry)?;
        any_dense |= sketch.encoding() == Encoding::Dense;
        sketch.merge_into(&mut registers)?;
    }
    Ok((registers, any_dense))
}

/// About how many elements raised the registers to these values.
pub fn estimate(registers: &Registers) -> u64 {
    let mut histogram = Histogram::default();
    for &value in registers {
        histogram.add(value, 1);
    }
    histogram.estimate()
}

/// Where a register begins: the byte, and the bit in it.
fn dense_place(index: usize) -> (usize, usize) {
    let bit = index * REGISTER_BITS;
    (bit / 8, bit % 8)
}

fn dense_register(body: &[u8], index: usize) -> u8 {
    let (byte, bit) = dense_place(index);
    let high = body.get(byte + 1).copied().unwrap_or(0);
    (u16::from_le_bytes([body[byte], high]) >> bit) as u8 & REGISTER_MAX
}

fn set_dense_register(body: &mut [u8], index: usize, value: u8) {
    let (byte, bit) = dense_place(index);
    let [mask, high_mask] = (u16::from(REGISTER_MAX) << bit).to_le_bytes();
    let [low, high] = (u16::from(value) << bit).to_le_bytes();
    body[byte] = body[byte] & !mask | low;
    if high_mask != 0 {
        body[byte + 1] = body[byte + 1] & !high_mask | high;
    }
}

/// Visits all registers, four in three bytes at a time.
fn for_each_dense(body: &[u8], mut visit: impl FnMut(usize, u8)) {
    for (group, &[a, b, c]) in body.as_chunks::<3>().0.iter().enumerate() {
        let bits = u32::from_le_bytes([a, b, c, 0]);
        for i in 0..4 {
            visit(group * 4 + i, (bits >> (i * REGISTER_BITS)) as u8 & REGISTER_MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPARSE_LIMIT: u64 = 3000;

    #[test]
    fn an_empty_sketch_is_redis_s() {
        let empty = b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\0\x7f\xff";
        assert_eq!(Sketch::new().bytes, empty);
        assert_eq!(Sketch::new().count().unwrap(), 0);
    }

    #[test]
    fn dense_registers_do_not_touch_each_other() {
        let mut body = vec![0; DENSE_LEN - HEADER];
        let mut model = [0; REGISTERS];
        for round in 0..3usize {
            for (index, value) in model.iter_mut().enumerate() {
                *value = ((index * 7 + round * 13) % 64) as u8;
                set_dense_register(&mut body, index, *value);
            }
            assert!((0..REGISTERS).all(|index| dense_register(&body, index) == model[index]));
            for_each_dense(&body, |index, value| assert_eq!(value, model[index]));
        }
    }

    #[test]
    fn sparse_and_dense_sketches_count_alike() {
        let mut sparse = Sketch::new();
        let mut dense = Sketch::new();
        assert!(dense.make_dense().unwrap());
        for n in 0..3000u32 {
            let element = n.to_string();
            let changed = sparse.add(element.as_bytes(), SPARSE_LIMIT).unwrap();
            assert_eq!(dense.add(element.as_bytes(), 0).unwrap(), changed);
            if n % 100 == 0 {
                assert_eq!(sparse.count().unwrap(), dense.count().unwrap());
            }
        }
        assert_eq!(sparse.encoding(), Encoding::Dense);
        let count = sparse.count().unwrap();
        assert!((2900..3100).contains(&count), "{count}");
    }

    #[test]
    fn broken_sparse_sketches_are_told() {
        let corrupt = |body: &[u8]| {
            let mut sketch = Sketch::new();
            sketch.bytes.truncate(HEADER);
            sketch.bytes.extend_from_slice(body);
            sketch
        };
        for body in [&b""[..], b"\x7f", b"\x7f\xff\x00", b"\x80\x7f\xff"] {
            let mut sketch = corrupt(body);
            assert!(sketch.count().is_err(), "{body:?}");
            assert!(sketch.merge_into(&mut [0; REGISTERS]).is_err(), "{body:?}");
            assert!(sketch.make_dense().is_err(), "{body:?}");
        }
        // As in Redis, only a count minds a run of values behind the last register.
        let mut longer = corrupt(b"\x7f\xff\x80");
        assert!(longer.count().is_err() && longer.make_dense().unwrap());
        assert!(corrupt(b"").add(b"a", SPARSE_LIMIT).is_err());
    }
}
