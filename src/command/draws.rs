//! What SRANDMEMBER, HRANDFIELD and ZRANDMEMBER share: how many elements are asked for.

use super::NOT_AN_INTEGER;
use crate::base::num::parse_i64;
use crate::store::{Result, Stop};

/// How many elements are asked for; negative: with repetition.
pub fn random_count(arg: &[u8]) -> Result<i64> {
    match parse_i64(arg) {
        None => Stop::error(NOT_AN_INTEGER),
        Some(i64::MIN) => Stop::error(format!(
            "ERR value is out of range, value must between {} and {}",
            -i64::MAX,
            i64::MAX
        )),
        Some(count) => Ok(count),
    }
}

/// Refuses what could not be told to a client that gets two for each.
pub fn check_doubled(count: i64) -> Result<()> {
    match count.unsigned_abs() > i64::MAX.unsigned_abs() / 2 {
        true => Stop::error("ERR value is out of range"),
        false => Ok(()),
    }
}
