//! How much of what it reads a command may gather in memory before it answers.

use super::txn::{Result, Stop};

/// What is left of it.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    left: usize,
    /// Whether a body that needs more goes on over a view, rather than fail.
    may_leave: bool,
}

/// What a command is answered that would need more memory than it may have.
pub const OUT_OF_MEMORY: &str = "OOM command not allowed when used memory > 'maxmemory'.";

impl Allowance {
    pub const ENDLESS: Allowance = Allowance {
        left: usize::MAX,
        may_leave: false,
    };

    /// For a body that writes, or runs over a view already: above so many bytes it fails.
    pub fn at_most(bytes: usize) -> Allowance {
        Allowance {
            left: bytes,
            may_leave: false,
        }
    }

    /// For a body that only reads: above so many bytes it runs over a view.
    pub fn or_over_a_view(bytes: usize) -> Allowance {
        Allowance {
            left: bytes,
            may_leave: true,
        }
    }

    /// Before so many bytes are taken.
    #[inline]
    pub fn take(&mut self, bytes: usize) -> Result<()> {
        match self.left.checked_sub(bytes) {
            Some(left) => self.left = left,
            None if self.may_leave => return Err(Stop::NeedsView),
            None => return Stop::error(OUT_OF_MEMORY),
        }
        Ok(())
    }
}
