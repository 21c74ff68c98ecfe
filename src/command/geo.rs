//! Commands over places: sorted sets whose scores are geohashes.

use super::elements::elements;
use super::geo_search::{self, GeoOptions, Source};
use super::places::{place, unit};
use super::values::bulk;
use super::{Call, is_option, syntax_error};
use crate::resp::{Reply, Shape};
use crate::store::{Key, Result, Txn};
use crate::types::geo::{self, Found};
use crate::types::geohash::{Place, Search};
use crate::types::sorted_set::{self, Condition, SortedSet};

/// `GEOADD key [NX|XX] [CH] longitude latitude member...`. Replies with the number of members added; with CH, of those
/// changed too.
pub fn geoadd(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let mut rest = call.args.skip(2);
    let (mut condition, mut count_changed) = (Condition::default(), false);
    while let Some(word) = rest.get(0) {
        match word {
            _ if is_option(word, "NX") => condition.nx = true,
            _ if is_option(word, "XX") => condition.xx = true,
            _ if is_option(word, "CH") => count_changed = true,
            _ => break,
        }
        rest = rest.skip(1);
    }
    if rest.is_empty() || !rest.len().is_multiple_of(3) || condition.nx && condition.xx {
        return syntax_error();
    }
    let mut members = Vec::with_capacity(rest.len() / 3);
    while let Some(member) = rest.get(2) {
        members.push((member, place(rest)?.score()));
        rest = rest.skip(3);
    }
    let thresholds = &call.limits.thresholds;
    let counts = sorted_set::add(txn, call.key(1), members.into_iter(), condition, thresholds)?;
    let count = counts.added + if count_changed { counts.updated } else { 0 };
    Ok(Reply::Int(count as i64))
}

/// `GEODIST key member member [M|KM|FT|MI]`. Replies with the distance as a bulk string, or null if a member is not
/// there.
pub fn geodist(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let unit = match call.args.len() {
        4 => 1.0,
        5 => unit(call.arg(4))?,
        _ => return syntax_error(),
    };
    let Some(set) = SortedSet::open(txn.lookup_read(call.key(1))?)? else {
        return Ok(Reply::Null);
    };
    let places = geo::places(txn, &set, call.args.skip(2).iter().take(2))?;
    Ok(match places[..] {
        [Some(from), Some(to)] => distance_reply(from.distance(to) / unit),
        _ => Reply::Null,
    })
}

/// Four digits behind the point.
fn distance_reply(distance: f64) -> Reply {
    let scaled = (distance * 10_000.0).round_ties_even() as i64;
    Reply::bulk(format!("{}.{:04}", scaled / 10_000, scaled % 10_000))
}

/// `GEOHASH key member...`. Replies with an array of 11-letter geohashes, null for each member that is not there.
pub fn geohash(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let hash = |place: Option<Place>| place.map_or(Reply::Null, |place| Reply::bulk(place.hash_string()));
    for_members(txn, call, hash)
}

/// `GEOPOS key member...`. Replies with an array of pairs of longitude and latitude in degrees, null for each member
/// that is not there.
pub fn geopos(txn: &mut Txn, call: &Call) -> Result<Reply> {
    for_members(txn, call, |place| place.map_or(Reply::NullArray, coordinates))
}

fn for_members(txn: &mut Txn, call: &Call, reply: impl Fn(Option<Place>) -> Reply) -> Result<Reply> {
    let members = call.args.skip(2);
    let places = match SortedSet::open(txn.lookup_read(call.key(1))?)? {
        Some(set) => geo::places(txn, &set, members.iter())?,
        None => vec![None; members.len()],
    };
    elements(txn, call, Shape::Array, Some(places.len() as u64), |_, out| {
        places.iter().try_for_each(|place| out.push_reply(&reply(*place)))
    })
}

fn coordinates(place: Place) -> Reply {
    Reply::Array(vec![
        Reply::LongDouble(place.longitude),
        Reply::LongDouble(place.latitude),
    ])
}

/// `GEOSEARCH key centre shape [option...]`. Replies with an array of members, each an array if more than its name is
/// asked for.
pub fn geosearch(txn: &mut Txn, call: &Call) -> Result<Reply> {
    search(txn, call, 1, Source::Search { stores: false })
}

/// `GEOSEARCHSTORE destination source centre shape [option...]`. Replies with the number of members stored.
pub fn geosearchstore(txn: &mut Txn, call: &Call) -> Result<Reply> {
    search(txn, call, 2, Source::Search { stores: true })
}

/// `GEORADIUS key longitude latitude radius unit [option...]`. Replies as GEOSEARCH does; with STORE, with the number
/// of members stored.
pub fn georadius(txn: &mut Txn, call: &Call) -> Result<Reply> {
    search(txn, call, 1, Source::Place { stores: true })
}

/// GEORADIUS_RO: GEORADIUS without STORE and STOREDIST.
pub fn georadius_ro(txn: &mut Txn, call: &Call) -> Result<Reply> {
    search(txn, call, 1, Source::Place { stores: false })
}

/// `GEORADIUSBYMEMBER key member radius unit [option...]`. Replies as GEORADIUS does; with an error if the member is
/// not there.
pub fn georadiusbymember(txn: &mut Txn, call: &Call) -> Result<Reply> {
    search(txn, call, 1, Source::Member { stores: true })
}

/// GEORADIUSBYMEMBER_RO: GEORADIUSBYMEMBER without STORE and STOREDIST.
pub fn georadiusbymember_ro(txn: &mut Txn, call: &Call) -> Result<Reply> {
    search(txn, call, 1, Source::Member { stores: false })
}

fn search(txn: &mut Txn, call: &Call, key: usize, source: Source) -> Result<Reply> {
    let set = SortedSet::open(txn.lookup_read(call.key(key))?)?;
    let options = geo_search::parse(txn, call, set.as_ref(), source)?;
    if options.target.is_none() {
        txn.only_reads();
    }
    let target = options.target.map(|name| Key { db: call.db, name });
    let found = match (&set, &options.search) {
        (Some(set), Some(search)) => find(txn, set, &options, search)?,
        _ => Vec::new(),
    };
    let unit = options.search.map_or(1.0, |search| search.unit);
    let Some(target) = target else {
        let replies = found.iter().map(|found| found_reply(found, &options, unit));
        if call.sink.is_none() {
            return Ok(Reply::Array(replies.collect()));
        }
        return elements(txn, call, Shape::Array, Some(found.len() as u64), |_, out| {
            replies.clone().try_for_each(|reply| out.push_reply(&reply))
        });
    };
    let count = found.len() as i64;
    let scored = |found: Found| match options.store_distances {
        true => (found.member.to_vec(), found.distance / unit),
        false => (found.member.to_vec(), found.score),
    };
    let members: Vec<_> = found.into_iter().map(scored).collect();
    let event = match source {
        Source::Search { .. } => "geosearchstore",
        Source::Place { .. } | Source::Member { .. } => "georadiusstore",
    };
    sorted_set::replace(txn, target, &members, &call.limits.thresholds, event)?;
    Ok(Reply::Int(count))
}

/// What a search finds, in the order asked for and no more than asked for.
fn find(txn: &mut Txn, set: &SortedSet, options: &GeoOptions, search: &Search) -> Result<Vec<Found>> {
    let count = options.count.unwrap_or(usize::MAX);
    let limit = if options.any { count } else { usize::MAX };
    let mut found = geo::search(txn, set, search, limit)?;
    let by_distance = |a: &Found, b: &Found| a.distance.total_cmp(&b.distance);
    match options.descending {
        Some(false) => found.sort_by(by_distance),
        Some(true) => found.sort_by(|a, b| by_distance(b, a)),
        // The nearest ones, unless any will do.
        None if options.count.is_some() && !options.any => found.sort_by(by_distance),
        None => {}
    }
    found.truncate(count);
    Ok(found)
}

fn found_reply(found: &Found, options: &GeoOptions, unit: f64) -> Reply {
    let member = bulk(found.member.clone());
    if !(options.with_distance || options.with_hash || options.with_place) {
        return member;
    }
    let mut parts = vec![member];
    if options.with_distance {
        parts.push(distance_reply(found.distance / unit));
    }
    if options.with_hash {
        parts.push(Reply::Int(found.score as i64));
    }
    if options.with_place {
        parts.push(coordinates(found.place));
    }
    Reply::Array(parts)
}
