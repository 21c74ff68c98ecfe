//! The bottom layer: formats and arithmetic that know nothing of keys, records or connections.

pub mod clock;
pub mod crc64;
pub mod events;
pub mod extfloat;
pub mod files;
pub mod glob;
pub mod hash_slot;
pub mod log;
pub mod lzf;
pub mod num;
pub mod process;
pub mod random;
pub mod service;
pub mod signals;
pub mod size;
pub mod warm_up;
