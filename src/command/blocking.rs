//! Commands that wait until there is something for them.

use std::ops::Range;

use super::Call;
use crate::base::num::{parse_f64, parse_i64};
use crate::resp::Reply;
use crate::store::{Await, Result, Sought, Stop, Txn};

const OUT_OF_RANGE: &str = "ERR timeout is out of range";

/// A timeout in seconds, which may have a fraction; returns milliseconds, rounded up. 0 is for ever.
pub fn seconds(text: &[u8], now: u64) -> Result<u64> {
    let Some(seconds) = parse_f64(text) else {
        return Stop::error("ERR timeout is not a float or out of range");
    };
    let ms = (seconds * 1000.0).ceil();
    if ms < 0.0 {
        return Stop::error("ERR timeout is negative");
    }
    match ms < i64::MAX as f64 {
        // It is a whole number that fits.
        true => within(ms as u64, now),
        false => Stop::error(OUT_OF_RANGE),
    }
}

/// A timeout in milliseconds. 0 is for ever.
pub fn milliseconds(text: &[u8], now: u64) -> Result<u64> {
    let Some(ms) = parse_i64(text) else {
        return Stop::error("ERR timeout is not an integer or out of range");
    };
    match u64::try_from(ms) {
        Ok(ms) => within(ms, now),
        Err(_) => Stop::error("ERR timeout is negative"),
    }
}

/// The time at which it ends has to be one.
fn within(ms: u64, now: u64) -> Result<u64> {
    match now.checked_add(ms).map(i64::try_from) {
        Some(Ok(_)) => Ok(ms),
        _ => Stop::error(OUT_OF_RANGE),
    }
}

/// Has the client wait for keys, which these arguments name, or answers `nothing` where it must not wait.
pub fn await_keys(
    call: &Call,
    keys: Range<usize>,
    sought: Sought,
    timeout: u64,
    nothing: Reply,
) -> Result<Reply> {
    await_with(
        call,
        Await {
            keys,
            sought,
            timeout,
            settled: Vec::new(),
        },
        nothing,
    )
}

/// The same, where more is known of what is waited for.
pub fn await_with(call: &Call, wanted: Await, nothing: Reply) -> Result<Reply> {
    match call.may_wait {
        true => Err(Stop::Await(Box::new(wanted))),
        false => Ok(nothing),
    }
}

/// The timeout that is the last argument, in seconds.
pub fn last_timeout(txn: &Txn, call: &Call) -> Result<u64> {
    seconds(call.arg(call.args.len() - 1), txn.now)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000_000;

    fn error<T>(result: Result<T>) -> String {
        match result {
            Err(Stop::Error(text)) => text.into_owned(),
            _ => panic!("no error"),
        }
    }

    #[test]
    fn seconds_are_rounded_up_to_milliseconds() {
        for (text, ms) in [
            ("0", 0),
            ("0.001", 1),
            ("0.0001", 1),
            ("1.5", 1500),
            ("-1e-5", 0),
            ("0x10", 16_000),
            ("9e15", 9_000_000_000_000_000_000),
        ] {
            assert_eq!(seconds(text.as_bytes(), NOW).unwrap(), ms, "{text}");
        }
        for text in ["", "abc", "nan", "-nan", "1 ", " 1"] {
            let error = error(seconds(text.as_bytes(), NOW));
            assert_eq!(error, "ERR timeout is not a float or out of range", "{text}");
        }
        for text in ["inf", "1e300", "9223372036854775", "9223372036854776"] {
            assert_eq!(error(seconds(text.as_bytes(), NOW)), OUT_OF_RANGE, "{text}");
        }
        for text in ["-1", "-0.1", "-inf"] {
            assert_eq!(
                error(seconds(text.as_bytes(), NOW)),
                "ERR timeout is negative",
                "{text}"
            );
        }
    }

    #[test]
    fn milliseconds_are_whole() {
        assert_eq!(
            milliseconds(b"9223372036854775", NOW).unwrap(),
            9_223_372_036_854_775
        );
        for text in ["", "abc", "1.5", "1e3", "9223372036854775808"] {
            let error = error(milliseconds(text.as_bytes(), NOW));
            assert_eq!(error, "ERR timeout is not an integer or out of range", "{text}");
        }
        assert_eq!(error(milliseconds(b"-1", NOW)), "ERR timeout is negative");
        assert_eq!(error(milliseconds(b"9223372036854775807", NOW)), OUT_OF_RANGE);
    }
}
