//! The scripts that are known by their SHA-1. Those of EVAL are forgotten when 500 others came after them; those of SCRIPT
//! LOAD stay until SCRIPT FLUSH.

use std::ffi::c_int;
use std::rc::Rc;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use lru::LruCache;

use super::Flags;

/// How many scripts of EVAL are kept.
const MAX_EVALUATED: usize = 500;

/// The 40 digits of a script's SHA-1, in small letters.
pub type Sha = [u8; 40];

/// A script that was compiled.
#[derive(Debug)]
pub struct Script {
    pub(super) sha: Sha,
    pub(super) source: Box<[u8]>,
    pub(super) flags: Flags,
    /// Its number in the registry.
    pub(super) function: c_int,
}

impl Script {
    /// Its SHA-1, in hexadecimal.
    pub fn sha(&self) -> &Sha {
        &self.sha
    }

    /// What it has declared.
    pub fn flags(&self) -> Flags {
        self.flags
    }

    /// Its text.
    pub fn source(&self) -> &[u8] {
        &self.source
    }

    /// What it takes of memory outside the interpreter.
    fn size(&self) -> usize {
        size_of::<Script>() + self.source.len()
    }
}

/// What becomes of a script that was found or added.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keep {
    /// EVAL: while it is among those used last.
    Recent,
    /// SCRIPT LOAD: until SCRIPT FLUSH.
    Always,
}

/// All that are known.
pub(super) struct Cache {
    loaded: HashMap<Sha, Rc<Script>, RandomState>,
    evaluated: LruCache<Sha, Rc<Script>>,
    size: usize,
    evicted: u64,
}

impl Cache {
    /// One that knows none.
    pub(super) fn new() -> Cache {
        Cache {
            loaded: HashMap::default(),
            evaluated: LruCache::unbounded(),
            size: 0,
            evicted: 0,
        }
    }

    /// A known script; it is used now.
    pub(super) fn get(&mut self, sha: &Sha) -> Option<&Rc<Script>> {
        match self.loaded.get(sha) {
            Some(script) => Some(script),
            None => self.evaluated.get(sha),
        }
    }

    /// Whether it is known; it is not used by that.
    pub(super) fn contains(&self, sha: &Sha) -> bool {
        self.loaded.contains_key(sha) || self.evaluated.contains(sha)
    }

    /// A script of EVAL is one that was loaded from now on.
    pub(super) fn keep_always(&mut self, sha: &Sha) {
        if let Some(script) = self.evaluated.pop(sha) {
            self.loaded.insert(*sha, script);
        }
    }

    /// Adds one; gives what had to leave for it.
    pub(super) fn add(&mut self, script: Rc<Script>, keep: Keep) -> Option<Rc<Script>> {
        self.size += script.size();
        if keep == Keep::Always {
            self.loaded.insert(script.sha, script);
            return None;
        }
        let leaving = match self.evaluated.len() < MAX_EVALUATED {
            true => None,
            false => self.evaluated.pop_lru().map(|(_, script)| script),
        };
        if let Some(leaving) = &leaving {
            self.size -= leaving.size();
            self.evicted += 1;
        }
        self.evaluated.put(script.sha, script);
        leaving
    }

    /// How many are known.
    pub(super) fn len(&self) -> usize {
        self.loaded.len() + self.evaluated.len()
    }

    /// Bytes, without what the interpreter holds of them.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// How many had to leave.
    pub(super) fn evicted(&self) -> u64 {
        self.evicted
    }
}
