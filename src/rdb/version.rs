//! Who wrote a dump, and what the bytes that tell types and instructions apart mean there.
//!
//! Redis and Valkey have gone apart since version 12: the same byte is one thing in the one's dumps, another in the other's.

/// Whose dumps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Redis, and all before Valkey 9.
    Redis,
    /// Valkey, from 9 on.
    Valkey,
}

/// The family and the version of a dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// Whose.
    pub family: Family,
    /// 1 to 13 of Redis, 80 and up of Valkey.
    pub number: u16,
}

/// The last version of Redis's that is read.
pub const LAST_REDIS: u16 = 13;
/// The first version of Valkey's own.
pub const FIRST_VALKEY: u16 = 80;
/// The last version of Valkey's that is read.
pub const LAST_VALKEY: u16 = 81;

impl Version {
    /// The version that a payload has, which does not tell its family otherwise; none if it is not read.
    pub fn of_payload(number: u16) -> Option<Version> {
        let family = match number {
            0..=LAST_REDIS => Family::Redis,
            FIRST_VALKEY..=LAST_VALKEY => Family::Valkey,
            _ => return None,
        };
        Some(Version { family, number })
    }

    /// Whether a file ends with a sum.
    pub(super) fn has_sum(self) -> bool {
        self.number >= 5
    }
}

/// What is not a key's type.
pub(super) mod opcode {
    /// Redis 8.6: what modules say about the key that follows. Valkey: an import of slots.
    pub const KEY_META_OR_SLOT_IMPORT: u8 = 243;
    /// A slot, its keys, and those with deadlines.
    pub const SLOT_INFO: u8 = 244;
    /// A library of functions.
    pub const FUNCTION2: u8 = 245;
    /// The same, before 7.0.
    pub const FUNCTION_PRE_GA: u8 = 246;
    /// What a module keeps beside keys.
    pub const MODULE_AUX: u8 = 247;
    /// For how long the key that follows was idle.
    pub const IDLE: u8 = 248;
    /// How often the key that follows is used.
    pub const FREQUENCY: u8 = 249;
    /// What the writer says of itself.
    pub const AUX: u8 = 250;
    /// How many keys follow.
    pub const RESIZE: u8 = 251;
    /// The deadline of the key that follows, in milliseconds.
    pub const EXPIRE_MS: u8 = 252;
    /// The same in seconds.
    pub const EXPIRE: u8 = 253;
    /// Which database follows.
    pub const DATABASE: u8 = 254;
    /// The end.
    pub const END: u8 = 255;
}

/// What a key's value is, and how it is encoded.
pub(super) mod type_byte {
    /// A text.
    pub const STRING: u8 = 0;
    /// Elements.
    pub const LIST: u8 = 1;
    /// Members.
    pub const SET: u8 = 2;
    /// Members with scores as texts.
    pub const ZSET: u8 = 3;
    /// Fields and values.
    pub const HASH: u8 = 4;
    /// Members with scores of eight bytes.
    pub const ZSET_2: u8 = 5;
    /// A module's, before 4.0.
    pub const MODULE_PRE_GA: u8 = 6;
    /// A module's.
    pub const MODULE: u8 = 7;
    /// A zipmap of fields and values.
    pub const HASH_ZIPMAP: u8 = 9;
    /// A ziplist of elements.
    pub const LIST_ZIPLIST: u8 = 10;
    /// Numbers.
    pub const SET_INTSET: u8 = 11;
    /// A ziplist of members and scores.
    pub const ZSET_ZIPLIST: u8 = 12;
    /// A ziplist of fields and values.
    pub const HASH_ZIPLIST: u8 = 13;
    /// Ziplists of elements.
    pub const LIST_QUICKLIST: u8 = 14;
    /// A stream, of 5.0.
    pub const STREAM: u8 = 15;
    /// A listpack of fields and values.
    pub const HASH_LISTPACK: u8 = 16;
    /// A listpack of members and scores.
    pub const ZSET_LISTPACK: u8 = 17;
    /// Listpacks of elements, and long elements.
    pub const LIST_QUICKLIST_2: u8 = 18;
    /// A stream, of 7.0.
    pub const STREAM_2: u8 = 19;
    /// A listpack of members.
    pub const SET_LISTPACK: u8 = 20;
    /// A stream, of 7.2.
    pub const STREAM_3: u8 = 21;

    /// Redis, from 22 on.
    pub mod redis {
        /// Deadlines, fields and values, before 7.4.
        pub const HASH_DEADLINES_PRE_GA: u8 = 22;
        /// A listpack of fields, values and deadlines, before 7.4.
        pub const HASH_LISTPACK_DEADLINES_PRE_GA: u8 = 23;
        /// The least deadline, then deadlines, fields and values.
        pub const HASH_DEADLINES: u8 = 24;
        /// The least deadline, then a listpack of fields, values and deadlines.
        pub const HASH_LISTPACK_DEADLINES: u8 = 25;
        /// A stream, with IDs of producers.
        pub const STREAM_4: u8 = 26;
        /// The same, with entries that were given back.
        pub const STREAM_5: u8 = 27;
    }

    /// Valkey, from 22 on.
    pub mod valkey {
        /// Fields, values and deadlines.
        pub const HASH_2: u8 = 22;
    }
}
