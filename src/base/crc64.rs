//! CRC-64 as Redis has it at the end of its files and payloads: Jones's polynomial, reflected, from 0 on.

/// The polynomial, its bits in reverse.
const POLYNOMIAL: u64 = 0x95ac_9329_ac4b_c9b5;
/// How many bytes are summed up together.
const STRIDE: usize = 8;

/// What each byte adds when so many others of a stride come behind it.
static TABLES: [[u64; 256]; STRIDE] = {
    let mut tables = [[0; 256]; STRIDE];
    let mut byte = 0;
    while byte < 256 {
        let (mut sum, mut bit) = (byte as u64, 0);
        while bit < 8 {
            sum = (sum >> 1) ^ (POLYNOMIAL & (sum & 1).wrapping_neg());
            bit += 1;
        }
        tables[0][byte] = sum;
        byte += 1;
    }
    let mut behind = 1;
    while behind < STRIDE {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[behind - 1][byte];
            tables[behind][byte] = tables[0][(before & 0xff) as usize] ^ (before >> 8);
            byte += 1;
        }
        behind += 1;
    }
    tables
};

/// The sum of all bytes.
pub fn crc64(bytes: &[u8]) -> u64 {
    add_crc64(0, bytes)
}

/// The sum of what has the sum `sum` and the bytes behind it.
pub fn add_crc64(mut sum: u64, bytes: &[u8]) -> u64 {
    let mut strides = bytes.chunks_exact(STRIDE);
    for stride in &mut strides {
        let mut mixed = sum;
        for (at, byte) in stride.iter().enumerate() {
            mixed ^= u64::from(*byte) << (8 * at);
        }
        sum = 0;
        for (at, table) in TABLES.iter().rev().enumerate() {
            sum ^= table[(mixed >> (8 * at)) as usize & 0xff];
        }
    }
    strides.remainder().iter().fold(sum, |sum, byte| {
        TABLES[0][usize::from(sum as u8 ^ byte)] ^ (sum >> 8)
    })
}

/// The sum of what has the sum `sum` and so many zeros behind it. Sums of texts that are as long as each other differ by the
/// sum of where they differ, so this tells the sum of a long text of which the beginning has become another.
pub fn add_zeros(mut sum: u64, mut zeros: u64) -> u64 {
    // What becomes of each bit of a sum by one byte; then by two, four, and so on.
    let mut step: [u64; 64] = std::array::from_fn(|bit| add_crc64(1 << bit, &[0]));
    while zeros > 0 {
        if zeros & 1 == 1 {
            sum = applied(&step, sum);
        }
        step = step.map(|bits| applied(&step, bits));
        zeros >>= 1;
    }
    sum
}

fn applied(step: &[u64; 64], sum: u64) -> u64 {
    let bits = (0..64).filter(|bit| sum >> bit & 1 == 1);
    bits.fold(0, |all, bit| all ^ step[bit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_of_the_nine_digits_is_redis_s() {
        assert_eq!(crc64(b"123456789"), 0xe9c6_d914_c4b8_d9ca);
        assert_eq!(crc64(b""), 0);
    }

    #[test]
    fn a_beginning_may_become_another() {
        for behind in [0, 1, 2, 9, 1000, 65_537] {
            let text = |first: u8| [&[first; 9][..], &vec![7; behind]].concat();
            let differs = crc64(&[1; 9]) ^ crc64(&[2; 9]);
            let sum = crc64(&text(1)) ^ add_zeros(differs, behind as u64);
            assert_eq!(sum, crc64(&text(2)));
        }
    }

    #[test]
    fn a_sum_may_be_made_in_any_pieces() {
        let bytes: Vec<u8> = (0..100u8).map(|at| at.wrapping_mul(37)).collect();
        for cut in 0..bytes.len() {
            assert_eq!(add_crc64(crc64(&bytes[..cut]), &bytes[cut..]), crc64(&bytes));
        }
    }
}
