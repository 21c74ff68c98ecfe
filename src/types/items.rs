//! Values as items (`rdb/item.rs` has their grammar), which all formats for dumps have in common: what a key holds becomes
//! items piece by piece ([`show`]), and items become what a key holds ([`Assembly`]).

mod export;
mod read;
mod write;

pub use export::export;
pub use read::show;
pub use write::Assembly;

use super::stream;
use crate::disk::format;
use crate::rdb::{Kind, StreamId};

impl From<StreamId> for stream::Id {
    fn from(id: StreamId) -> stream::Id {
        stream::Id {
            ms: id.ms,
            seq: id.seq,
        }
    }
}

impl From<stream::Id> for StreamId {
    fn from(id: stream::Id) -> StreamId {
        StreamId {
            ms: id.ms,
            seq: id.seq,
        }
    }
}

/// The type of a record's kind, of which several may be of one type.
pub fn kind_of(kind: format::Kind) -> Kind {
    match kind {
        format::Kind::String | format::Kind::LongString => Kind::String,
        format::Kind::Hash | format::Kind::ExpiringHash | format::Kind::LargeHash => Kind::Hash,
        format::Kind::List | format::Kind::LargeList => Kind::List,
        format::Kind::Set | format::Kind::LargeSet => Kind::Set,
        format::Kind::SortedSet | format::Kind::LargeSortedSet => Kind::SortedSet,
        format::Kind::Stream => Kind::Stream,
    }
}
