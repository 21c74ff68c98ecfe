//! Values as streams of pieces, in the form that all formats have in common ([`crate::rdb::Item`]): shown from the store, and
//! gathered to be written to it.

mod export;
mod pieces;
mod show;
mod write;

pub use export::export;
pub use pieces::Pieces;
pub use show::{kind_of, show};
pub use write::BAD_DATA;

use crate::rdb::StreamId;
use crate::types::stream::Id;

/// An ID as streams have it here.
fn id_here(id: StreamId) -> Id {
    Id {
        ms: id.ms,
        seq: id.seq,
    }
}

/// An ID as formats have it.
fn id_there(id: Id) -> StreamId {
    StreamId {
        ms: id.ms,
        seq: id.seq,
    }
}
