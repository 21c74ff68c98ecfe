//! What a connection has read and not run yet.
//!
//! Most connections are quiet, and those that are not mostly send whole requests. So what is read goes into a chunk that is
//! lent for the turn, the same few for all connections of the executor; only a request that is not whole, or has to wait,
//! is kept, in memory of the connection's own.

use std::cell::{Cell, RefCell};

/// A lent chunk. What is read at once, mostly.
const CHUNK: usize = 16 << 10;
/// Chunks that there are, mostly. More are taken when a turn needs one, and not kept.
const CHUNKS: usize = 128;
/// Longer requests grow by half of what there is of them, shorter ones to twice as much.
const LARGE: usize = 1 << 20;

/// The executor's chunks.
#[derive(Default)]
pub struct Chunks {
    free: RefCell<Vec<Vec<u8>>>,
    lent: Cell<usize>,
}

impl Chunks {
    fn lend(&self) -> Vec<u8> {
        self.lent.set(self.lent.get() + 1);
        let free = self.free.borrow_mut().pop();
        free.unwrap_or_else(|| Vec::with_capacity(CHUNK))
    }

    fn take_back(&self, mut chunk: Vec<u8>) {
        self.give_away();
        let mut free = self.free.borrow_mut();
        if self.lent.get() + free.len() < CHUNKS {
            chunk.clear();
            free.push(chunk);
        }
    }

    /// A chunk that was lent is the connection's own now.
    fn give_away(&self) {
        self.lent.set(self.lent.get() - 1);
    }

    /// Whether so many are lent that nobody should keep one beyond its turn.
    pub fn are_scarce(&self) -> bool {
        self.lent.get() > CHUNKS / 2
    }
}

/// What a client has sent, and is not through.
#[derive(Default)]
pub struct Input {
    bytes: Vec<u8>,
    /// Everything before is done with.
    start: usize,
    /// Whether `bytes` is a chunk of the executor's.
    is_lent: bool,
}

impl Input {
    /// What is still to be run.
    pub fn rest(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// Bytes that are still to be run.
    pub fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// Bytes at the head of the rest are done with.
    pub fn consume(&mut self, bytes: usize) {
        self.start += bytes;
        debug_assert!(self.start <= self.bytes.len());
    }

    /// Memory of the connection's own.
    pub fn memory(&self) -> usize {
        if self.is_lent { 0 } else { self.bytes.capacity() }
    }

    /// Makes room for the next read, when at least `missing` bytes of a request are. If that takes memory of the connection's
    /// own, nothing is done, and it is said how much: call [`Input::grow`].
    pub fn make_room(&mut self, chunks: &Chunks, missing: usize) -> usize {
        let len = self.len();
        if len <= CHUNK / 2 && !self.is_lent && self.bytes.capacity() <= CHUNK {
            let mut chunk = chunks.lend();
            chunk.extend_from_slice(self.rest());
            (self.bytes, self.start, self.is_lent) = (chunk, 0, true);
        }
        let wanted = missing.min(CHUNK / 2);
        if self.start > 0 && self.bytes.capacity() - self.bytes.len() < CHUNK / 2 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        if self.bytes.capacity() - self.bytes.len() >= wanted {
            return 0;
        }
        let by_half = if len < LARGE { len } else { LARGE.max(len / 2) };
        let step = by_half.max(CHUNK);
        // The end of an argument is an end to reach; a few bytes are only the next of many.
        if missing < CHUNK { step } else { step.min(missing) }
    }

    /// Takes memory for `bytes` more than there are.
    pub fn grow(&mut self, chunks: &Chunks, bytes: usize) {
        if self.is_lent {
            let mut own = Vec::with_capacity(self.len() + bytes);
            own.extend_from_slice(self.rest());
            chunks.take_back(std::mem::replace(&mut self.bytes, own));
            self.is_lent = false;
        } else {
            self.bytes.drain(..self.start);
            self.bytes.reserve_exact(bytes);
        }
        self.start = 0;
    }

    /// Where the next bytes go: behind what is there, into the room made.
    pub fn room(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Gives back what was lent: nothing of it will be run.
    pub fn forget(&mut self, chunks: &Chunks) {
        self.start = self.bytes.len();
        self.settle(chunks);
    }

    /// The turn is over: what was lent is given back, and what is left takes about as much memory as it has bytes.
    pub fn settle(&mut self, chunks: &Chunks) {
        let len = self.len();
        let fits = len > CHUNK / 2 && self.bytes.capacity() <= 2 * len + CHUNK;
        let is_exact = !self.is_lent && self.bytes.capacity() == len;
        if fits {
            if std::mem::take(&mut self.is_lent) {
                chunks.give_away();
            }
        } else if !is_exact {
            let own = self.rest().to_vec();
            let bytes = std::mem::replace(&mut self.bytes, own);
            if std::mem::take(&mut self.is_lent) {
                chunks.take_back(bytes);
            }
            self.start = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads so many bytes; returns how much memory that took beyond what was there.
    fn read(input: &mut Input, chunks: &Chunks, missing: usize, at_most: usize) -> usize {
        let more = input.make_room(chunks, missing);
        if more > 0 {
            input.grow(chunks, more);
        }
        let room = input.room();
        let n = at_most.min(room.capacity() - room.len());
        assert!(n > 0);
        room.extend((0..n).map(|n| n as u8));
        n
    }

    #[test]
    fn what_is_empty_has_no_memory() {
        let (mut input, chunks) = (Input::default(), Chunks::default());
        for _ in 0..3 {
            read(&mut input, &chunks, 1, 100);
            assert_eq!((input.memory(), input.len()), (0, 100));
            input.consume(100);
            input.settle(&chunks);
            assert_eq!(input.bytes.capacity(), 0);
            assert_eq!(chunks.free.borrow().len(), 1);
        }
    }

    #[test]
    fn what_is_lent_comes_back_however_it_ends() {
        let chunks = Chunks::default();
        for len in [1, 100, CHUNK / 2, CHUNK / 2 + 1, CHUNK] {
            for more in [0, 1, CHUNK, 10 * CHUNK] {
                let mut input = Input::default();
                read(&mut input, &chunks, 1, len);
                assert_eq!(chunks.lent.get(), 1);
                if more > 0 {
                    read(&mut input, &chunks, more, more);
                }
                if more == 1 {
                    input.settle(&chunks);
                }
                input.forget(&chunks);
                assert_eq!((chunks.lent.get(), input.memory()), (0, 0));
            }
        }
        let mut inputs: Vec<Input> = (0..2 * CHUNKS).map(|_| Input::default()).collect();
        for input in &mut inputs {
            read(input, &chunks, 1, 10);
        }
        assert!(chunks.are_scarce());
        for input in &mut inputs {
            input.settle(&chunks);
            assert_eq!(input.memory(), 10);
        }
        assert!(!chunks.are_scarce() && chunks.free.borrow().len() <= CHUNKS);
    }

    #[test]
    fn a_rest_is_kept_in_as_much_memory() {
        let (mut input, chunks) = (Input::default(), Chunks::default());
        read(&mut input, &chunks, 1, 1000);
        input.consume(990);
        input.settle(&chunks);
        assert_eq!((input.memory(), input.rest().len()), (10, 10));
        assert_eq!(input.rest()[0], 990_usize as u8);
        // The next read has the room of a chunk again.
        assert_eq!(read(&mut input, &chunks, 1, usize::MAX), CHUNK - 10);
        assert_eq!((input.memory(), input.rest()[0]), (0, 990_usize as u8));
        input.settle(&chunks);
        assert_eq!(input.memory(), CHUNK);
        assert_eq!(chunks.free.borrow().len(), 0);
    }

    #[test]
    fn a_long_argument_takes_at_most_twice_what_has_come_of_it() {
        const LEN: usize = 20 << 20;
        let (mut input, chunks) = (Input::default(), Chunks::default());
        let mut reads = 0;
        while input.len() < LEN {
            let missing = LEN - input.len();
            read(&mut input, &chunks, missing, 100_000.min(missing));
            input.settle(&chunks);
            assert!(input.memory() <= 2 * input.len() + CHUNK);
            assert!(input.len() < 2 * LARGE || input.memory() <= input.len() / 2 * 3);
            reads += 1;
        }
        assert!(reads < LEN / 100_000 + 50, "{reads}");
        assert_eq!(input.memory(), LEN);
        input.consume(LEN - 5);
        input.settle(&chunks);
        assert_eq!(input.memory(), 5);
    }

    #[test]
    fn a_chunk_of_requests_is_read_on_behind_the_rest() {
        let (mut input, chunks) = (Input::default(), Chunks::default());
        for _ in 0..10 {
            read(&mut input, &chunks, 20, usize::MAX);
            assert_eq!((input.memory(), input.len()), (0, CHUNK));
            input.consume(CHUNK - 30);
        }
    }
}
