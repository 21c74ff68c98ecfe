//! How far EXEC has come, where it has to wait in the middle.

use std::collections::VecDeque;

use super::keys_used::KeysUsed;
use super::pubsub::Addressed;
use super::shown::Lines;
use super::stats::Counted;
use crate::resp::{Protocol, Reply};
use crate::store::{Aside, Epoch};

/// How far a run has come that may have to wait in the middle.
#[derive(Default)]
pub(super) struct QueueRun {
    /// The database that was selected before it.
    pub first_db: usize,
    /// What the client spoke before it.
    pub first_protocol: Protocol,
    /// What was answered so far, and in which protocol.
    pub replies: Vec<(Reply, Protocol)>,
    /// Which of them are errors that were counted where they come from.
    pub counted: Vec<bool>,
    /// What controls have answered in runs before this one, and what the client spoke from there on.
    pub answered: VecDeque<(Reply, Protocol)>,
    /// What replies of controls wait for.
    pub epoch: Epoch,
    /// What scripts have called.
    pub called: Vec<Counted>,
    /// What monitors are to be shown.
    pub lines: Lines,
    /// Its messages so far, for which it is settled who gets them.
    pub addressed: VecDeque<Vec<Addressed>>,
    /// The keys that were used, if the client is to be told of changes to them.
    pub used: KeysUsed,
}

/// A queue that waits between two of its requests, for what the next one has missed.
pub(super) struct WaitingQueue {
    /// How far it has come.
    pub run: Box<QueueRun>,
    /// Its transaction.
    pub aside: Aside,
}
