//! Active expiry on the executor: deletes keys and fields of hashes that are due, in slices between which everybody else
//! has a turn, and for a share of the time only.

use std::time::{Duration, Instant};

use super::Engine;
use crate::store::{Damage, Due, Key, Missing, Rehearsal, Stop, Ticket};
use crate::types::hash;

/// How long the executor is held at once.
const SLICE: Duration = Duration::from_micros(500);
/// The share of the time that expiry may take, in percent, at an effort of 1, and what each further one adds: Redis's.
const SHARE: u32 = 25;
const SHARE_PER_EFFORT: u32 = 2;
/// Records that are fetched at once.
const FETCHED_AT_ONCE: usize = 1024;

/// How far the deletion of what is due has come.
pub struct ActiveExpiry {
    /// DEBUG SET-ACTIVE-EXPIRE.
    pub enabled: bool,
    /// Names the records that the next slice waits for.
    pub(super) fetching: Option<Ticket>,
    /// What is left of the time until the next tick.
    budget: Duration,
}

impl Default for ActiveExpiry {
    fn default() -> ActiveExpiry {
        ActiveExpiry {
            enabled: true,
            fetching: None,
            budget: Duration::ZERO,
        }
    }
}

impl Engine {
    /// Looks for keys that are due. Called each tick.
    pub(super) fn begin_expiring(&mut self) {
        let effort = self.config.active_expire_effort.max(1) - 1;
        self.expiry.budget = self.tick_interval() * (SHARE + SHARE_PER_EFFORT * effort) / 100;
        if self.may_expire() {
            self.store.look_for_due(self.clock.now_ms());
            if !self.store.due().is_empty() {
                self.tick_end.ask();
            }
        }
    }

    /// Deletes for a slice of time, if there is something to delete, and time left. Says whether there still is.
    pub(super) fn expire_more(&mut self) -> bool {
        if !self.can_expire_now() {
            return false;
        }
        self.expire_slice(None);
        if self.store.has_more_due() {
            self.store.look_for_due(self.clock.now_ms());
        }
        self.can_expire_now()
    }

    fn can_expire_now(&mut self) -> bool {
        !self.store.due().is_empty() && !self.expiry.budget.is_zero() && self.may_expire()
    }

    /// The records that a slice missed are there, or cannot be read.
    pub(super) fn go_on_expiring(&mut self, ticket: Ticket) {
        self.expiry.fetching = None;
        match self.store.read_error(ticket) {
            // The next tick tries again.
            Some(Damage { text, record }) => {
                let message = format_args!("an expired key cannot be deleted: {text} (record {record:?})");
                self.damage_log.warning(message);
            }
            // Without asking for time: what was fetched may be gone later.
            None if self.may_expire() => self.expire_slice(Some(ticket)),
            None => {}
        }
    }

    fn may_expire(&self) -> bool {
        let waits = self.expiry.fetching.is_some() || self.store.is_congested();
        self.expiry.enabled && !self.pause.is_on() && !self.scripts.keeps_others_from_writing() && !waits
    }

    /// Deletes keys and fields that are due, by transactions like any other. `fetched` is the ticket of what an earlier slice
    /// missed.
    fn expire_slice(&mut self, mut fetched: Option<Ticket>) {
        let began = Instant::now();
        let now = self.clock.now_ms();
        let (mut missed, mut missing) = (Vec::new(), Missing::default());
        while began.elapsed() < SLICE && missing.records.len() < FETCHED_AT_ONCE {
            let Some(due) = self.store.due().pop_front() else {
                break;
            };
            let Some(db) = self.store.database_of(due.namespace) else {
                continue;
            };
            let mut txn = self.store.begin(now);
            let done = hash::expire_due(&mut txn, Key { db, name: &due.name });
            let end = txn.end();
            match done {
                Ok(is_more) => {
                    self.store.stage(end);
                    // What is missed after that is missed for the first time.
                    fetched = None;
                    if is_more {
                        self.store.due().push_back(due);
                    }
                }
                Err(Stop::Fault) => {
                    missing.add(self.store.abandon(end));
                    missed.push(due);
                }
                Err(stop) => {
                    self.store.abandon(end);
                    self.damage_log.warning(format_args!(
                        "an expired key or field cannot be deleted: {stop:?}"
                    ));
                }
            }
        }
        if missing.is_any() {
            let again = missed
                .iter()
                .filter_map(|due| Some((self.store.database_of(due.namespace)?, due.name.clone())))
                .collect();
            let ticket = self.store.retry(missing, fetched, || Some(rehearsal(again, now)));
            self.expiry.fetching = Some(ticket);
            self.put_back(missed);
        }
        self.expiry.budget = self.expiry.budget.saturating_sub(began.elapsed());
        self.want_commit();
    }

    /// They come first when their records are there.
    fn put_back(&mut self, missed: Vec<Due>) {
        for due in missed.into_iter().rev() {
            self.store.due().push_front(due);
        }
    }
}

/// The deletion of these keys, or of fields of theirs, to be run where nothing counts but what it reads.
fn rehearsal(keys: Vec<(usize, Vec<u8>)>, now: u64) -> Rehearsal {
    Rehearsal {
        now,
        may_use_view: false,
        body: Box::new(move |txn| {
            for (db, name) in keys {
                // What cannot be deleted is told when it is tried in earnest.
                let _ = hash::expire_due(txn, Key { db, name: &name });
            }
        }),
    }
}
