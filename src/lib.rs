//! Redkeep.

pub mod base;
pub mod command;
pub mod config;
pub mod disk;
pub mod exec;
pub mod net;
pub mod resp;
pub mod store;
pub mod types;
