//! The default user, as a line `user default ...` describes it: who may log in, and with which passwords.
//!
//! Redis's CONFIG REWRITE writes such a line into each file, and it wins over `requirepass`. Of the rules of such a line
//! everything is honoured but permissions: the user may run all commands on all keys, and a line that allows less is
//! refused.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

/// What begins such a line.
pub(super) const USER: &str = "user";

const OTHER_USERS: &str = "users other than the default one are not supported";
const NO_PERMISSIONS: &str = "permissions of users (ACL) are not supported: the default user may do everything, which \
    is written '~* &* +@all'";

type Digest = [u8; 32];

/// Who may log in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DefaultUser {
    is_on: bool,
    /// Any password will do, and none is needed.
    is_open: bool,
    /// SHA-256 of each password.
    passwords: Vec<Digest>,
    /// What the line says of the check of payloads, which is always made.
    sanitizes: Option<bool>,
    all_channels: bool,
    all_keys: bool,
    all_commands: bool,
}

impl DefaultUser {
    /// The name of the only user.
    pub const NAME: &[u8] = b"default";

    /// From what stands behind `user` in a line: a name and rules, which are applied in their order.
    ///
    /// # Errors
    /// A rule makes no sense, or there would be another user than the default one, or one that may not do all.
    pub(super) fn parse(words: &[Vec<u8>]) -> Result<DefaultUser, String> {
        let Some((name, rules)) = words.split_first() else {
            return Err("wrong number of arguments".to_owned());
        };
        if name != DefaultUser::NAME {
            return Err(OTHER_USERS.to_owned());
        }
        let mut user = DefaultUser::default();
        for rule in rules {
            user.apply(rule)
                .map_err(|reason| format!("Error in user declaration 'default': {reason}"))?;
        }
        // Channels may be fewer: there are none yet.
        if !(user.all_keys && user.all_commands) {
            return Err(NO_PERMISSIONS.to_owned());
        }
        Ok(user)
    }

    fn apply(&mut self, rule: &[u8]) -> Result<(), String> {
        match rule.to_ascii_lowercase().as_slice() {
            b"on" => self.is_on = true,
            b"off" => self.is_on = false,
            b"nopass" => (self.is_open, self.passwords) = (true, Vec::new()),
            b"resetpass" => (self.is_open, self.passwords) = (false, Vec::new()),
            b"sanitize-payload" => self.sanitizes = Some(true),
            b"skip-sanitize-payload" => self.sanitizes = Some(false),
            b"~*" | b"allkeys" => self.all_keys = true,
            b"resetkeys" => self.all_keys = false,
            b"&*" | b"allchannels" => self.all_channels = true,
            b"resetchannels" => self.all_channels = false,
            b"+@all" | b"allcommands" => self.all_commands = true,
            b"-@all" | b"nocommands" => self.all_commands = false,
            b"reset" => *self = DefaultUser::default(),
            _ => return self.apply_password(rule),
        }
        Ok(())
    }

    fn apply_password(&mut self, rule: &[u8]) -> Result<(), String> {
        match rule {
            [b'>', password @ ..] => self.add(digest(password)),
            [b'#', hash @ ..] => self.add(read_digest(hash)?),
            [b'<', password @ ..] => return self.remove(digest(password)),
            [b'!', hash @ ..] => return self.remove(read_digest(hash)?),
            [b'~' | b'%' | b'&' | b'+' | b'-' | b'(', ..] => return Err(NO_PERMISSIONS.to_owned()),
            _ => return Err("Syntax error".to_owned()),
        }
        Ok(())
    }

    fn add(&mut self, password: Digest) {
        if !self.passwords.contains(&password) {
            self.passwords.push(password);
        }
        self.is_open = false;
    }

    fn remove(&mut self, password: Digest) -> Result<(), String> {
        let place = self.passwords.iter().position(|known| *known == password);
        let place = place.ok_or("The password you are trying to remove from the user does not exist")?;
        self.passwords.remove(place);
        Ok(())
    }

    /// Replaces all passwords by one, or by none if it is empty.
    pub(super) fn set_password(&mut self, password: &[u8]) {
        self.is_open = password.is_empty();
        self.passwords.clear();
        if !self.is_open {
            self.add(digest(password));
        }
    }

    /// Whether the user may log in with the password.
    pub(super) fn admits(&self, password: &[u8]) -> bool {
        let password = digest(password);
        let matches = |known: &Digest| same_bytes(known, &password);
        self.is_on && (self.is_open || self.passwords.iter().any(matches))
    }

    /// Whether any password will do, and none is needed.
    pub(super) fn is_open(&self) -> bool {
        self.is_open
    }

    /// Whether the user may log in at all.
    pub(super) fn is_on(&self) -> bool {
        self.is_on
    }

    /// Whether it is a password of the user's.
    pub(super) fn has_password(&self, password: &[u8]) -> bool {
        self.passwords.contains(&digest(password))
    }

    /// What stands behind `user` in the line.
    pub(super) fn line(&self) -> String {
        let mut line = format!("default {}", if self.is_on { "on" } else { "off" });
        if self.is_open {
            line.push_str(" nopass");
        }
        match self.sanitizes {
            Some(true) => line.push_str(" sanitize-payload"),
            Some(false) => line.push_str(" skip-sanitize-payload"),
            None => {}
        }
        for password in &self.passwords {
            line.push_str(" #");
            for byte in password {
                // Writing to a string cannot fail.
                let _ = write!(line, "{byte:02x}");
            }
        }
        line.push_str(if self.all_channels {
            " ~* &* +@all"
        } else {
            " ~* resetchannels +@all"
        });
        line
    }
}

fn digest(password: &[u8]) -> Digest {
    Sha256::digest(password).into()
}

/// 64 hexadecimal digits, in lower case as Redis wants them.
fn read_digest(hex: &[u8]) -> Result<Digest, String> {
    let nibble = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let byte = |pair: &[u8; 2]| Some(nibble(pair[0])? << 4 | nibble(pair[1])?);
    let (pairs, rest) = hex.as_chunks::<2>();
    let bytes: Option<Vec<u8>> = pairs.iter().map(byte).collect();
    let digest = bytes
        .filter(|_| rest.is_empty())
        .and_then(|bytes| bytes.try_into().ok());
    digest.ok_or_else(|| {
        "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters".to_owned()
    })
}

/// Compares in a time that does not tell where the difference is.
pub(super) fn same_bytes(a: &[u8], b: &[u8]) -> bool {
    let differing = a.iter().zip(b).fold(0, |differing, (a, b)| differing | (a ^ b));
    a.len() == b.len() && differing == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    const FOO: &str = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";

    fn parse(rules: &str) -> Result<DefaultUser, String> {
        let words: Vec<Vec<u8>> = rules
            .split_whitespace()
            .map(|word| word.as_bytes().to_vec())
            .collect();
        DefaultUser::parse(&words)
    }

    #[test]
    fn the_lines_that_redis_writes_read_back_as_they_were() {
        for line in [
            "default on nopass ~* &* +@all".to_owned(),
            "default on nopass sanitize-payload ~* &* +@all".to_owned(),
            "default off nopass sanitize-payload ~* resetchannels +@all".to_owned(),
            format!("default on #{FOO} ~* &* +@all"),
            format!(
                "default on sanitize-payload #{FOO} #{} ~* &* +@all",
                FOO.replace('2', "3")
            ),
            "default off ~* &* +@all".to_owned(),
        ] {
            assert_eq!(parse(&line).map(|user| user.line()), Ok(line));
        }
    }

    #[test]
    fn passwords_are_known_by_their_hash() {
        let admitted = |rules: &str, password: &str| {
            let config = Config {
                default_user: Some(parse(&format!("default {rules} ~* &* +@all")).expect(rules)),
                ..Config::default()
            };
            config.admits(b"default", password.as_bytes())
        };
        let hash = format!("on #{FOO}");
        assert!(admitted(&hash, "foo") && !admitted(&hash, "fo") && !admitted(&hash, FOO));
        assert!(admitted("on >foo >bar", "bar") && admitted("on >foo >bar", "foo"));
        assert!(!admitted("on >foo <foo", "foo"));
        assert!(!admitted(&format!("on >foo >bar !{FOO}"), "foo"));
        assert!(admitted("on nopass", "anything"));
        assert!(
            !admitted("on nopass >foo", "anything"),
            "a password closes the user"
        );
        assert!(admitted("on >foo nopass", "anything"));
        assert!(!admitted("off nopass", "") && !admitted(">foo", "foo") && !admitted("on resetpass", ""));
    }

    #[test]
    fn what_needs_permissions_is_refused() {
        for (line, reason) in [
            ("", "wrong number of arguments"),
            ("alice on nopass ~* &* +@all", OTHER_USERS),
            ("default on nopass", NO_PERMISSIONS),
            ("default on nopass ~*", NO_PERMISSIONS),
            ("default on nopass +@all", NO_PERMISSIONS),
            ("default on nopass ~* +@all -@all", NO_PERMISSIONS),
            ("default on nopass ~* +@all reset", NO_PERMISSIONS),
        ] {
            assert_eq!(parse(line), Err(reason.to_owned()), "{line}");
        }
        for (rule, reason) in [
            ("~app:*", NO_PERMISSIONS),
            ("%R~*", NO_PERMISSIONS),
            ("&news", NO_PERMISSIONS),
            ("-debug", NO_PERMISSIONS),
            ("+get", NO_PERMISSIONS),
            ("(+get", NO_PERMISSIONS),
            ("frob", "Syntax error"),
            (
                "#xyz",
                "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters",
            ),
            (
                "<foo",
                "The password you are trying to remove from the user does not exist",
            ),
        ] {
            assert_eq!(
                parse(&format!("default on ~* &* +@all {rule}")),
                Err(format!("Error in user declaration 'default': {reason}")),
                "{rule}"
            );
        }
    }
}
