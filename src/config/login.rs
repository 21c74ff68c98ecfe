//! Who may log in.

use super::Config;
use super::user::{DefaultUser, same_bytes};

/// Who may log in: the default user as its line says, or, without one, whoever has the password of `requirepass`.
impl Config {
    /// Whether the default user has no password.
    pub fn is_open(&self) -> bool {
        match &self.default_user {
            Some(user) => user.is_open(),
            None => self.requirepass.is_empty(),
        }
    }

    /// Whether a connection may run commands before it has logged in.
    pub fn needs_no_login(&self) -> bool {
        self.is_open() && self.default_user.as_ref().is_none_or(DefaultUser::is_on)
    }

    /// Whether a client may log in as the user with the password.
    pub fn admits(&self, user: &[u8], password: &[u8]) -> bool {
        let admits = match &self.default_user {
            Some(user) => user.admits(password),
            None => self.requirepass.is_empty() || same_bytes(&self.requirepass, password),
        };
        user == DefaultUser::NAME && admits
    }

    /// Whether a password is configured that does not count, because the line of the default user wins.
    pub fn has_idle_password(&self) -> bool {
        let admits = |user: &DefaultUser| !user.is_open() && user.has_password(&self.requirepass);
        !self.requirepass.is_empty() && self.default_user.as_ref().is_some_and(|user| !admits(user))
    }
}
