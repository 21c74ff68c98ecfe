//! Subscribers that are gone, until all their names are forgotten.

use std::collections::{VecDeque, hash_map};
use std::rc::Rc;

use super::{KINDS, Kind, Name, Subscriptions};

/// So many names are forgotten at a time: less than a millisecond's work.
pub const AT_ONCE: usize = 1 << 11;

/// Those that are gone.
#[derive(Default)]
pub struct Leaving {
    waiting: VecDeque<(Rc<Subscriptions>, Kind, hash_map::IntoIter<Name, u32>)>,
}

impl Leaving {
    /// Whether nothing of anybody is left.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Adds one, with all its names.
    pub fn add(&mut self, has: Rc<Subscriptions>) {
        for kind in KINDS {
            let names = has.names(kind).take();
            if !names.is_empty() {
                let names = names.into_iter();
                self.waiting.push_back((has.clone(), kind, names));
            }
        }
    }
}

impl Iterator for Leaving {
    type Item = (Kind, Name, u32, Rc<Subscriptions>);

    /// A name that is to be forgotten, and the place that the subscriber had there.
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (has, kind, names) = self.waiting.front_mut()?;
            if let Some((name, at)) = names.next() {
                return Some((*kind, name, at, has.clone()));
            }
            self.waiting.pop_front();
        }
    }
}
