//! How large a collection may be that lives in its key's record: options by Redis's names.

/// A collection above any of its limits moves to records of its own, and stays there.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// Most fields of a hash.
    pub hash_entries: u64,
    /// Longest field or value of a hash, in bytes.
    pub hash_value: u64,
    /// Positive: most elements. Negative: most bytes, as `list-max-listpack-size` has it.
    pub list_size: i32,
    /// Most members of a set of integers.
    pub set_intset: u64,
    /// Most members of a set that is not all integers.
    pub set_entries: u64,
    /// Longest member of a set that is not all integers, in bytes.
    pub set_value: u64,
    /// Most members of a sorted set.
    pub sorted_set_entries: u64,
    /// Longest member of a sorted set, in bytes.
    pub sorted_set_value: u64,
    /// Most bytes in a node of a stream; 0: no limit.
    pub stream_bytes: u64,
    /// Most entries in a node of a stream; 0: no limit.
    pub stream_entries: u64,
}
