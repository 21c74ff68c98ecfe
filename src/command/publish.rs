//! PUBLISH and SPUBLISH. They write nothing, yet belong to the transaction that they are in: their messages are lost with it.

use super::Call;
use crate::resp::Reply;
use crate::store::{Publication, Result, Space, Txn};

/// PUBLISH channel message: an integer, to how many it is sent; who has subscribed twice gets it twice.
pub fn publish(txn: &mut Txn, call: &Call) -> Result<Reply> {
    publish_in(Space::Global, txn, call)
}

/// SPUBLISH channel message: the same for the subscribers of SSUBSCRIBE.
pub fn spublish(txn: &mut Txn, call: &Call) -> Result<Reply> {
    publish_in(Space::Sharded, txn, call)
}

fn publish_in(space: Space, txn: &mut Txn, call: &Call) -> Result<Reply> {
    let (channel, payload) = (call.arg(1), call.arg(2));
    let receivers = call.audience.map_or(0, |audience| audience.count(space, channel));
    if receivers > 0 {
        txn.publish(Publication {
            space,
            channel: channel.to_vec(),
            payload: payload.to_vec(),
        })?;
    }
    Ok(Reply::Int(receivers as i64))
}
