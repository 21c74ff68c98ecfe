//! Redis's dump format, read and written: a pure codec that knows no store.
//!
//! What is read or written is a stream of [`Item`]s (`item.rs` has their grammar); it takes memory for one piece of it.

mod item;

pub use item::{CellBuffer, Cells, Counters, Item, Key, Kind, Sink, StreamId};
