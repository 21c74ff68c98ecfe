//! The sets of bits in a row, and how COMMAND INFO spells them.

/// The names of the bits in `set` that have one, in the order of the bits.
pub fn names(set: u32, names: &'static [&'static str]) -> impl Iterator<Item = &'static str> {
    let is_set = move |(bit, _): &(usize, &&str)| set >> bit & 1 == 1;
    let set = names.iter().enumerate().filter(is_set).map(|(_, name)| *name);
    set.filter(|name| !name.is_empty())
}

/// Flags of a command, with Redis's meanings; their order is that of [`flag::NAMES`].
pub mod flag {
    /// May change data.
    pub const WRITE: u32 = 1;
    /// Changes no data, and reads some.
    pub const READONLY: u32 = 1 << 1;
    /// May take more memory.
    pub const DENYOOM: u32 = 1 << 2;
    /// Is for operators.
    pub const ADMIN: u32 = 1 << 3;
    /// Is about messages to subscribers.
    pub const PUBSUB: u32 = 1 << 4;
    /// No script may call it.
    pub const NOSCRIPT: u32 = 1 << 5;
    /// May keep its client waiting for data.
    pub const BLOCKING: u32 = 1 << 6;
    /// Runs also before all data is there.
    pub const LOADING: u32 = 1 << 7;
    /// Runs also on a replica whose data is old.
    pub const STALE: u32 = 1 << 8;
    /// MONITOR does not show it.
    pub const SKIP_MONITOR: u32 = 1 << 9;
    /// The slow log does not note it.
    pub const SKIP_SLOWLOG: u32 = 1 << 10;
    /// Takes about the same time whatever there is.
    pub const FAST: u32 = 1 << 11;
    /// Runs also before the client has logged in.
    pub const NO_AUTH: u32 = 1 << 12;
    /// May change something that a replica has to know, though it does not count as a write.
    pub const MAY_REPLICATE: u32 = 1 << 13;
    /// Does not run while a replica loads new data beside the old.
    pub const NO_ASYNC_LOADING: u32 = 1 << 14;
    /// Cannot be in a transaction.
    pub const NO_MULTI: u32 = 1 << 15;
    /// The rules for its keys do not find all of them: only a function does.
    pub const MOVABLEKEYS: u32 = 1 << 16;
    /// Runs also while a script has taken too long.
    pub const ALLOW_BUSY: u32 = 1 << 17;
    /// May be called without any key.
    pub const NO_MANDATORY_KEYS: u32 = 1 << 18;
    /// Refused unless the configuration allows it. Has no name: COMMAND INFO does not show it.
    pub const PROTECTED: u32 = 1 << 19;
    /// Runs also while its client speaks RESP2 and has subscribed to something. Has no name either.
    pub const WHILE_SUBSCRIBED: u32 = 1 << 20;

    /// The name of bit `i`, as COMMAND INFO spells it; empty: it does not show it.
    pub const NAMES: [&str; 19] = [
        "write",
        "readonly",
        "denyoom",
        "admin",
        "pubsub",
        "noscript",
        "blocking",
        "loading",
        "stale",
        "skip_monitor",
        "skip_slowlog",
        "fast",
        "no_auth",
        "",
        "no_async_loading",
        "no_multi",
        "movablekeys",
        "allow_busy",
        "no_mandatory_keys",
    ];
}

/// ACL categories; their order is that of [`acl::NAMES`].
pub mod acl {
    /// About keys, whatever their values.
    pub const KEYSPACE: u32 = 1;
    /// Reads data: follows from `READONLY`.
    pub const READ: u32 = 1 << 1;
    /// Changes data: follows from the flag.
    pub const WRITE: u32 = 1 << 2;
    /// Works on sets.
    pub const SET: u32 = 1 << 3;
    /// Works on sorted sets, places not among them.
    pub const SORTEDSET: u32 = 1 << 4;
    /// Works on lists.
    pub const LIST: u32 = 1 << 5;
    /// Works on hashes.
    pub const HASH: u32 = 1 << 6;
    /// Works on strings as such.
    pub const STRING: u32 = 1 << 7;
    /// Works on the bits of strings.
    pub const BITMAP: u32 = 1 << 8;
    /// Works on HyperLogLogs.
    pub const HYPERLOGLOG: u32 = 1 << 9;
    /// Works on places in sorted sets.
    pub const GEO: u32 = 1 << 10;
    /// Works on streams.
    pub const STREAM: u32 = 1 << 11;
    /// About messages: follows from the flag.
    pub const PUBSUB: u32 = 1 << 12;
    /// For operators: follows from the flag.
    pub const ADMIN: u32 = 1 << 13;
    /// Follows from the flag.
    pub const FAST: u32 = 1 << 14;
    /// All that is not `FAST`.
    pub const SLOW: u32 = 1 << 15;
    /// Follows from the flag.
    pub const BLOCKING: u32 = 1 << 16;
    /// Not for everybody: may take long, delete much, or tell about others.
    pub const DANGEROUS: u32 = 1 << 17;
    /// About the connection it comes on.
    pub const CONNECTION: u32 = 1 << 18;
    /// About transactions.
    pub const TRANSACTION: u32 = 1 << 19;
    /// About scripts and functions.
    pub const SCRIPTING: u32 = 1 << 20;

    /// The name of bit `i`, as COMMAND INFO has it behind an `@`.
    pub const NAMES: [&str; 21] = [
        "keyspace",
        "read",
        "write",
        "set",
        "sortedset",
        "list",
        "hash",
        "string",
        "bitmap",
        "hyperloglog",
        "geo",
        "stream",
        "pubsub",
        "admin",
        "fast",
        "slow",
        "blocking",
        "dangerous",
        "connection",
        "transaction",
        "scripting",
    ];
}

/// What a command does to keys; their order is that of [`access::NAMES`].
pub mod access {
    /// Reads the value, or what is about it.
    pub const RO: u32 = 1;
    /// Changes the value.
    pub const RW: u32 = 1 << 1;
    /// Overwrites the value, whatever it was.
    pub const OW: u32 = 1 << 2;
    /// Removes the key.
    pub const RM: u32 = 1 << 3;
    /// Returns, copies or goes by the data in the value.
    pub const ACCESS: u32 = 1 << 4;
    /// Changes data in the value, without deleting any.
    pub const UPDATE: u32 = 1 << 5;
    /// Adds data to the value, without changing any.
    pub const INSERT: u32 = 1 << 6;
    /// Deletes data from the value.
    pub const DELETE: u32 = 1 << 7;
    /// Is no key, and yet belongs to a slot.
    pub const NOT_KEY: u32 = 1 << 8;
    /// Which of the others hold depends on the arguments.
    pub const VARIABLE_FLAGS: u32 = 1 << 9;

    /// The name of bit `i`, as COMMAND INFO spells it.
    pub const NAMES: [&str; 10] = [
        "RO",
        "RW",
        "OW",
        "RM",
        "access",
        "update",
        "insert",
        "delete",
        "not_key",
        "variable_flags",
    ];
}
