//! What changed in a record, where that is less to write than the record: RocksDB's merge operands.
//!
//! ```text
//! operand := splice+                                     each changes what those before it made of the record
//! splice  := at:varint removed:varint added:cell         at byte `at`, so many bytes give way to others
//! ```
//!
//! (`varint` and `cell` as `disk/cells.rs` has them.) A record is its last whole value and the operands written after it.
//! Reading applies them; so does compaction, and what it writes is whole again.

use rocksdb::MergeOperands;

use super::cells::{Reader, push_cell, push_varint};
use super::format::Malformed;

/// Shorter records are always written whole: their bytes are not what a write costs.
const MIN_RECORD: usize = 192;

const OUT_OF_RANGE: Malformed = Malformed("a change reaches beyond its record");

/// The operand that makes `new` of `old`, unless writing the record whole is about as good.
pub fn between(old: &[u8], new: &[u8]) -> Option<Vec<u8>> {
    if old.len() < MIN_RECORD || new.len() < MIN_RECORD {
        return None;
    }
    let at = shared_prefix(old, new);
    let tail = shared_suffix(&old[at..], &new[at..]);
    let added = &new[at..new.len() - tail];
    if added.len() > new.len() / 2 {
        return None;
    }
    let mut operand = Vec::with_capacity(added.len() + 8);
    push_varint(&mut operand, at as u64);
    push_varint(&mut operand, (old.len() - tail - at) as u64);
    push_cell(&mut operand, added);
    Some(operand)
}

const WORD: usize = size_of::<u64>();

fn shared_prefix(a: &[u8], b: &[u8]) -> usize {
    let (words_a, words_b) = (a.as_chunks::<WORD>().0, b.as_chunks::<WORD>().0);
    let words = words_a.iter().zip(words_b).take_while(|(a, b)| a == b).count();
    let rest = a[words * WORD..].iter().zip(&b[words * WORD..]);
    words * WORD + rest.take_while(|(a, b)| a == b).count()
}

fn shared_suffix(a: &[u8], b: &[u8]) -> usize {
    let (words_a, words_b) = (a.as_rchunks::<WORD>().1, b.as_rchunks::<WORD>().1);
    let words = words_a.iter().rev().zip(words_b.iter().rev());
    let shared = WORD * words.take_while(|(a, b)| a == b).count();
    let rest = a[..a.len() - shared]
        .iter()
        .rev()
        .zip(b[..b.len() - shared].iter().rev());
    shared + rest.take_while(|(a, b)| a == b).count()
}

/// Changes a record as an operand says.
pub(super) fn apply(record: &mut Vec<u8>, operand: &[u8]) -> Result<(), Malformed> {
    let mut reader = Reader(operand);
    while !reader.is_empty() {
        let at = usize::try_from(reader.varint()?).map_err(|_| OUT_OF_RANGE)?;
        let removed = usize::try_from(reader.varint()?).map_err(|_| OUT_OF_RANGE)?;
        let end = at.checked_add(removed).ok_or(OUT_OF_RANGE)?;
        if end > record.len() {
            return Err(OUT_OF_RANGE);
        }
        record.splice(at..end, reader.cell()?.iter().copied());
    }
    Ok(())
}

/// RocksDB's full merge. `None` is an error of whoever reads the record.
pub(super) fn merge(_key: &[u8], record: Option<&[u8]>, operands: &MergeOperands) -> Option<Vec<u8>> {
    let mut record = record?.to_vec();
    for operand in operands {
        apply(&mut record, operand).ok()?;
    }
    Some(record)
}

/// RocksDB's partial merge: operands in a row are one operand.
pub(super) fn join(_key: &[u8], _none: Option<&[u8]>, operands: &MergeOperands) -> Option<Vec<u8>> {
    Some(operands.iter().flatten().copied().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::Random;

    #[test]
    fn an_operand_makes_the_new_record_of_the_old_one() {
        let mut random = Random::from_seed(1);
        let mut below = |n: usize| random.below(n as u64 + 1) as usize;
        let mut written = 0;
        for _ in 0..2000 {
            let old: Vec<u8> = (0..below(600)).map(|_| b'a' + below(2) as u8).collect();
            let mut new = old.clone();
            for _ in 0..1 + below(1) {
                let from = below(new.len());
                let to = (from + below(40)).min(new.len());
                let added = vec![b'a' + below(2) as u8; below(40)];
                new.splice(from..to, added);
            }
            if let Some(operand) = between(&old, &new) {
                let mut made = old.clone();
                assert_eq!(apply(&mut made, &operand), Ok(()));
                assert_eq!(made, new);
                assert!(operand.len() < new.len() / 2 + 16);
                written += 1;
            }
        }
        assert!(written > 500, "{written}");
    }

    #[test]
    fn a_record_that_has_little_left_of_it_is_written_whole() {
        assert_eq!(between(&[1; 100], &[1; 101]), None);
        assert_eq!(between(&[1; 1000], &[2; 1000]), None);
        assert_eq!(between(&[1; 1000], &[1; 10]), None);
    }

    #[test]
    fn an_operand_of_another_record_is_an_error() {
        let operand = between(&[1; 1000], &[1; 999]).expect("an operand");
        for record in [&[1; 200][..], b""] {
            assert_eq!(apply(&mut record.to_vec(), &operand), Err(OUT_OF_RANGE));
        }
        let damaged = &operand[..operand.len() - 1];
        assert!(apply(&mut vec![1; 1000], damaged).is_err());
    }
}
