//! Walks over the keys of a database, in byte order of their names: over a view where the transaction may, else with a
//! listing of what such a walk found, and what is staged since.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::keys::type_name;
use crate::base::glob::Pattern;
use crate::disk::ReadError;
use crate::disk::format::{Family, Header, Kind, namespace_prefix, prefix_end};
use crate::store::{Lister, Listing, Result, Txn};

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
    /// The names from one on that can be selected.
    fn span(&self, from: &[u8]) -> Span {
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
            .is_none_or(|wanted| wanted.eq_ignore_ascii_case(type_name(kind).as_bytes()))
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

/// Walks over at most `limit` keys of a database in byte order, from `from` on, and collects those selected that are
/// not past their deadline. A key that is there from the first step of a walk to its last is shown once, as positions
/// are names. Only keys that begin as the pattern does are visited.
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
    let span = selection.span(from);
    if span.is_empty() {
        return Ok(None);
    }
    let now = txn.now;
    let Some(view) = txn.view() else {
        return walk_listing(txn, db, span, selection, limit, show);
    };
    let prefix = namespace_prefix(txn.database(db)?.namespace);
    let (first, end) = on_disk(&prefix, &span);
    let mut walk = view.walk(Family::Meta, &first, end.as_deref())?;
    let mut visited = 0;
    while let Some((key, record)) = walk.next_record()? {
        let name = &key[prefix.len()..];
        if visited == limit {
            return Ok(Some(name.to_vec()));
        }
        visited += 1;
        let (header, _) = Header::decode(record)?;
        if is_alive(header, now) && selection.shows(name, header.kind) {
            show(name)?;
        }
    }
    Ok(None)
}

/// Where the span begins in the family, and where it ends.
fn on_disk(prefix: &[u8], span: &Span) -> (Vec<u8>, Option<Vec<u8>>) {
    let end = match &span.end {
        Some(end) => Some([prefix, end].concat()),
        None => prefix_end(prefix),
    };
    ([prefix, &span.first].concat(), end)
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
    span: Span,
    selection: Selection,
    limit: usize,
    mut show: impl FnMut(&[u8]) -> Result<()>,
) -> Result<Option<Vec<u8>>> {
    let listing = list(txn, db, &span, selection, limit)?;
    let now = txn.now;
    let mut visited = 0;
    for (name, header) in merged(&listing, &span) {
        if !selection.shows(name, header.kind) {
            continue;
        }
        if visited == limit {
            return Ok(Some(name.to_vec()));
        }
        visited += 1;
        if is_alive(header, now) {
            show(name)?;
        }
    }
    Ok(listing.found.end.clone())
}

fn list(txn: &mut Txn, db: usize, span: &Span, selection: Selection, limit: usize) -> Result<Listing> {
    let owned = selection.to_owned();
    let sought = format!(
        "walk {limit} {:?} {:?} {:?} {:?}",
        span.first, span.end, owned.pattern, owned.type_name
    );
    let prefix = namespace_prefix(txn.database(db)?.namespace);
    let (first, end) = on_disk(&prefix, span);
    txn.list_keys(db, sought.as_bytes(), move |lister| {
        let pattern = owned.pattern.as_deref().map(|source| Pattern::new(source, false));
        let selection = Selection {
            pattern: pattern.as_ref(),
            type_name: owned.type_name.as_deref(),
        };
        search(lister, &prefix, (&first, end.as_deref()), selection, limit)
    })
}

/// Finds the selected ones of at most so many keys.
fn search(
    lister: &mut Lister,
    prefix: &[u8],
    (first, end): (&[u8], Option<&[u8]>),
    selection: Selection,
    limit: usize,
) -> std::result::Result<(), ReadError> {
    let mut walk = lister.view.walk(Family::Meta, first, end)?;
    let mut visited = 0;
    while let Some((key, record)) = walk.next_record()? {
        let name = &key[prefix.len()..];
        if visited == limit {
            lister.listed.end = Some(name.to_vec());
            return Ok(());
        }
        visited += 1;
        let (header, _) = Header::decode(record)?;
        if selection.shows(name, header.kind) {
            lister.add(name, header);
        }
        if !lister.pass()? {
            return Ok(());
        }
    }
    Ok(())
}

/// The keys of a listing that are there, in order, up to where its search came.
fn merged<'l>(listing: &'l Listing, span: &'l Span) -> impl Iterator<Item = (&'l [u8], Header)> {
    let found = listing
        .found
        .keys
        .iter()
        .map(|(name, header)| (&name[..], *header));
    let mut found = found.peekable();
    let mut staged = staged_in(&listing.staged, span, listing.found.end.as_deref()).peekable();
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

fn staged_in<'l>(
    staged: &'l BTreeMap<Box<[u8]>, Option<Header>>,
    span: &'l Span,
    reached: Option<&'l [u8]>,
) -> impl Iterator<Item = (&'l [u8], Option<Header>)> {
    let end = reached
        .or(span.end.as_deref())
        .map_or(Bound::Unbounded, Bound::Excluded);
    let names = staged.range::<[u8], _>((Bound::Included(&span.first[..]), end));
    names.map(|(name, header)| (&name[..], *header))
}

/// Whether the key is not past its deadline.
pub(super) fn is_alive(header: Header, now: u64) -> bool {
    header.deadline.is_none_or(|deadline| deadline > now)
}
