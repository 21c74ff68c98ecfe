//! Keys and separators, compared.

use crate::disk::cells::Reader;
use crate::disk::format::Malformed;

/// The shortest separator of two keys, `before` being less than `after`.
pub fn separator<'k>(before: &[u8], after: &'k [u8]) -> &'k [u8] {
    let shared = before.iter().zip(after).take_while(|(a, b)| a == b).count();
    &after[..after.len().min(shared + 1)]
}

/// A key, or a separator. Its first bytes tell the order of nearly all, faster than a comparison of any length.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key<'a> {
    /// The first eight bytes, and zeros where there are fewer.
    head: u64,
    bytes: &'a [u8],
}

impl<'a> Key<'a> {
    /// The key of these bytes.
    pub fn of(bytes: &'a [u8]) -> Key<'a> {
        Key::leading(bytes, bytes)
    }

    /// `bytes` being the first of `whole`: what is behind a short key makes it faster to read.
    #[inline(always)]
    fn leading(bytes: &'a [u8], whole: &[u8]) -> Key<'a> {
        let head = match whole.first_chunk() {
            Some(head) => *head,
            None => std::array::from_fn(|at| whole.get(at).copied().unwrap_or(0)),
        };
        let others = u64::MAX.checked_shr(8 * bytes.len().min(8) as u32).unwrap_or(0);
        let head = u64::from_be_bytes(head) & !others;
        Key { head, bytes }
    }

    /// Reads a cell.
    #[inline(always)]
    pub fn read(reader: &mut Reader<'a>) -> Result<Key<'a>, Malformed> {
        let len = usize::try_from(reader.varint()?).unwrap_or(usize::MAX);
        let whole = reader.0;
        Ok(Key::leading(reader.bytes(len)?, whole))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::Random;
    use crate::disk::cells::push_cell;

    #[test]
    fn keys_are_in_the_order_of_their_bytes_whatever_comes_behind_them() {
        let mut random = Random::from_seed(1);
        let mut cells = Vec::new();
        let mut keys: Vec<Vec<u8>> = Vec::new();
        for _ in 0..300 {
            let len = random.below(11);
            let key: Vec<u8> = (0..len).map(|_| random.below(2) as u8 * 255).collect();
            push_cell(&mut cells, &key);
            keys.push(key);
        }
        let mut reader = Reader(&cells);
        for key in &keys {
            let read = Key::read(&mut reader).unwrap();
            assert!(read == Key::of(key));
            for other in &keys {
                assert_eq!(read.cmp(&Key::of(other)), key.cmp(other), "{key:?} {other:?}");
            }
        }
        assert!(reader.is_empty());
    }
}
