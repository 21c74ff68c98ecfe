//! The options of SET and GETEX, and the deadlines that they and SETEX name.

use super::NOT_AN_INTEGER;
use super::{is_option, syntax_error};
use crate::base::num::parse_i64;
use crate::resp::Args;
use crate::store::{Result, Stop};

/// What SET and GETEX are told beside key and value.
#[derive(Clone, Copy, Default)]
pub(super) struct SetOptions<'a> {
    /// NX.
    pub only_if_absent: bool,
    /// XX.
    pub only_if_present: bool,
    /// GET: the reply is what was there before.
    pub get: bool,
    /// KEEPTTL.
    pub keep_deadline: bool,
    /// PERSIST.
    pub persist: bool,
    /// EX, PX, EXAT or PXAT.
    pub expiry: Option<Expiry<'a>>,
}

/// How a deadline is named.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// EX: from now on.
    Seconds,
    /// PX: from now on.
    Milliseconds,
    /// EXAT.
    UnixSeconds,
    /// PXAT.
    UnixMilliseconds,
}

/// A deadline as the arguments name it.
#[derive(Clone, Copy)]
pub(super) struct Expiry<'a> {
    /// What the amount is of.
    pub unit: Unit,
    /// An argument, not read yet.
    pub amount: &'a [u8],
}

impl<'a> SetOptions<'a> {
    /// The options of SET.
    pub fn of_set(args: Args<'a>) -> Result<SetOptions<'a>> {
        let mut options = SetOptions::default();
        let mut rest = args.iter();
        while let Some(arg) = rest.next() {
            let timed = options.expiry.is_some();
            if is_option(arg, "NX") && !options.only_if_present {
                options.only_if_absent = true;
            } else if is_option(arg, "XX") && !options.only_if_absent {
                options.only_if_present = true;
            } else if is_option(arg, "GET") {
                options.get = true;
            } else if is_option(arg, "KEEPTTL") && !timed {
                options.keep_deadline = true;
            } else {
                options.take_expiry(arg, rest.next())?;
            }
        }
        Ok(options)
    }

    /// The options of GETEX.
    pub fn of_getex(args: Args<'a>) -> Result<SetOptions<'a>> {
        let mut options = SetOptions::default();
        let mut rest = args.iter();
        while let Some(arg) = rest.next() {
            if is_option(arg, "PERSIST") && options.expiry.is_none() {
                options.persist = true;
            } else {
                options.take_expiry(arg, rest.next())?;
            }
        }
        Ok(options)
    }

    /// Takes EX, PX, EXAT or PXAT and its amount. The same one again replaces it; another conflicts.
    fn take_expiry(&mut self, name: &[u8], amount: Option<&'a [u8]>) -> Result<()> {
        let unit = match name {
            _ if is_option(name, "EX") => Unit::Seconds,
            _ if is_option(name, "PX") => Unit::Milliseconds,
            _ if is_option(name, "EXAT") => Unit::UnixSeconds,
            _ if is_option(name, "PXAT") => Unit::UnixMilliseconds,
            _ => return syntax_error(),
        };
        let conflicts = self.expiry.is_some_and(|expiry| expiry.unit != unit);
        match amount {
            Some(amount) if !conflicts && !self.keep_deadline && !self.persist => {
                self.expiry = Some(Expiry { unit, amount });
                Ok(())
            }
            _ => syntax_error(),
        }
    }
}

impl Expiry<'_> {
    /// The deadline in Unix milliseconds; `command` is whom the error names.
    pub fn deadline(self, now: u64, command: &str) -> Result<u64> {
        let Some(amount) = parse_i64(self.amount) else {
            return Stop::error(NOT_AN_INTEGER);
        };
        let now = now.cast_signed();
        let deadline = match self.unit {
            _ if amount <= 0 => None,
            Unit::Seconds => amount.checked_mul(1000).and_then(|ms| ms.checked_add(now)),
            Unit::Milliseconds => amount.checked_add(now),
            Unit::UnixSeconds => amount.checked_mul(1000),
            Unit::UnixMilliseconds => Some(amount),
        };
        match deadline.and_then(|deadline| u64::try_from(deadline).ok()) {
            Some(deadline) => Ok(deadline),
            None => Stop::error(format!("ERR invalid expire time in '{command}' command")),
        }
    }
}
