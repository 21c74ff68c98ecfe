//! A walk over a tree that may end early.

use std::ops::Range;

use super::span::Order;
use crate::store::{Result, Txn};
use crate::types::tree::{Part, Tree};

/// About as many entries of a tree as a leaf has.
const FIRST_WINDOW: u64 = 32;
/// How many times as many are looked at next.
const WINDOW_GROWTH: u64 = 4;

/// Visits entries of a tree until `visit` says false. As it may say so early, nodes are fetched for few ranks at first, and
/// for more and more.
pub(super) fn walk(
    tree: &Tree,
    txn: &mut Txn,
    ranks: Range<u64>,
    order: Order,
    mut visit: impl FnMut(Part, Part) -> Result<bool>,
) -> Result<()> {
    let (mut left, mut window, mut goes_on) = (ranks, FIRST_WINDOW, true);
    while goes_on && !left.is_empty() {
        let len = window.min(left.end - left.start);
        let ranks = match order {
            Order::Forward => left.start..left.start + len,
            Order::Backward => left.end - len..left.end,
        };
        let visit = |key: Part, value: Part| {
            goes_on = visit(key, value)?;
            Ok(goes_on)
        };
        let reverse = order == Order::Backward;
        tree.range(txn, ranks.clone(), reverse, visit)?;
        match order {
            Order::Forward => left.start = ranks.end,
            Order::Backward => left.end = ranks.start,
        }
        window *= WINDOW_GROWTH;
    }
    Ok(())
}
