//! RocksDB's log files (its write-ahead logs and MANIFESTs), as far as it takes to tell an end that was cut off, as a crash
//! does it, from damage in the middle. RocksDB itself takes both for the end.
//!
//! ```text
//! file    := block*                                      all but the last of BLOCK bytes
//! block   := record* zero*                               at the end zeros, where no head has room
//! record  := checksum:u32 le length:u16 le type:u8 [log:u32 le] byte*length
//! ```
//!
//! The checksum is of all behind the length, and masked. What a write-ahead log has is a batch in one record, or in several in
//! a row: then the first says so by its type. A batch begins with the number of its first change and how many it has.
//!
//! ```text
//! batch   := first:u64 le count:u32 le ...
//! ```
//!
//! (Source: `db/log_format.h`, `util/crc32c.h` and `db/write_batch.cc` of RocksDB 11.8.)

use std::fs;
use std::io;
use std::path::Path;

const BLOCK: usize = 32 << 10;
const HEAD: usize = 7;
/// Types from 5 to 8, and odd ones above 129, are of files that are used again: they have the number of the log, too.
const RECYCLED: std::ops::RangeInclusive<u8> = 5..=8;
const RECYCLED_HEAD: usize = HEAD + 4;
/// Types of records that a batch begins in: a whole one, and the first of several.
const BEGINS_A_BATCH: [u8; 2] = [1, 2];
const MASK: u32 = 0xa282_ead8;

/// What a log file holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Scan {
    /// Bytes of the file.
    pub length: u64,
    /// Where the first part of it that is no whole record begins; the length, if there is none.
    pub whole: u64,
    /// Where behind that a whole record begins: so what lies between is not the end, but damage.
    pub resumes: Option<u64>,
    /// If it is a write-ahead log: the number of the first change in it, and the one that the next change will have.
    pub changes: Option<(u64, u64)>,
}

/// Reads a whole file, and says how much of it is whole.
///
/// # Errors
/// The file cannot be read; what is damaged in it is no error.
pub fn scan(path: &Path) -> io::Result<Scan> {
    Ok(scan_bytes(&fs::read(path)?))
}

fn scan_bytes(file: &[u8]) -> Scan {
    let mut whole = 0;
    let mut at = 0;
    let mut changes = None;
    while let Some(end) = record_end(file, at) {
        if BEGINS_A_BATCH.contains(&file[at + HEAD - 1])
            && let Some((first, next)) = batch(&file[at + HEAD..end])
        {
            changes = Some((changes.map_or(first, |(first, _)| first), next));
        }
        at = past_padding(end);
        whole = end;
    }
    let is_over = at >= file.len() || file[at..].iter().all(|&byte| byte == 0);
    Scan {
        length: file.len() as u64,
        // What is zero was written as something else, or never: it is no part of a record.
        whole: whole.max(if at >= file.len() { file.len() } else { 0 }) as u64,
        resumes: if is_over { None } else { next_record(file, at) },
        changes,
    }
}

/// The number of a batch's first change, and the one behind its last.
fn batch(bytes: &[u8]) -> Option<(u64, u64)> {
    let (first, rest) = bytes.split_first_chunk()?;
    let first = u64::from_le_bytes(*first);
    let count = u32::from_le_bytes(*rest.first_chunk()?);
    Some((first, first.saturating_add(u64::from(count))))
}

/// Where the whole record that begins at `at` ends, if there is one.
fn record_end(file: &[u8], at: usize) -> Option<usize> {
    let block_end = (at / BLOCK + 1) * BLOCK;
    let head = file.get(at..at + HEAD)?;
    let kind = head[6];
    let head_len = match is_recycled(kind) {
        true => RECYCLED_HEAD,
        false => HEAD,
    };
    let end = at + head_len + usize::from(u16::from_le_bytes([head[4], head[5]]));
    if kind == 0 || end > block_end {
        return None;
    }
    let checked = file.get(at + HEAD - 1..end)?;
    let expected = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
    (masked(crc32c::crc32c(checked)) == expected).then_some(end)
}

fn is_recycled(kind: u8) -> bool {
    RECYCLED.contains(&kind) || kind == 11 || kind == 131
}

fn masked(checksum: u32) -> u32 {
    checksum.rotate_right(15).wrapping_add(MASK)
}

/// The end of a block is left out where no head has room.
fn past_padding(at: usize) -> usize {
    match BLOCK - at % BLOCK {
        left if left < HEAD => at + left,
        _ => at,
    }
}

/// The first whole record behind a part that is none: anywhere in the same block, or where a later one begins.
fn next_record(file: &[u8], bad: usize) -> Option<u64> {
    let block_end = (bad / BLOCK + 1) * BLOCK;
    let mut candidates = (bad + 1..block_end.min(file.len())).chain((block_end..file.len()).step_by(BLOCK));
    candidates
        .find(|&at| record_end(file, at).is_some())
        .map(|at| at as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::Random;
    use rocksdb::{DB, Options};

    /// A log that RocksDB wrote: of short records, and of some that are longer than a block.
    fn log() -> Vec<u8> {
        let dir = tempfile::tempdir().unwrap();
        let mut options = Options::default();
        options.create_if_missing(true);
        let db = DB::open(&options, dir.path()).unwrap();
        for n in 0..2000u32 {
            let length = if n % 500 == 7 { 100_000 } else { 50 };
            db.put(n.to_be_bytes(), vec![n as u8; length]).unwrap();
        }
        let files = fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let path = files
            .filter(|path| path.extension().is_some_and(|e| e == "log"))
            .max()
            .unwrap();
        fs::read(path).unwrap()
    }

    #[test]
    fn a_whole_log_is_whole_and_one_that_was_cut_just_ends() {
        let log = log();
        let length = log.len() as u64;
        assert_eq!(
            scan_bytes(&log),
            Scan {
                length,
                whole: length,
                resumes: None,
                changes: Some((1, 2001)),
            }
        );
        let mut random = Random::from_seed(1);
        for _ in 0..300 {
            let cut = random.below(length) as usize;
            let scan = scan_bytes(&log[..cut]);
            assert_eq!((scan.length, scan.resumes), (cut as u64, None), "{cut}");
            assert!(scan.whole <= cut as u64);
        }
        // Room that was taken beforehand.
        assert_eq!(scan_bytes(&[&log[..], &[0; 100_000]].concat()).resumes, None);
    }

    #[test]
    fn a_flipped_bit_is_damage_unless_it_is_in_the_last_record() {
        let log = log();
        let last = scan_bytes(&log[..log.len() - 1]).whole as usize;
        let mut random = Random::from_seed(2);
        let mut damaged = 0;
        for _ in 0..1000 {
            let (at, bit) = (random.below(last as u64) as usize, random.below(8));
            let mut bad = log.clone();
            bad[at] ^= 1 << bit;
            let scan = scan_bytes(&bad);
            // The zeros at the end of a block are of no importance.
            damaged += u32::from(scan.resumes.is_some_and(|resumes| resumes > scan.whole));
            assert!(
                scan.resumes.is_some() || scan.whole == log.len() as u64,
                "{at} {bit}: {scan:?}"
            );
        }
        assert!(damaged > 990, "{damaged}");
        let mut bad = log.clone();
        bad[last + HEAD] ^= 1;
        assert_eq!(scan_bytes(&bad).resumes, None);
        assert_eq!(scan_bytes(&bad).whole, last as u64);
    }

    #[test]
    fn a_part_that_was_cleared_is_damage() {
        let log = log();
        for range in [0..4096, 40_000..50_000, 0..BLOCK] {
            let mut bad = log.clone();
            bad[range].fill(0);
            assert!(scan_bytes(&bad).resumes.is_some());
        }
    }
}
