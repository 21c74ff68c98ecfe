//! What the executor counts, since the start or since CONFIG RESETSTAT.

use std::collections::BTreeMap;

use super::table;

/// Counters of one row of the command table.
#[derive(Clone, Copy, Default)]
pub struct RowStats {
    /// Requests that ran, answered with an error or not.
    pub calls: u64,
    /// The executor's time that they took.
    pub nanoseconds: u64,
    /// Refused before they ran: wrong number of arguments, not authenticated.
    pub rejected: u64,
    /// Ran, and answered with an error.
    pub failed: u64,
}

/// What is counted of commands that a script calls, until it is through: those of a run that begins anew do not count.
#[derive(Default)]
pub struct Counted {
    rows: Vec<(usize, RowStats)>,
    errors: Vec<(String, u64)>,
}

impl Counted {
    fn row(&mut self, number: usize) -> &mut RowStats {
        let at = self.rows.iter().position(|(row, _)| *row == number);
        let at = at.unwrap_or_else(|| {
            self.rows.push((number, RowStats::default()));
            self.rows.len() - 1
        });
        &mut self.rows[at].1
    }

    /// As [`Stats::ran`].
    pub fn ran(&mut self, row: usize, nanoseconds: u64, failed: bool) {
        let row = self.row(row);
        row.calls += 1;
        row.nanoseconds += nanoseconds;
        row.failed += u64::from(failed);
    }

    /// As [`Stats::rejected`].
    pub fn rejected(&mut self, row: usize) {
        self.row(row).rejected += 1;
    }

    /// As [`Stats::error`].
    pub fn error(&mut self, text: &str) {
        let code = code_of(text);
        if let Some((_, count)) = self.errors.iter_mut().find(|(known, _)| known == code) {
            *count += 1;
        } else if self.errors.len() < MAX_ERROR_CODES {
            self.errors.push((code.to_owned(), 1));
        }
    }
}

/// Different error codes that are counted one by one: more than the code base has, so a bound only.
const MAX_ERROR_CODES: usize = 128;

/// The first word of an error.
fn code_of(text: &str) -> &str {
    text.split(' ').next().unwrap_or_default()
}

/// Counters, and the rates at which some of them grow.
pub struct Stats {
    /// Requests that ran. One that was stopped by a fault and ran again counts once.
    pub commands: u64,
    /// Connections that were accepted.
    pub connections: u64,
    /// Connections that were refused, as there were too many.
    pub rejected_connections: u64,
    /// Connections ended because the buffers of all held too much.
    pub evicted_clients: u64,
    /// How often a request found records missing.
    pub faults: u64,
    /// Requests that ran over a view.
    pub views: u64,
    /// Keys that were past their deadline, and are deleted for good.
    pub expired_keys: u64,
    /// Fields of hashes likewise.
    pub expired_fields: u64,
    /// Reads from sockets, those that found the end among them.
    pub reads: u64,
    /// Bytes read from clients.
    pub bytes_in: u64,
    /// Bytes sent to clients.
    pub bytes_out: u64,
    /// Replies that were errors.
    pub errors: u64,
    /// Most bytes that were seen in use.
    pub peak_memory: u64,
    rows: Vec<RowStats>,
    /// By the first word of the error: "ERR", "WRONGTYPE".
    error_codes: BTreeMap<String, u64>,
    commands_rate: Rate,
    in_rate: Rate,
    out_rate: Rate,
}

impl Default for Stats {
    fn default() -> Stats {
        Stats {
            commands: 0,
            connections: 0,
            rejected_connections: 0,
            evicted_clients: 0,
            faults: 0,
            views: 0,
            expired_keys: 0,
            expired_fields: 0,
            reads: 0,
            bytes_in: 0,
            bytes_out: 0,
            errors: 0,
            peak_memory: 0,
            rows: vec![RowStats::default(); table::count_rows()],
            error_codes: BTreeMap::new(),
            commands_rate: Rate::default(),
            in_rate: Rate::default(),
            out_rate: Rate::default(),
        }
    }
}

/// What went on in the last moments, a second each.
pub struct Rates {
    /// Requests that ran.
    pub commands: f64,
    /// Bytes read from clients.
    pub bytes_in: f64,
    /// Bytes sent to clients.
    pub bytes_out: f64,
}

impl Stats {
    /// A request of this row is through, and has taken that much of the executor's time.
    pub fn ran(&mut self, row: usize, nanoseconds: u64, failed: bool) {
        self.commands += 1;
        let row = &mut self.rows[row];
        row.calls += 1;
        row.nanoseconds += nanoseconds;
        row.failed += u64::from(failed);
    }

    /// A request of this row is refused before it runs.
    pub fn rejected(&mut self, row: usize) {
        self.rows[row].rejected += 1;
    }

    /// An error is about to be sent.
    pub fn error(&mut self, text: &str) {
        self.errors_of(code_of(text), 1);
    }

    fn errors_of(&mut self, code: &str, number: u64) {
        self.errors += number;
        if let Some(count) = self.error_codes.get_mut(code) {
            *count += number;
        } else if self.error_codes.len() < MAX_ERROR_CODES {
            self.error_codes.insert(code.to_owned(), number);
        }
    }

    /// Adds what was counted apart.
    pub fn add(&mut self, counted: &Counted) {
        for (row, more) in &counted.rows {
            self.commands += more.calls;
            let row = &mut self.rows[*row];
            row.calls += more.calls;
            row.nanoseconds += more.nanoseconds;
            row.rejected += more.rejected;
            row.failed += more.failed;
        }
        for (code, count) in &counted.errors {
            self.errors_of(code, *count);
        }
    }

    /// The counters of the row with this number.
    pub fn row(&self, number: usize) -> RowStats {
        self.rows[number]
    }

    /// How often each error code was sent, in alphabetical order.
    pub fn error_codes(&self) -> impl Iterator<Item = (&str, u64)> {
        self.error_codes
            .iter()
            .map(|(code, count)| (code.as_str(), *count))
    }

    /// `allocated` bytes are in use now.
    pub fn note_memory(&mut self, allocated: u64) {
        self.peak_memory = self.peak_memory.max(allocated);
    }

    /// Takes samples for [`Stats::rates`]; called several times a second.
    pub fn sample(&mut self, now_ms: u64) {
        self.commands_rate.sample(now_ms, self.commands);
        self.in_rate.sample(now_ms, self.bytes_in);
        self.out_rate.sample(now_ms, self.bytes_out);
    }

    /// The mean of the last [`SAMPLES`] samples, for each.
    pub fn rates(&self) -> Rates {
        Rates {
            commands: self.commands_rate.per_second(),
            bytes_in: self.in_rate.per_second(),
            bytes_out: self.out_rate.per_second(),
        }
    }
}

const SAMPLES: usize = 16;
/// Between two samples, as in Redis.
const SAMPLE_MS: u64 = 100;

/// How fast a counter grows: the mean of the last samples.
#[derive(Default)]
struct Rate {
    last_ms: u64,
    last_count: u64,
    samples: [f64; SAMPLES],
    next: usize,
}

impl Rate {
    fn sample(&mut self, now_ms: u64, count: u64) {
        let elapsed = now_ms.saturating_sub(self.last_ms);
        if elapsed < SAMPLE_MS {
            return;
        }
        if self.last_ms != 0 {
            let grown = count.saturating_sub(self.last_count);
            self.samples[self.next] = grown as f64 * 1000.0 / elapsed as f64;
            self.next = (self.next + 1) % SAMPLES;
        }
        (self.last_ms, self.last_count) = (now_ms, count);
    }

    fn per_second(&self) -> f64 {
        self.samples.iter().sum::<f64>() / SAMPLES as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_counted_by_their_code() {
        let mut stats = Stats::default();
        stats.error("ERR one");
        stats.error("ERR two");
        stats.error("WRONGTYPE three");
        let codes: Vec<_> = stats.error_codes().collect();
        assert_eq!(codes, [("ERR", 2), ("WRONGTYPE", 1)]);
        assert_eq!(stats.errors, 3);
    }

    #[test]
    fn a_steady_rate_is_found() {
        let mut rate = Rate::default();
        for tick in 1..=40 {
            rate.sample(1000 + 100 * tick, 7 * tick);
        }
        assert!((rate.per_second() - 70.0).abs() < 1e-9);
    }
}
