//! Places of members of sorted sets, and searches among them.

use super::geohash::{Place, Search};
use super::sorted_set::{ScoreRange, SortedSet};
use super::string::Bytes;
use super::together::together;
use crate::store::{Result, Txn};

/// The places of members, as far as they are there.
pub fn places<'m>(
    txn: &mut Txn,
    set: &SortedSet,
    members: impl Iterator<Item = &'m [u8]>,
) -> Result<Vec<Option<Place>>> {
    together(txn, members, |txn, member| {
        Ok(set.score(txn, member)?.map(Place::of_score))
    })
}

/// A member that a search found.
pub struct Found {
    /// Its name.
    pub member: Bytes,
    /// Its score: the geohash of its place.
    pub score: f64,
    /// The middle of that geohash's cell.
    pub place: Place,
    /// From the search's centre, in metres.
    pub distance: f64,
}

/// The members within the shape of the search, in no order that means anything; no more than `limit` of them.
pub fn search(txn: &mut Txn, set: &SortedSet, search: &Search, limit: usize) -> Result<Vec<Found>> {
    let ranges = together(txn, search.score_ranges(), |txn, (min, max)| {
        set.ranks_by_score(
            txn,
            &ScoreRange {
                min,
                max,
                min_exclusive: false,
                max_exclusive: true,
            },
        )
    })?;
    let (mut found, mut room) = (Vec::new(), txn.allowance);
    for ranks in ranges {
        if found.len() >= limit {
            break;
        }
        set.range(txn, ranks, false, |member, score| {
            let place = Place::of_score(score);
            if let Some(distance) = search.distance(place) {
                room.take(size_of::<Found>() + member.len())?;
                found.push(Found {
                    member: member.to_bytes(),
                    score,
                    place,
                    distance,
                });
            }
            Ok(found.len() < limit)
        })?;
    }
    txn.allowance = room;
    Ok(found)
}
