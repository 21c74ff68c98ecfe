//! What a body may take on the executor: how much of what it reads it may gather in memory, how many records it waits for
//! at once, and what becomes of it when that is not enough. This is the one place that says so; handlers and types only
//! tell what they need.

use super::stop::{Result, Stop};

/// A body that may go on over a view does so rather than wait for more records than this.
pub const MOST_MISSED: usize = 256;

/// Whether a body that turns out to need much goes on over a view.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ViewRule {
    /// Never: what it needs comes into memory, however much. It is over a view already, or part of a larger transaction,
    /// whose writes no view shows.
    Never,
    /// Once it has said that it only reads (see [`super::Txn::only_reads`]): others of its command write.
    IfItOnlyReads,
    /// Whenever it needs much: its command changes nothing.
    Always,
}

/// What is left of it.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    left: usize,
    /// More was noted than there was left.
    is_overdrawn: bool,
    views: ViewRule,
}

/// What a command is answered that would need more memory than it may have.
pub const OUT_OF_MEMORY: &str = "OOM command not allowed when used memory > 'maxmemory'.";

impl Allowance {
    /// No limit, and no view.
    pub const ENDLESS: Allowance = Allowance::at_most(usize::MAX);

    /// Above `bytes` the body fails, and no view.
    pub const fn at_most(bytes: usize) -> Allowance {
        Allowance {
            left: bytes,
            is_overdrawn: false,
            views: ViewRule::Never,
        }
    }

    /// The same, with another rule for views.
    pub const fn with_views(self, views: ViewRule) -> Allowance {
        Allowance { views, ..self }
    }

    /// Bytes that may still be gathered.
    pub fn left(&self) -> usize {
        self.left
    }

    /// Before `bytes` are taken.
    #[inline]
    pub fn take(&mut self, bytes: usize) -> Result<()> {
        self.note(bytes);
        self.check()
    }

    /// As [`Allowance::take`], where nothing can be refused yet: see [`Allowance::check`].
    #[inline]
    pub fn note(&mut self, bytes: usize) {
        match self.left.checked_sub(bytes) {
            Some(left) => self.left = left,
            None => self.is_overdrawn = true,
        }
    }

    /// Whether no more was noted than there was.
    #[inline]
    pub fn check(&self) -> Result<()> {
        match self.is_overdrawn {
            false => Ok(()),
            true => Err(self.too_much()),
        }
    }

    /// What ends a body that needs more than it may have here: it goes on over a view, or is refused.
    pub fn too_much(&self) -> Stop {
        match self.may_use_view() {
            true => Stop::NeedsView,
            false => Stop::Error(OUT_OF_MEMORY.into()),
        }
    }

    /// Whether the body goes on over a view if it needs much.
    #[inline]
    pub fn may_use_view(&self) -> bool {
        self.views == ViewRule::Always
    }

    /// The body has found that it only reads.
    pub(super) fn note_only_reads(&mut self) {
        if self.views == ViewRule::IfItOnlyReads {
            self.views = ViewRule::Always;
        }
    }

    /// Ends a body that would keep others waiting, if it may go on over a view.
    #[inline]
    pub(super) fn prefer_view(&self) -> Result<()> {
        match self.may_use_view() {
            true => Err(Stop::NeedsView),
            false => Ok(()),
        }
    }

    /// Ends a body that misses so many records, if that is too much and it may go on over a view.
    #[inline]
    pub(super) fn wait_for(&self, missed: usize) -> Result<()> {
        match missed > MOST_MISSED {
            true => self.prefer_view(),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: [ViewRule; 3] = [ViewRule::Never, ViewRule::IfItOnlyReads, ViewRule::Always];

    #[test]
    fn who_may_go_over_a_view_does_so_for_bytes_and_for_records_and_others_do_for_neither() {
        for (rule, says_so, may) in [
            (ViewRule::Never, true, false),
            (ViewRule::IfItOnlyReads, false, false),
            (ViewRule::IfItOnlyReads, true, true),
            (ViewRule::Always, false, true),
        ] {
            let mut allowance = Allowance::at_most(10).with_views(rule);
            if says_so {
                allowance.note_only_reads();
            }
            assert!(allowance.take(10).is_ok() && allowance.wait_for(MOST_MISSED).is_ok());
            let turned = |result| matches!(result, Err(Stop::NeedsView));
            assert_eq!(turned(allowance.wait_for(MOST_MISSED + 1)), may, "{rule:?}");
            assert_eq!(turned(allowance.take(1)), may, "{rule:?}");
        }
    }

    #[test]
    fn without_a_view_more_bytes_are_refused_and_more_records_are_not() {
        for rule in RULES.into_iter().filter(|rule| *rule != ViewRule::Always) {
            let mut allowance = Allowance::at_most(10).with_views(rule);
            assert!(allowance.wait_for(usize::MAX).is_ok());
            assert!(matches!(allowance.take(11), Err(Stop::Error(text)) if text == OUT_OF_MEMORY));
        }
    }
}
