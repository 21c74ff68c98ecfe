//! Lists: nodes of packed elements, each about as large as in a server.

use super::count_first;
use super::thresholds::LIST_BYTES;
use crate::rdb::encode::{Encoder, push_length};
use crate::rdb::error::WriteError;
use crate::rdb::packed::Builder;
use crate::rdb::spill::Spill;
use crate::rdb::target::Target;
use crate::rdb::version::type_byte;

/// What a server takes an element to need beside its bytes.
const OVERHEAD: usize = 8;
/// What tells the two kinds of nodes apart.
const PLAIN: u64 = 1;
const PACKED: u64 = 2;

/// A list so far: all nodes but the last are in the body.
pub struct ListDraft {
    /// Whether a long element is a node of its own, and a list that is one node may be a little longer.
    is_72: bool,
    nodes: u64,
    last: Builder,
}

impl ListDraft {
    /// An empty list for a target.
    pub fn new(target: Target) -> ListDraft {
        ListDraft {
            is_72: target.is_72(),
            nodes: 0,
            last: Builder::new(),
        }
    }

    /// Adds an element at the end.
    pub fn put(&mut self, element: &[u8], body: &mut Spill, encoder: &mut Encoder) {
        if self.is_72 && element.len() > LIST_BYTES {
            self.end_node(body, encoder);
            push_length(body.room(), PLAIN);
            encoder.push_string(body.room(), element);
            self.nodes += 1;
            return;
        }
        // While a list has one node, Redis 7.2 does not count what an element needs beside.
        let overhead = if self.is_72 && self.nodes == 0 {
            0
        } else {
            OVERHEAD
        };
        if self.last.len() + element.len() + overhead > LIST_BYTES {
            self.end_node(body, encoder);
        }
        self.last.push(element);
    }

    fn end_node(&mut self, body: &mut Spill, encoder: &mut Encoder) {
        if self.last.count() > 0 {
            push_length(body.room(), PACKED);
            encoder.push_string(body.room(), self.last.finish());
            self.last.clear();
            self.nodes += 1;
        }
    }

    /// Ends the list; the byte of its type, if it has any element.
    pub fn finish(&mut self, body: &mut Spill, encoder: &mut Encoder) -> Result<Option<u8>, WriteError> {
        self.end_node(body, encoder);
        count_first(body, self.nodes)?;
        Ok((self.nodes > 0).then_some(type_byte::LIST_QUICKLIST_2))
    }
}
