//! Bytes whose number is to be told before them: in memory while they are few, else in a file without a name.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};

/// How many bytes are kept in memory.
pub const MEMORY: usize = 4 << 20;
/// How many bytes of the file are read at once.
const PIECE: usize = 64 << 10;

/// The bytes so far.
#[derive(Default)]
pub struct Spill {
    memory: Vec<u8>,
    file: Option<BufWriter<File>>,
}

impl Spill {
    /// What is in memory, if all is.
    pub fn memory(&self) -> Option<&[u8]> {
        self.file.is_none().then_some(&self.memory[..])
    }

    /// Room for more, which is told of by [`Spill::settle`].
    pub fn room(&mut self) -> &mut Vec<u8> {
        &mut self.memory
    }

    /// Sees that not too much is in memory.
    pub fn settle(&mut self) -> io::Result<()> {
        if self.memory.len() < MEMORY {
            return Ok(());
        }
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(BufWriter::new(tempfile::tempfile()?)),
        };
        file.write_all(&self.memory)?;
        self.memory.clear();
        Ok(())
    }

    /// Gives all bytes, in pieces, and is empty then.
    pub fn drain(&mut self, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        if let Some(file) = self.file.take() {
            let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.seek(SeekFrom::Start(0))?;
            let mut piece = vec![0; PIECE];
            loop {
                match file.read(&mut piece)? {
                    0 => break,
                    count => take(&piece[..count])?,
                }
            }
        }
        take(&self.memory)?;
        self.memory.clear();
        Ok(())
    }

    /// Appends all of another, which is empty then.
    pub fn append(&mut self, other: &mut Spill) -> io::Result<()> {
        other.drain(|piece| {
            self.memory.extend_from_slice(piece);
            self.settle()
        })
    }
}
