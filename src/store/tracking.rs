//! What clients keep of keys that they have read (client-side caching), and who of them is to be told when one changes.
//!
//! A client is in the table with each key that it has read, by name only, whatever the database, as in Redis; or it wants to
//! be told of all keys with a prefix. A change is found at the writes of a transaction when that is staged, as for watched
//! keys (`watches.rs`). Who is in the table with the key leaves it then, and is told by an [`Effect`] once the epoch is settled;
//! if it is lost, what they keep is right again, and they are put back. Whoever reads the key meanwhile has read what was
//! staged, and is entered anew.
//!
//! Which key a record belongs to that is under an id, its transaction has noted when it looked that key up. While nobody
//! tracks, all this costs a comparison for each lookup, and for each transaction that writes.
//!
//! A request over a view reads what was before writes that are settled while it runs: so its client is told of these again
//! behind its reply.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::Store;
use super::effects::{Effect, KeyChange};
use super::epoch::Epoch;
use super::prefixes::Prefixes;
use super::stop::Result;
use super::txn::Txn;
use super::work::Work;
use crate::base::random::Random;
use crate::disk::format::{Family, split_ordered_id};

/// A client's id.
pub type Client = u64;

/// Bytes of names, and readers, that a key of the table may have on the average: a table of so many keys takes no more than
/// one of as many keys with so much.
const NAME_BYTES_PER_KEY: usize = 256;
const READERS_PER_KEY: usize = 16;

struct Tracked {
    /// Its place among the names.
    at: usize,
    /// In order.
    readers: Vec<Client>,
}

/// A request over a view, and which of the keys that it reads have changed since.
struct InView {
    keys: Vec<(Arc<[u8]>, Option<Epoch>)>,
}

impl Txn<'_> {
    /// Says whose request it is, for who is not to be told of what it changes itself.
    #[inline]
    pub fn is_for(&mut self, client: Client) {
        self.work.author.client = client;
    }

    /// Notes which key the records under an id are of, while somebody is to be told of changes.
    #[inline]
    pub(super) fn note_owner(&mut self, name: &[u8], id: impl FnOnce() -> Result<Option<u64>>) -> Result<()> {
        let author = &mut self.work.author;
        if author.notes_keys
            && let Some(id) = id()?
        {
            author.keys.entry(id).or_insert_with(|| Some(name.into()));
        }
        Ok(())
    }
}

/// Who is to be told of changes to which keys.
#[derive(Default)]
pub struct Tracking {
    is_on: bool,
    table: HashMap<Arc<[u8]>, Tracked, RandomState>,
    /// Those in the table, in any order.
    names: Vec<Arc<[u8]>>,
    /// Readers of all keys together.
    items: usize,
    /// Bytes of all names together.
    bytes: usize,
    prefixes: Prefixes,
    in_views: HashMap<Client, InView, RandomState>,
    random: Random,
}

impl Tracking {
    /// Whether anybody tracks.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.is_on
    }

    /// Whether somebody may be told of a change.
    fn is_any(&self) -> bool {
        !self.table.is_empty() || !self.prefixes.is_empty() || !self.in_views.is_empty()
    }

    fn insert(&mut self, name: &[u8], client: Client) {
        let (readers, is_new) = match self.table.get_mut(name) {
            Some(tracked) => (&mut tracked.readers, false),
            None => {
                let name: Arc<[u8]> = name.into();
                let tracked = Tracked {
                    at: self.names.len(),
                    readers: Vec::new(),
                };
                self.names.push(name.clone());
                (&mut self.table.entry(name).or_insert(tracked).readers, true)
            }
        };
        if let Err(place) = readers.binary_search(&client) {
            readers.insert(place, client);
            self.items += 1;
        }
        if is_new {
            self.bytes += name.len();
        }
    }

    fn remove(&mut self, name: &[u8]) -> Option<(Arc<[u8]>, Vec<Client>)> {
        let Tracked { at, readers } = self.table.remove(name)?;
        let name = self.names.swap_remove(at);
        if let Some(moved) = self.names.get(at)
            && let Some(tracked) = self.table.get_mut(moved)
        {
            tracked.at = at;
        }
        self.items -= readers.len();
        self.bytes -= name.len();
        Some((name, readers))
    }

    fn clear(&mut self) {
        (self.table, self.names) = Default::default();
        (self.items, self.bytes) = (0, 0);
    }

    /// Whether the table holds more than one of `keys` keys may.
    fn is_over(&self, keys: usize) -> bool {
        self.names.len() > keys
            || self.items > keys.saturating_mul(READERS_PER_KEY)
            || self.bytes > keys.saturating_mul(NAME_BYTES_PER_KEY)
    }

    /// A key changes, in this epoch: what is to be told of it, if anything.
    fn note_change(&mut self, name: &[u8], by: Client, epoch: Epoch) -> Option<Effect> {
        for in_view in self.in_views.values_mut() {
            let read = in_view.keys.iter_mut().filter(|(read, _)| **read == *name);
            read.for_each(|(_, changed)| *changed = Some(epoch));
        }
        let removed = self.remove(name);
        let has_prefix = self.prefixes.has_any(name);
        let (name, readers) = match removed {
            Some(found) => found,
            None if has_prefix => (name.into(), Vec::new()),
            None => return None,
        };
        Some(Effect::KeyChanged(Box::new(KeyChange {
            name,
            by,
            readers,
            is_expired: false,
            has_prefix,
        })))
    }

    /// All keys change that are read over views.
    fn note_everything(&mut self, epoch: Epoch) {
        for in_view in self.in_views.values_mut() {
            in_view
                .keys
                .iter_mut()
                .for_each(|(_, changed)| *changed = Some(epoch));
        }
    }

    /// What was to be told is lost: who has read the keys keeps what is right again.
    pub fn restore(&mut self, lost: Vec<Effect>) {
        for effect in lost {
            if let Effect::KeyChanged(change) = effect
                && self.is_on
            {
                for reader in change.readers {
                    self.insert(&change.name, reader);
                }
            }
        }
    }
}

impl Txn<'_> {
    /// Notes that a key was past its deadline, and is deleted, likewise.
    pub(super) fn note_expired(&mut self, name: &[u8]) {
        let author = &mut self.work.author;
        if author.notes_keys {
            author.expired.insert(name.into());
        }
    }
}

impl Store {
    /// Whether anybody tracks, from now on. Once nobody does, the table is empty.
    pub fn set_tracking(&mut self, is_on: bool) {
        self.tracking.is_on = is_on;
        if !is_on {
            self.tracking.clear();
        }
    }

    /// A client has read a key.
    pub fn track(&mut self, name: &[u8], client: Client) {
        self.tracking.insert(name, client);
    }

    /// A client wants to be told of changes to all keys with a prefix.
    pub fn track_prefix(&mut self, prefix: &[u8], client: Client) {
        self.tracking.prefixes.insert(prefix, client);
    }

    /// It does not any more.
    pub fn untrack_prefix(&mut self, prefix: &[u8], client: Client) {
        self.tracking.prefixes.remove(prefix, client);
    }

    /// Calls `found` with the length of each prefix of a key that somebody wants, and who does.
    pub fn tracked_prefixes(&self, name: &[u8], mut found: impl FnMut(usize, &[Client])) {
        self.tracking.prefixes.of_key(name, |len, clients| {
            found(len, clients);
            true
        });
    }

    /// Whether the table holds more than it may, being one of `keys` keys at most; 0: it has no limit.
    #[inline]
    pub fn tracks_too_much(&self, keys: u64) -> bool {
        keys != 0 && self.tracking.is_over(usize::try_from(keys).unwrap_or(usize::MAX))
    }

    /// Takes any one key out of the table, with those who have read it.
    pub fn untrack_any(&mut self) -> Option<(Arc<[u8]>, Vec<Client>)> {
        let tracking = &mut self.tracking;
        let count = u64::try_from(tracking.names.len())
            .ok()
            .filter(|count| *count > 0)?;
        let at = tracking.random.next_u64() % count;
        let name = tracking.names[at as usize].clone();
        tracking.remove(&name)
    }

    /// Nobody keeps anything: all have been told so.
    pub fn untrack_everything(&mut self) {
        self.tracking.clear();
    }

    /// A client's request reads these keys over a view, as they are now or have been a moment ago.
    pub fn begin_tracked_view(&mut self, client: Client, names: impl Iterator<Item = Arc<[u8]>>) {
        let keys = names.map(|name| (name, None)).collect();
        self.tracking.in_views.entry(client).or_insert(InView { keys });
    }

    /// It is through. Returns which of the keys have changed since, and when.
    pub fn end_tracked_view(&mut self, client: Client) -> Vec<(Arc<[u8]>, Epoch)> {
        if self.tracking.in_views.is_empty() {
            return Vec::new();
        }
        let in_view = self.tracking.in_views.remove(&client);
        let keys = in_view.map(|in_view| in_view.keys).unwrap_or_default();
        let changed = keys.into_iter();
        changed.filter_map(|(name, epoch)| Some((name, epoch?))).collect()
    }

    /// How many keys are in the table, how many readers they have together, and how many prefixes somebody wants.
    pub fn tracked(&self) -> (usize, usize, usize) {
        let tracking = &self.tracking;
        (tracking.names.len(), tracking.items, tracking.prefixes.len())
    }

    /// Notes what a transaction changes that is about to be staged.
    pub(super) fn note_tracked_changes(&mut self, work: &mut Work, epoch: Epoch) {
        if !self.tracking.is_any() {
            return;
        }
        // Where there was no namespace yet, there were no keys.
        let mut changes = work.namespaces.log.iter();
        if changes.any(|change| self.catalog.namespace(change.key).is_there() && self.moves(change)) {
            self.tracking.note_everything(epoch);
        }
        let (by, fresh) = (work.author.client, self.catalog.next_id());
        for write in work.writes.log.iter().filter(|write| !write.value.is_unwatched) {
            let mut effect = match (write.key.owner(), write.key.family()) {
                (None, Family::Meta) => split_ordered_id(write.key.key())
                    .and_then(|(_, name)| self.tracking.note_change(name, by, epoch)),
                // Its key is written, too.
                (Some(id), _) if id >= fresh => None,
                (Some(id), _) => match work.author.keys.get_mut(&id) {
                    Some(name) => name
                        .take()
                        .and_then(|name| self.tracking.note_change(&name, by, epoch)),
                    // It was looked up before anybody tracked keys.
                    None => {
                        self.tracking.note_everything(epoch);
                        work.author.keys.insert(id, None);
                        Some(Effect::KeysReplaced)
                    }
                },
                (None, _) => None,
            };
            if let Some(Effect::KeyChanged(change)) = &mut effect {
                let expired = &work.author.expired;
                change.is_expired = write.value.value.is_none() && expired.contains(&*change.name);
            }
            work.effects.extend(effect);
        }
    }
}
