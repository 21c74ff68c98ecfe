//! The classes of keyspace events, as `notify-keyspace-events` names them.

use bitflags::bitflags;

bitflags! {
    /// A set of classes of keyspace events, each a letter, and of the ways to publish them.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct Events: u16 {
        /// Published under the key's name (`K`).
        const KEYSPACE = 1 << 0;
        /// Published under the event's name (`E`).
        const KEYEVENT = 1 << 1;
        /// Commands about keys of any type (`g`).
        const GENERIC = 1 << 2;
        /// Commands about strings (`$`).
        const STRING = 1 << 3;
        /// Commands about lists (`l`).
        const LIST = 1 << 4;
        /// Commands about sets (`s`).
        const SET = 1 << 5;
        /// Commands about hashes (`h`).
        const HASH = 1 << 6;
        /// Commands about sorted sets (`z`).
        const SORTED_SET = 1 << 7;
        /// A key expires (`x`).
        const EXPIRED = 1 << 8;
        /// A key is evicted (`e`).
        const EVICTED = 1 << 9;
        /// Commands about streams (`t`).
        const STREAM = 1 << 10;
        /// A key is asked for that is not there (`m`).
        const KEY_MISS = 1 << 11;
        /// What modules do (`d`).
        const MODULE = 1 << 12;
        /// A key is made (`n`).
        const NEW = 1 << 13;
        /// A key gets another value, whatever it held (`o`).
        const OVERWRITTEN = 1 << 14;
        /// A key gets a value of another type (`c`).
        const TYPE_CHANGED = 1 << 15;
    }
}

impl Events {
    /// Those that happen: none if they are published under no name.
    pub fn in_effect(self) -> Events {
        match self.intersects(Events::KEYSPACE | Events::KEYEVENT) {
            true => self,
            false => Events::empty(),
        }
    }
}
