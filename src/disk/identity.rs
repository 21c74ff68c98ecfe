//! The file `STORE` of a data directory: which store it is, and how much of it is known to be on stable storage.
//!
//! ```text
//! file := slot slot                                      the valid one with the higher count counts
//! slot := "redkeep store\n" state:u8 0 id:u64 be count:u64 be boot:16 bytes
//!         synced:u64 be log:u64 be manifest:u64 be length:u64 be 0* checksum:u32 be        SLOT bytes in all
//! state := 1 being made | 2 ready
//! ```
//!
//! `boot` is the run of the machine in which it was written. Commits up to position `synced` of the journal are on stable
//! storage; so are the log file of number `log`, unless RocksDB's MANIFEST says that nothing in it is needed, and the first
//! `length` bytes of the MANIFEST of number `manifest`, unless CURRENT names a later one.
//!
//! What is noted is true when it is written, and never hastens: so it is not synced itself, and what a loss of power leaves
//! is still true, only older.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::base::random::Random;

/// The file's name.
pub const NAME: &str = "STORE";
const MAGIC: &[u8; 14] = b"redkeep store\n";
/// A sector: written whole or not at all.
const SLOT: usize = 512;
const CHECKSUM_AT: usize = SLOT - 4;
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// A run of the machine, from one start of its kernel to the next. Zeros where the system does not tell.
pub type Boot = [u8; 16];

/// How far the store has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// Nothing in it was ever acknowledged.
    BeingMade = 1,
    /// What it holds may have been acknowledged.
    Ready = 2,
}

/// What is known to be on stable storage.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Known {
    /// Commits up to this position of the journal are.
    pub synced: u64,
    /// The log with this number is, unless the MANIFEST says that nothing in it is needed.
    pub log: u64,
    /// Of the MANIFEST with this number, unless CURRENT names a later one, ...
    pub manifest: u64,
    /// ... so many bytes are.
    pub manifest_length: u64,
}

/// What the file says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Identity {
    /// How far the store has come.
    pub state: State,
    /// Never 0.
    pub id: u64,
    count: u64,
    /// The run of the machine in which the file was last written.
    pub boot: Boot,
    /// What is known to be on stable storage.
    pub known: Known,
}

impl Identity {
    /// Of a store that is to be made.
    pub fn new() -> Identity {
        Identity {
            state: State::BeingMade,
            id: Random::new().next_u64().max(1),
            count: 0,
            boot: boot(),
            known: Known::default(),
        }
    }

    /// `None`: there is no such file. An error of kind `InvalidData`: it is damaged.
    pub fn read(dir: &Path) -> io::Result<Option<Identity>> {
        let bytes = match fs::read(dir.join(NAME)) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e),
        };
        let slots = bytes.chunks(SLOT).filter_map(Identity::decode);
        match slots.max_by_key(|identity| identity.count) {
            Some(identity) => Ok(Some(identity)),
            None => Err(io::Error::new(io::ErrorKind::InvalidData, "it is damaged")),
        }
    }

    /// What the journal's records of this store are marked with.
    pub fn tag(&self) -> [u8; 4] {
        ((self.id >> 32) as u32 ^ self.id as u32).to_be_bytes()
    }

    fn encode(&self) -> [u8; SLOT] {
        let mut slot = [0; SLOT];
        let Known {
            synced,
            log,
            manifest,
            manifest_length,
        } = self.known;
        let numbers = [synced, log, manifest, manifest_length].map(u64::to_be_bytes);
        let parts: [&[u8]; 6] = [
            MAGIC,
            &[self.state as u8, 0],
            &self.id.to_be_bytes(),
            &self.count.to_be_bytes(),
            &self.boot,
            numbers.as_flattened(),
        ];
        let all = parts.concat();
        slot[..all.len()].copy_from_slice(&all);
        let checksum = crc32c::crc32c(&slot[..CHECKSUM_AT]);
        slot[CHECKSUM_AT..].copy_from_slice(&checksum.to_be_bytes());
        slot
    }

    fn decode(slot: &[u8]) -> Option<Identity> {
        let (head, checksum) = slot.split_at_checked(CHECKSUM_AT)?;
        if checksum != crc32c::crc32c(head).to_be_bytes() {
            return None;
        }
        let (state, rest) = head.strip_prefix(MAGIC)?.split_at_checked(2)?;
        let number = |at: usize| Some(u64::from_be_bytes(*rest.get(at..)?.first_chunk()?));
        Some(Identity {
            state: match state {
                [1, 0] => State::BeingMade,
                [2, 0] => State::Ready,
                _ => return None,
            },
            id: number(0)?,
            count: number(8)?,
            boot: *rest.get(16..)?.first_chunk()?,
            known: Known {
                synced: number(32)?,
                log: number(40)?,
                manifest: number(48)?,
                manifest_length: number(56)?,
            },
        })
    }
}

/// What is noted of a store, and the file for it once it may be written.
pub struct Notes {
    file: Option<File>,
    identity: Identity,
}

impl Notes {
    /// Nothing is written before [`Notes::begin`].
    pub fn of(identity: Identity) -> Notes {
        Notes { file: None, identity }
    }

    /// Opens the file, or makes it, and has it say what is known. On stable storage when it returns.
    ///
    /// # Errors
    /// The file cannot be written or synced.
    pub fn begin(&mut self, dir: &Path, state: State) -> io::Result<()> {
        let path = dir.join(NAME);
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)?;
        self.file = Some(file);
        (self.identity.state, self.identity.boot) = (state, boot());
        // Both slots, so that its length is what it will always be.
        self.write()?;
        self.write()?;
        self.sync()?;
        File::open(dir)?.sync_all()
    }

    /// What is known at present.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Changes what is known, and notes it if the file is open.
    ///
    /// # Errors
    /// The file cannot be written; what is known has changed nevertheless.
    pub fn note(&mut self, change: impl FnOnce(&mut Known)) -> io::Result<()> {
        let before = self.identity.known;
        change(&mut self.identity.known);
        match self.identity.known == before {
            true => Ok(()),
            false => self.write(),
        }
    }

    fn write(&mut self) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        self.identity.count += 1;
        let at = self.identity.count % 2 * SLOT as u64;
        file.write_all_at(&self.identity.encode(), at)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.as_ref().map_or(Ok(()), File::sync_all)
    }
}

/// The present run of the machine.
pub fn boot() -> Boot {
    let text = fs::read_to_string(BOOT_ID).unwrap_or_default();
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let mut boot = Boot::default();
    for (byte, pair) in boot.iter_mut().zip(digits.chunks(2)) {
        let pair = str::from_utf8(pair).ok();
        *byte = pair
            .and_then(|pair| u8::from_str_radix(pair, 16).ok())
            .unwrap_or(0);
    }
    boot
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_last_is_read_and_one_lost_write_leaves_the_one_before() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Identity::read(dir.path()).unwrap().is_none());
        let mut notes = Notes::of(Identity::new());
        notes.note(|known| known.log = 7).unwrap();
        assert!(Identity::read(dir.path()).unwrap().is_none());
        for state in [State::BeingMade, State::Ready] {
            notes.begin(dir.path(), state).unwrap();
            assert_eq!(Identity::read(dir.path()).unwrap().unwrap().state, state);
        }
        for synced in 1..5 {
            notes.note(|known| known.synced = synced).unwrap();
            let read = Identity::read(dir.path()).unwrap().unwrap();
            assert_eq!(read, *notes.identity());
            assert_eq!(
                (read.known.synced, read.known.log, read.boot),
                (synced, 7, boot())
            );
        }
        let path = dir.path().join(NAME);
        let whole = fs::read(&path).unwrap();
        assert_eq!(whole.len(), 2 * SLOT);
        for at in [0, 20, 100, CHECKSUM_AT] {
            let mut slots = [(); 2].map(|()| whole.clone());
            slots[0][at] ^= 1;
            slots[1][SLOT + at] ^= 1;
            let read = slots.map(|bytes| {
                fs::write(&path, bytes).unwrap();
                Identity::read(dir.path()).unwrap().unwrap().known.synced
            });
            assert!(read == [3, 4] || read == [4, 3], "{read:?}");
        }
    }

    #[test]
    fn a_damaged_file_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        for bytes in [&b""[..], &[0; 2 * SLOT], &[b'x'; 100]] {
            fs::write(dir.path().join(NAME), bytes).unwrap();
            let error = Identity::read(dir.path()).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        }
    }
}
