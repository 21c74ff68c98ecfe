//! What holds for any bytes that a disk may give back: the seeded test below and the fuzz target `tests/fuzz` call the same
//! [`check`].

use super::{
    Family, Garbage, Header, LongString, Namespace, RecordKey, namespace_prefix, prefix_end,
    split_expire_key, split_ordered_id, split_slot_key,
};

/// No panic; and what can be decoded is the encoding of what it decodes to, so nothing is read that is never written.
pub fn check(bytes: &[u8]) {
    if let Ok((header, width)) = Header::decode(bytes) {
        let mut out = [0; 9];
        assert_eq!(header.encode(&mut out), width);
        assert_eq!(out[..width], bytes[..width]);
    }
    if let Ok(long) = LongString::decode(bytes) {
        assert_eq!(long.encode(), bytes);
        long.segments();
    }
    if let Ok(garbage) = Garbage::decode(bytes) {
        assert_eq!(garbage.encode(), bytes);
    }
    if let Ok(namespace) = Namespace::decode(bytes) {
        assert_eq!(namespace.encode(), bytes);
    }
    check_keys(bytes);
}

/// Keys of records. Their ids can be spelled longer than they are written, which does no harm.
fn check_keys(bytes: &[u8]) {
    if let Some((id, rest)) = split_ordered_id(bytes) {
        let shortest = [&namespace_prefix(id)[..], rest].concat();
        assert_eq!(split_ordered_id(&shortest), Some((id, rest)));
        assert!(shortest.len() <= bytes.len());
    }
    if let Ok((deadline, namespace, name)) = split_expire_key(bytes) {
        let key = RecordKey::expire(deadline, namespace, name);
        assert_eq!(split_expire_key(key.key()), Ok((deadline, namespace, name)));
    }
    if let Ok((database, slot)) = split_slot_key(bytes) {
        assert_eq!(RecordKey::slot(database, slot).key(), bytes);
    }
    if let Some(end) = prefix_end(bytes) {
        assert!(bytes < &end[..] && !end.starts_with(bytes));
    }
    for family in Family::ALL {
        let key = RecordKey::new(family, bytes);
        assert_eq!((key.family(), key.key()), (family, bytes));
        assert!(key.namespace().is_none() || family == Family::Meta);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::Random;

    const ROUNDS: usize = 200_000;

    #[test]
    fn random_bytes_do_no_harm() {
        let mut random = Random::from_seed(1);
        let mut decoded = 0;
        for _ in 0..ROUNDS {
            let length = random.below(40) as usize;
            let mut bytes: Vec<u8> = (0..length).map(|_| random.next_u64() as u8).collect();
            // Small numbers are what kinds, lengths of ids and tags of garbage are.
            if let Some(first) = bytes.first_mut().filter(|_| random.chance(0.8)) {
                *first = (random.below(4) as u8) | if random.chance(0.3) { 0x80 } else { 0 };
            }
            decoded += usize::from(Header::decode(&bytes).is_ok());
            check(&bytes);
        }
        assert!(decoded > ROUNDS / 10, "only {decoded} cases are records");
    }
}
