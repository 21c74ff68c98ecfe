//! Bytes on their way out: what is short lies in one buffer, one after the other; what is long and shared stays where it
//! is, and is referred to.
//!
//! So a reply that gives one value a thousand times takes memory for a thousand references, and a long value goes from the
//! hot tier to the socket without being copied.

use std::collections::{HashMap, VecDeque};
use std::io::IoSlice;

use foldhash::fast::RandomState;

use super::blob::Blob;

/// Shared bytes as long as this are referred to: below it, copying them costs less.
const REFERRED: usize = 16 << 10;
/// ... or as long as this, where so much was copied already: a reply must not take many times what a reference does for
/// each time that a value comes in it.
pub(super) const LEAST_REFERRED: usize = 256;
const LONG: usize = 1 << 20;
/// What a reference takes, with the count of what it refers to.
const REFERENCE: usize = size_of::<Reference>() + 32;
/// An empty buffer above this size gives its memory back: most connections are idle.
const KEPT_CAPACITY: usize = 512;
/// From so many bytes sent on, and if they are more than those to come, they are moved out of the way.
const MOST_SENT: usize = 64 << 10;

#[derive(Clone, Debug)]
struct Reference {
    /// Its place: before the text's byte of this number.
    at: u64,
    blob: Blob,
}

/// A queue of bytes. Those of its text have numbers, which stay as they are when others are taken from the front.
#[derive(Clone, Debug, Default)]
pub struct Rope {
    text: Vec<u8>,
    /// The number of the text's first byte that is kept, and of the first that was not taken yet.
    base: u64,
    taken: u64,
    references: VecDeque<Reference>,
    /// How many bytes of the first reference were taken.
    taken_of_first: usize,
    /// Bytes of all references.
    referred: usize,
    /// How often each allocation is referred to, and the size of all of them.
    pinned: HashMap<usize, usize, RandomState>,
    pinned_bytes: usize,
    /// Bytes of the references that others count.
    counted: usize,
}

impl Rope {
    /// An empty rope with room for that many bytes of text.
    pub fn with_capacity(bytes: usize) -> Rope {
        Rope {
            text: Vec::with_capacity(bytes),
            ..Rope::default()
        }
    }

    /// To be appended to.
    #[inline]
    pub fn text(&mut self) -> &mut Vec<u8> {
        &mut self.text
    }

    /// The number of the byte that comes next.
    #[inline]
    pub fn end(&self) -> u64 {
        self.base + self.text.len() as u64
    }

    /// Bytes that were not taken.
    pub fn len(&self) -> usize {
        self.text_left() + self.referred - self.taken_of_first
    }

    /// Whether all bytes were taken.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn text_left(&self) -> usize {
        (self.end() - self.taken) as usize
    }

    /// What the rope takes of memory beside what it refers to.
    #[inline]
    pub fn weight(&self) -> usize {
        self.text.len() + self.references.len() * REFERENCE
    }

    /// What the rope takes of memory, with all that it keeps there by referring to it.
    pub fn memory(&self) -> usize {
        self.weight() + self.pinned_bytes
    }

    /// Bytes that it refers to and that are counted elsewhere, once for all who refer to them.
    pub fn counted(&self) -> usize {
        self.counted
    }

    /// The same as [`Rope::memory`], with the room in its buffer.
    pub fn capacity(&self) -> usize {
        self.memory() - self.text.len() + self.text.capacity()
    }

    /// Appends bytes, or a reference to them.
    #[inline]
    pub fn push(&mut self, blob: &Blob) {
        if self.refers_to(blob) {
            self.refer_to(blob.clone());
        } else {
            self.text.extend_from_slice(blob);
        }
    }

    #[inline]
    fn refers_to(&self, blob: &Blob) -> bool {
        let least = match self.text.len() < LONG {
            true => REFERRED,
            false => LEAST_REFERRED,
        };
        blob.len() >= least && matches!(blob, Blob::Shared { .. })
    }

    /// Appends a reference, whatever the length; bytes that are nobody else's are not copied either.
    pub fn refer_to(&mut self, blob: Blob) {
        if blob.is_empty() {
            return;
        }
        match allocation(&blob) {
            Some((name, size)) => {
                let count = self.pinned.entry(name).or_default();
                if *count == 0 {
                    self.pinned_bytes += size;
                }
                *count += 1;
            }
            None => self.counted += blob.len(),
        }
        self.referred += blob.len();
        let at = self.end();
        self.references.push_back(Reference { at, blob });
    }

    /// Appends what another has left.
    pub fn append(&mut self, other: &Rope) {
        let mut from = other.taken;
        for (number, reference) in other.references.iter().enumerate() {
            self.text.extend_from_slice(other.part(from, reference.at));
            from = reference.at.max(from);
            match number {
                0 if other.taken_of_first > 0 => {
                    self.refer_to(reference.blob.without(other.taken_of_first));
                }
                _ => self.refer_to(reference.blob.clone()),
            }
        }
        self.text.extend_from_slice(other.part(from, other.end()));
    }

    fn part(&self, from: u64, to: u64) -> &[u8] {
        match from < to {
            true => &self.text[(from - self.base) as usize..(to - self.base) as usize],
            false => &[],
        }
    }

    /// The first bytes that were not taken, in their order, as many as `slices` has room for, and none behind the text's
    /// byte of number `until`. Returns how many slices that are.
    pub fn slices<'r>(&'r self, until: u64, slices: &mut [IoSlice<'r>]) -> usize {
        let room = slices.len();
        let (mut from, mut count, mut skipped) = (self.taken, 0, self.taken_of_first);
        let mut put = |bytes: &'r [u8]| {
            if !bytes.is_empty() && count < room {
                slices[count] = IoSlice::new(bytes);
                count += 1;
            }
        };
        // Each reference is a slice at least, so no more of them are needed.
        for Reference { at, blob } in self.references.iter().take(room) {
            if *at > until {
                break;
            }
            put(self.part(from, *at));
            put(&blob[skipped..]);
            (from, skipped) = (*at, 0);
        }
        put(self.part(from, until.min(self.end())));
        count
    }

    /// The same in one piece, if nothing is referred to.
    #[inline]
    pub fn text_until(&self, until: u64) -> Option<&[u8]> {
        match self.references.is_empty() {
            true => Some(self.part(self.taken, until)),
            false => None,
        }
    }

    /// A byte of the text, by its number.
    pub fn byte(&self, at: u64) -> Option<u8> {
        let at = at.checked_sub(self.base)?;
        self.text.get(usize::try_from(at).ok()?).copied()
    }

    /// Takes `n` bytes from the front.
    pub fn take(&mut self, mut n: usize) {
        if self.references.is_empty() {
            self.taken += n as u64;
            return self.give_back();
        }
        while n > 0 {
            let next = self.references.front().map(|first| first.at);
            let text = (next.unwrap_or(self.end()) - self.taken) as usize;
            let taken = n.min(text);
            self.taken += taken as u64;
            n -= taken;
            if n == 0 {
                break;
            }
            let Some(first) = self.references.front() else {
                break;
            };
            let taken = n.min(first.blob.len() - self.taken_of_first);
            self.taken_of_first += taken;
            n -= taken;
            if self.taken_of_first == first.blob.len() {
                self.drop_first();
            }
        }
        self.give_back();
    }

    fn drop_first(&mut self) {
        self.taken_of_first = 0;
        if let Some(Reference { blob, .. }) = self.references.pop_front() {
            self.forget(&blob);
        }
    }

    fn forget(&mut self, blob: &Blob) {
        self.referred -= blob.len();
        let Some((name, size)) = allocation(blob) else {
            self.counted -= blob.len();
            return;
        };
        if let Some(count) = self.pinned.get_mut(&name) {
            *count -= 1;
            if *count == 0 {
                self.pinned.remove(&name);
                self.pinned_bytes -= size;
            }
        }
    }

    /// Gives memory back that is no longer used.
    fn give_back(&mut self) {
        let done = (self.taken - self.base) as usize;
        if done == self.text.len() {
            self.base = self.taken;
            self.text.clear();
            if self.text.capacity() > KEPT_CAPACITY {
                self.text = Vec::new();
            }
        } else if done > MOST_SENT && done > self.text.len() / 2 {
            self.text.drain(..done);
            self.base = self.taken;
        }
        if self.references.is_empty() && self.references.capacity() > 0 {
            (self.references, self.pinned) = Default::default();
        }
    }

    /// Puts a text in the place of the text's bytes `start..end`, of which nothing was taken, and of what is referred to
    /// between them. Returns the difference that makes to the numbers of later bytes.
    pub fn replace(&mut self, start: u64, end: u64, text: &[u8]) -> i64 {
        let mut lost = Vec::new();
        self.references.retain(|reference| {
            let stays = reference.at <= start || reference.at >= end;
            if !stays {
                lost.push(reference.blob.clone());
            }
            stays
        });
        lost.iter().for_each(|blob| self.forget(blob));
        let moved = text.len() as i64 - (end - start) as i64;
        for reference in self.references.iter_mut().filter(|reference| reference.at >= end) {
            reference.at = reference.at.saturating_add_signed(moved);
        }
        let range = (start - self.base) as usize..(end - self.base) as usize;
        self.text.splice(range, text.iter().copied());
        moved
    }

    /// All that was not taken, in one piece.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut all = Vec::with_capacity(self.len());
        let mut rest = self.taken;
        let mut skipped = self.taken_of_first;
        for Reference { at, blob } in &self.references {
            all.extend_from_slice(self.part(rest, *at));
            all.extend_from_slice(&blob[skipped..]);
            (rest, skipped) = (*at, 0);
        }
        all.extend_from_slice(self.part(rest, self.end()));
        all
    }
}

impl PartialEq for Rope {
    fn eq(&self, other: &Rope) -> bool {
        self.to_vec() == other.to_vec()
    }
}

/// What names the memory that a blob keeps, and its size. `None`: that is counted elsewhere.
fn allocation(blob: &Blob) -> Option<(usize, usize)> {
    match blob {
        Blob::Static(bytes) => Some((bytes.as_ptr() as usize, 0)),
        Blob::Shared { bytes, .. } => Some((bytes.as_ptr() as usize, bytes.len())),
        Blob::Owned(bytes) => Some((bytes.as_ptr() as usize, bytes.capacity())),
        Blob::Counted { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn value(len: usize, byte: u8) -> Arc<[u8]> {
        Arc::from(vec![byte; len])
    }

    fn all_slices(rope: &Rope, until: u64, room: usize) -> Vec<u8> {
        let mut slices = vec![IoSlice::new(&[]); room];
        let count = rope.slices(until, &mut slices);
        slices[..count].iter().flat_map(|slice| slice.to_vec()).collect()
    }

    /// A rope of texts and references in turn, and its bytes.
    fn mixed() -> (Rope, Vec<u8>) {
        let (mut rope, mut bytes) = (Rope::default(), Vec::new());
        for n in 0..20_u8 {
            let text = vec![b'a' + n; usize::from(n % 3)];
            rope.text().extend_from_slice(&text);
            bytes.extend_from_slice(&text);
            let long = value(REFERRED + usize::from(n), n);
            rope.push(&Blob::from(long.clone()));
            bytes.extend_from_slice(&long);
        }
        rope.text().extend_from_slice(b"end");
        bytes.extend_from_slice(b"end");
        (rope, bytes)
    }

    #[test]
    fn what_is_long_and_shared_is_not_copied_and_all_comes_out_in_order() {
        let (rope, bytes) = mixed();
        assert!(rope.weight() < 10_000 && rope.memory() > 20 * REFERRED);
        assert_eq!((rope.len(), rope.references.len()), (bytes.len(), 20));
        assert!(rope.to_vec() == bytes && all_slices(&rope, rope.end(), 64) == bytes);
    }

    #[test]
    fn bytes_are_taken_in_steps_of_any_size() {
        for step in [1009, REFERRED, REFERRED + 5, 100_000] {
            let (mut rope, bytes) = mixed();
            let mut sent = 0;
            while !rope.is_empty() {
                let ready = all_slices(&rope, rope.end(), 3);
                assert!(!ready.is_empty() && bytes[sent..].starts_with(&ready), "{step}");
                let n = step.min(ready.len());
                rope.take(n);
                sent += n;
                assert_eq!(rope.len(), bytes.len() - sent);
                if sent % 5 == 0 {
                    let mut other = Rope::default();
                    other.append(&rope);
                    assert!(other.to_vec() == bytes[sent..]);
                }
            }
            assert_eq!((sent, rope.memory()), (bytes.len(), 0));
        }
    }

    #[test]
    fn a_value_that_comes_many_times_takes_memory_once() {
        let long = Blob::from(value(1 << 20, b'v'));
        let mut rope = Rope::default();
        for _ in 0..1000 {
            rope.push(&long);
        }
        assert_eq!(rope.len(), 1000 << 20);
        assert!(rope.memory() < 2 << 20, "{}", rope.memory());
        // What is short is copied, until much was.
        let short = Blob::from(value(1000, b's'));
        for _ in 0..100_000 {
            rope.push(&short);
        }
        assert!(rope.memory() < 13 << 20, "{}", rope.memory());
        rope.take(rope.len());
        assert_eq!((rope.memory(), rope.capacity()), (0, 0));
    }

    #[test]
    fn what_is_held_ends_where_it_is_said_and_can_be_replaced() {
        let mut rope = Rope::default();
        let reply = |rope: &mut Rope, byte| {
            let start = rope.end();
            rope.text().extend_from_slice(b"<");
            rope.push(&Blob::from(value(REFERRED, byte)));
            rope.text().extend_from_slice(b">");
            start..rope.end()
        };
        reply(&mut rope, b'1');
        let held = reply(&mut rope, b'2');
        reply(&mut rope, b'3');
        let one = [b"<".as_slice(), &[b'1'; REFERRED], b">"].concat();
        let three = [b"<".as_slice(), &[b'3'; REFERRED], b">"].concat();
        assert!(all_slices(&rope, held.start, 64) == one);
        rope.take(5);
        assert!(all_slices(&rope, held.start, 64) == one[5..]);
        let moved = rope.replace(held.start, held.end, b"-lost");
        assert_eq!(moved, 3);
        assert!(rope.to_vec() == [&one[5..], b"-lost", &three].concat());
        assert_eq!(rope.references.len(), 2);
    }
}
