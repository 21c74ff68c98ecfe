//! How much of what it reads a command may gather in memory before it answers.

use super::stop::{Result, Stop};

/// What is left of it.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    left: usize,
    /// Whether a body that needs more goes on over a view, rather than fail.
    may_leave: bool,
    /// More was noted than there was left.
    is_overdrawn: bool,
}

/// What a command is answered that would need more memory than it may have.
pub const OUT_OF_MEMORY: &str = "OOM command not allowed when used memory > 'maxmemory'.";

impl Allowance {
    /// No limit.
    pub const ENDLESS: Allowance = Allowance {
        left: usize::MAX,
        may_leave: false,
        is_overdrawn: false,
    };

    /// For a body that writes, or runs over a view already: above `bytes` it fails.
    pub fn at_most(bytes: usize) -> Allowance {
        Allowance {
            left: bytes,
            may_leave: false,
            is_overdrawn: false,
        }
    }

    /// For a body that only reads: above `bytes` it runs over a view.
    pub fn or_over_a_view(bytes: usize) -> Allowance {
        Allowance {
            left: bytes,
            may_leave: true,
            is_overdrawn: false,
        }
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
        match (self.is_overdrawn, self.may_leave) {
            (false, _) => Ok(()),
            (true, true) => Err(Stop::NeedsView),
            (true, false) => Stop::error(OUT_OF_MEMORY),
        }
    }
}
