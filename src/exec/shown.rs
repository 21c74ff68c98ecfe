//! What monitors are shown, and who they are. (How it comes about: `exec/monitor.rs`.)

/// Who is shown requests.
#[derive(Default)]
pub struct Monitors {
    ids: Vec<u64>,
}

impl Monitors {
    /// Whether anybody is.
    #[inline]
    pub fn is_any(&self) -> bool {
        !self.ids.is_empty()
    }

    /// Who is: clients' ids, in the order in which they have asked for it.
    pub fn ids(&self) -> &[u64] {
        &self.ids
    }

    /// One more is.
    pub fn add(&mut self, id: u64) {
        self.ids.push(id);
    }

    /// One is not any more.
    pub fn remove(&mut self, id: u64) {
        self.ids.retain(|other| *other != id);
    }
}

/// Lines to be shown together.
#[derive(Default)]
pub(super) struct Lines {
    lines: Vec<String>,
    bytes: usize,
}

impl Lines {
    /// Adds one.
    pub fn push(&mut self, line: String) {
        self.bytes += line.len();
        self.lines.push(line);
    }

    /// Adds those of another one behind them.
    pub fn append(&mut self, other: Lines) {
        self.bytes += other.bytes;
        self.lines.extend(other.lines);
    }

    /// Bytes of all of them.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// All of them, in order.
    pub fn into_lines(self) -> Vec<String> {
        self.lines
    }
}
