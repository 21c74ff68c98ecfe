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
/// So many bytes that stayed what they were end a splice: another one costs about as much.
const GAP: usize = 4;

const OUT_OF_RANGE: Malformed = Malformed("a change reaches beyond its record");

/// Where a record differs from the one that was made of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Splice {
    /// Up to here they are the same.
    pub at: usize,
    /// So many bytes of the old one have given way to so many of the new one.
    pub removed: usize,
    /// See `removed`.
    pub added: usize,
}

/// What is known of how a record differs from the one that was made of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Known {
    /// The two have to be compared.
    Nothing,
    /// They differ in one place.
    Splice(Splice),
    /// It is made of three parts, which differ each for itself: where the first two end, in the old record and in the new
    /// one.
    Parts([(usize, usize); 2]),
    /// Bytes were taken out here and there, and nothing else.
    Removals,
}

impl Known {
    /// The operand that makes `new` of `old`, unless writing the record whole is about as good. It takes the place of what
    /// is in `operand`.
    pub fn operand<'o>(self, old: &[u8], new: &[u8], operand: &'o mut Vec<u8>) -> Option<&'o [u8]> {
        if old.len() < MIN_RECORD || new.len() < MIN_RECORD {
            return None;
        }
        operand.clear();
        match self {
            Known::Splice(Splice { at, removed, added }) => {
                push_change(operand, at, &old[at..][..removed], &new[at..][..added]);
            }
            Known::Parts(ends) => {
                let (mut from, ends) = ((0, 0), ends.into_iter().chain([(old.len(), new.len())]));
                for to in ends {
                    push_difference(operand, from.1, &old[from.0..to.0], &new[from.1..to.1]);
                    from = to;
                }
            }
            Known::Removals => push_removals(operand, old, new)?,
            Known::Nothing => push_difference(operand, 0, old, new),
        }
        #[cfg(test)]
        assert!(tests::makes(operand, old, new), "{self:?}");
        (operand.len() <= new.len() / 2).then_some(operand)
    }
}

/// What makes `new` of `old` by taking bytes out, where that is found.
fn push_removals(operand: &mut Vec<u8>, mut old: &[u8], new: &[u8]) -> Option<()> {
    let mut at = 0;
    loop {
        let same = shared_prefix(old, &new[at..]);
        (old, at) = (&old[same..], at + same);
        let removed = if at == new.len() {
            old.len()
        } else {
            // Eight bytes that are the same are taken for the place where the records go on together.
            let next = u64::from_ne_bytes(*new[at..].first_chunk()?);
            let mut words = old.windows(8).filter_map(|word| word.first_chunk());
            words.position(|word| u64::from_ne_bytes(*word) == next)?
        };
        if removed > 0 {
            push_splice(operand, at, removed, b"");
        }
        if at == new.len() {
            return Some(());
        }
        old = &old[removed..];
    }
}

/// What makes `new` of `old`, bytes of a record from `at` on: one place where they differ.
fn push_difference(operand: &mut Vec<u8>, at: usize, old: &[u8], new: &[u8]) {
    let from = shared_prefix(old, new);
    let (old, new) = (&old[from..], &new[from..]);
    let tail = shared_suffix(old, new);
    push_change(
        operand,
        at + from,
        &old[..old.len() - tail],
        &new[..new.len() - tail],
    );
}

fn push_change(operand: &mut Vec<u8>, at: usize, removed: &[u8], added: &[u8]) {
    match removed.len() == added.len() {
        true => push_runs(operand, at, removed, added),
        false => push_splice(operand, at, removed.len(), added),
    }
}

fn push_splice(operand: &mut Vec<u8>, at: usize, removed: usize, added: &[u8]) {
    push_varint(operand, at as u64);
    push_varint(operand, removed as u64);
    push_cell(operand, added);
}

/// A splice for each run of bytes that changed in place.
fn push_runs(operand: &mut Vec<u8>, at: usize, old: &[u8], new: &[u8]) {
    let (mut from, mut to) = (shared_prefix(old, new), 0);
    while from < old.len() {
        // What differs up to `to`, and begins to differ again at `next`.
        to = to.max(from) + 1;
        let next = to + shared_prefix(&old[to..], &new[to..]);
        if next > to + GAP || next == old.len() {
            push_splice(operand, at + from, to - from, &new[from..to]);
            from = next;
        }
        to = next;
    }
}

fn shared_prefix(a: &[u8], b: &[u8]) -> usize {
    fn chunks<const N: usize>(a: &[u8], b: &[u8], from: usize) -> usize {
        let pairs = a[from..].as_chunks::<N>().0.iter().zip(b[from..].as_chunks().0);
        from + N * pairs.take_while(|(a, b)| a == b).count()
    }
    let blocks = chunks::<32>(a, b, 0);
    let words = chunks::<8>(a, b, blocks);
    chunks::<1>(a, b, words)
}

fn shared_suffix(a: &[u8], b: &[u8]) -> usize {
    fn chunks<const N: usize>(a: &[u8], b: &[u8], from: usize) -> usize {
        let (a, b) = (&a[..a.len() - from], &b[..b.len() - from]);
        let pairs = a
            .as_rchunks::<N>()
            .1
            .iter()
            .rev()
            .zip(b.as_rchunks().1.iter().rev());
        from + N * pairs.take_while(|(a, b)| a == b).count()
    }
    let blocks = chunks::<32>(a, b, 0);
    let words = chunks::<8>(a, b, blocks);
    chunks::<1>(a, b, words)
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
        let added = reader.cell()?;
        match removed == added.len() {
            true => record[at..end].copy_from_slice(added),
            false => drop(record.splice(at..end, added.iter().copied())),
        }
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

    fn between<'o>(old: &[u8], new: &[u8], scratch: &'o mut Vec<u8>) -> Option<&'o [u8]> {
        Known::Nothing.operand(old, new, scratch)
    }

    pub fn makes(operand: &[u8], old: &[u8], new: &[u8]) -> bool {
        let mut made = old.to_vec();
        apply(&mut made, operand) == Ok(()) && made == new
    }

    #[test]
    fn an_operand_makes_the_new_record_of_the_old_one() {
        let mut random = Random::from_seed(1);
        let mut below = |n: usize| random.below(n as u64 + 1) as usize;
        let (mut written, mut scratch) = (0, Vec::new());
        for _ in 0..2000 {
            let old: Vec<u8> = (0..below(600)).map(|_| b'a' + below(2) as u8).collect();
            let mut new = old.clone();
            for _ in 0..1 + below(1) {
                let from = below(new.len());
                let to = (from + below(40)).min(new.len());
                let added = vec![b'a' + below(2) as u8; below(40)];
                new.splice(from..to, added);
            }
            if let Some(operand) = between(&old, &new, &mut scratch) {
                assert!(makes(operand, &old, &new));
                assert!(operand.len() < new.len() / 2 + 16);
                written += 1;
            }
        }
        assert!(written > 500, "{written}");
    }

    #[test]
    fn a_page_that_loses_entries_all_over_is_not_written_whole() {
        let mut random = Random::from_seed(2);
        for _ in 0..200 {
            let entries: Vec<Vec<u8>> = (0..40)
                .map(|n| format!("member {n} {}", random.below(1 << 40)).into_bytes())
                .collect();
            let stays = entries.iter().filter(|_| random.below(2) == 0);
            let new = stays.flatten().copied().collect::<Vec<u8>>();
            let mut scratch = Vec::new();
            let operand = Known::Removals.operand(&entries.concat(), &new, &mut scratch);
            let operand = operand.expect("an operand");
            assert!(operand.len() < 6 * entries.len(), "{}", operand.len());
        }
    }

    #[test]
    fn parts_that_change_each_for_itself_are_a_splice_each() {
        let old = [[1; 300], [2; 300], [3; 300]];
        let new = [&[1, 1][..], &[1; 300], &[2; 300], &[9], &[3; 299]].concat();
        let known = Known::Parts([(300, 302), (600, 602)]);
        let mut scratch = Vec::new();
        let operand = known.operand(&old.concat(), &new, &mut scratch);
        assert!(operand.is_some_and(|operand| operand.len() < 12));
    }

    #[test]
    fn a_record_that_has_little_left_of_it_is_written_whole() {
        let scratch = &mut Vec::new();
        assert_eq!(between(&[1; 100], &[1; 101], scratch), None);
        assert_eq!(between(&[1; 1000], &[2; 1000], scratch), None);
        assert_eq!(between(&[1; 1000], &[1; 10], scratch), None);
    }

    #[test]
    fn an_operand_of_another_record_is_an_error() {
        let scratch = &mut Vec::new();
        let operand = between(&[1; 1000], &[1; 999], scratch).expect("an operand");
        for record in [&[1; 200][..], b""] {
            assert_eq!(apply(&mut record.to_vec(), operand), Err(OUT_OF_RANGE));
        }
        let damaged = &operand[..operand.len() - 1];
        assert!(apply(&mut vec![1; 1000], damaged).is_err());
    }
}
