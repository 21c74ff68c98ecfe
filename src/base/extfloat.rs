//! C's `long double` on x86-64 (the x87 extended format), in which Redis computes INCRBYFLOAT and
//! HINCRBYFLOAT.
//!
//! Parsing, addition and printing round to nearest, ties to even, as the C library does, so the digits that clients see are
//! Redis's. The format itself is `rustc_apfloat`'s; what it lacks is the C library's `%.17Lf`.

use rustc_apfloat::{Float, Round, Status, ieee::X87DoubleExtended};

use super::num::{Unrounded, parse_exponent, split_sign};

/// Redis copies the text to a buffer of this many bytes, with a NUL behind it.
const MAX_TEXT: usize = 5 * 1024;
/// Powers of ten beyond which a decimal text surely overflows or rounds to zero.
const MAX_DECIMAL: i64 = 4932;
const MIN_DECIMAL: i64 = -4951;
/// Decimal digits that surely fit the mantissa, and the greatest power of five that does.
const SHORT_DIGITS: usize = 19;
const SHORT_POWER: u64 = 27;
/// Bits of mantissa.
const PRECISION: i64 = 64;
/// By so much the encoded exponent, bits 64 to 78, is above the weight of the mantissa's lowest bit.
const BIAS: i64 = 16383 + 63;
/// Digits behind the point that `to_human` prints before it trims zeros.
const HUMAN_DECIMALS: usize = 17;

const ROUND: Round = Round::NearestTiesToEven;

/// A long double; never NaN, which neither parsing nor `checked_add` lets through.
#[derive(Debug, Clone, Copy)]
pub struct ExtFloat(X87DoubleExtended);

/// Equal if they are encoded alike: so zero is not equal to minus zero.
impl PartialEq for ExtFloat {
    fn eq(&self, other: &ExtFloat) -> bool {
        self.0.bitwise_eq(other.0)
    }
}

impl Eq for ExtFloat {}

impl ExtFloat {
    /// Parses a whole text: decimal, hexadecimal, or `inf`/`infinity` in any case. None also for NaN, for
    /// overflow and for what is not zero but rounds to it.
    pub fn parse(text: &[u8]) -> Option<ExtFloat> {
        if text.len() >= MAX_TEXT {
            return None;
        }
        let (negative, unsigned) = split_sign(text);
        let magnitude = if let Some(hex) = Unrounded::parse_hex(text) {
            parse_hex(unsigned, hex.mantissa == 0)?
        } else if unsigned.eq_ignore_ascii_case(b"inf") || unsigned.eq_ignore_ascii_case(b"infinity") {
            X87DoubleExtended::INFINITY
        } else {
            Decimal::parse(unsigned)?.value()?
        };
        Some(ExtFloat(if negative { -magnitude } else { magnitude }))
    }

    /// The integer, exactly: 64 bits of mantissa hold each.
    pub fn from_i64(value: i64) -> ExtFloat {
        ExtFloat(X87DoubleExtended::from_i128(i128::from(value)).value)
    }

    /// Whether it is no infinity.
    pub fn is_finite(self) -> bool {
        self.0.is_finite()
    }

    /// The rounded sum. None where Redis says "increment would produce NaN or Infinity".
    pub fn checked_add(self, other: ExtFloat) -> Option<ExtFloat> {
        let sum = self.0.add_r(other.0, ROUND).value;
        sum.is_finite().then_some(ExtFloat(sum))
    }

    /// C's `%.17Lf` without its trailing zeros, and without a minus on zero. None for an infinity.
    pub fn to_human(self) -> Option<String> {
        if !self.is_finite() {
            return None;
        }
        let bits = self.0.to_bits();
        let mantissa = bits as u64;
        // Those of a subnormal value, and of zero, are 0 and mean 1.
        let exponent = ((bits >> 64) as i64 & 0x7fff).max(1) - BIAS;
        let text = if exponent >= 0 {
            whole_number(mantissa, exponent.unsigned_abs())
        } else {
            human_fraction(mantissa, exponent.unsigned_abs())
        };
        Some(if self.0.is_negative() && text != "0" {
            format!("-{text}")
        } else {
            text
        })
    }
}

/// The value of an unsigned text that is known to be hexadecimal.
fn parse_hex(text: &[u8], is_zero: bool) -> Option<X87DoubleExtended> {
    if is_zero {
        return Some(X87DoubleExtended::ZERO);
    }
    let text = str::from_utf8(text).ok()?;
    if text.contains(['p', 'P']) {
        rounded(text)
    } else {
        rounded(&format!("{text}p0"))
    }
}

/// The value of a text that is known to be a number other than zero. None on overflow, and on underflow to zero.
fn rounded(text: &str) -> Option<X87DoubleExtended> {
    let parsed = X87DoubleExtended::from_str_r(text, ROUND).ok()?;
    let value = parsed.value;
    (!parsed.status.contains(Status::OVERFLOW) && value.is_finite() && !value.is_zero()).then_some(value)
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

    /// None on overflow, and on underflow to zero.
    fn value(&self) -> Option<X87DoubleExtended> {
        if self.digits.is_empty() {
            return Some(X87DoubleExtended::ZERO);
        }
        let magnitude = self.digits.len() as i64 + self.exponent;
        if !(MIN_DECIMAL..=MAX_DECIMAL + 1).contains(&magnitude) {
            return None;
        }
        if self.digits.len() <= SHORT_DIGITS && self.exponent.unsigned_abs() <= SHORT_POWER {
            return self.short_value();
        }
        let mut text = String::from_utf8(self.digits.clone()).ok()?;
        text.push_str(&format!("e{}", self.exponent));
        rounded(&text)
    }

    /// The usual case: digits that fit 64 bits, scaled by a power of five that does, too.
    fn short_value(&self) -> Option<X87DoubleExtended> {
        let digits = self.digits.iter();
        let value = digits.fold(0, |value: u128, digit| value * 10 + u128::from(digit - b'0'));
        let power = 5u128.pow(self.exponent.unsigned_abs() as u32);
        let unrounded = if self.exponent >= 0 {
            Unrounded {
                negative: false,
                mantissa: value * power,
                sticky: false,
                exponent: self.exponent,
            }
        } else {
            let shift = value.leading_zeros();
            let dividend = value << shift;
            Unrounded {
                negative: false,
                mantissa: dividend / power,
                sticky: !dividend.is_multiple_of(power),
                exponent: self.exponent - i64::from(shift),
            }
        };
        let (mantissa, exponent) = unrounded.round(PRECISION, 1 - BIAS)?;
        let exponent = u128::try_from(exponent + BIAS).ok()?;
        Some(X87DoubleExtended::from_bits(exponent << PRECISION | mantissa))
    }
}

/// `mantissa * 2^shift`, in decimal.
fn whole_number(mantissa: u64, shift: u64) -> String {
    const CHUNK: u64 = 1_000_000_000;
    // Limbs of 64 bits, the lowest first, the highest not zero.
    let mut limbs = vec![0; (shift / 64) as usize];
    let top = u128::from(mantissa) << (shift % 64);
    limbs.extend([top as u64, (top >> 64) as u64]);
    let mut chunks = Vec::new();
    while limbs.pop_if(|limb| *limb == 0).is_some() {}
    while !limbs.is_empty() {
        // Halves of limbs, so that a division by a constant compiles to a multiplication.
        let remainder = limbs.iter_mut().rev().fold(0, |remainder, limb| {
            let high = remainder << 32 | *limb >> 32;
            let low = (high % CHUNK) << 32 | *limb & u64::from(u32::MAX);
            *limb = ((high / CHUNK) << 32) | (low / CHUNK);
            low % CHUNK
        });
        chunks.push(remainder);
        while limbs.pop_if(|limb| *limb == 0).is_some() {}
    }
    let mut text = chunks.pop().unwrap_or(0).to_string();
    for chunk in chunks.iter().rev() {
        text.push_str(&format!("{chunk:09}"));
    }
    text
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
