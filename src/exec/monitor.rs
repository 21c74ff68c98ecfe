//! MONITOR: clients that are shown every request as it is run.
//!
//! A line waits for the epoch that the request's reply waits for: nobody is shown what may still be lost; if it is, its line is,
//! too. A request is shown when it is through, behind its reply if its client is shown it itself; those of a transaction
//! in their order, and what a script has called behind the script.

use std::fmt::Write;

use super::shown::Lines;
use super::slowlog::{REDACTED, is_secret};
use super::table::{Command, Found, Run, flag};
use super::{Client, Engine, Session};
use crate::resp::{Args, Reply};
use crate::store::Epoch;

/// Bytes of the lines of one script that are kept until it is through. If there are more they are shown before, which is twice
/// if the script has to begin anew.
const MOST_KEPT: usize = 1 << 20;

/// Whether monitors are shown a command: not those of operators.
fn is_shown(row: &Command) -> bool {
    !row.has(flag::ADMIN | flag::SKIP_MONITOR)
}

/// A request as monitors are shown it. `source` is where it came from, `db` is selected when it is through.
fn line(now_micros: u64, db: usize, source: &str, args: Args) -> String {
    let (seconds, micros) = (now_micros / 1_000_000, now_micros % 1_000_000);
    let mut line = format!("{seconds}.{micros:06} [{db} {source}]");
    for (i, arg) in args.iter().enumerate() {
        line.push_str(" \"");
        let arg = if is_secret(args, i) { REDACTED } else { arg };
        arg.iter().for_each(|byte| push_escaped(&mut line, *byte));
        line.push('"');
    }
    line
}

fn push_escaped(line: &mut String, byte: u8) {
    match byte {
        b'\\' => line.push_str("\\\\"),
        b'"' => line.push_str("\\\""),
        b'\n' => line.push_str("\\n"),
        b'\r' => line.push_str("\\r"),
        b'\t' => line.push_str("\\t"),
        b'\x07' => line.push_str("\\a"),
        b'\x08' => line.push_str("\\b"),
        b' '..=b'~' => line.push(char::from(byte)),
        // Writing to a string cannot fail.
        _ => drop(write!(line, "\\x{byte:02x}")),
    }
}

impl Client {
    /// Where its requests come from, as monitors are shown it.
    fn source(&self) -> String {
        match (self.is_unix, self.address.strip_suffix(":0")) {
            (true, Some(path)) => format!("unix:{path}"),
            _ => self.address.clone(),
        }
    }
}

impl Engine {
    /// From now on a client is shown requests.
    pub(super) fn begin_monitoring(&mut self, client: &Client) {
        client.monitors.set(true);
        self.monitors.add(client.id);
    }

    /// It is not any more, or is gone.
    pub(super) fn end_monitoring(&mut self, client: &Client) {
        if client.monitors.replace(false) {
            self.monitors.remove(client.id);
        }
    }

    /// Shows lines that wait for an epoch.
    pub(super) fn show(&mut self, lines: Lines, epoch: Epoch) {
        let monitors = self.monitors.ids().to_vec();
        for line in lines.into_lines() {
            let line = Reply::simple(line);
            for &monitor in &monitors {
                self.send(monitor, &line, epoch);
            }
        }
    }
}

impl Session {
    /// A request is through, and its reply is on its way.
    pub(super) fn show_request(&mut self, engine: &mut Engine, found: Found, args: Args) {
        let mut lines = std::mem::take(&mut self.lines);
        if !matches!(found.command.run, Run::Scripted(_)) {
            self.add_shown(engine, &mut lines, self.db, found.command, args);
        }
        if self.closing {
            // Nothing comes behind its last reply.
            engine.end_monitoring(&self.client);
        }
        engine.show(lines, self.reply_waits_for);
    }

    /// Adds a request of this session, if it is one that is shown. What a script has to show is another matter.
    pub(super) fn add_shown(&self, engine: &Engine, lines: &mut Lines, db: usize, row: &Command, args: Args) {
        if is_shown(row) || matches!(row.run, Run::Exec) {
            self.add_line(engine, lines, db, args);
        }
    }

    /// What is shown of a script that begins: its request.
    pub(super) fn lines_of_script(&self, engine: &Engine, args: Args) -> Lines {
        let mut lines = Lines::default();
        self.add_line(engine, &mut lines, self.db, args);
        lines
    }

    fn add_line(&self, engine: &Engine, lines: &mut Lines, db: usize, args: Args) {
        if engine.monitors.is_any() {
            lines.push(line(engine.clock.now_micros(), db, &self.client.source(), args));
        }
    }
}

/// Adds what a script has called.
pub(super) fn add_call(engine: &mut Engine, lines: &mut Lines, db: usize, row: &Command, args: Args) {
    if !engine.monitors.is_any() || !is_shown(row) {
        return;
    }
    lines.push(line(engine.clock.now_micros(), db, "lua", args));
    if lines.bytes() > MOST_KEPT {
        let kept = std::mem::take(lines);
        let epoch = engine.store.last_staged();
        engine.show(kept, epoch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::OwnedArgs;

    #[test]
    fn a_line_shows_bytes_as_redis_does() {
        let words: [&[u8]; 3] = [b"SET", b"a\"b\\\r\n\t\x07\x08\0\x7f\xff ~", b""];
        let args = OwnedArgs::new(words).unwrap();
        assert_eq!(
            line(1_700_000_000_000_042, 3, "127.0.0.1:5", args.as_args()),
            r#"1700000000.000042 [3 127.0.0.1:5] "SET" "a\"b\\\r\n\t\a\b\x00\x7f\xff ~" """#
        );
        let args = OwnedArgs::new(["auth", "secret"]).unwrap();
        assert_eq!(
            line(0, 0, "lua", args.as_args()),
            r#"0.000000 [0 lua] "auth" "(redacted)""#
        );
    }
}
