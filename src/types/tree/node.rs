//! The records of a tree's nodes, searched and changed as bytes.
//!
//! ```text
//! leaf    := entry*                      in the order of the keys; a tree used by position has empty keys
//! entry   := key:cell value              value as `types/blob.rs` has it
//! inner   := implied:u16 be children:u16 be count*children offset*children child*children
//! count   := big endian, 2 bytes above leaves, 4 bytes a level higher, 8 bytes above that
//!                                        how many entries are below the child; what stands there for the implied child
//!                                        (and for the root's first) says nothing
//! offset  := big endian, 2 bytes, or 4 in a record longer than 64 KiB
//!                                        how far the child is behind the first one: so a key is found in few steps
//! child   := separator:cell node:varint  every key below is at or after the separator, which is empty for the first
//! ```
//!
//! A node's total comes from above, so one child's count can be told from all others: the *implied* one. It is a child
//! that changed lately, so that a run of changes below one child rewrites hardly a count above it.

use crate::disk::format::Malformed;

/// A leaf above this many bytes is divided.
pub const LEAF_BYTES: usize = 1024;
/// An inner node above this many bytes is divided.
pub const INNER_BYTES: usize = 2048;

/// What is found where no node could be.
pub const DAMAGED: Malformed = Malformed("node of a tree");

/// Whether a node of this many bytes should look for a neighbour to become one with.
pub fn is_small(bytes: usize, level: u32) -> bool {
    bytes < limit(level) / 4
}

/// The most bytes of a node at this level, 0 being the leaves'.
fn limit(level: u32) -> usize {
    if level == 0 { LEAF_BYTES } else { INNER_BYTES }
}

/// How full nodes are made that are made anew, so that the next changes find room.
pub fn fill(level: u32) -> usize {
    limit(level) * 3 / 4
}
