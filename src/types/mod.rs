//! The data structures, one file each, over a transaction. They know no wire: texts of errors are here because they
//! are part of what a structure refuses, shapes of replies are not.

pub mod bitfield;
pub mod bitmap;
pub mod blob;
pub mod buckets;
pub mod damage;
pub mod footprint;
pub mod geo;
pub mod geohash;
pub mod hash;
pub mod hyperloglog;
pub mod intset;
pub mod items;
pub mod key_walk;
pub mod keys;
pub mod lcs;
pub mod libraries;
pub mod list;
pub mod random_key;
pub mod set;
pub mod set_algebra;
pub mod sort;
pub mod sort_source;
pub mod sorted_set;
pub mod stream;
pub mod string;
#[cfg(test)]
mod tests;
pub mod thresholds;
pub mod together;
pub mod tree;
pub mod value_footprint;
pub mod warm;

/// What a command answers where the key holds another kind of value than it works on.
pub const WRONG_TYPE: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";
