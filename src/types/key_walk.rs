//! Walks over the keys of a database, in byte order of their names: over a view where the transaction may, else with a
//! listing of what such a walk found, and what is staged since.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::base::glob::Pattern;
use crate::disk::format::{Family, Header, Kind, namespace_prefix, prefix_end};
use crate::disk::{ReadError, View};
use crate::store::{Entry, ListedKey, Lister, Listing, Result, Stop, Txn};

/// Which keys a walk shows.
#[derive(Clone, Copy, Default)]
pub struct Selection<'a> {
    /// What names have to match, if anything.
    pub pattern: Option<&'a Pattern<'a>>,
    /// The name of a type, in any case. One that no type has selects nothing.
    pub type_name: Option<&'a [u8]>,
}

/// The names that a walk comes by, as far as a pattern tells.
struct Span {
    first: Vec<u8>,
    /// Behind the last one; none: to the end.
    end: Option<Vec<u8>>,
}

impl Span {
    fn is_empty(&self) -> bool {
        self.end.as_ref().is_some_and(|end| *end <= self.first)
    }
}

impl Selection<'_> {
    /// The names in the namespace of a slot that can be selected, by a walk that begins at a slot and a name.
    fn span(&self, begin: (u16, &[u8]), slot: u16) -> Span {
        let from = if slot == begin.0 { begin.1 } else { b"" };
        let (literal, whole) = self
            .pattern
            .map_or_else(Default::default, Pattern::literal_prefix);
        Span {
            first: from.max(&literal).to_vec(),
            end: match whole && self.pattern.is_some() {
                true => Some([&literal[..], b"\0"].concat()),
                false => prefix_end(&literal),
            },
        }
    }

    fn to_owned(self) -> OwnedSelection {
        OwnedSelection {
            pattern: self.pattern.map(|pattern| pattern.source().to_vec()),
            type_name: self.type_name.map(<[u8]>::to_vec),
        }
    }

    fn shows(&self, name: &[u8], kind: Kind) -> bool {
        self.type_name
            .is_none_or(|wanted| wanted.eq_ignore_ascii_case(kind.type_name().as_bytes()))
            && self.pattern.is_none_or(|pattern| pattern.selects(name))
    }
}

/// One step of a walk.
pub struct Step {
    /// The keys that it shows.
    pub names: Vec<Vec<u8>>,
    /// Where the next step begins, if this one did not come to the end.
    pub next: Option<Vec<u8>>,
}

/// Walks over at most `limit` keys of a database in byte order (in one of many namespaces, in each of them by itself), from a
/// position on, and collects those selected that are not past their deadline. A key that is there from the first step of a
/// walk to its last is shown once, as positions are names. Only keys that begin as the pattern does are visited.
pub fn step(txn: &mut Txn, db: usize, from: &[u8], selection: Selection, limit: usize) -> Result<Step> {
    let mut names = Vec::new();
    let next = walk(txn, db, from, selection, limit, |name| {
        names.push(name.to_vec());
        Ok(())
    })?;
    Ok(Step { names, next })
}

/// As [`step`], but shows the names, and returns where the next step begins.
pub fn walk(
    txn: &mut Txn,
    db: usize,
    from: &[u8],
    selection: Selection,
    limit: usize,
    mut show: impl FnMut(&[u8]) -> Result<()>,
) -> Result<Option<Vec<u8>>> {
    txn.prefer_view()?;
    let (layout, now) = (txn.layout(), txn.now);
    let begin = layout.split_position(from);
    let Some(view) = txn.view() else {
        let next = walk_listing(txn, db, begin, selection, limit, show)?;
        return Ok(next.map(|(slot, name)| layout.position(slot, &name)));
    };
    let mut namespaces = txn.namespaces(view, db, begin.0)?;
    let mut left = limit;
    while let Some((holder, namespace)) = namespaces.next_one()? {
        if left == 0 {
            return Ok(Some(layout.position(holder.slot, b"")));
        }
        let span = selection.span(begin, holder.slot);
        let mut visit = |name: &[u8], record: &[u8]| {
            let (header, _) = Header::decode(record)?;
            match is_alive(header, now) && selection.shows(name, header.kind) {
                true => show(name).map(|()| true),
                false => Ok(true),
            }
        };
        let (visited, next) = walk_namespace(view, namespace.id, &span, left, &mut visit)?;
        if let Some(name) = next {
            return Ok(Some(layout.position(holder.slot, &name)));
        }
        // One in which nothing begins as the pattern does takes time as well.
        left -= visited.max(1);
    }
    Ok(None)
}

/// Shows all keys of a database that are selected and not past their deadline, with what they hold: for a body over a view.
pub fn entries(
    txn: &mut Txn,
    db: usize,
    selection: Selection,
    mut show: impl FnMut(&mut Txn, &[u8], Entry) -> Result<()>,
) -> Result<()> {
    let Some(view) = txn.view() else {
        return Err(Stop::NeedsView);
    };
    let mut namespaces = txn.namespaces(view, db, 0)?;
    while let Some((holder, namespace)) = namespaces.next_one()? {
        let span = selection.span((0, b""), holder.slot);
        let mut visit = |name: &[u8], record: &[u8]| {
            let entry = Entry::decode(record).map_err(|stop| stop.in_key(name))?;
            if is_alive(entry.header, txn.now) && selection.shows(name, entry.header.kind) {
                show(txn, name, entry).map_err(|stop| stop.in_key(name))?;
            }
            Ok::<_, Stop>(true)
        };
        walk_namespace(view, namespace.id, &span, usize::MAX, &mut visit)?;
    }
    Ok(())
}

/// Visits at most `limit` keys of a namespace with their records, until `visit` says false. Returns how many they were, and
/// the name where the limit was reached.
fn walk_namespace<E: From<ReadError>>(
    view: &View,
    namespace: u64,
    span: &Span,
    limit: usize,
    visit: &mut impl FnMut(&[u8], &[u8]) -> std::result::Result<bool, E>,
) -> std::result::Result<(usize, Option<Vec<u8>>), E> {
    let mut visited = 0;
    if span.is_empty() {
        return Ok((visited, None));
    }
    let prefix = namespace_prefix(namespace);
    let first = [&prefix, &span.first[..]].concat();
    let end = match &span.end {
        Some(end) => Some([&prefix, &end[..]].concat()),
        None => prefix_end(&prefix),
    };
    let mut walk = view.walk(Family::Meta, &first, end.as_deref())?;
    while let Some((key, record)) = walk.next_record()? {
        let name = &key[prefix.len()..];
        if visited == limit {
            return Ok((visited, Some(name.to_vec())));
        }
        visited += 1;
        if !visit(name, record)? {
            break;
        }
    }
    Ok((visited, None))
}

/// What a [`Selection`] is made of.
struct OwnedSelection {
    pattern: Option<Vec<u8>>,
    type_name: Option<Vec<u8>>,
}

/// As [`walk`], for a transaction that cannot run over a view. It comes by at most `limit` keys that were found, and by at
/// most so many that are selected.
fn walk_listing(
    txn: &mut Txn,
    db: usize,
    begin: (u16, &[u8]),
    selection: Selection,
    limit: usize,
    mut show: impl FnMut(&[u8]) -> Result<()>,
) -> Result<Option<(u16, Vec<u8>)>> {
    let listing = list(txn, db, begin, selection, limit)?;
    let (now, mut visited) = (txn.now, 0);
    let parts = listing.found.keys.chunk_by(|a, b| a.namespace == b.namespace);
    let parts: HashMap<u64, &[ListedKey], RandomState> =
        parts.map(|part| (part[0].namespace, part)).collect();
    let end = listing.found.end.as_ref();
    for (slot, namespace) in listing.namespaces.iter().filter(|(slot, _)| *slot >= begin.0) {
        let mut span = selection.span(begin, *slot);
        match end {
            Some((last, _)) if slot > last => break,
            Some((last, name)) if slot == last => span.end = Some(name.clone()),
            _ => {}
        }
        if span.is_empty() {
            continue;
        }
        let part = parts.get(&namespace.id).copied().unwrap_or_default();
        for (name, header) in merged(part, staged_in(&listing, namespace.id, &span)) {
            if !selection.shows(name, header.kind) {
                continue;
            }
            if visited == limit {
                return Ok(Some((*slot, name.to_vec())));
            }
            visited += 1;
            if is_alive(header, now) {
                show(name)?;
            }
        }
    }
    Ok(end.cloned())
}

fn list(
    txn: &mut Txn,
    db: usize,
    begin: (u16, &[u8]),
    selection: Selection,
    limit: usize,
) -> Result<Listing> {
    let owned = selection.to_owned();
    let sought = format!("walk {limit} {begin:?} {:?} {:?}", owned.pattern, owned.type_name);
    let (slot, from) = (begin.0, begin.1.to_vec());
    txn.list_keys(db, sought.as_bytes(), move |lister| {
        let pattern = owned.pattern.as_deref().map(|source| Pattern::new(source, false));
        let selection = Selection {
            pattern: pattern.as_ref(),
            type_name: owned.type_name.as_deref(),
        };
        search(lister, (slot, &from), selection, limit)
    })
}

/// Finds the selected ones of at most so many keys.
fn search(
    lister: &mut Lister,
    begin: (u16, &[u8]),
    selection: Selection,
    limit: usize,
) -> std::result::Result<(), ReadError> {
    let (view, mut left) = (lister.view, limit);
    for (slot, namespace) in std::mem::take(&mut lister.namespaces) {
        if slot < begin.0 {
            continue;
        }
        if left == 0 {
            lister.listed.end = Some((slot, Vec::new()));
            break;
        }
        let (id, span) = (namespace.id, selection.span(begin, slot));
        let mut visit = |name: &[u8], record: &[u8]| {
            let (header, _) = Header::decode(record)?;
            if selection.shows(name, header.kind) {
                lister.add(id, name, header);
            }
            lister.pass()
        };
        let (visited, next) = walk_namespace(view, id, &span, left, &mut visit)?;
        if let Some(name) = next {
            lister.listed.end = Some((slot, name));
            break;
        }
        left = left.saturating_sub(visited.max(1));
    }
    Ok(())
}

/// The keys of a namespace that are there, in order.
fn merged<'l>(
    found: &'l [ListedKey],
    staged: impl Iterator<Item = (&'l [u8], Option<Header>)>,
) -> impl Iterator<Item = (&'l [u8], Header)> {
    let found = found.iter().map(|key| (&key.name[..], key.header));
    let (mut found, mut staged) = (found.peekable(), staged.peekable());
    std::iter::from_fn(move || {
        loop {
            let comes_first = match (found.peek(), staged.peek()) {
                (Some((name, _)), Some((changed, _))) => name < changed,
                (Some(_), None) => true,
                (None, Some(_)) => false,
                (None, None) => return None,
            };
            if comes_first {
                return found.next();
            }
            let (name, header) = staged.next()?;
            found.next_if(|(unchanged, _)| *unchanged == name);
            if let Some(header) = header {
                return Some((name, header));
            }
        }
    })
}

/// What is staged of a namespace.
fn staged_in<'l>(
    listing: &'l Listing,
    namespace: u64,
    span: &Span,
) -> impl Iterator<Item = (&'l [u8], Option<Header>)> + use<'l> {
    let first = (namespace, span.first.clone().into_boxed_slice());
    let end = match &span.end {
        Some(end) => (namespace, end.clone().into_boxed_slice()),
        None => (namespace + 1, Box::default()),
    };
    let keys = listing.staged.range(first..end);
    keys.map(|((_, name), header)| (&name[..], *header))
}

/// Whether the key is not past its deadline.
pub(super) fn is_alive(header: Header, now: u64) -> bool {
    header.deadline.is_none_or(|deadline| deadline > now)
}
