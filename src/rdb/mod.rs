//! Redis's dump format, read and written: a pure codec that knows no store.
//!
//! What is read or written is a stream of [`Item`]s (`item.rs` has their grammar); it takes memory for one piece of it.
//! `reader.rs` has the grammar of a file.

mod draft;
mod encode;
mod error;
mod input;
mod item;
pub mod libraries;
mod packed;
mod payload;
mod piece;
mod reader;
mod spill;
mod stream;
mod target;
#[cfg(test)]
mod tests;
mod value;
mod version;
mod writer;

pub use error::WriteError;
pub use item::{CellBuffer, Cells, Counters, Item, Key, Kind, Sink, StreamId};
pub use payload::check_payload;
pub use reader::{ReadOptions, Reader};
pub use target::{Needs, Target};
pub use writer::{PayloadWriter, Writer};
