//! What a client has asked to be told of. (How it is: `exec/tracking.rs`.)

/// Of which keys a client is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Those that it has read.
    Read,
    /// Those that it has read behind CLIENT CACHING YES.
    OptIn,
    /// Those that it has read, but behind CLIENT CACHING NO.
    OptOut,
    /// All that begin with one of its prefixes.
    Broadcast,
}

/// CLIENT TRACKING, as a client has switched it on.
pub struct Tracks {
    /// Of which keys it is told.
    pub mode: Mode,
    /// Not of what it has changed itself.
    pub no_loop: bool,
    /// The client that is told in its place.
    pub redirect: Option<u64>,
    /// That one was gone when it was to be told.
    pub is_broken: bool,
    /// CLIENT CACHING was said of the request that comes, or is at hand.
    pub is_caching_said: bool,
    /// In order.
    pub prefixes: Vec<Box<[u8]>>,
}
