//! Redis Cluster's hash slots: which of them a key is in.

/// How many there are.
pub const HASH_SLOTS: u16 = 16_384;

/// The polynomial of CRC-16/XMODEM, by which keys are spread.
const POLYNOMIAL: u16 = 0x1021;

/// What each byte does to the checksum.
const TABLE: [u16; 256] = table();

/// The slot of a key: by its hash tag, if it has one, so keys of one tag are in one slot.
pub fn hash_slot(key: &[u8]) -> u16 {
    let checksum = hash_tag(key).iter().fold(0u16, |checksum, &byte| {
        let [high, low] = checksum.to_be_bytes();
        u16::from_be_bytes([low, 0]) ^ TABLE[usize::from(high ^ byte)]
    });
    checksum % HASH_SLOTS
}

/// What is between the first `{` and the first `}` after it; the whole key where that is nothing.
fn hash_tag(key: &[u8]) -> &[u8] {
    let Some(open) = memchr::memchr(b'{', key) else {
        return key;
    };
    let inside = &key[open + 1..];
    match memchr::memchr(b'}', inside) {
        None | Some(0) => key,
        Some(close) => &inside[..close],
    }
}

const fn table() -> [u16; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < table.len() {
        let mut checksum = (byte as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            let carry = checksum & 0x8000 != 0;
            checksum = (checksum << 1) ^ if carry { POLYNOMIAL } else { 0 };
            bit += 1;
        }
        table[byte] = checksum;
        byte += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_in_the_slots_that_redis_says() {
        // As CLUSTER KEYSLOT of a real server answers.
        let slots: [(&[u8], u16); 20] = [
            (b"", 0),
            (b"foo", 12_182),
            (b"123456789", 12_739),
            (b"key:0", 2592),
            (b"key:16383", 1165),
            (b"{user1000}.following", 3443),
            (b"foo{}{bar}", 8363),
            (b"foo{{bar}}zap", 4015),
            (b"foo{bar}{zap}", 5061),
            (b"foo{bar", 15_278),
            (b"a{b}c{d}", 3300),
            (b"a}b{c", 13_587),
            (b"}{y}", 12_222),
            (b"x{y}", 12_222),
            (b"{}", 15_257),
            (b"{{}}", 4092),
            (b"{", 4092),
            (b"{a", 10_276),
            (b"\x00\xff\x80", 4727),
            (b"\x00\xff\x80{\xfe\x00}z", 12_494),
        ];
        for (key, slot) in slots {
            assert_eq!(hash_slot(key), slot, "{}", key.escape_ascii());
        }
    }
}
