//! Active expiry: keys past their deadline are deleted though nobody asks for them.
//!
//! The `expire` family is walked in deadline order, on the view pool, from where the last walk ended: deleted entries
//! are never walked over again. What is due is deleted by ordinary transactions, which ask the key's own header, so an
//! entry that is out of date does no harm.

use std::collections::VecDeque;

use super::{Done, Store};
use crate::base::log;
use crate::disk::format::{Family, split_expire_key};
use crate::disk::{ReadError, View};

/// Most entries one walk returns.
const DUE_PER_SCAN: usize = 4096;

/// A key whose deadline has passed, as the `expire` family says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    pub deadline: u64,
    pub namespace: u64,
    pub name: Vec<u8>,
}

/// What a walk came to.
#[derive(Default)]
pub struct Scan {
    due: Vec<Due>,
    /// The first entry that was not reached, and its deadline.
    next: Option<(Vec<u8>, u64)>,
    error: Option<ReadError>,
}

pub struct Expiry {
    /// No entry before this one is left. (Many may have the same deadline, so that would not say where to go on.)
    low: Vec<u8>,
    /// The earliest deadline that may exist outside `queue`.
    upcoming: u64,
    /// The earliest deadline staged since the running walk began.
    staged: u64,
    walking: bool,
    /// The last walk ended before it had found all that was due.
    cut: bool,
    pub queue: VecDeque<Due>,
}

impl Default for Expiry {
    fn default() -> Expiry {
        Expiry {
            low: Vec::new(),
            upcoming: 0,
            staged: u64::MAX,
            walking: false,
            cut: false,
            queue: VecDeque::new(),
        }
    }
}

impl Expiry {
    pub fn staged(&mut self, deadline: u64) {
        let at = deadline.to_be_bytes();
        if at[..] < self.low[..] {
            self.low = at.to_vec();
        }
        self.upcoming = self.upcoming.min(deadline);
        self.staged = self.staged.min(deadline);
    }

    #[cfg(test)]
    pub fn is_walking(&self) -> bool {
        self.walking
    }

    /// Deletes were lost: entries that were walked over are still there.
    pub fn start_over(&mut self) {
        self.low.clear();
        (self.upcoming, self.staged) = (0, 0);
    }

    pub fn accept(&mut self, scan: Scan, now: u64) {
        self.walking = false;
        if let Some(e) = scan.error {
            log::warning(format_args!("looking for expired keys failed: {e}"));
            self.cut = false;
            // Not at once again: the disk has trouble.
            self.upcoming = now + 1000;
            return;
        }
        self.queue.extend(scan.due);
        let (next, deadline) = scan.next.unwrap_or((Vec::new(), u64::MAX));
        self.cut = deadline <= now;
        self.upcoming = self.staged.min(deadline);
        self.low = if self.cut && deadline < self.staged {
            next
        } else {
            self.upcoming.min(now).to_be_bytes().to_vec()
        };
    }
}

impl Store {
    /// Starts a walk for what is due, if anything can be and none is under way.
    pub fn look_for_due(&mut self, now: u64) {
        let expiry = &mut self.expiry;
        if expiry.walking || expiry.queue.len() > DUE_PER_SCAN / 2 || expiry.upcoming > now {
            return;
        }
        expiry.walking = true;
        // What is staged and not on disk is invisible to the walk.
        let flight = self
            .commit
            .flight
            .as_ref()
            .map_or(u64::MAX, |flight| flight.earliest_deadline);
        expiry.staged = flight.min(self.commit.open.earliest_deadline);
        let (low, done) = (expiry.low.clone(), self.done.clone());
        self.run_over_view(move |view| {
            let scan = walk(view, &low, now).unwrap_or_else(|error| Scan {
                error: Some(error),
                ..Scan::default()
            });
            // A closed channel means that the store is being dropped.
            let _ = done.send(Done::Due(scan));
        });
    }

    /// Whether more is due than [`Store::due`] has.
    pub fn has_more_due(&self) -> bool {
        self.expiry.cut
    }

    /// The keys that are to be expired now, in deadline order.
    pub fn due(&mut self) -> &mut VecDeque<Due> {
        &mut self.expiry.queue
    }

    /// The number of the database that has the namespace now.
    pub fn database_of(&self, namespace: u64) -> Option<usize> {
        self.databases.iter().position(|db| db.namespace == namespace)
    }
}

/// What is due from `low` on.
fn walk(view: &View, low: &[u8], now: u64) -> Result<Scan, ReadError> {
    let mut walk = view.walk(Family::Expire, low, None)?;
    let mut scan = Scan::default();
    while let Some((key, _)) = walk.next_record()? {
        let (deadline, namespace, name) = split_expire_key(key).map_err(|e| ReadError::from(e))?;
        if deadline > now || scan.due.len() == DUE_PER_SCAN {
            scan.next = Some((key.to_vec(), deadline));
            break;
        }
        scan.due.push(Due {
            deadline,
            namespace,
            name: name.to_vec(),
        });
    }
    Ok(scan)
}
