//! RESP2 and RESP3: bytes in, requests out; replies in, bytes out. A leaf: it knows no socket, no command
//! and nothing else of the crate.
//!
//! ```text
//! read buffer --Decoder--> Args (views into the buffer) --> a command --> Reply --encode--> write buffer
//!                            | has to wait, or changes threads
//!                            v
//!                        OwnedArgs
//! ```
//!
//! - [`decode`] reads one request at a time, multibulk or inline, resuming where the last bytes ended.
//! - [`args`] is what a command sees of its request; `inline` holds the quoting rules of inline requests.
//! - [`error`] is what is wrong with bytes that are no request.
//! - [`reply`] is what a command answers: one type for both protocols; [`blob`] is bytes in it.
//! - [`aggregate`] is for long replies, which may leave while they are made.
//! - [`rope`] is where encoded bytes wait: what is long and shared is referred to there.
//! - [`encode()`] writes a reply for the protocol that the connection has negotiated, with the parts of [`wire`].
//! - [`double`] is the text of floating-point replies.

pub mod aggregate;
pub mod args;
pub mod blob;
pub mod decode;
pub mod double;
pub mod encode;
pub mod error;
mod inline;
pub mod reply;
pub mod rope;
pub mod wire;

pub use aggregate::{Aggregate, Gone, Second, Shape, Sink};
pub use args::{Args, OwnedArgs, SHOWN, c_text, shown};
pub use blob::{Blob, Counted};
pub use decode::{Decoder, Limits};
pub use double::{format_double, format_g17};
pub use encode::{encode, encode_push};
pub use error::ProtocolError;
pub use inline::split_words;
pub use reply::Reply;
pub use rope::Rope;
pub use wire::Protocol;
