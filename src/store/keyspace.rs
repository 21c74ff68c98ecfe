//! Keys over a transaction: their headers, deadlines, counts, and what goes to reclaim when one is dropped.

use super::effects::Effect;
use super::layout::{Holder, Layout};
use super::stop::Result;
use super::txn::Txn;
use super::value::Value;
use super::watches::{Found, Touched, Watched, Watcher};
use crate::base::events::Events;
use crate::disk::format::{self, Deadlines, Garbage, Header, Namespace, OF_FIELDS, RecordKey, less};

/// A key in a numbered database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key<'a> {
    /// The database's number.
    pub db: usize,
    /// Any bytes.
    pub name: &'a [u8],
}

/// A key that exists, and is not past its deadline.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The type of its value, and its deadline.
    pub header: Header,
    record: Value,
    body: usize,
}

impl Entry {
    /// What a key's record holds.
    ///
    /// # Errors
    /// The record makes no sense.
    pub fn decode(record: &[u8]) -> Result<Entry> {
        let (header, body) = Header::decode(record)?;
        let record = Value::from(record);
        Ok(Entry { header, record, body })
    }

    /// The encoding of the value, after the header.
    pub fn body(&self) -> &[u8] {
        &self.record[self.body..]
    }

    /// The whole record, and where its body begins: for replies that share the bytes.
    pub fn shared(&self) -> (&Value, usize) {
        (&self.record, self.body)
    }

    /// The same, for who is done with the entry.
    pub fn into_shared(self) -> (Value, usize) {
        (self.record, self.body)
    }

    /// What has to be reclaimed when this entry is dropped.
    fn owned(&self) -> Result<Option<(u64, Garbage)>> {
        Ok(format::owned(self.header, self.body())?)
    }

    /// When the key, or a field of it, is due.
    pub fn deadlines(&self) -> Result<Deadlines> {
        Ok(Deadlines::of(self.header, self.body())?)
    }
}

impl Txn<'_> {
    /// The key's record.
    ///
    /// # Errors
    /// As [`Txn::namespace`].
    pub fn meta_key(&mut self, key: Key) -> Result<RecordKey> {
        let (_, namespace) = self.namespace_of(key)?;
        // Where none is there yet, neither is the key, and memory knows that.
        Ok(RecordKey::meta(namespace.id, key.name))
    }

    /// The namespace that the key is in, and what has it.
    fn namespace_of(&mut self, key: Key) -> Result<(Holder, Namespace)> {
        let holder = self.layout().holder(key.db, key.name);
        Ok((holder, self.namespace(holder)?))
    }

    /// The key's entry. One past its deadline is deleted, and is not there.
    pub fn lookup(&mut self, key: Key) -> Result<Option<Entry>> {
        self.check_events()?;
        let name = self.meta_key(key)?;
        let Some(record) = self.get(&name)? else {
            return Ok(None);
        };
        let (header, body) = Header::decode(&record)?;
        let entry = Entry { header, record, body };
        if header.deadline.is_none_or(|deadline| deadline > self.now) {
            self.note_owner(key.name, || Ok(entry.owned()?.map(|(id, _)| id)))?;
            return Ok(Some(entry));
        }
        if self.deletes_expired() {
            let only_expired = self.only_expired();
            self.drop_value(key, &entry)?;
            self.cause(Effect::KeyExpired);
            self.note_expired(key.name);
            self.notify(Events::EXPIRED, "expired", key);
            if only_expired {
                self.mark_expired();
            }
        }
        Ok(None)
    }

    /// Seconds since a key was last used. Only memory knows that: to one read from disk the time before does not count.
    ///
    /// # Errors
    /// As [`Txn::meta_key`].
    pub fn idle_seconds(&mut self, key: Key) -> Result<u64> {
        let name = self.meta_key(key)?;
        Ok(self.live_store().map_or(0, |store| store.idle_seconds(&name)))
    }

    /// As [`Txn::lookup_quietly`], and a key that is not there is told of, if somebody wants to know.
    pub fn lookup_read(&mut self, key: Key) -> Result<Option<Entry>> {
        let entry = self.lookup_quietly(key)?;
        if entry.is_none() {
            self.notify_miss(key);
        }
        Ok(entry)
    }

    /// As [`Txn::lookup`], counted in the statistics of hits and misses.
    pub fn lookup_quietly(&mut self, key: Key) -> Result<Option<Entry>> {
        let entry = self.lookup(key)?;
        let lookups = &mut self.work.lookups;
        match entry {
            Some(_) => lookups.hits += 1,
            None => lookups.misses += 1,
        }
        Ok(entry)
    }

    /// Has a key watched from the end of the transaction on, if that is staged: see [`super::Store::watched_change`].
    ///
    /// # Errors
    /// As [`Txn::lookup`].
    pub fn watch(&mut self, watcher: Watcher, key: Key) -> Result<()> {
        let found = match self.lookup(key)? {
            Some(entry) => Some(Found {
                id: entry.owned()?.map(|(id, _)| id),
                deadline: entry.header.deadline,
            }),
            None => None,
        };
        let (holder, namespace) = self.namespace_of(key)?;
        self.work.watched.push(Watched {
            watcher,
            holder,
            name: key.name.to_vec(),
            record: RecordKey::meta(namespace.id, key.name),
            found,
        });
        Ok(())
    }

    /// Writes the key's record, `old` being what [`Txn::lookup`] found. What `old` owned and the new body does not
    /// share goes to reclaim.
    pub fn write(&mut self, key: Key, old: Option<&Entry>, header: Header, body: &[&[u8]]) -> Result<()> {
        let (holder, mut namespace) = self.namespace_of(key)?;
        let before = namespace;
        if !namespace.is_there() {
            namespace.id = self.fresh_id();
        }
        let mut head = [0; 9];
        let n = header.encode(&mut head);
        let record = match body {
            [one] => Value::concat(&[&head[..n], one]),
            parts => Value::concat(&[&[&head[..n]], parts].concat()),
        };
        let new = Entry {
            header,
            record: record.clone(),
            body: n,
        };
        if let Some((id, garbage)) = old.map(Entry::owned).transpose()?.flatten()
            && new.owned()?.is_none_or(|(kept, _)| kept != id)
        {
            self.reclaim(id, garbage);
        }
        let due = old.map(Entry::deadlines).transpose()?.unwrap_or_default();
        self.move_deadlines(&mut namespace, key.name, due, new.deadlines()?)?;
        namespace.keys += u64::from(old.is_none());
        if namespace != before {
            self.set_namespace(holder, namespace);
        }
        self.put(RecordKey::meta(namespace.id, key.name), record);
        if old.is_none() {
            self.notify(Events::NEW, "new", key);
        }
        Ok(())
    }

    /// Drops the key: O(1), whatever it holds.
    pub fn remove(&mut self, key: Key, entry: &Entry) -> Result<()> {
        self.drop_value(key, entry)?;
        self.notify(Events::GENERIC, "del", key);
        Ok(())
    }

    fn drop_value(&mut self, key: Key, entry: &Entry) -> Result<()> {
        if let Some((id, garbage)) = entry.owned()? {
            self.reclaim(id, garbage);
        }
        self.forget(key, entry)
    }

    /// Takes the key out of the keyspace and leaves what it owns to another: the first half of RENAME and MOVE.
    pub fn forget(&mut self, key: Key, entry: &Entry) -> Result<()> {
        let (holder, mut namespace) = self.namespace_of(key)?;
        self.move_deadlines(&mut namespace, key.name, entry.deadlines()?, Deadlines::default())?;
        namespace.keys = less(namespace.keys, 1)?;
        self.set_namespace(holder, namespace);
        self.delete(RecordKey::meta(namespace.id, key.name));
        Ok(())
    }

    /// Sets or takes off the key's deadline.
    pub fn set_deadline(&mut self, key: Key, entry: &Entry, deadline: Option<u64>) -> Result<()> {
        let header = Header {
            deadline,
            ..entry.header
        };
        self.write(key, Some(entry), header, &[entry.body()])
    }

    /// Empties the database: each of its namespaces that has keys goes to reclaim.
    pub fn flush_database(&mut self, number: usize) -> Result<()> {
        self.layout()
            .holders(number)
            .try_for_each(|holder| self.drop_keys(holder))
    }

    /// Drops all keys of a database, or of a slot: its namespace goes to reclaim, and it gets another, at once or, a slot, with
    /// its next key.
    pub fn drop_keys(&mut self, holder: Holder) -> Result<()> {
        let old = self.namespace(holder)?;
        if old.keys == 0 {
            return Ok(());
        }
        self.reclaim(old.id, Garbage::Namespace { keys: old.keys });
        let id = match self.layout() {
            Layout::One => self.fresh_id(),
            Layout::Slots => 0,
        };
        let empty = Namespace {
            id,
            ..Namespace::default()
        };
        self.set_namespace(holder, empty);
        Ok(())
    }

    /// Exchanges what two databases hold.
    pub fn swap_databases(&mut self, one: usize, other: usize) -> Result<()> {
        self.touch_swapped(one, other)?;
        let layout = self.layout();
        layout
            .holders(one)
            .zip(layout.holders(other))
            .try_for_each(|(a, b)| self.swap_keys(a, b))
    }

    /// Exchanges the keys of two databases, or of the same slot in two databases.
    pub fn swap_keys(&mut self, one: Holder, other: Holder) -> Result<()> {
        let (a, b) = (self.namespace(one)?, self.namespace(other)?);
        if a != b {
            self.set_namespace(one, b);
            self.set_namespace(other, a);
        }
        Ok(())
    }

    fn reclaim(&mut self, id: u64, garbage: Garbage) {
        self.put(RecordKey::garbage(id), Value::from(&garbage.encode()[..]));
    }

    fn move_deadlines(
        &mut self,
        namespace: &mut Namespace,
        name: &[u8],
        from: Deadlines,
        to: Deadlines,
    ) -> Result<()> {
        if from == to {
            return Ok(());
        }
        // All deletes first: what was a field's deadline may be the key's now.
        for (before, after) in [(from.key, to.key), (from.fields, to.fields)] {
            if let Some(deadline) = before.filter(|_| before != after) {
                self.delete(RecordKey::expire(deadline, namespace.id, name));
            }
        }
        for (before, after, value) in [(from.key, to.key, &b""[..]), (from.fields, to.fields, OF_FIELDS)] {
            if let Some(deadline) = after.filter(|_| before != after) {
                self.put(
                    RecordKey::expire(deadline, namespace.id, name),
                    Value::from(value),
                );
            }
        }
        namespace.expires = less(
            namespace.expires + u64::from(to.key.is_some()),
            u64::from(from.key.is_some()),
        )?;
        Ok(())
    }
}

impl Txn<'_> {
    /// Whether anybody may have to be told of what changes: somebody watches, or may begin to before it counts.
    fn has_watchers(&self) -> bool {
        let watches = self.live_store().map(|store| &store.watches);
        watches.is_some_and(|watches| !watches.is_empty() || self.work.reads.is_some())
    }

    /// Tells those who watch a key that it has changed, though it may be as it was before: as Redis has it, writing what is
    /// there already is a change.
    #[inline]
    pub fn touch(&mut self, key: Key) {
        if self.has_watchers() {
            let holder = self.layout().holder(key.db, key.name);
            let name = key.name.to_vec();
            self.work.touched.push(Touched { holder, name });
        }
    }

    /// Two databases are about to exchange what they hold: to those who watch a key there it has changed, if either has it.
    fn touch_swapped(&mut self, one: usize, other: usize) -> Result<()> {
        let store = self.live_store().filter(|store| !store.watches.is_empty());
        let Some(names) = store.map(|store| store.watches.names_in([one, other])) else {
            return Ok(());
        };
        let keys = |name| [one, other].map(|db| Key { db, name });
        for key in names.iter().flat_map(|name| keys(name)) {
            let record = self.meta_key(key)?;
            self.prefetch(record);
        }
        self.await_prefetched()?;
        for name in &names {
            let [here, there] = keys(name);
            if self.is_there(here)? || self.is_there(there)? {
                self.touch(here);
                self.touch(there);
            }
        }
        Ok(())
    }

    /// Whether a key exists, and is not past its deadline.
    fn is_there(&mut self, key: Key) -> Result<bool> {
        let record = self.meta_key(key)?;
        let Some(record) = self.get(&record)? else {
            return Ok(false);
        };
        let (header, _) = Header::decode(&record)?;
        Ok(header.deadline.is_none_or(|deadline| deadline > self.now))
    }
}
