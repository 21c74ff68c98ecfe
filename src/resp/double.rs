//! The text of a double in a reply, as Redis 7.2 writes it.
//!
//! ```text
//! nan, inf, -inf, -0
//! whole, at most 2^62 in size      every digit                    3    -100000000000000000
//! else digits x 10^scale, with the fewest digits that read back as the same double:
//!   scale 0 to 7                             whole               12345678901234560000000
//!   scale -6 to -1                           with a point        0.000001    12345.123456
//!   a smaller scale, 0.001 <= size < 10000   with a point        1234.123456789
//!   otherwise                                with an exponent    1e+20   1.2345123456789e+4   2.5e-300
//! ```
//!
//! Redis 7.0 prints `%.17g` instead: 0.10000000000000001, 1e+17 and 9.9999999999999995e-08 where 7.2 prints
//! 0.1, 100000000000000000 and 1e-7. The one difference from 7.2 is in the digits: its Grisu2 now and then
//! (one double in a thousand) finds some that are not the fewest, or others of the same number, such as
//! 46000000000000004000000 for 4.6e+22. They read back as the same double too.

use std::{
    fmt::{self, Write},
    ops::Deref,
};

/// Longer than any text that [`format_double`] makes: the longest is a sign and 24 digits.
const MAX_LEN: usize = 32;

/// The text of a double, on the stack.
#[derive(Clone, Copy)]
pub struct DoubleText {
    bytes: [u8; MAX_LEN],
    len: usize,
}

impl DoubleText {
    fn new() -> DoubleText {
        DoubleText {
            bytes: [0; MAX_LEN],
            len: 0,
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        self.bytes[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    fn push_zeros(&mut self, count: usize) {
        self.bytes[self.len..self.len + count].fill(b'0');
        self.len += count;
    }
}

impl Deref for DoubleText {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl Write for DoubleText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text.len() > MAX_LEN - self.len {
            return Err(fmt::Error);
        }
        self.push(text.as_bytes());
        Ok(())
    }
}

impl fmt::Debug for DoubleText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.escape_ascii())
    }
}

/// Writes a double as Redis does: see the top of this file.
pub fn format_double(value: f64) -> DoubleText {
    let mut text = DoubleText::new();
    if value.is_nan() {
        text.push(b"nan");
    } else if value.is_infinite() {
        text.push(if value > 0.0 { b"inf" } else { b"-inf" });
    } else if value == 0.0 {
        text.push(if value.is_sign_negative() { b"-0" } else { b"0" });
    } else if let Some(integer) = exact_integer(value) {
        text.push(itoa::Buffer::new().format(integer).as_bytes());
    } else {
        if value < 0.0 {
            text.push(b"-");
        }
        push_digits(&Digits::shortest(value.abs()), &mut text);
    }
    text
}

/// Writes a double as C's `%.17g` does, or if it is whole and of few digits, all of these.
pub fn format_g17(value: f64) -> DoubleText {
    const DIGITS: usize = 17;
    let mut text = DoubleText::new();
    if !value.is_finite()
        || exact_integer(value).is_some_and(|whole| whole.unsigned_abs() < 10_u64.pow(DIGITS as u32))
    {
        return format_double(value);
    }
    let mut number = Digits::parse(format_args!("{:.*e}", DIGITS - 1, value.abs()));
    let exponent = number.scale + DIGITS as i32 - 1;
    while number.count > 1 && number.digits[number.count - 1] == b'0' {
        number.count -= 1;
        number.scale += 1;
    }
    if value < 0.0 {
        text.push(b"-");
    }
    if (-4..DIGITS as i32).contains(&exponent) {
        push_plain(&number, &mut text);
    } else {
        push_scientific(&number, 2, &mut text);
    }
    text
}

/// Writes a finite double as Redis writes a `long double` for people: 17 digits behind the point, less the zeros at the end.
pub fn format_long_double(value: f64) -> String {
    let text = format!("{value:.17}");
    match text.trim_end_matches('0').trim_end_matches('.') {
        "-0" => "0".to_owned(),
        trimmed => trimmed.to_owned(),
    }
}

/// The whole number that this double is, within the range in which Redis takes the shortcut.
fn exact_integer(value: f64) -> Option<i64> {
    const MAX: f64 = (1i64 << 62) as f64;
    let integer = value as i64;
    (value.abs() <= MAX && integer as f64 == value).then_some(integer)
}

/// A positive number: its digits, read as an integer, times ten to the `scale`.
struct Digits {
    digits: [u8; 17],
    count: usize,
    scale: i32,
}

impl Digits {
    /// The shortest digits that read back as `value`. Of two that are equally near, Redis takes the lesser.
    fn shortest(value: f64) -> Digits {
        let mut number = Digits::parse(format_args!("{value:e}"));
        if number.is_upper_of_two(value) {
            number.digits[number.count - 1] -= 1;
        }
        number
    }

    /// Whether the number one less in its last digit is as near to the value.
    fn is_upper_of_two(&self, value: f64) -> bool {
        // Beyond this the value has no part that lies in the middle between two such numbers, or the test none that fits.
        const MOST_PLACES: i32 = 20;
        let places = -self.scale;
        if !(1..=MOST_PLACES).contains(&places) || self.digits[self.count - 1] == b'0' {
            return false;
        }
        let digits = self.digits[..self.count]
            .iter()
            .fold(0_u128, |number, digit| number * 10 + u128::from(digit - b'0'));
        let (bits, exponent_bits) = (value.to_bits(), f64::MANTISSA_DIGITS - 1);
        let mantissa = u128::from(bits & ((1 << exponent_bits) - 1) | 1 << exponent_bits);
        // value = mantissa / 2^shift, so twice the value in units of the last digit is mantissa * 10^places * 2 / 2^shift.
        let shift = 1075 - (bits >> exponent_bits) as i64;
        let doubled = mantissa * 10_u128.pow(places as u32);
        (2..=127).contains(&shift) && {
            let shift = shift - 1;
            doubled.trailing_zeros() as i64 >= shift && doubled >> shift == 2 * digits - 1
        }
    }

    /// Digits, a point among them, and an exponent: at most 17, and five characters.
    fn parse(text: fmt::Arguments) -> Digits {
        let mut scientific = DoubleText::new();
        let fits = scientific.write_fmt(text);
        debug_assert!(fits.is_ok());
        let mut parsed = Digits {
            digits: [b'0'; 17],
            count: 0,
            scale: 0,
        };
        let mut parts = scientific.split(|&byte| byte == b'e');
        for &digit in parts
            .next()
            .unwrap_or_default()
            .iter()
            .filter(|byte| byte.is_ascii_digit())
        {
            parsed.digits[parsed.count] = digit;
            parsed.count += 1;
        }
        let exponent = match parts.next().unwrap_or_default() {
            [b'-', digits @ ..] => -decimal(digits),
            digits => decimal(digits),
        };
        parsed.scale = exponent + 1 - parsed.count as i32;
        parsed
    }
}

/// An exponent's digits, three at most.
fn decimal(digits: &[u8]) -> i32 {
    digits
        .iter()
        .fold(0, |value, digit| value * 10 + i32::from(digit - b'0'))
}

fn push_digits(number: &Digits, text: &mut DoubleText) {
    let exponent = number.scale + number.count as i32 - 1;
    let is_plain = number.scale < 0 && (number.scale > -7 || exponent.abs() < 4);
    if is_plain || (0..8).contains(&number.scale) {
        push_plain(number, text);
    } else {
        push_scientific(number, 1, text);
    }
}

/// Without an exponent.
fn push_plain(number: &Digits, text: &mut DoubleText) {
    let digits = &number.digits[..number.count];
    let places = number.scale.unsigned_abs() as usize;
    if number.scale >= 0 {
        text.push(digits);
        text.push_zeros(places);
    } else if places < digits.len() {
        let (whole, fraction) = digits.split_at(digits.len() - places);
        text.push(whole);
        text.push(b".");
        text.push(fraction);
    } else {
        text.push(b"0.");
        text.push_zeros(places - digits.len());
        text.push(digits);
    }
}

/// With an exponent of at least `width` digits.
fn push_scientific(number: &Digits, width: usize, text: &mut DoubleText) {
    let digits = &number.digits[..number.count];
    let exponent = number.scale + number.count as i32 - 1;
    text.push(&digits[..1]);
    if digits.len() > 1 {
        text.push(b".");
        text.push(&digits[1..]);
    }
    text.push(if exponent < 0 { b"e-" } else { b"e+" });
    let mut buffer = itoa::Buffer::new();
    let exponent = buffer.format(exponent.unsigned_abs()).as_bytes();
    text.push_zeros(width.saturating_sub(exponent.len()));
    text.push(exponent);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: f64, expected: &str) {
        assert_eq!(format!("{:?}", format_double(value)), expected);
    }

    /// Redis 7.0 and 7.2 agree on these.
    #[test]
    fn as_every_redis_prints_it() {
        check(f64::INFINITY, "inf");
        check(f64::NEG_INFINITY, "-inf");
        check(0.0, "0");
        check(3.0, "3");
        check(-17.0, "-17");
        check(1e16, "10000000000000000");
        check(9007199254740993.0, "9007199254740992");
        check(0.5, "0.5");
        check(-1.25, "-1.25");
        check(1234567.0625, "1234567.0625");
        check(0.001953125, "0.001953125");
        check(1e20, "1e+20");
        check(-1e22, "-1e+22");
        check(1.7976931348623157e308, "1.7976931348623157e+308");
    }

    /// Redis 7.0 prints 17 digits, an exponent sooner, and it with two digits at least.
    #[test]
    fn as_redis_7_2_prints_it() {
        check(f64::NAN, "nan");
        check(-0.0, "-0");
        check(1.5e100, "1.5e+100");
        check(0.1, "0.1");
        check(9.81, "9.81");
        check(-2.2, "-2.2");
        check(1e17, "100000000000000000");
        check(4611686018427387904.0, "4611686018427387904");
        check(9223372036854775808.0, "9223372036854776000");
        check(1.2345678901234567e23, "123456789012345670000000");
        check(1234.123456789, "1234.123456789");
        check(12345.123456, "12345.123456");
        check(12345.123456789, "1.2345123456789e+4");
        check(0.000001, "0.000001");
        check(0.0000001, "1e-7");
        check(0.00012345678, "1.2345678e-4");
        check(0.0012345678, "0.0012345678");
        check(0.123456789012345, "0.123456789012345");
        check(5e-324, "5e-324");
        check(2.5e-10, "2.5e-10");
    }

    /// C's own `printf("%.17g")` prints these.
    #[test]
    fn seventeen_digits() {
        for (value, text) in [
            (0.1, "0.10000000000000001"),
            (0.5, "0.5"),
            (-2.25, "-2.25"),
            (3.0, "3"),
            (1e-5, "1.0000000000000001e-05"),
            (0.0001, "0.0001"),
            (1e-7, "9.9999999999999995e-08"),
            (1e16, "10000000000000000"),
            (1e17, "1e+17"),
            (9223372036854775807.0, "9.2233720368547758e+18"),
            (1e300, "1.0000000000000001e+300"),
            (5e-324, "4.9406564584124654e-324"),
            (123456789.125, "123456789.125"),
            (f64::NEG_INFINITY, "-inf"),
            (-0.0, "-0"),
        ] {
            assert_eq!(format!("{:?}", format_g17(value)), text);
        }
    }

    #[test]
    fn of_two_shortest_texts_that_are_equally_near_the_lesser_is_taken() {
        check(988316458365806.0 + 0.25, "988316458365806.2");
        check(-599861576783483.0 - 0.75, "-599861576783483.7");
        check(246566612252327.0 + 0.875, "246566612252327.87");
        check(0.5, "0.5");
    }

    #[test]
    fn long_doubles() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "0"),
            (180.0, "180"),
            (13.361389338970184, "13.36138933897018433"),
            (-1e-20, "0"),
        ] {
            assert_eq!(format_long_double(value), text);
        }
    }

    #[test]
    fn every_text_reads_back_as_its_number() {
        let mut state = 7u64;
        for _ in 0..100_000 {
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            let value = f64::from_bits(state);
            let text = format_double(value);
            let read: f64 = std::str::from_utf8(&text).unwrap().parse().unwrap();
            assert!(
                read == value || (read.is_nan() && value.is_nan()),
                "{value:e} became {text:?}"
            );
        }
    }
}
