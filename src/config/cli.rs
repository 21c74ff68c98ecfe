//! The command line: `redkeep-server [file] [--option value...]...`.
//!
//! As in Redis, an option is a line of the configuration file, read after the file: `--save 900 1`,
//! `--client-output-buffer-limit normal 0 0 0`, `--bind 127.0.0.1 -::1`. clap takes one argument per option
//! and treats what starts with a dash as a flag, so the words of an option are first joined to one quoted
//! argument.

use std::{
    ffi::OsString,
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use super::{
    Config, ROWS, Row,
    file::{ConfigError, Place, directive},
    lookup,
    quote::split_words,
    table::Flags,
};

const FILE: &str = "config-file";

impl Config {
    /// The configuration of the process: defaults, then the file, then the options. `arguments` starts with
    /// the program's name.
    pub fn from_command_line(arguments: impl IntoIterator<Item = OsString>) -> Result<Config, ConfigError> {
        let matches = command()
            .try_get_matches_from(join_options(arguments))
            .map_err(ConfigError::Usage)?;
        let mut config = Config::default();
        if let Some(path) = matches.get_one::<PathBuf>(FILE) {
            config.load_file(path)?;
            config.config_file = Some(absolute(path)?);
        }
        config.apply_options(&matches)?;
        config.dir = absolute(&config.dir)?;
        Ok(config)
    }

    fn apply_options(&mut self, matches: &ArgMatches) -> Result<(), ConfigError> {
        for row in ROWS {
            for joined in matches.get_many::<String>(row.name).unwrap_or_default() {
                let refuse = |reason: String| ConfigError::Directive {
                    place: Place::CommandLine,
                    text: format!("--{} {joined}", row.name).trim_end().to_owned(),
                    reason,
                };
                let words = split_words(joined.as_bytes()).ok_or("Unbalanced quotes in argument".to_owned());
                words
                    .and_then(|words| self.apply_row(row, &words))
                    .map_err(refuse)?;
            }
        }
        Ok(())
    }
}

/// A server may change its directory, and CONFIG GET and REWRITE name these paths.
fn absolute(path: &Path) -> Result<PathBuf, ConfigError> {
    std::path::absolute(path).map_err(ConfigError::NoWorkingDirectory)
}

fn command() -> Command {
    let file = Arg::new(FILE)
        .value_name("/path/to/redkeep.conf")
        .value_parser(value_parser!(PathBuf))
        .help("Configuration file, in redis.conf's syntax");
    let version = Arg::new("version")
        .short('v')
        .long("version")
        .action(ArgAction::Version)
        .help("Print the version");
    Command::new("redkeep-server")
        .version(env!("CARGO_PKG_VERSION"))
        .about("A durable Redis-protocol database")
        .override_usage("redkeep-server [/path/to/redkeep.conf] [--option value...]...")
        .after_help("Options of Redis that have no effect here are accepted too; the README lists them.")
        .disable_version_flag(true)
        .next_line_help(true)
        .arg(file)
        .args(ROWS.iter().map(option))
        .arg(version)
}

fn option(row: &'static Row) -> Arg {
    let hidden = row.flags.has(Flags::HIDDEN) || !row.flags.has_effect();
    Arg::new(row.name)
        .long(row.name)
        .aliases(row.alias)
        .value_name((row.describe)())
        .action(ArgAction::Append)
        .help(format!(
            "{} [default: {}]",
            row.meaning.trim_end_matches('.'),
            directive(&[row.default.into()])
        ))
        .help_heading(row.group)
        .hide(hidden)
}

/// Turns `--save 900 1 --port 7000` into `--save=900 1` and `--port=7000`.
///
/// Redis's rules: the argument behind an option is its value even if it starts with dashes (but `--save
/// --port 1` means no `save`), and further values end where the next argument starts with two dashes.
fn join_options(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments = arguments.into_iter().map(OsStringExt::into_vec).peekable();
    let mut joined: Vec<Vec<u8>> = arguments.next().into_iter().collect();
    while let Some(argument) = arguments.next() {
        let Some((row, mut words)) = start_of_option(&argument) else {
            joined.push(argument);
            continue;
        };
        if words.is_empty() {
            let none = row.flags.has(Flags::ACCUMULATES)
                && arguments.peek().is_none_or(|next| next.starts_with(b"--"));
            words.extend(if none { Some(Vec::new()) } else { arguments.next() });
            while let Some(word) = arguments.next_if(|next| !next.starts_with(b"--")) {
                words.push(word);
            }
        }
        joined.push(format!("--{}={}", row.name, directive(&words)).into_bytes());
    }
    joined.into_iter().map(OsString::from_vec).collect()
}

/// The option that an argument names, and the values it already carries, as `--port=7000` or the single
/// argument `"--port 7000"` does.
fn start_of_option(argument: &[u8]) -> Option<(&'static Row, Vec<Vec<u8>>)> {
    let flag = argument.strip_prefix(b"--")?;
    let end = flag
        .iter()
        .position(|byte| matches!(byte, b'=' | b' '))
        .unwrap_or(flag.len());
    let (row, _) = lookup(&flag[..end])?;
    let words = match &flag[end..] {
        [b'=', value @ ..] => vec![value.to_vec()],
        values => split_words(values)?,
    };
    Some((row, words))
}
