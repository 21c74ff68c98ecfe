//! Patterns that somebody has subscribed to, ready to be matched.
//!
//! They are found by the literal bytes that they begin with: of `user:17:*` and ten thousand of its like a message is matched
//! against none but its own.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use foldhash::fast::RandomState;

use super::Name;
use crate::base::glob::Pattern;

/// A pattern, and its place among those that begin alike.
struct Entry {
    name: Name,
    pattern: Pattern<'static>,
    at: Cell<usize>,
}

/// All patterns.
#[derive(Default)]
pub struct Patterns {
    by_name: HashMap<Name, Rc<Entry>, RandomState>,
    by_prefix: HashMap<Vec<u8>, Vec<Rc<Entry>>, RandomState>,
    /// How many prefixes there are of each length.
    lengths: BTreeMap<usize, usize>,
}

/// What a pattern takes of memory beside itself: its places in two tables.
const PLACES: usize = 192;

impl Entry {
    fn memory(&self) -> usize {
        PLACES + self.name.len() + self.pattern.memory()
    }
}

impl Patterns {
    /// Adds one that is not there. Returns what it takes of memory.
    pub fn add(&mut self, name: &Name) -> usize {
        let pattern = Pattern::new(name, false).into_owned();
        let (prefix, _) = pattern.literal_prefix();
        let length = prefix.len();
        let alike = self.by_prefix.entry(prefix).or_default();
        if alike.is_empty() {
            *self.lengths.entry(length).or_default() += 1;
        }
        let entry = Rc::new(Entry {
            name: name.clone(),
            pattern,
            at: Cell::new(alike.len()),
        });
        let memory = entry.memory();
        alike.push(entry.clone());
        self.by_name.insert(name.clone(), entry);
        memory
    }

    /// What one takes of memory.
    pub fn memory(&self, name: &[u8]) -> usize {
        self.by_name.get(name).map_or(0, |entry| entry.memory())
    }

    /// Removes one.
    pub fn remove(&mut self, name: &[u8]) {
        let Some(entry) = self.by_name.remove(name) else {
            return;
        };
        let (prefix, _) = entry.pattern.literal_prefix();
        let Some(alike) = self.by_prefix.get_mut(&prefix) else {
            return;
        };
        alike.swap_remove(entry.at.get());
        if let Some(moved) = alike.get(entry.at.get()) {
            moved.at.set(entry.at.get());
        }
        if alike.is_empty() {
            self.by_prefix.remove(&prefix);
            if let Some(count) = self.lengths.get_mut(&prefix.len()) {
                *count -= 1;
                if *count == 0 {
                    self.lengths.remove(&prefix.len());
                }
            }
        }
        if self.by_name.is_empty() {
            *self = Patterns::default();
        }
    }

    /// Calls `found` with each pattern that the name of a channel fits.
    pub fn matching(&self, channel: &[u8], mut found: impl FnMut(&[u8])) {
        for (length, _) in self.lengths.range(..=channel.len()) {
            let alike = self.by_prefix.get(&channel[..*length]);
            let fitting = alike
                .into_iter()
                .flatten()
                .filter(|entry| entry.pattern.matches(channel));
            fitting.for_each(|entry| found(&entry.name));
        }
    }
}
