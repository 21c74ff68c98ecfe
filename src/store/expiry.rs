//! Active expiry: keys past their deadline are deleted though nobody asks for them.
//!
//! The `expire` family is walked in deadline order, on the view pool, from where the last walk ended: deleted entries
//! are never walked over again. What is due is deleted by ordinary transactions, which ask the key's own header, so an
//! entry that is out of date does no harm.

use std::collections::VecDeque;

use super::{Report, Store};
use crate::base::log;
use crate::disk::format::{Family, split_expire_key};
use crate::disk::{ReadError, View};

/// Most entries one walk returns.
const DUE_PER_SCAN: usize = 4096;
/// When to look again, where the next deadline is behind very many that are no more.
const LOOK_AGAIN_MS: u64 = 1000;

/// A key whose deadline has passed, as the `expire` family says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// Unix milliseconds.
    pub deadline: u64,
    /// The namespace of its database.
    pub namespace: u64,
    /// The key, without the namespace.
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

/// Which keys are due, and where the search for them goes on.
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
    /// Found, and to be deleted.
    pub queue: VecDeque<Due>,
    /// Keys past their deadline are not there, but are not deleted either (CLIENT PAUSE).
    pub hides_only: bool,
    /// Tells of walks that failed: they are tried again each second.
    failures: log::Seldom,
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
            hides_only: false,
            failures: log::Seldom::default(),
        }
    }
}

impl Expiry {
    /// A deadline (Unix milliseconds) was staged.
    pub fn staged(&mut self, deadline: u64) {
        let at = deadline.to_be_bytes();
        if at[..] < self.low[..] {
            self.low = at.to_vec();
        }
        self.upcoming = self.upcoming.min(deadline);
        self.staged = self.staged.min(deadline);
    }

    /// Whether a walk is under way.
    #[cfg(test)]
    pub fn is_walking(&self) -> bool {
        self.walking
    }

    /// Deletes were lost: entries that were walked over are still there.
    pub fn start_over(&mut self) {
        self.low.clear();
        (self.upcoming, self.staged) = (0, 0);
    }

    /// A walk is over. `now` is Unix milliseconds.
    pub fn accept(&mut self, scan: Scan, now: u64) {
        self.walking = false;
        if let Some(e) = scan.error {
            self.failures
                .warning(format_args!("looking for expired keys failed: {e}"));
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
            .commits
            .flight
            .as_ref()
            .map_or(u64::MAX, |flight| flight.earliest_deadline);
        expiry.staged = flight.min(self.commits.open.earliest_deadline);
        let low = expiry.low.clone();
        self.walk_view(move |view| {
            Report::Due(walk(view, &low, now).unwrap_or_else(|error| Scan {
                error: Some(error),
                ..Scan::default()
            }))
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
}

/// What is due from `low` on.
fn walk(view: &View, low: &[u8], now: u64) -> Result<Scan, ReadError> {
    let later = now.saturating_add(1).to_be_bytes();
    let mut walk = view.walk(Family::Expire, low, Some(&later))?;
    let mut scan = Scan::default();
    while let Some((key, _)) = walk.next_record()? {
        let (deadline, namespace, name) = split_expire_key(key).map_err(ReadError::from)?;
        if scan.due.len() == DUE_PER_SCAN {
            scan.next = Some((key.to_vec(), deadline));
            return Ok(scan);
        }
        scan.due.push(Due {
            deadline,
            namespace,
            name: name.to_vec(),
        });
    }
    // Deadlines that were put off lie between now and the next one, and this is no time to pass them all.
    let from = low.max(&later);
    let mut ahead = view.short_walk(Family::Expire, from, None)?;
    if let Some((key, _)) = ahead.next_record()? {
        scan.next = Some((key.to_vec(), split_expire_key(key).map_err(ReadError::from)?.0));
    } else if ahead.has_given_up()? {
        scan.next = Some((from.to_vec(), now.saturating_add(LOOK_AGAIN_MS)));
    }
    Ok(scan)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::format::RecordKey;
    use crate::disk::passed_over;
    use crate::disk::{Compression, Creation, Disk, DiskOptions, Durability, Patience};

    #[test]
    fn deadlines_that_were_put_off_are_not_passed_at_each_walk() {
        let dir = tempfile::tempdir().unwrap();
        let options = DiskOptions {
            write_buffer: 16 << 20,
            block_cache: 1 << 20,
            background_jobs: 1,
            compression: Compression::None,
            open_tables: 100,
        };
        let disk = Disk::open(dir.path(), &options, &Creation::default()).unwrap();
        let write = |keep: bool, deadlines: std::ops::Range<u64>| {
            let mut batch = disk.batch().unwrap();
            for deadline in deadlines {
                let key = RecordKey::expire(deadline, 1, b"k");
                match keep {
                    true => batch.put(&key, b""),
                    false => batch.delete(&key),
                }
            }
            disk.write(batch.finish(), Durability::Written, Patience::Wait)
                .unwrap();
        };
        write(true, 1000..100_001);
        write(false, 1000..100_000);
        write(true, 10..20);
        let walk_at = |now: u64| {
            let (scan, passed) =
                passed_over(|| disk.with_view(|view| walk(view, &0u64.to_be_bytes(), now).unwrap()));
            (scan.due.len(), scan.next.map(|(_, deadline)| deadline), passed)
        };
        let (due, next, passed) = walk_at(15);
        assert_eq!((due, next), (6, Some(16)));
        assert!(passed < 50, "{passed}");
        // The next one is far away: it is looked for later on.
        let (due, next, passed) = walk_at(500);
        assert_eq!((due, next), (10, Some(500 + LOOK_AGAIN_MS)));
        assert!(passed < 10_000, "{passed}");
        // But not missed.
        assert_eq!(walk_at(99_000).1, Some(100_000));
        assert_eq!(walk_at(100_000).0, 11);
    }
}
