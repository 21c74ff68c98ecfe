//! Upkeep: what nobody asks for and yet has to be done, in the background and a little at a time. What is over the memory
//! budget or dead leaves the hot tier; and after much was deleted, its space on disk and the memory that went into it are
//! given back.

use super::epoch::Epoch;
use super::threads::Pool;
use super::{Report, Store};
use crate::base::{log, process};

/// Records looked at in one slice, for which the executor is held about half a millisecond.
const SLICE: usize = 2048;
/// Between two ticks a sweep looks at so many records at least, and at this share of all: 1/200.
const LEAST_SWEPT: usize = 16 << 10;
const SWEPT_SHARE: usize = 200;
/// Less than so many bytes of dead records are not worth the work.
const LEAST_DEAD: u64 = 1 << 20;
/// Tables are written anew if this share of them is dead: 1/2. So each byte that was deleted costs that of one more, at most.
const DEAD_SHARE: u64 = 2;
/// Much is still being deleted if this share of what is dead came within the last second: 1/16.
const GROWTH_SHARE: u64 = 16;

/// What there is to sweep and to give back.
pub struct Upkeep {
    thread: Pool,
    /// How many records a sweep may still look at before the next tick.
    allowance: usize,
    /// A second has begun, in which a sweep may begin.
    may_begin: bool,
    /// About how many bytes were deleted since tables were written anew; and up to the last look.
    dead: u64,
    seen: u64,
    /// The epoch in which the last of much was deleted.
    since: Epoch,
    /// What of it the tables do without that are being written, or about to be if it is enough.
    pub compacted: u64,
    is_compacting: bool,
    /// What is still to be done to give free memory back.
    to_free: ToFree,
    /// How often tables were written anew.
    pub compactions: u64,
}

/// What was dead left memory: what of it is still with the allocator.
#[derive(Clone, Copy)]
enum ToFree {
    /// What it keeps at hand for each thread, which may be a little on each of many pages.
    Caches,
    /// Pages that nothing is on any more.
    Pages,
    /// All was given back.
    Nothing,
}

impl Upkeep {
    /// What is in the tables of a store that is opened is dead if it has no keys.
    pub fn new(thread: Pool, dead: u64) -> Upkeep {
        Upkeep {
            thread,
            allowance: 0,
            may_begin: false,
            dead,
            seen: dead,
            since: Epoch::NONE,
            compacted: 0,
            is_compacting: false,
            to_free: ToFree::Nothing,
            compactions: 0,
        }
    }

    /// Records of about `bytes` were deleted.
    pub fn deleted(&mut self, bytes: usize) {
        self.dead += bytes as u64;
    }

    /// Whether tables are being written anew.
    pub fn is_compacting(&self) -> bool {
        self.is_compacting
    }
}

impl Store {
    /// Sees what there is to do until the next call. Called each tick.
    pub fn begin_upkeep(&mut self) {
        let upkeep = &mut self.upkeep;
        let sweeps = self.hot.is_sweeping() || upkeep.may_begin && self.hot.wants_sweep(&self.catalog);
        upkeep.may_begin = upkeep.may_begin && !sweeps;
        upkeep.allowance = match sweeps {
            true => LEAST_SWEPT.max(self.hot.len() / SWEPT_SHARE),
            false => 0,
        };
    }

    /// Whether [`Store::upkeep`] has something to do now.
    pub(super) fn wants_upkeep(&self) -> bool {
        self.upkeep.allowance > 0 || self.hot.has_excess()
    }

    /// Does a slice of it. Says whether there is more, once others had their turn.
    pub fn upkeep(&mut self) -> bool {
        if self.hot.has_excess() {
            self.hot.go_on_making_room(SLICE);
        } else if self.upkeep.allowance > 0 {
            self.hot.sweep(&self.catalog, SLICE);
            self.upkeep.allowance = match self.hot.is_sweeping() {
                true => self.upkeep.allowance.saturating_sub(SLICE),
                false => {
                    // While more is dead, it is too early.
                    if self.upkeep.dead < LEAST_DEAD {
                        self.upkeep.to_free = ToFree::Caches;
                    }
                    0
                }
            };
        }
        self.wants_upkeep()
    }

    /// Gives space and memory back once much was deleted, and no more is at present. Called each second.
    pub fn give_back(&mut self) {
        let last_staged = self.last_staged();
        self.upkeep.may_begin = true;
        self.free_memory();
        let upkeep = &mut self.upkeep;
        let grown = upkeep.dead - upkeep.seen;
        upkeep.seen = upkeep.dead;
        if grown > upkeep.dead / GROWTH_SHARE {
            upkeep.since = last_staged;
            return;
        }
        let (dead, since) = (upkeep.dead, upkeep.since);
        if dead < LEAST_DEAD
            || upkeep.is_compacting
            || self.hot.is_sweeping()
            || !self.reclaim.is_idle()
            || !self.health.is_writable()
        {
            return;
        }
        // Until then what was deleted is in the journal, and in memory.
        if !self.want_checkpointed(since) {
            return;
        }
        (self.upkeep.is_compacting, self.upkeep.compacted) = (true, dead);
        let is_nothing = self.catalog.is_empty();
        self.upkeep
            .thread
            .ask(&self.disk, &self.reports.reporter, move |disk| {
                let before = disk.table_bytes();
                if !is_nothing && dead < before / DEAD_SHARE {
                    return Report::Compacted(Ok(None));
                }
                let result = disk.compact().map_err(|e| e.to_string());
                process::release_heap();
                Report::Compacted(result.map(|()| Some((before, disk.table_bytes()))))
            });
    }

    /// `None`: too little was dead.
    pub(super) fn note_compacted(&mut self, result: Result<Option<(u64, u64)>, String>) {
        self.upkeep.is_compacting = false;
        match result {
            Ok(None) => return,
            Ok(Some((before, after))) => log::notice(format_args!(
                "the space of what was deleted was given back: tables of {before} bytes are {after} bytes"
            )),
            Err(text) => log::warning(format_args!(
                "the space of what was deleted could not be given back: {text}"
            )),
        }
        let upkeep = &mut self.upkeep;
        // What was deleted meanwhile may still be there.
        upkeep.dead -= upkeep.compacted;
        upkeep.seen = upkeep.dead;
        upkeep.compactions += 1;
        upkeep.to_free = ToFree::Caches;
    }

    /// Gives free memory back, in two steps: the threads come to the first when they have nothing else to do.
    fn free_memory(&mut self) {
        self.upkeep.to_free = match self.upkeep.to_free {
            ToFree::Caches => {
                self.release_thread_caches();
                ToFree::Pages
            }
            ToFree::Pages => {
                self.upkeep.thread.run(process::release_heap);
                ToFree::Nothing
            }
            ToFree::Nothing => ToFree::Nothing,
        };
    }

    fn release_thread_caches(&self) {
        process::release_thread_cache();
        let [committer, syncer] = self.commits.pools();
        let [fetch, rehearsals] = self.faults.pools();
        for pool in [committer, syncer, fetch, rehearsals, self.checkpoints.pool()] {
            pool.release_memory();
        }
    }
}
