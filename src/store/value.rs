//! The bytes of a record, shared between the hot tier, a transaction's overlay and a reply on its way out.

use std::ops::Deref;
use std::sync::Arc;

use crate::base::warm_up::warm_up;

/// Immutable bytes; a clone is a count. An `Arc` rather than an `Rc` because replies cross to other threads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value(Arc<[u8]>);

/// Bytes of an `Arc`'s counts, which are before its own.
const COUNTS: usize = 16;
const CACHE_LINE: usize = 64;
/// How much of a value is loaded before it is wanted: most of a page of a table.
const WARM_BYTES: usize = 512;

impl Value {
    /// The parts, one after the other, in one allocation.
    pub fn concat(parts: &[&[u8]]) -> Value {
        let len = parts.iter().map(|part| part.len()).sum();
        let mut bytes = Arc::<[u8]>::new_uninit_slice(len);
        let mut rest = Arc::get_mut(&mut bytes).unwrap_or_else(|| unreachable!("just made"));
        for part in parts {
            let (here, after) = rest.split_at_mut(part.len());
            here.write_copy_of_slice(part);
            rest = after;
        }
        // SAFETY: the parts' lengths add up to `len`, and each was copied into its place.
        Value(unsafe { bytes.assume_init() })
    }

    /// Asks the processor to load the counts and the first bytes.
    #[inline]
    pub fn warm_up(&self) {
        let (start, bytes) = (self.0.as_ptr().wrapping_sub(COUNTS), COUNTS + self.0.len());
        for at in (0..bytes.min(WARM_BYTES)).step_by(CACHE_LINE) {
            warm_up(start.wrapping_add(at));
        }
    }

    /// The bytes, for who has no other use for a value.
    pub fn share(&self) -> Arc<[u8]> {
        self.0.clone()
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Value {
        Value(Arc::from(bytes))
    }
}

impl From<Value> for Arc<[u8]> {
    fn from(value: Value) -> Arc<[u8]> {
        value.0
    }
}

impl Deref for Value {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}
