//! SORT and SORT_RO.

use super::arguments::integer;
use super::elements::elements;
use super::values::bulk;
use super::{Call, is_option, syntax_error};
use crate::base::events::Events;
use crate::disk::format::Kind;
use crate::resp::{Reply, Shape};
use crate::store::{Key, Result, Txn};
use crate::types::list::{self, List, Side};
use crate::types::sort::{Limit, Order, Pattern};
use crate::types::sort_source::{self, Source, Wanted};
use crate::types::string::Bytes;

struct SortOptions<'a> {
    /// The pattern of the last BY.
    by: Option<Pattern<'a>>,
    /// A BY named no keys: elements stay as they are.
    unsorted: bool,
    get: Vec<Pattern<'a>>,
    limit: Limit,
    order: Order,
    target: Option<&'a [u8]>,
}

impl<'a> SortOptions<'a> {
    fn parse(call: &Call<'a>, may_store: bool) -> Result<SortOptions<'a>> {
        let mut options = SortOptions {
            by: None,
            unsorted: false,
            get: Vec::new(),
            limit: Limit::NONE,
            order: Order {
                alpha: false,
                descending: false,
            },
            target: None,
        };
        let mut rest = call.args.skip(2);
        while let Some(word) = rest.get(0) {
            let taken = match (word, rest.get(1), rest.get(2)) {
                _ if is_option(word, "ASC") => {
                    options.order.descending = false;
                    1
                }
                _ if is_option(word, "DESC") => {
                    options.order.descending = true;
                    1
                }
                _ if is_option(word, "ALPHA") => {
                    options.order.alpha = true;
                    1
                }
                (_, Some(offset), Some(count)) if is_option(word, "LIMIT") => {
                    options.limit = Limit {
                        offset: integer(offset)?,
                        count: integer(count)?,
                    };
                    3
                }
                (_, Some(target), _) if may_store && is_option(word, "STORE") => {
                    options.target = Some(target);
                    2
                }
                (_, Some(pattern), _) if is_option(word, "BY") => {
                    let pattern = Pattern::parse(pattern);
                    options.unsorted |= !matches!(pattern, Pattern::Key { .. });
                    options.by = Some(pattern);
                    2
                }
                (_, Some(pattern), _) if is_option(word, "GET") => {
                    options.get.push(Pattern::parse(pattern));
                    2
                }
                _ => return syntax_error(),
            };
            rest = rest.skip(taken);
        }
        Ok(options)
    }
}

/// `SORT key [option...]`. Replies with an array of elements or of what GET finds; with STORE, with the length of the
/// list stored.
pub fn sort(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let options = SortOptions::parse(call, true)?;
    run(txn, call, options)
}

/// SORT_RO: SORT without STORE.
pub fn sort_ro(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let options = SortOptions::parse(call, false)?;
    run(txn, call, options)
}

fn run(txn: &mut Txn, call: &Call, mut options: SortOptions) -> Result<Reply> {
    let source = Source::open(txn.lookup_read(call.key(1))?)?;
    if options.target.is_none() {
        txn.only_reads();
    }
    // The order of a set is nobody's, but what is stored, or what a script goes by, has to be the same each time.
    let is_fixed = options.target.is_some() || call.is_scripted;
    if options.unsorted && matches!(source, Source::Set(_)) && is_fixed {
        options.unsorted = false;
        options.order.alpha = true;
        options.by = None;
    }
    let elements = shown(txn, call.db, &source, &options)?;
    if call.sink.is_some() {
        return show_over_view(txn, call, &options.get, &elements);
    }
    let values: Vec<Option<Bytes>> = match options.get.len() {
        0 => elements.into_iter().map(Some).collect(),
        _ => {
            let count = elements.len().saturating_mul(options.get.len());
            txn.allowance.take(count.saturating_mul(size_of::<Wanted>()))?;
            let mut wanted = Vec::with_capacity(count);
            for element in &elements {
                wanted.extend(options.get.iter().map(|&pattern| Wanted { pattern, element }));
            }
            sort_source::values(txn, call.db, &wanted)?
        }
    };
    match options.target {
        Some(name) => store(txn, call, Key { db: call.db, name }, &values),
        None => {
            let replies = values.into_iter().map(|value| value.map_or(Reply::Null, bulk));
            Ok(Reply::Array(replies.collect()))
        }
    }
}

/// What is found for the elements leaves as it is found.
fn show_over_view(txn: &mut Txn, call: &Call, get: &[Pattern], shown: &[Bytes]) -> Result<Reply> {
    let count = shown.len() as u64 * get.len().max(1) as u64;
    elements(txn, call, Shape::Array, Some(count), |txn, out| {
        for element in shown {
            if get.is_empty() {
                out.push_bytes(element.clone())?;
            }
            for &pattern in get {
                match sort_source::value(txn, call.db, &Wanted { pattern, element })? {
                    Some(value) => out.push_bytes(value)?,
                    None => out.push_reply(&Reply::Null)?,
                }
            }
        }
        Ok(())
    })
}

/// The elements that are shown, in their order.
fn shown(txn: &mut Txn, db: usize, source: &Source, options: &SortOptions) -> Result<Vec<Bytes>> {
    let len = source.count()?;
    let range = options.limit.range(len);
    if options.unsorted {
        return source.elements(txn, range, options.order.descending);
    }
    let elements = source.elements(txn, 0..len, false)?;
    let weights = match options.by {
        Some(pattern) => {
            let wanted: Vec<_> = elements
                .iter()
                .map(|element| Wanted { pattern, element })
                .collect();
            Some(sort_source::values(txn, db, &wanted)?)
        }
        None => None,
    };
    let numbers = options.order.sort(&elements, weights.as_deref(), range.clone())?;
    let mut elements: Vec<Option<Bytes>> = elements.into_iter().map(Some).collect();
    Ok(numbers[range]
        .iter()
        .filter_map(|&number| elements[number].take())
        .collect())
}

/// Makes a list of the values, without a deadline; what is missing is an empty element.
fn store(txn: &mut Txn, call: &Call, target: Key, values: &[Option<Bytes>]) -> Result<Reply> {
    let old = txn.lookup(target)?;
    let mut list = List::default();
    let elements = values.iter().map(|value| value.as_deref().unwrap_or_default());
    list.push(txn, Side::Left, elements);
    let limit = list::Limit(call.limits.thresholds.list_size);
    list.save_until(txn, target, old.as_ref(), limit, None)?;
    if !values.is_empty() {
        txn.notify_overwritten(target, old.as_ref(), Kind::List);
        txn.notify(Events::LIST, "sortstore", target);
    }
    Ok(Reply::Int(values.len() as i64))
}
