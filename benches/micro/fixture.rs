//! A store in a temporary directory, and requests.

use std::ops::{Deref, DerefMut};

use redkeep::facade::measured::Commands;
use tempfile::TempDir;

use crate::common::{push_argument, write_digits};

pub const VALUE_SIZE: usize = 100;

/// `key:` and twelve digits.
pub fn key(number: u64) -> [u8; 16] {
    let mut key = *b"key:000000000000";
    write_digits(&mut key[4..], number);
    key
}

pub fn request(args: &[&[u8]]) -> Vec<u8> {
    let mut request = format!("*{}\r\n", args.len()).into_bytes();
    args.iter().for_each(|arg| push_argument(&mut request, arg));
    request
}

/// A store that lives as long as its directory.
pub struct Fixture {
    commands: Commands,
    _dir: TempDir,
}

impl Fixture {
    pub fn new(synced: bool) -> Fixture {
        let dir = tempfile::tempdir().expect("a temporary directory");
        Fixture {
            commands: Commands::new(dir.path(), synced),
            _dir: dir,
        }
    }
}

impl Deref for Fixture {
    type Target = Commands;

    fn deref(&self) -> &Commands {
        &self.commands
    }
}

impl DerefMut for Fixture {
    fn deref_mut(&mut self) -> &mut Commands {
        &mut self.commands
    }
}
