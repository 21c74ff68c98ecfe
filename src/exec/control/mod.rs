//! Commands about the connection and the server.

pub mod connection;

/// How the server was asked to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shutdown {
    /// Wait for what is staged to be on disk.
    pub save: bool,
}
