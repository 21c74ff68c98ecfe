//! The checksums of Redis's formats: CRC-16/XMODEM for cluster slots, CRC-64/Jones for DUMP and RDB.

/// Slots of a Redis cluster.
const SLOTS: u16 = 16384;

const CRC16_TABLE: [u16; 256] = crc16_table();
const CRC64_TABLES: [[u64; 256]; 8] = crc64_tables();

/// CRC-16/XMODEM: polynomial 0x1021, initial value 0, not reflected.
pub fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, &byte| {
        (crc << 8) ^ CRC16_TABLE[usize::from((crc >> 8) as u8 ^ byte)]
    })
}

/// The cluster slot of a key. If its first `{` opens a non-empty `{tag}`, only the tag is hashed, so that
/// keys sharing one share a slot.
pub fn key_slot(key: &[u8]) -> u16 {
    crc16(hash_tag(key).unwrap_or(key)) % SLOTS
}

fn hash_tag(key: &[u8]) -> Option<&[u8]> {
    let open = key.iter().position(|&byte| byte == b'{')?;
    let rest = &key[open + 1..];
    let close = rest.iter().position(|&byte| byte == b'}')?;
    (close > 0).then(|| &rest[..close])
}

/// CRC-64/Jones as Redis uses it (reflected, initial value 0, no final XOR). `crc` continues an earlier call:
/// `crc64(crc64(0, a), b)` is the checksum of `a` and `b` together.
pub fn crc64(mut crc: u64, bytes: &[u8]) -> u64 {
    let (chunks, tail) = bytes.as_chunks::<8>();
    for &chunk in chunks {
        let mixed = (crc ^ u64::from_le_bytes(chunk)).to_le_bytes();
        crc = (0..8).fold(0, |sum, lane| {
            sum ^ CRC64_TABLES[7 - lane][usize::from(mixed[lane])]
        });
    }
    tail.iter().fold(crc, |crc, &byte| {
        (crc >> 8) ^ CRC64_TABLES[0][usize::from(crc as u8 ^ byte)]
    })
}

const fn crc16_table() -> [u16; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = (byte as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 != 0 {
                (crc << 1) ^ 0x1021
            } else {
                crc << 1
            };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
}

/// Table `k` advances a byte through `k` further bytes of zeros, so eight lookups replace eight dependent
/// steps.
const fn crc64_tables() -> [[u64; 256]; 8] {
    /// 0xad93d23594c935a9 with its bits reversed.
    const POLYNOMIAL: u64 = 0xad93_d235_94c9_35a9_u64.reverse_bits();
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u64;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 != 0 {
                (crc >> 1) ^ POLYNOMIAL
            } else {
                crc >> 1
            };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut table = 1;
    while table < 8 {
        let mut byte = 0;
        while byte < 256 {
            let crc = tables[table - 1][byte];
            tables[table][byte] = (crc >> 8) ^ tables[0][(crc & 0xff) as usize];
            byte += 1;
        }
        table += 1;
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc16_check_value() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
        assert_eq!(crc16(b""), 0);
    }

    /// Recorded from `CLUSTER KEYSLOT`.
    #[test]
    fn slots_honour_hash_tags() {
        let cases: [(&[u8], u16); 10] = [
            (b"foo", 12182),
            (b"bar", 5061),
            (b"", 0),
            (b"{user1000}.following", 3443),
            (b"{user1000}.followers", 3443),
            (b"foo{}{bar}", 8363),
            (b"foo{{bar}}zap", 4015),
            (b"foo{bar}{zap}", 5061),
            (b"foo{bar", 15278),
            (b"{}", 15257),
        ];
        for (key, slot) in cases {
            assert_eq!(key_slot(key), slot, "{}", key.escape_ascii());
        }
        assert_eq!(key_slot(b"foo{{bar}}zap"), crc16(b"{bar") % SLOTS);
    }

    #[test]
    fn crc64_check_values() {
        assert_eq!(crc64(0, b"123456789"), 0xe9c6_d914_c4b8_d9ca);
        assert_eq!(crc64(0, b""), 0);
    }

    #[test]
    fn crc64_continues_at_any_split() {
        let bytes: Vec<u8> = (0..100).map(|i| (i * 37 % 251) as u8).collect();
        let whole = bytes.iter().fold(0, |crc, byte| crc64(crc, &[*byte]));
        for split in 0..=bytes.len() {
            assert_eq!(crc64(crc64(0, &bytes[..split]), &bytes[split..]), whole);
        }
    }
}
