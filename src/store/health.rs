//! Whether the store takes writes.

use crate::base::log;

/// Whether the store takes writes, and why not.
///
/// ```text
///            read-only when opened ------+
///                                        |
///                                        v
///               a commit, a sync or a    |
///               checkpoint fails         |
///   Writable ---------------------> Failed { why } <------------------+
///      ^                                 |                            |
///      |                                 | repair: each second, once  |
///      |                                 | nothing is under way       |
///      |                                 v                            |
///      +-------- opened again ---- Reopening { why } -- still cannot --+
///                                                       be opened
/// ```
///
/// While it is not writable, each epoch fails as soon as it is sealed, no checkpoint begins, and the log is not synced.
/// Opening the store again includes a checkpoint: so what the journal holds is in its families then.
#[derive(Debug)]
pub enum Health {
    /// Writes are taken.
    Writable,
    /// Writes are refused. Another failure does not change the reason, but for one of a sync.
    Failed { why: String },
    /// Likewise, and the committer is opening the store again.
    Reopening { why: String },
}

impl Health {
    /// That of a store that was opened, for reading only if there is a reason.
    pub fn when_opened(read_only: Option<String>) -> Health {
        match read_only {
            Some(why) => {
                log::warning(format_args!(
                    "the store can be read only, writes are refused until that changes: {why}"
                ));
                Health::Failed { why }
            }
            None => Health::Writable,
        }
    }

    /// Whether writes are taken.
    pub fn is_writable(&self) -> bool {
        matches!(self, Health::Writable)
    }

    /// The error for which writes are refused.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Health::Writable => None,
            Health::Failed { why } | Health::Reopening { why } => Some(why),
        }
    }

    /// A commit failed.
    pub fn commit_failed(&mut self, why: &str) {
        if self.is_writable() {
            log::warning(format_args!(
                "writes fail, their commands are answered with an error: {why}"
            ));
            self.fail(why);
        }
    }

    /// The log could not be synced.
    pub fn sync_failed(&mut self, why: &str) {
        log::warning(format_args!("the log could not be synced: {why}"));
        self.fail(why);
    }

    /// A checkpoint failed.
    pub fn checkpoint_failed(&mut self, why: &str) {
        log::warning(format_args!("a checkpoint failed, writes are refused: {why}"));
        if self.is_writable() {
            self.fail(why);
        }
    }

    fn fail(&mut self, why: &str) {
        let why = why.to_owned();
        *self = match self {
            Health::Writable | Health::Failed { .. } => Health::Failed { why },
            Health::Reopening { .. } => Health::Reopening { why },
        };
    }

    /// The store is about to be opened again. Says whether there is reason to.
    pub fn begin_reopening(&mut self) -> bool {
        let Health::Failed { why } = self else {
            return false;
        };
        let why = std::mem::take(why);
        *self = Health::Reopening { why };
        true
    }

    /// The store was opened again, or could not be.
    pub fn reopened(&mut self, result: Result<(), String>) {
        *self = match result {
            Ok(()) => {
                log::notice("the store was opened again, and takes writes");
                Health::Writable
            }
            Err(why) => {
                if self.reason() != Some(&why) {
                    log::warning(format_args!("the store cannot be opened again yet: {why}"));
                }
                Health::Failed { why }
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_failure_is_the_reason_until_the_store_was_opened_again() {
        let mut health = Health::when_opened(None);
        assert!(health.is_writable() && !health.begin_reopening());
        health.commit_failed("no space");
        health.commit_failed("read-only");
        health.checkpoint_failed("read-only");
        assert_eq!(health.reason(), Some("no space"));
        assert!(health.begin_reopening() && !health.begin_reopening());
        assert_eq!(health.reason(), Some("no space"));
        health.reopened(Err("still no space".to_owned()));
        assert_eq!(health.reason(), Some("still no space"));
        health.sync_failed("no disk");
        assert_eq!(health.reason(), Some("no disk"));
        assert!(health.begin_reopening());
        health.reopened(Ok(()));
        assert!(health.is_writable() && health.reason().is_none());
    }

    #[test]
    fn a_store_that_can_only_be_read_is_opened_again_like_one_that_failed() {
        let mut health = Health::when_opened(Some("no room".to_owned()));
        assert_eq!(health.reason(), Some("no room"));
        assert!(health.begin_reopening());
    }
}
