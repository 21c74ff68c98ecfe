//! How a payload ends, whatever is in it:
//!
//! ```text
//! payload := byte* version:u16 le crc64:u64 le     the sum of all before it
//! ```

use super::version::Version;
use crate::base::crc64::crc64;

/// The version and the sum.
const FOOTER: usize = 10;

/// The family and version that a payload's end tells, and what is before it; none if the sum is wrong, or it is not read.
pub fn check_payload(payload: &[u8]) -> Option<(Version, &[u8])> {
    let (version, body) = ended(payload)?;
    Some((Version::of_payload(version)?, body))
}

/// The number of the version that a payload's end tells, and what is before it; none if the sum is wrong.
pub(super) fn ended(payload: &[u8]) -> Option<(u16, &[u8])> {
    let (body, [low, high, sum @ ..]) = payload.split_last_chunk::<FOOTER>()?;
    let is_whole = u64::from_le_bytes(*sum) == crc64(&payload[..body.len() + 2]);
    is_whole.then_some((u16::from_le_bytes([*low, *high]), body))
}

/// What is before the end of a payload.
pub(super) fn body(payload: &[u8]) -> &[u8] {
    &payload[..payload.len().saturating_sub(FOOTER)]
}

/// Appends the end.
pub(super) fn end(payload: &mut Vec<u8>, version: u16) {
    payload.extend_from_slice(&version.to_le_bytes());
    let sum = crc64(payload);
    payload.extend_from_slice(&sum.to_le_bytes());
}
