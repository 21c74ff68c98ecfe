//! C's `long double` on x86-64 (the x87 extended format), in which Redis computes INCRBYFLOAT and
//! HINCRBYFLOAT.
//!
//! A finite value is `mantissa * 2^exponent` with 64 bits of mantissa; its top bit is set unless the value is
//! subnormal (`exponent == MIN_EXPONENT`) or zero. Parsing, addition and printing round to nearest, ties to
//! even, as the C library does, so the digits that clients see are Redis's.

use super::num::{Unrounded, parse_exponent, split_sign};

/// Redis copies the text to a buffer of this many bytes, with a NUL behind it.
const MAX_TEXT: usize = 5 * 1024;
/// Bits of mantissa.
const PRECISION: i64 = 64;
/// The weights of the mantissa's lowest bit in the smallest and in the largest values.
const MIN_EXPONENT: i64 = -16445;
const MAX_EXPONENT: i64 = 16320;
/// Powers of ten beyond which a decimal text surely overflows or rounds to zero.
const MAX_DECIMAL: i64 = 4932;
const MIN_DECIMAL: i64 = -4951;
/// Digits behind the point that `to_human` prints before it trims zeros.
const HUMAN_DECIMALS: usize = 17;

/// A long double; never NaN, which neither parsing nor `checked_add` lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExtFloat {
    negative: bool,
    magnitude: Magnitude,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Magnitude {
    Finite { mantissa: u64, exponent: i64 },
    Infinite,
}

impl ExtFloat {
    /// Parses a whole text: decimal, hexadecimal, or `inf`/`infinity` in any case. None also for NaN, for
    /// overflow and for what is not zero but rounds to it.
    pub fn parse(text: &[u8]) -> Option<ExtFloat> {
        if text.len() >= MAX_TEXT {
            return None;
        }
        if let Some(hex) = Unrounded::parse_hex(text) {
            return if hex.mantissa == 0 {
                Some(ExtFloat::zero(hex.negative))
            } else {
                ExtFloat::round(hex)
            };
        }
        let (negative, unsigned) = split_sign(text);
        if unsigned.eq_ignore_ascii_case(b"inf") || unsigned.eq_ignore_ascii_case(b"infinity") {
            return Some(ExtFloat {
                negative,
                magnitude: Magnitude::Infinite,
            });
        }
        let decimal = Decimal::parse(unsigned)?;
        if decimal.digits.is_empty() {
            return Some(ExtFloat::zero(negative));
        }
        ExtFloat::round(decimal.to_binary(negative)?)
    }

    /// The integer, exactly: 64 bits of mantissa hold each.
    pub fn from_i64(value: i64) -> ExtFloat {
        if value == 0 {
            return ExtFloat::zero(false);
        }
        let shift = value.unsigned_abs().leading_zeros();
        let magnitude = Magnitude::Finite {
            mantissa: value.unsigned_abs() << shift,
            exponent: -i64::from(shift),
        };
        ExtFloat {
            negative: value < 0,
            magnitude,
        }
    }

    /// Whether it is no infinity.
    pub fn is_finite(self) -> bool {
        matches!(self.magnitude, Magnitude::Finite { .. })
    }

    /// The rounded sum. None where Redis says "increment would produce NaN or Infinity".
    pub fn checked_add(self, other: ExtFloat) -> Option<ExtFloat> {
        let (Some(a), Some(b)) = (self.unrounded(), other.unrounded()) else {
            return None;
        };
        let (high, low) = if a.exponent >= b.exponent { (a, b) } else { (b, a) };
        // 63 guard bits below the higher mantissa; what falls off even those can only be told as "a little".
        const GUARD: i64 = 63;
        let gap = high.exponent - low.exponent;
        let high_bits = high.mantissa << GUARD;
        let (low_bits, lost) = shift_right(low.mantissa << GUARD, gap);
        let exponent = high.exponent - GUARD;
        let (negative, mantissa) = if high.negative == low.negative {
            (high.negative, high_bits + low_bits)
        } else if high_bits >= low_bits {
            // The lost part is subtracted too: borrow one, and what remains of it is above zero again.
            (high.negative, high_bits - low_bits - u128::from(lost))
        } else {
            // Only at equal exponents or from a subnormal is the lower one larger, and then nothing was lost.
            (low.negative, low_bits - high_bits)
        };
        if mantissa == 0 && !lost {
            return Some(ExtFloat::zero(self.negative && other.negative));
        }
        ExtFloat::round(Unrounded {
            negative,
            mantissa,
            sticky: lost,
            exponent,
        })
    }

    /// C's `%.17Lf` without its trailing zeros, and without a minus on zero. None for an infinity.
    pub fn to_human(self) -> Option<String> {
        let Magnitude::Finite { mantissa, exponent } = self.magnitude else {
            return None;
        };
        let text = if exponent >= 0 {
            BigUint::from_u64(mantissa)
                .shifted_left(exponent.unsigned_abs())
                .to_decimal()
        } else {
            human_fraction(mantissa, exponent.unsigned_abs())
        };
        Some(if self.negative && text != "0" {
            format!("-{text}")
        } else {
            text
        })
    }

    fn zero(negative: bool) -> ExtFloat {
        ExtFloat {
            negative,
            magnitude: Magnitude::Finite {
                mantissa: 0,
                exponent: MIN_EXPONENT,
            },
        }
    }

    /// None on overflow, and on underflow to zero.
    fn round(value: Unrounded) -> Option<ExtFloat> {
        let (mantissa, exponent) = value.round(PRECISION, MIN_EXPONENT)?;
        let mantissa = u64::try_from(mantissa).ok()?;
        let magnitude = Magnitude::Finite { mantissa, exponent };
        (exponent <= MAX_EXPONENT).then_some(ExtFloat {
            negative: value.negative,
            magnitude,
        })
    }

    fn unrounded(self) -> Option<Unrounded> {
        let Magnitude::Finite { mantissa, exponent } = self.magnitude else {
            return None;
        };
        Some(Unrounded {
            negative: self.negative,
            mantissa: u128::from(mantissa),
            sticky: false,
            exponent,
        })
    }
}

/// `bits >> by` for any non-negative `by`, and whether ones fell off.
fn shift_right(bits: u128, by: i64) -> (u128, bool) {
    match u32::try_from(by)
        .ok()
        .and_then(|by| Some((by, bits.checked_shr(by)?)))
    {
        Some((by, kept)) => (kept, kept << by != bits),
        None => (0, bits != 0),
    }
}

/// `mantissa / 2^shift` to 17 decimals, ties to even, trailing zeros trimmed.
fn human_fraction(mantissa: u64, shift: u64) -> String {
    // Below 2^121, so all bits of the decimal value times 10^17 are at hand.
    let scaled = u128::from(mantissa) * 10u128.pow(HUMAN_DECIMALS as u32);
    let rounded = match u32::try_from(shift) {
        Ok(shift) if shift < u128::BITS => {
            let (kept, half) = (scaled >> shift, 1u128 << (shift - 1));
            let dropped = scaled & (half | (half - 1));
            kept + u128::from(dropped > half || dropped == half && kept & 1 == 1)
        }
        _ => 0,
    };
    let digits = format!("{rounded:0width$}", width = HUMAN_DECIMALS + 1);
    let (whole, fraction) = digits.split_at(digits.len() - HUMAN_DECIMALS);
    match fraction.trim_end_matches('0') {
        "" => whole.to_owned(),
        fraction => format!("{whole}.{fraction}"),
    }
}

/// A decimal text: the `digits`, without zeros at either end, are an integer to multiply with 10^`exponent`.
struct Decimal {
    digits: Vec<u8>,
    exponent: i64,
}

impl Decimal {
    fn parse(text: &[u8]) -> Option<Decimal> {
        let exponent_at = text.iter().position(|byte| matches!(byte, b'e' | b'E'));
        let (number, mut exponent) = match exponent_at {
            Some(at) => (&text[..at], parse_exponent(&text[at + 1..])?),
            None => (text, 0),
        };
        let point = number
            .iter()
            .position(|byte| *byte == b'.')
            .unwrap_or(number.len());
        let fraction = number.get(point + 1..).unwrap_or_default();
        let mut digits = [&number[..point], fraction].concat();
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        exponent -= fraction.len() as i64;
        while digits.pop_if(|digit| *digit == b'0').is_some() {
            exponent += 1;
        }
        let leading_zeros = digits.iter().take_while(|digit| **digit == b'0').count();
        digits.drain(..leading_zeros);
        Some(Decimal { digits, exponent })
    }

    /// At least 66 correct bits, so that it can be rounded. None far outside the format's range.
    fn to_binary(&self, negative: bool) -> Option<Unrounded> {
        let magnitude = self.digits.len() as i64 + self.exponent;
        if !(MIN_DECIMAL..=MAX_DECIMAL + 1).contains(&magnitude) {
            return None;
        }
        let (mantissa, sticky, exponent) = match self.small_quotient() {
            Some(quotient) => quotient,
            None => self.big_quotient(),
        };
        Some(Unrounded {
            negative,
            mantissa,
            sticky,
            exponent,
        })
    }

    /// The usual case: up to 19 digits, scaled by a power of five below 2^64.
    fn small_quotient(&self) -> Option<(u128, bool, i64)> {
        const MAX_POWER: u64 = 27;
        if self.digits.len() > 19 || self.exponent.unsigned_abs() > MAX_POWER {
            return None;
        }
        let value: u128 = self
            .digits
            .iter()
            .fold(0, |value, digit| value * 10 + u128::from(digit - b'0'));
        let power = 5u128.pow(self.exponent.unsigned_abs() as u32);
        if self.exponent >= 0 {
            return Some((value * power, false, self.exponent));
        }
        let shift = value.leading_zeros();
        let dividend = value << shift;
        Some((
            dividend / power,
            !dividend.is_multiple_of(power),
            self.exponent - i64::from(shift),
        ))
    }

    fn big_quotient(&self) -> (u128, bool, i64) {
        let mut dividend = BigUint::from_digits(&self.digits);
        let mut divisor = BigUint::from_u64(1);
        let scaled = if self.exponent >= 0 {
            &mut dividend
        } else {
            &mut divisor
        };
        scaled.multiply_by_power_of_five(self.exponent.unsigned_abs());
        let (quotient, sticky, shift) = dividend.leading_quotient(divisor);
        (quotient, sticky, self.exponent + shift)
    }
}

/// An unsigned integer of any size: 64-bit limbs, lowest first, the highest not zero.
#[derive(Clone, PartialEq, Eq)]
struct BigUint {
    limbs: Vec<u64>,
}

impl BigUint {
    fn from_u64(value: u64) -> BigUint {
        BigUint {
            limbs: if value == 0 { Vec::new() } else { vec![value] },
        }
    }

    fn from_digits(digits: &[u8]) -> BigUint {
        let mut value = BigUint::from_u64(0);
        for chunk in digits.chunks(19) {
            let number = chunk
                .iter()
                .fold(0, |number, digit| number * 10 + u64::from(digit - b'0'));
            value.multiply_add(10u64.pow(chunk.len() as u32), number);
        }
        value
    }

    fn bits(&self) -> u64 {
        self.limbs.last().map_or(0, |top| {
            self.limbs.len() as u64 * 64 - u64::from(top.leading_zeros())
        })
    }

    fn multiply_add(&mut self, factor: u64, addend: u64) {
        let mut carry = addend;
        for limb in &mut self.limbs {
            let product = u128::from(*limb) * u128::from(factor) + u128::from(carry);
            (*limb, carry) = (product as u64, (product >> 64) as u64);
        }
        if carry != 0 {
            self.limbs.push(carry);
        }
    }

    fn multiply_by_power_of_five(&mut self, power: u64) {
        const STEP: u64 = 27;
        for _ in 0..power / STEP {
            self.multiply_add(5u64.pow(STEP as u32), 0);
        }
        self.multiply_add(5u64.pow((power % STEP) as u32), 0);
    }

    fn shifted_left(&self, by: u64) -> BigUint {
        let mut limbs = vec![0; (by / 64) as usize];
        let within = by % 64;
        let mut carry = 0;
        for limb in &self.limbs {
            limbs.push(limb << within | carry);
            carry = limb.checked_shr(64 - within as u32).unwrap_or(0);
        }
        if carry != 0 {
            limbs.push(carry);
        }
        BigUint { limbs }
    }

    /// `self - other`, if that is not negative.
    fn minus(&self, other: &BigUint) -> Option<BigUint> {
        if self.limbs.len() < other.limbs.len() {
            return None;
        }
        let mut limbs = Vec::with_capacity(self.limbs.len());
        let mut borrow = false;
        for (index, limb) in self.limbs.iter().enumerate() {
            let subtrahend = other.limbs.get(index).copied().unwrap_or(0);
            let (difference, first) = limb.overflowing_sub(subtrahend);
            let (difference, second) = difference.overflowing_sub(u64::from(borrow));
            limbs.push(difference);
            borrow = first || second;
        }
        while limbs.pop_if(|limb| *limb == 0).is_some() {}
        (!borrow).then_some(BigUint { limbs })
    }

    /// The leading bits of `self / divisor`, whether there is a remainder, and the power of two they stand
    /// for. Both sides are brought to the same width; then each step of long division yields a bit.
    fn leading_quotient(self, divisor: BigUint) -> (u128, bool, i64) {
        const STEPS: i64 = PRECISION + 3;
        let width = self.bits().max(divisor.bits());
        let (up, down) = (width - self.bits(), width - divisor.bits());
        let mut remainder = self.shifted_left(up);
        let divisor = divisor.shifted_left(down);
        let mut quotient = 0;
        for step in 0..STEPS {
            if step > 0 {
                remainder = remainder.shifted_left(1);
            }
            quotient <<= 1;
            if let Some(rest) = remainder.minus(&divisor) {
                (quotient, remainder) = (quotient | 1, rest);
            }
        }
        (
            quotient,
            !remainder.limbs.is_empty(),
            down as i64 - up as i64 - (STEPS - 1),
        )
    }

    fn to_decimal(&self) -> String {
        const CHUNK: u64 = 1_000_000_000;
        let mut value = self.limbs.clone();
        let mut chunks = Vec::new();
        while !value.is_empty() {
            // Halves of limbs, so that a division by a constant compiles to a multiplication.
            let remainder = value.iter_mut().rev().fold(0, |remainder, limb| {
                let high = remainder << 32 | *limb >> 32;
                let low = (high % CHUNK) << 32 | *limb & u64::from(u32::MAX);
                *limb = ((high / CHUNK) << 32) | (low / CHUNK);
                low % CHUNK
            });
            chunks.push(remainder);
            while value.pop_if(|limb| *limb == 0).is_some() {}
        }
        let mut text = chunks.pop().unwrap_or(0).to_string();
        for chunk in chunks.iter().rev() {
            text.push_str(&format!("{chunk:09}"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOT_A_FLOAT: &str = "value is not a valid float";
    const NOT_FINITE: &str = "increment would produce NaN or Infinity";

    fn incrbyfloat(value: &str, increment: &str) -> String {
        let (Some(value), Some(increment)) = (
            ExtFloat::parse(value.as_bytes()),
            ExtFloat::parse(increment.as_bytes()),
        ) else {
            return NOT_A_FLOAT.to_owned();
        };
        value
            .checked_add(increment)
            .and_then(ExtFloat::to_human)
            .unwrap_or_else(|| NOT_FINITE.to_owned())
    }

    /// Recorded from redis-server 7.0.15: `SET k value`, `INCRBYFLOAT k increment`.
    #[test]
    fn sums_recorded_from_redis() {
        for (value, increment, result) in [
            ("10.50", "0.1", "10.6"),
            ("5.0e3", "2.0e2", "5200"),
            ("3.0", "1.000000000000000001", "4"),
            ("0.1", "0.2", "0.3"),
            ("0", "3.14", "3.14"),
            ("1", "-1.1", "-0.1"),
            ("-1", "1", "0"),
            ("-0", "-0", "0"),
            ("0", "-0.00000000000000000001", "0"),
            ("1e17", "0.1", "100000000000000000.1015625"),
            ("1e16", "0.05", "10000000000000000.0498046875"),
            ("9223372036854775807", "1", "9223372036854775808"),
            ("9223372036854775807", "0.5", "9223372036854775807.5"),
            ("18446744073709551615", "1", "18446744073709551616"),
            ("18446744073709551616", "1", "18446744073709551616"),
            ("18446744073709551616", "3", "18446744073709551620"),
            ("1e30", "1", "1000000000000000000024696061952"),
            ("1e-17", "0", "0.00000000000000001"),
            ("5e-18", "0", "0"),
            ("5.1e-18", "0", "0.00000000000000001"),
            ("1.5e-17", "0", "0.00000000000000002"),
            ("2.5e-17", "0", "0.00000000000000002"),
            ("3.5e-17", "0", "0.00000000000000004"),
            ("0.5", "0.00000000000000000049", "0.5"),
            (
                "123456789.123456789",
                "987654321.987654321",
                "1111111111.11111110995989293",
            ),
            ("0x1p-1", "0x1.8p3", "12.5"),
            ("0xffffffffffffffff8p0", "0", "295147905179352825856"),
            ("0xfffffffffffffffffp0", "0", "295147905179352825856"),
            ("0x1p-16445", "0", "0"),
            ("3e-4951", "0", "0"),
            ("1e-4951", "0", NOT_A_FLOAT),
            ("1e4933", "0", NOT_A_FLOAT),
            ("nan", "1", NOT_A_FLOAT),
            ("1e4932", "-1e4932", "0"),
            ("1e4932", "1e4932", NOT_FINITE),
            ("inf", "1", NOT_FINITE),
            ("inf", "-inf", NOT_FINITE),
        ] {
            assert_eq!(incrbyfloat(value, increment), result, "{value} + {increment}");
        }
    }

    #[test]
    fn the_largest_values_print_whole() {
        let large = ExtFloat::parse(b"1e4931")
            .and_then(ExtFloat::to_human)
            .expect("finite");
        assert_eq!(large.len(), 4932);
        assert!(
            large.starts_with("1000000000000000000006018949387963891323"),
            "{large}"
        );
        let sum = incrbyfloat("1e400", "-1");
        assert!(
            sum.starts_with("10000000000000000000281880683947586514586453433629052038625910693539685534"),
            "{sum}"
        );
    }

    #[test]
    fn texts_that_are_no_floats() {
        for text in [
            "", " 1", "1 ", "+", ".", "e5", "1e", "1e+", "1.2.3", "0x", "0x1p", "0x.p1", "infin", "1_0",
            "1\0",
        ] {
            assert_eq!(ExtFloat::parse(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn long_texts_are_bounded() {
        let text = "0".repeat(MAX_TEXT - 2) + "7";
        assert_eq!(ExtFloat::parse(text.as_bytes()), Some(ExtFloat::from_i64(7)));
        let text = "0".repeat(MAX_TEXT - 1) + "7";
        assert_eq!(ExtFloat::parse(text.as_bytes()), None);
        let tiny = format!("0.{}1e4950", "0".repeat(4949));
        assert_eq!(ExtFloat::parse(tiny.as_bytes()), Some(ExtFloat::from_i64(1)));
        assert_eq!(ExtFloat::parse(b"1e99999999999999999999"), None);
        assert_eq!(
            ExtFloat::parse(b"0e99999999999999999999"),
            Some(ExtFloat::from_i64(0))
        );
    }

    #[test]
    fn ties_round_to_even() {
        // 2^64 + 1 and 2^64 + 3 lie halfway between neighbours.
        let round = |text: &str| {
            ExtFloat::parse(text.as_bytes())
                .and_then(ExtFloat::to_human)
                .expect("finite")
        };
        assert_eq!(round("18446744073709551617"), "18446744073709551616");
        assert_eq!(round("18446744073709551619"), "18446744073709551620");
        assert_eq!(
            round("18446744073709551617.000000000000000000000000000001"),
            "18446744073709551618"
        );
        // An addend too small for the guard bits still breaks a tie, in either direction.
        let halfway =
            ExtFloat::parse(b"0x1p64").and_then(|high| high.checked_add(ExtFloat::parse(b"0x0.8p0")?));
        assert_eq!(halfway, ExtFloat::parse(b"0x1p64"));
        assert_eq!(
            incrbyfloat("0x1p100", "-0x1p-100"),
            "1267650600228229401496703205376"
        );
    }

    #[test]
    fn integers_are_exact() {
        for value in [0, 1, -1, i64::MAX, i64::MIN] {
            assert!(ExtFloat::from_i64(value).is_finite());
            assert_eq!(ExtFloat::from_i64(value).to_human(), Some(value.to_string()));
        }
        assert!(!ExtFloat::parse(b"-Infinity").expect("an infinity").is_finite());
    }
}
