//! Numbers in Redis's text forms. A text is the number only as a whole: no spaces around it, nothing behind
//! it.

/// "-9223372036854775808" has 20 bytes, so longer texts cannot be an `i64`.
const MAX_I64_DIGITS: usize = 20;

/// Parses the one canonical form of an `i64`: no `+`, no leading zero, no `-0`. What parses prints back
/// unchanged, which is what lets a string be stored as an integer.
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    if text.len() > MAX_I64_DIGITS {
        return None;
    }
    let (negative, digits) = match text {
        b"0" => return Some(0),
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if !matches!(digits.first(), Some(b'1'..=b'9')) {
        return None;
    }
    let magnitude = parse_digits(digits)?;
    if negative {
        0i64.checked_sub_unsigned(magnitude)
    } else {
        i64::try_from(magnitude).ok()
    }
}

fn parse_digits(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |value, byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// A number of so many digits is a double, exactly.
const EXACT_DIGITS: usize = 15;

/// Parses a double as C's `strtod`: decimal, hexadecimal (`0x1.8p3`) or `inf`/`infinity` in any case. None
/// for `nan`, for what overflows and for what is not zero but rounds to it.
pub fn parse_f64(text: &[u8]) -> Option<f64> {
    if text.len() <= EXACT_DIGITS
        && let Some(value) = parse_digits(text)
    {
        // What most numbers are, and fast.
        return Some(value as f64);
    }
    if let Some(hex) = Unrounded::parse_hex(text) {
        return hex.to_f64();
    }
    let value: f64 = str::from_utf8(text).ok()?.parse().ok()?;
    // Behind the sign, an infinity starts with a letter and a number never does.
    let spelled_out = text
        .iter()
        .find(|byte| !matches!(byte, b'+' | b'-'))
        .is_some_and(u8::is_ascii_alphabetic);
    let mantissa = text
        .split(|byte| matches!(byte, b'e' | b'E'))
        .next()
        .unwrap_or_default();
    let overflowed = value.is_infinite() && !spelled_out;
    let underflowed = value == 0.0 && mantissa.iter().any(|byte| matches!(byte, b'1'..=b'9'));
    (!value.is_nan() && !overflowed && !underflowed).then_some(value)
}

/// A binary floating-point value not yet rounded to a format: `mantissa` * 2^`exponent`, and a little more if
/// `sticky` (the mantissa then has at least 124 bits or, at any rate, two more than the format it goes to).
#[derive(Debug, Clone, Copy)]
pub(super) struct Unrounded {
    /// Below zero, or a zero with a minus.
    pub(super) negative: bool,
    /// The leading digits; 0 for zero.
    pub(super) mantissa: u128,
    /// Whether any digit behind the mantissa is not zero.
    pub(super) sticky: bool,
    /// Of two, for the mantissa's last bit.
    pub(super) exponent: i64,
}

impl Unrounded {
    /// `[+-]0x` hex digits with at most one point, then an optional `p[+-]exponent`.
    pub(super) fn parse_hex(text: &[u8]) -> Option<Unrounded> {
        let (negative, unsigned) = split_sign(text);
        let [b'0', b'x' | b'X', body @ ..] = unsigned else {
            return None;
        };
        let mut hex = Unrounded {
            negative,
            mantissa: 0,
            sticky: false,
            exponent: 0,
        };
        let (mut digits, mut point) = (0usize, false);
        let mut rest = body;
        while let [byte, tail @ ..] = rest {
            match (*byte as char).to_digit(16) {
                Some(digit) => {
                    hex.push(digit, point);
                    digits += 1;
                }
                None if *byte == b'.' && !point => point = true,
                None => break,
            }
            rest = tail;
        }
        let scale = match rest {
            [] => 0,
            [b'p' | b'P', exponent @ ..] => parse_exponent(exponent)?,
            _ => return None,
        };
        hex.exponent += scale;
        (digits > 0).then_some(hex)
    }

    fn push(&mut self, digit: u32, behind_point: bool) {
        if self.mantissa >> 124 == 0 {
            self.mantissa = self.mantissa << 4 | u128::from(digit);
            self.exponent -= if behind_point { 4 } else { 0 };
        } else {
            self.sticky |= digit != 0;
            self.exponent += if behind_point { 0 } else { 4 };
        }
    }

    /// Rounds to nearest, ties to even. None on overflow, and on underflow to zero.
    fn to_f64(self) -> Option<f64> {
        let sign = if self.negative { 1 << 63 } else { 0 };
        if self.mantissa == 0 {
            return Some(f64::from_bits(sign));
        }
        let (mantissa, exponent) = self.round(53, -1074)?;
        if exponent > 971 {
            return None;
        }
        let mantissa = u64::try_from(mantissa).ok()?;
        // A full mantissa carries the implicit bit; anything less is subnormal, with biased exponent 0.
        let normal = mantissa >> 52 != 0;
        let biased = if normal {
            u64::try_from(exponent + 1075).ok()?
        } else {
            0
        };
        Some(f64::from_bits(sign | biased << 52 | mantissa & ((1 << 52) - 1)))
    }

    /// Rounds a non-zero value to `precision` bits whose lowest weighs at least 2^`min_exponent`. The
    /// mantissa comes back with its top bit set unless the value is subnormal. None when it rounds to zero.
    pub(super) fn round(self, precision: i64, min_exponent: i64) -> Option<(u128, i64)> {
        let width = i64::from(u128::BITS - self.mantissa.leading_zeros());
        let target = (self.exponent + width - precision).max(min_exponent);
        let drop = target - self.exponent;
        if drop <= 0 {
            return Some((self.mantissa << drop.unsigned_abs(), target));
        }
        if drop > i64::from(u128::BITS) {
            return None;
        }
        // The kept bits and the dropped ones; a shift by the full width would be undefined.
        let kept = self.mantissa.checked_shr(drop as u32).unwrap_or(0);
        let half = 1u128 << (drop - 1);
        let dropped = self.mantissa & (half | (half - 1));
        let up = dropped > half || dropped == half && (self.sticky || kept & 1 == 1);
        let rounded = kept + u128::from(up);
        match rounded {
            0 => None,
            carried if carried >> precision != 0 => Some((carried >> 1, target + 1)),
            rounded => Some((rounded, target)),
        }
    }
}

/// Whether the text starts with a minus, and what follows its sign.
pub(super) fn split_sign(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    }
}

/// A signed decimal exponent; what exceeds any format saturates.
pub(super) fn parse_exponent(text: &[u8]) -> Option<i64> {
    const FAR: i64 = 1 << 40;
    let (negative, digits) = split_sign(text);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let magnitude = digits
        .iter()
        .fold(0i64, |value, byte| (value * 10 + i64::from(byte - b'0')).min(FAR));
    Some(if negative { -magnitude } else { magnitude })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_integers() {
        for value in [
            0,
            1,
            -1,
            9,
            10,
            -99,
            i64::MAX,
            i64::MIN,
            i64::MAX - 1,
            i64::MIN + 1,
        ] {
            assert_eq!(parse_i64(value.to_string().as_bytes()), Some(value));
        }
    }

    #[test]
    fn other_integers_are_refused() {
        let cases: [&[u8]; 16] = [
            b"",
            b"-",
            b"+1",
            b" 1",
            b"1 ",
            b"01",
            b"-01",
            b"-0",
            b"00",
            b"1.0",
            b"1e3",
            b"0x1",
            b"1\0",
            b"9223372036854775808",
            b"-9223372036854775809",
            b"100000000000000000000",
        ];
        for text in cases {
            assert_eq!(parse_i64(text), None, "{}", text.escape_ascii());
        }
    }

    #[test]
    fn doubles() {
        let cases: [(&[u8], f64); 21] = [
            (b"0", 0.0),
            (b"-0", -0.0),
            (b"3", 3.0),
            (b"+3.5", 3.5),
            (b"1.", 1.0),
            (b".5", 0.5),
            (b"-1E+2", -100.0),
            (b"007", 7.0),
            (b"0e99999999999999999999", 0.0),
            (b"4.9406564584124654e-324", f64::from_bits(1)),
            (b"inf", f64::INFINITY),
            (b"-Infinity", f64::NEG_INFINITY),
            (b"+INF", f64::INFINITY),
            (b"0x10", 16.0),
            (b"-0x1.8p3", -12.0),
            (b"0X.8P1", 1.0),
            (b"0x1p-1074", f64::from_bits(1)),
            (b"0x1.fffffffffffffp1023", f64::MAX),
            (b"0x1.00000000000008p0", 1.0),
            (
                b"0x1.000000000000080000000000000000000000000000000001p0",
                1.000_000_000_000_000_2,
            ),
            (b"0x0p99999999999999999999", 0.0),
        ];
        for (text, value) in cases {
            let parsed = parse_f64(text).map(f64::to_bits);
            assert_eq!(parsed, Some(value.to_bits()), "{}", text.escape_ascii());
        }
    }

    #[test]
    fn other_doubles_are_refused() {
        let cases: [&[u8]; 24] = [
            b"",
            b" 1",
            b"1 ",
            b"1\0",
            b"nan",
            b"-NaN",
            b"nan(1)",
            b"infin",
            b"1e",
            b"1e+",
            b".",
            b"-",
            b"1.2.3",
            b"abc",
            b"1e400",
            b"-1e400",
            b"1e-400",
            b"0x",
            b"0x1p",
            b"0x.p1",
            b"0x1p1024",
            b"0x1p-1075",
            b"0x1.fffffffffffff8p1023",
            b"\xff",
        ];
        for text in cases {
            assert_eq!(parse_f64(text), None, "{}", text.escape_ascii());
        }
    }
}
