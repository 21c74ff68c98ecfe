//! What can be said on the command line.

use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};
use redkeep::facade::transfer::{Choice, Conflict, DumpFormat};

/// The target of an RDB file, if none is named: what Redis and Valkey read since 2023.
const DEFAULT_TARGET: &str = "redis-7.2";

#[derive(Parser)]
#[command(
    version,
    about = "Works on a Redkeep store while no server runs: what is in it, in and out, what is wrong with it",
    after_help = "Exit codes: 0 done and nothing to see to; 1 done, and there is something to see to (differences, faults, keys \
                  that were left out); 2 not done, nothing has changed."
)]
pub struct Cli {
    #[command(subcommand)]
    pub action: Action,
}

#[derive(Subcommand)]
pub enum Action {
    /// Shows what a store holds, and what it takes: by database, type and prefix, with its biggest keys
    Stat(StatArgs),
    /// Writes what a store, or a file, holds: as JSON lines, as an RDB file for Redis or Valkey, or as commands
    Dump(DumpArgs),
    /// Puts what a file, an AOF or another store holds into a store: all of it, or nothing
    Restore(RestoreArgs),
    /// Compares two stores or files key by key; exits with 1 if they differ
    Diff(DiffArgs),
    /// Reads a whole store, changes nothing, and says what in it is damaged or does not agree; exits with 1 if anything does not
    Check {
        /// The data directory
        dir: PathBuf,
    },
    /// Has a store that lost commits, as its log is damaged, go on from what there is; says what was wrong
    Repair {
        /// The data directory
        dir: PathBuf,
    },
    /// Prints the tables of options and commands in tools/reference.md, in Markdown
    Reference,
}

/// Which keys are meant.
#[derive(Args)]
pub struct Chosen {
    /// Only keys of this database; may be given several times
    #[arg(long, value_name = "NUMBER")]
    db: Vec<u64>,
    /// Only keys whose names match this glob, as in KEYS
    #[arg(long = "match", value_name = "PATTERN")]
    pattern: Option<String>,
    /// Only keys of this type
    #[arg(long = "type", value_name = "TYPE", value_parser = ["string", "list", "set", "hash", "zset", "stream"])]
    type_name: Option<String>,
}

impl Chosen {
    /// The choice.
    pub fn choice(&self) -> Choice {
        Choice {
            databases: self.db.clone(),
            pattern: self.pattern.as_ref().map(|pattern| pattern.as_bytes().to_vec()),
            type_name: self.type_name.clone(),
        }
    }
}

#[derive(Args)]
#[command(after_help = "Examples:\n  \
    redkeep-tool stat /var/lib/redkeep\n  \
    redkeep-tool stat /var/lib/redkeep --depth 2 --html store.html\n  \
    redkeep-tool stat /var/lib/redkeep --json | jq .total")]
pub struct StatArgs {
    /// The data directory
    pub dir: PathBuf,
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
    /// Write it as a page with plots, which needs nothing else to be looked at
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// What stands between the parts of names
    #[arg(long, value_name = "CHARACTER", default_value = ":")]
    separator: String,
    /// How many parts make a prefix
    #[arg(long, value_name = "PARTS", default_value_t = 1)]
    pub depth: usize,
    /// How many prefixes, and biggest keys, are listed
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    pub top: usize,
    /// How many records are read of each part of a large collection, to estimate its size
    #[arg(long, value_name = "COUNT", default_value_t = 5)]
    pub samples: u64,
    /// Say nothing but what was asked for
    #[arg(long, short)]
    pub quiet: bool,
}

impl StatArgs {
    /// The separator's byte.
    pub fn separator(&self) -> Result<u8, String> {
        match self.separator.as_bytes() {
            [byte] => Ok(*byte),
            _ => Err("--separator is one character of ASCII".to_owned()),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Lines of JSON
    Json,
    /// Commands in Redis's protocol, for `redis-cli --pipe`
    Commands,
    /// A dump.rdb for Redis or Valkey
    Rdb,
}

#[derive(Args)]
#[command(after_help = "Examples:\n  \
    redkeep-tool dump /var/lib/redkeep store.jsonl.zst\n  \
    redkeep-tool dump /var/lib/redkeep dump.rdb --for valkey-9\n  \
    redkeep-tool dump /var/lib/redkeep - --format commands --match 'user:*' | redis-cli --pipe\n  \
    redkeep-tool dump redis8-dump.rdb dump.rdb --for valkey-9      (no store needed)\n\n\
    tools/json-lines.md describes the lines of JSON.")]
pub struct DumpArgs {
    /// A data directory, an RDB file, JSON lines, commands, or the directory of an AOF; - is standard input
    pub source: PathBuf,
    /// The file to be written, compressed if its name ends in .gz or .zst; - is standard output
    #[arg(default_value = "-")]
    pub to: PathBuf,
    /// What is written; if it is not given, the file's name says it: .rdb, .resp or .aof for commands, else JSON lines
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// For which server an RDB file is
    #[arg(long = "for", value_name = "TARGET", value_parser = ["redis-7.0", "redis-7.2", "redis-8", "valkey-8", "valkey-9"])]
    target: Option<String>,
    #[command(flatten)]
    pub chosen: Chosen,
    /// Read a store that has lost commits for what it still has
    #[arg(long)]
    pub accept_losses: bool,
    /// Say nothing but what is wrong
    #[arg(long, short)]
    pub quiet: bool,
}

impl DumpArgs {
    /// What is to be written.
    pub fn format(&self) -> Result<DumpFormat, String> {
        let target = || self.target.clone().unwrap_or_else(|| DEFAULT_TARGET.to_owned());
        match self.format.or_else(|| named(&self.to)) {
            Some(Format::Rdb) => Ok(DumpFormat::Rdb(target())),
            None if self.target.is_some() => Ok(DumpFormat::Rdb(target())),
            _ if self.target.is_some() => Err("--for is for RDB files".to_owned()),
            Some(Format::Commands) => Ok(DumpFormat::Commands),
            Some(Format::Json) | None => Ok(DumpFormat::Json),
        }
    }
}

/// The format that a file's name asks for.
fn named(path: &Path) -> Option<Format> {
    let name = path.file_name()?.to_str()?;
    let name = [".gz", ".zst", ".zstd"]
        .iter()
        .find_map(|end| name.strip_suffix(end))
        .unwrap_or(name);
    match name.rsplit_once('.')?.1 {
        "rdb" => Some(Format::Rdb),
        "resp" | "aof" => Some(Format::Commands),
        "json" | "jsonl" | "ndjson" => Some(Format::Json),
        _ => None,
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OnConflict {
    /// Nothing is restored
    Fail,
    /// The key that is there stays
    Skip,
    /// The key that comes takes its place
    Replace,
}

impl From<OnConflict> for Conflict {
    fn from(given: OnConflict) -> Conflict {
        match given {
            OnConflict::Fail => Conflict::Fail,
            OnConflict::Skip => Conflict::Skip,
            OnConflict::Replace => Conflict::Replace,
        }
    }
}

#[derive(Args)]
#[command(
    after_help = "Until all of it is there, what was there before counts: whoever is killed in between leaves it as it was.\n\n\
    Examples:\n  \
    redkeep-tool restore /var/lib/redis/dump.rdb /var/lib/redkeep\n  \
    redkeep-tool restore /var/lib/redis/appendonlydir /var/lib/redkeep\n  \
    zcat store.jsonl.gz | redkeep-tool restore - /var/lib/redkeep --on-conflict replace"
)]
pub struct RestoreArgs {
    /// An RDB file, JSON lines, commands as dump writes them, the directory of an AOF, or a data directory; - is standard input
    pub source: PathBuf,
    /// The data directory; it is made if it is not there
    pub dir: PathBuf,
    /// What is done with a key where there is one of its name
    #[arg(long, value_enum, default_value = "fail")]
    pub on_conflict: OnConflict,
    /// How many databases the store is to have at least
    #[arg(long, value_name = "COUNT", default_value_t = 16)]
    pub databases: usize,
    #[command(flatten)]
    pub chosen: Chosen,
    /// Read a source that is a store and has lost commits for what it still has
    #[arg(long)]
    pub accept_losses: bool,
    /// Say nothing but what is wrong
    #[arg(long, short)]
    pub quiet: bool,
}

#[derive(Args)]
#[command(
    after_help = "Each line names a key that differs, and how. Deadlines count to the millisecond.\n\n\
    Examples:\n  \
    redkeep-tool diff /var/lib/redis/dump.rdb /var/lib/redkeep\n  \
    redkeep-tool diff monday.jsonl.zst tuesday.jsonl.zst --match 'user:*'"
)]
pub struct DiffArgs {
    /// A data directory, an RDB file, JSON lines, commands, or the directory of an AOF
    pub first: PathBuf,
    /// Another one
    pub second: PathBuf,
    #[command(flatten)]
    pub chosen: Chosen,
    /// When entries of streams were given to whom, and consumers were last seen, does not count: not all formats say it
    #[arg(long)]
    pub ignore_times: bool,
    /// Say nothing but the differences
    #[arg(long, short)]
    pub quiet: bool,
}
