//! Client-side caching: what clients keep of what they have read, and how they are told that it has changed. (Who has read
//! what, and when a change counts: `store/tracking.rs`.)
//!
//! What a client has read is entered when its request is through. Of a transaction, keys that it has read and then written
//! are entered before its writes are staged, as what was read is no more; others are entered behind them, as what was read is
//! what was written.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use super::keys_used::KeysUsed;
use super::parking::Wait;
use super::request::{Body, Ran, Request};
use super::table::{Command, Found, Run, flag};
use super::tracks::{Mode, Tracks};
use super::{Client, Engine, Session};
use crate::resp::{Args, Protocol, Reply};
use crate::store::{Epoch, KeyChange};

/// The channel on which a RESP2 client is told what another one is to know.
const CHANNEL: &str = "__redis__:invalidate";

/// Keys taken out of a table that is too large: when some were added, ...
const REMOVED_AT_ONCE: usize = 100;
/// ... and in each tick.
const REMOVED_IN_TICK: usize = 10_000;

impl Client {
    /// Whether what its request at hand reads is to be entered.
    pub(super) fn tracks_reads(&self) -> bool {
        self.tracks
            .borrow()
            .as_ref()
            .is_some_and(|tracks| match tracks.mode {
                Mode::Read => true,
                Mode::OptIn => tracks.is_caching_said,
                Mode::OptOut => !tracks.is_caching_said,
                Mode::Broadcast => false,
            })
    }

    fn tracks_all_it_might_keep(&self) -> bool {
        let tracks = self.tracks.borrow();
        let is_broadcast = |tracks: &Tracks| tracks.mode == Mode::Broadcast;
        tracks.as_deref().is_some_and(is_broadcast) || self.tracks_reads()
    }
}

impl KeysUsed {
    /// A command is run.
    pub fn note(&mut self, row: &Command, args: Args) {
        let is_read = row.has(flag::READONLY);
        if is_read || row.may_write() {
            let positions = row.key_positions(args).unwrap_or_default();
            positions
                .into_iter()
                .for_each(|at| self.note_key(&args[at], is_read));
        }
    }
}

/// What is told: the keys, or all of them.
enum Told {
    Keys(Vec<Arc<[u8]>>),
    Everything,
}

impl From<&Told> for Reply {
    fn from(told: &Told) -> Reply {
        match told {
            Told::Keys(keys) => Reply::Array(keys.iter().map(|key| Reply::bulk(key.clone())).collect()),
            Told::Everything => Reply::Null,
        }
    }
}

/// Keys that have changed, each with the client who did it last.
type Changed = BTreeMap<Arc<[u8]>, u64>;

/// What is to be told of prefixes: of each, the keys that have changed.
#[derive(Default)]
pub(super) struct Broadcast {
    by_prefix: BTreeMap<Box<[u8]>, Changed>,
}

impl Engine {
    /// A client is told of what it reads from now on, as it has asked; `prefixes` are added to those that it has.
    pub(super) fn begin_tracking(&mut self, client: &Client, tracks: Tracks, prefixes: Vec<Box<[u8]>>) {
        let before = client.tracks.take();
        self.tracking_clients += usize::from(before.is_none());
        self.store.set_tracking(true);
        let mut tracks = Box::new(tracks);
        tracks.prefixes = before.map(|before| before.prefixes).unwrap_or_default();
        for prefix in prefixes {
            if let Err(place) = tracks.prefixes.binary_search(&prefix) {
                self.store.track_prefix(&prefix, client.id);
                tracks.prefixes.insert(place, prefix);
            }
        }
        client.tracks.replace(Some(tracks));
    }

    /// A client is not told any more, or is gone.
    pub(super) fn end_tracking(&mut self, client: &Client) {
        let Some(tracks) = client.tracks.take() else {
            return;
        };
        for prefix in &tracks.prefixes {
            self.store.untrack_prefix(prefix, client.id);
        }
        self.store.end_tracked_view(client.id);
        self.tracking_clients -= 1;
        self.store.set_tracking(self.tracking_clients > 0);
    }

    /// Enters keys that a client has read, and makes room for them.
    fn enter(&mut self, client: &Client, row: &Command, args: Args) {
        for at in row.key_positions(args).unwrap_or_default() {
            self.store.track(&args[at], client.id);
        }
        self.untrack_some(REMOVED_AT_ONCE);
    }

    /// Enters what a request has read, if its client is to be told of that.
    pub(super) fn track_read(&mut self, client: &Client, row: &Command, args: Args) {
        if matches!(row.run, Run::Data(_)) && row.has(flag::READONLY) && client.tracks_reads() {
            self.enter(client, row, args);
        }
    }

    /// Enters what a transaction has read that is about to be staged: what it has written since.
    pub(super) fn enter_before(&mut self, client: &Client, used: &KeysUsed) {
        used.read_before()
            .for_each(|key| self.store.track(key, client.id));
    }

    /// Enters the rest of what it has read, now that it is staged, and depends on this epoch.
    pub(super) fn enter_behind(&mut self, client: &Rc<Client>, used: &KeysUsed, epoch: Epoch) {
        used.read_last().for_each(|key| self.store.track(key, client.id));
        if used.is_too_much() {
            self.invalidate(client, &Told::Everything, epoch);
        }
        self.untrack_some(REMOVED_AT_ONCE);
    }

    /// Makes the table smaller if it is larger than `tracking-table-max-keys` says: whoever has read a key that is taken out is
    /// told that it has changed.
    fn untrack_some(&mut self, most: usize) {
        for _ in 0..most {
            if !self.store.tracks_too_much(self.config.tracking_table_max_keys) {
                return;
            }
            let Some((name, readers)) = self.store.untrack_any() else {
                return;
            };
            self.tell_readers(name, &readers, 0, Epoch::NONE);
        }
    }

    /// The same. Called each tick.
    pub(super) fn limit_tracking(&mut self) {
        if self.tracking_clients > 0 {
            self.untrack_some(REMOVED_IN_TICK);
        }
    }

    /// Tells those who have read a key that it has changed; `by` is whose request did that.
    fn tell_readers(&mut self, name: Arc<[u8]>, readers: &[u64], by: u64, epoch: Epoch) {
        let told = Told::Keys(vec![name]);
        for reader in readers {
            let Some(client) = self.clients.get(*reader).cloned() else {
                continue;
            };
            let is_meant =
                client.tracks.borrow().as_ref().is_some_and(|tracks| {
                    tracks.mode != Mode::Broadcast && !(tracks.no_loop && client.id == by)
                });
            if is_meant {
                self.invalidate(&client, &told, epoch);
            }
        }
    }

    /// A change of a key is settled.
    pub(super) fn tell_of_change(&mut self, change: KeyChange, broadcast: &mut Broadcast) {
        // What passes by itself is nobody's doing.
        let by = if change.is_expired { 0 } else { change.by };
        if change.has_prefix {
            self.store.tracked_prefixes(&change.name, |len, _| {
                let keys = broadcast.by_prefix.entry(change.name[..len].into()).or_default();
                keys.insert(change.name.clone(), by);
            });
        }
        self.tell_readers(change.name, &change.readers, by, Epoch::NONE);
    }

    /// It is settled that a database has other keys, or none.
    pub(super) fn tell_that_all_changed(&mut self) {
        if self.tracking_clients == 0 {
            return;
        }
        self.store.untrack_everything();
        let tracks = |client: &&Rc<Client>| client.tracks.borrow().is_some();
        let clients: Vec<_> = self.clients.iter().filter(tracks).cloned().collect();
        for client in clients {
            self.invalidate(&client, &Told::Everything, Epoch::NONE);
        }
    }

    /// Tells of the changes of keys with prefixes that are settled now: a message a prefix, of all of them.
    pub(super) fn send_broadcast(&mut self, broadcast: Broadcast) {
        for (prefix, keys) in broadcast.by_prefix {
            let mut clients = Vec::new();
            self.store.tracked_prefixes(&prefix, |len, some| {
                if len == prefix.len() {
                    clients = some.to_vec();
                }
            });
            let all = Told::Keys(keys.keys().cloned().collect());
            for client in clients {
                let Some(client) = self.clients.get(client).cloned() else {
                    continue;
                };
                let no_loop = client
                    .tracks
                    .borrow()
                    .as_ref()
                    .is_some_and(|tracks| tracks.no_loop);
                if !no_loop || keys.values().all(|by| *by != client.id) {
                    self.invalidate(&client, &all, Epoch::NONE);
                    continue;
                }
                let of_others = keys.iter().filter(|(_, by)| **by != client.id);
                let of_others: Vec<_> = of_others.map(|(key, _)| key.clone()).collect();
                if !of_others.is_empty() {
                    self.invalidate(&client, &Told::Keys(of_others), Epoch::NONE);
                }
            }
        }
    }

    /// Tells a client, or the one in its place, once an epoch is settled. One that speaks RESP2 cannot be told, unless as a
    /// subscriber in another's place.
    fn invalidate(&mut self, client: &Rc<Client>, told: &Told, epoch: Epoch) {
        let redirect = client.tracks.borrow().as_ref().and_then(|tracks| tracks.redirect);
        let target = match redirect {
            None => client.clone(),
            Some(id) => match self.clients.get(id) {
                Some(target) => target.clone(),
                None => return self.tell_of_broken_redirect(client, id),
            },
        };
        let message = match target.protocol.get() {
            Protocol::Resp3 => Reply::Push(vec![Reply::bulk("invalidate"), told.into()]),
            Protocol::Resp2 if redirect.is_some() && target.listens.get() => {
                Reply::Array(vec![Reply::bulk("message"), Reply::bulk(CHANNEL), told.into()])
            }
            Protocol::Resp2 => return,
        };
        self.send(target.id, &message, epoch);
    }

    fn tell_of_broken_redirect(&mut self, client: &Client, id: u64) {
        if let Some(tracks) = &mut *client.tracks.borrow_mut() {
            tracks.is_broken = true;
        }
        if client.protocol.get() == Protocol::Resp3 {
            let id = Reply::Int(i64::try_from(id).unwrap_or(i64::MAX));
            let message = Reply::Push(vec![Reply::bulk("tracking-redir-broken"), id]);
            self.send(client.id, &message, Epoch::NONE);
        }
    }
}

impl Session {
    /// A request is through, other than those that make up a transaction: enters what it has read. What CLIENT CACHING said
    /// was about it.
    pub(super) fn track_request(&self, engine: &mut Engine, found: Found, args: Args) {
        let row = found.command;
        engine.track_read(&self.client, row, args);
        if matches!(row.run, Run::Data(_)) && row.has(flag::READONLY) {
            for (name, epoch) in engine.store.end_tracked_view(self.client.id) {
                engine.invalidate(&self.client, &Told::Keys(vec![name]), epoch);
            }
        }
        self.forget_caching();
    }

    /// What CLIENT CACHING said was about the request that is through, unless that is another of CLIENT's, or in a queue.
    pub(super) fn forget_caching(&self) {
        if self.queue.is_none()
            && self.client.command.get() != "client"
            && let Some(tracks) = &mut *self.client.tracks.borrow_mut()
        {
            tracks.is_caching_said = false;
        }
    }

    /// A request is through that did not run.
    pub(super) fn forget_tracked(&self, engine: &mut Engine) {
        engine.store.end_tracked_view(self.client.id);
        self.forget_caching();
    }

    /// A request is to be run over a view, which may not show what is written from now on.
    pub(super) fn track_view(&self, engine: &mut Engine, request: &Request, ran: &Ran) {
        if let Ran::Waits(Wait::Checkpoint(_) | Wait::View(..)) = ran
            && let Body::Command { row, args, .. } = request.body
            && row.has(flag::READONLY)
            && self.client.tracks_all_it_might_keep()
        {
            let positions = row.key_positions(args).unwrap_or_default();
            let names = positions.into_iter().map(|at| args[at].into());
            engine.store.begin_tracked_view(self.client.id, names);
        }
    }
}
