//! The command line: `redkeep-server [file] [--option value...]... [-]`.
//!
//! As in Redis, an option is a line of the configuration file, read after the file: `--save 900 1`,
//! `--client-output-buffer-limit normal 0 0 0`, `--bind 127.0.0.1 -::1`. `-`, in front or at the end, reads lines from
//! standard input, between the two. clap prints the help; it has no such options.

use std::{
    ffi::OsString,
    io::{self, Read},
    iter::Peekable,
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
    vec::IntoIter,
};

use clap::{Arg, ArgAction, Command, value_parser};

use super::{
    Config, ROWS, Row,
    file::{ConfigError, Place, directive},
    lookup,
    quote::split_words,
    table::Flags,
};

const PROGRAM: &str = "redkeep-server";
const STDIN: &[u8] = b"-";
const STDIN_NAME: &str = "standard input";
/// Arguments that ask for information, if they are the only one.
const QUESTIONS: [&[u8]; 4] = [b"-h", b"--help", b"-v", b"--version"];
/// What redis-server can be asked for, and why it is not here.
const NOT_HERE: [(&[u8], &str); 2] = [
    (b"test-memory", "there is no memory test here: memtester is one"),
    (b"check-system", "there is no check of the system here"),
];

impl Config {
    /// The configuration of the process: defaults, then the file, then standard input if it is asked for, then the
    /// options. `arguments` starts with the program's name.
    ///
    /// # Errors
    /// See [`ConfigError`]; help and the version are among them.
    pub fn from_command_line(arguments: impl IntoIterator<Item = OsString>) -> Result<Config, ConfigError> {
        let mut arguments: Vec<Vec<u8>> = arguments.into_iter().skip(1).map(OsStringExt::into_vec).collect();
        if let [question] = &arguments[..]
            && QUESTIONS.contains(&&question[..])
        {
            return Err(answer(question));
        }
        let takes_stdin = take_stdin(&mut arguments);
        let mut arguments = arguments.into_iter().peekable();
        let mut config = Config::default();
        if let Some(path) = arguments.next_if(|first| !first.starts_with(b"-")) {
            let path = PathBuf::from(OsString::from_vec(path));
            config.load_file(&path)?;
            config.config_file = Some(absolute(&path)?);
        }
        if takes_stdin {
            config.load_stdin()?;
        }
        while let Some(option) = next_option(&mut arguments)? {
            config.apply_argument(option)?;
        }
        config.dir = absolute(&config.dir)?;
        Ok(config)
    }

    fn load_stdin(&mut self) -> Result<(), ConfigError> {
        let path = Path::new(STDIN_NAME);
        let mut content = Vec::new();
        let read = io::stdin().lock().read_to_end(&mut content);
        read.map_err(|source| ConfigError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        self.load_text(path, &content, &mut Vec::new())
    }

    fn apply_argument(&mut self, option: Given) -> Result<(), ConfigError> {
        let Given { name, words } = option;
        let text = || {
            let name = String::from_utf8_lossy(&name);
            format!("--{name} {}", directive(&words)).trim_end().to_owned()
        };
        let refuse = |reason| refused(text(), reason);
        if let Some((_, reason)) = NOT_HERE.iter().find(|(known, _)| *known == name) {
            return Err(refuse((*reason).to_owned()));
        }
        self.apply(&name, &words, &mut Vec::new(), &refuse)
    }
}

fn refused(text: String, reason: String) -> ConfigError {
    ConfigError::Directive {
        place: Place::CommandLine,
        text,
        reason,
    }
}

/// A server may change its directory, and CONFIG GET and REWRITE name these paths.
fn absolute(path: &Path) -> Result<PathBuf, ConfigError> {
    std::path::absolute(path).map_err(ConfigError::NoWorkingDirectory)
}

/// Takes a `-` away that is the first argument or the last.
fn take_stdin(arguments: &mut Vec<Vec<u8>>) -> bool {
    if arguments.first().is_some_and(|first| first == STDIN) {
        arguments.remove(0);
        return true;
    }
    arguments.pop_if(|last| last == STDIN).is_some()
}

/// An option as it was given.
struct Given {
    name: Vec<u8>,
    words: Vec<Vec<u8>>,
}

/// The next option with its values.
///
/// Redis's rules: the argument behind an option is its value even if it starts with dashes (but `--save
/// --port 1` means no `save`), and further values end where the next argument starts with two dashes.
fn next_option(arguments: &mut Peekable<IntoIter<Vec<u8>>>) -> Result<Option<Given>, ConfigError> {
    let Some(argument) = arguments.next() else {
        return Ok(None);
    };
    let Some(mut given) = start_of_option(&argument) else {
        let text = String::from_utf8_lossy(&argument).into_owned();
        return Err(refused(text, "Options begin with two dashes".to_owned()));
    };
    if given.words.is_empty() {
        let accumulates = lookup(&given.name).is_some_and(|(row, _)| row.flags.contains(Flags::ACCUMULATES));
        let none = accumulates && arguments.peek().is_none_or(|next| next.starts_with(b"--"));
        given
            .words
            .extend(if none { Some(Vec::new()) } else { arguments.next() });
        while let Some(word) = arguments.next_if(|next| !next.starts_with(b"--")) {
            given.words.push(word);
        }
    }
    Ok(Some(given))
}

/// The option that an argument names, and the values it already carries, as `--port=7000` or the single
/// argument `"--port 7000"` does.
fn start_of_option(argument: &[u8]) -> Option<Given> {
    let flag = argument.strip_prefix(b"--")?;
    let end = flag
        .iter()
        .position(|byte| matches!(byte, b'=' | b' '))
        .unwrap_or(flag.len());
    let words = match &flag[end..] {
        [b'=', value @ ..] => vec![value.to_vec()],
        values => split_words(values)?,
    };
    Some(Given {
        name: flag[..end].to_vec(),
        words,
    })
}

/// The help or the version.
fn answer(question: &[u8]) -> ConfigError {
    let question = String::from_utf8_lossy(question).into_owned();
    match command().try_get_matches_from([PROGRAM.to_owned(), question]) {
        Err(told) => ConfigError::Usage(told),
        Ok(_) => unreachable!("clap answers each of the questions"),
    }
}

fn command() -> Command {
    let file = Arg::new("config-file")
        .value_name("/path/to/redkeep.conf")
        .value_parser(value_parser!(PathBuf))
        .help("Configuration file, in redis.conf's syntax; `-` is standard input");
    let version = Arg::new("version")
        .short('v')
        .long("version")
        .action(ArgAction::Version)
        .help("Print the version");
    Command::new(PROGRAM)
        .version(env!("CARGO_PKG_VERSION"))
        .about("A durable Redis-protocol database")
        .override_usage("redkeep-server [/path/to/redkeep.conf] [--option value...]... [-]")
        .after_help(
            "Each line of a configuration file can be an option, `--include` and `--user` too. Options of Redis that \
             have no effect here are accepted; tools/reference.md lists them.",
        )
        .disable_version_flag(true)
        .next_line_help(true)
        .arg(file)
        .args(ROWS.iter().map(option))
        .arg(version)
}

fn option(row: &'static Row) -> Arg {
    let hidden = row.flags.contains(Flags::HIDDEN) || !row.flags.has_effect();
    Arg::new(row.name)
        .long(row.name)
        .value_name(row.describe())
        .action(ArgAction::Append)
        .help(format!(
            "{} [default: {}]",
            row.meaning.trim_end_matches('.'),
            directive(&[row.default.into()])
        ))
        .help_heading(row.group)
        .hide(hidden)
}
