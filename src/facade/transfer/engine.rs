//! Commands into a store: they run through the engine itself, as a client's do.
//!
//! ```text
//! AOF directory := manifest, and the files that it names, from Redis 7 on
//! manifest      := ("file" name "seq" number "type" ("b" | "i" | "h"))*       base, increments in their order, history
//! AOF           := (timestamp | command)*                                     timestamp: "#TS:" number
//! ```

use std::fs;
use std::io::BufRead;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::task::{Wake, Waker};
use std::time::Instant;

use super::{Progress, streams};
use crate::facade::embedded::{Connection, Embedded};
use crate::formats::commands::MARKS;

/// How many databases there are where commands say into which keys go.
pub const MOST_DATABASES: usize = 1024;
/// So many bytes of commands run at a time.
const BATCH: usize = 256 << 10;
/// The longest argument, as Redis has it.
const LONGEST: usize = 512 << 20;
const MOST_ARGUMENTS: usize = 1 << 20;
/// The name of a manifest ends so.
const MANIFEST: &str = ".aof.manifest";
/// What Redis calls the directory, if nobody says otherwise.
const DIRECTORY: &str = "appendonlydir";

/// The files of an AOF.
pub struct Aof {
    /// What it begins with, if there is such a file: an RDB file, or commands.
    pub base: Option<PathBuf>,
    /// What came then, in order.
    pub increments: Vec<PathBuf>,
}

impl Aof {
    /// The AOF in a directory, or in the directory of Redis's within it; `None` if there is none.
    ///
    /// # Errors
    /// The directory or its manifest cannot be read, or makes no sense.
    pub fn find(dir: &Path) -> Result<Option<Aof>, String> {
        for dir in [dir.to_owned(), dir.join(DIRECTORY)] {
            let Ok(entries) = fs::read_dir(&dir) else { continue };
            for entry in entries {
                let path = entry.map_err(|e| format!("{}: {e}", dir.display()))?.path();
                if path.to_string_lossy().ends_with(MANIFEST) {
                    return Aof::read(&dir, &path).map(Some);
                }
            }
        }
        Ok(None)
    }

    fn read(dir: &Path, manifest: &Path) -> Result<Aof, String> {
        let text = fs::read_to_string(manifest).map_err(|e| format!("{}: {e}", manifest.display()))?;
        let (mut base, mut increments) = (None, Vec::new());
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            let ["file", name, "seq", number, "type", kind] = words[..] else {
                return Err(format!("{}: a line that is none: {line}", manifest.display()));
            };
            let number: u64 = number
                .parse()
                .map_err(|_| format!("{}: no number: {line}", manifest.display()))?;
            if Path::new(name).file_name().is_none_or(|file| file != name) {
                return Err(format!("{}: a file elsewhere: {name}", manifest.display()));
            }
            match kind {
                "b" => base = Some(dir.join(name)),
                "i" => increments.push((number, dir.join(name))),
                // What a rewrite left over.
                _ => {}
            }
        }
        increments.sort();
        let increments = increments.into_iter().map(|(_, path)| path).collect();
        Ok(Aof { base, increments })
    }
}

/// What wakes the one connection, or the engine.
enum Event {
    Commit,
    Turn,
}

struct Bell(Sender<Event>);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        // Once the engine is gone, there is nobody to wake.
        let _ = self.0.send(Event::Turn);
    }
}

/// An engine with one connection.
struct Engine {
    embedded: Embedded,
    connection: Connection,
    events: Receiver<Event>,
    next_tick: Instant,
}

impl Engine {
    fn open(dir: &Path) -> Result<Engine, String> {
        let (sender, events) = mpsc::channel();
        let committing = sender.clone();
        // This fails only when the receiver is gone, and with it whoever could commit.
        let commit = move || drop(committing.send(Event::Commit));
        let databases = MOST_DATABASES.to_string();
        let options = [
            "--appendfsync",
            "no",
            "--maxmemory",
            "256mb",
            "--databases",
            &databases,
        ];
        let mut embedded = Embedded::open(dir, &options, commit)?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        let waker = Waker::from(Arc::new(Bell(sender)));
        let connection = embedded.connect(address, address, waker);
        Ok(Engine {
            embedded,
            connection,
            events,
            next_tick: Instant::now(),
        })
    }

    /// Runs commands, and waits for their replies.
    ///
    /// # Errors
    /// One of them failed: the text of its reply.
    fn run(&mut self, commands: &[u8], mut count: usize) -> Result<(), String> {
        self.connection.input.extend_from_slice(commands);
        self.connection.wake();
        while count > 0 {
            self.step()?;
            let mut taken = 0;
            while let Some((length, failure)) = reply(&self.connection.output[taken..]) {
                taken += length;
                count = count.saturating_sub(1);
                if let Some(failure) = failure {
                    return Err(format!("a command fails: {failure}"));
                }
            }
            self.connection.output.drain(..taken);
        }
        Ok(())
    }

    fn step(&mut self) -> Result<(), String> {
        if self.connection.is_closed() {
            return Err("a command ended the connection".to_owned());
        }
        if Instant::now() >= self.next_tick {
            self.embedded.tick();
            self.next_tick = Instant::now() + self.embedded.tick_interval();
        }
        match self
            .events
            .recv_timeout(self.next_tick.saturating_duration_since(Instant::now()))
        {
            Ok(Event::Commit) => while self.embedded.commit_and_release() {},
            Ok(Event::Turn) => self.embedded.turn(&mut self.connection),
            // It is time for a tick.
            Err(_) => {}
        }
        Ok(())
    }

    fn close(mut self) -> Result<(), String> {
        self.embedded.close(&mut self.connection);
        self.embedded.close_store()
    }
}

/// The length of the reply at the head of these bytes, and its text if it is an error; `None` if it is not whole yet.
fn reply(bytes: &[u8]) -> Option<(usize, Option<String>)> {
    let end = memchr::memchr(b'\n', bytes)? + 1;
    let line = &bytes[..end];
    let number = || {
        str::from_utf8(line.get(1..)?.trim_ascii_end())
            .ok()?
            .parse::<i64>()
            .ok()
    };
    match line[0] {
        b'-' => Some((end, Some(line[1..].trim_ascii_end().escape_ascii().to_string()))),
        b'$' => {
            let length = usize::try_from(number()?).map_or(0, |length| length + 2);
            (bytes.len() >= end + length).then_some((end + length, None))
        }
        b'*' => {
            let mut at = end;
            for _ in 0..number()?.max(0) {
                at += reply(&bytes[at..])?.0;
            }
            Some((at, None))
        }
        _ => Some((end, None)),
    }
}

/// Commands as a file has them, one after the other.
struct Commands<'s> {
    stream: &'s mut dyn BufRead,
    /// Bytes before the present one.
    position: u64,
    command: Vec<u8>,
    /// The first two arguments of the command.
    head: Vec<Vec<u8>>,
}

/// Why no command comes.
enum End {
    /// It ends within one, at this byte.
    CutOff(u64),
    Failed(String),
}

impl Commands<'_> {
    /// Reads the next one into `command`; false at the end.
    fn next(&mut self) -> Result<bool, End> {
        let begin = self.position;
        self.command.clear();
        self.head.clear();
        loop {
            match self.line(begin)? {
                0 => return Ok(false),
                // A time, as AOFs may have.
                _ if self.command.starts_with(b"#") => {
                    self.command.clear();
                }
                _ => break,
            }
        }
        let count = self.number(0, b'*')?;
        for at in 0..count {
            let start = self.command.len();
            if self.line(begin)? == 0 {
                return Err(End::CutOff(begin));
            }
            let length = self.number(start, b'$')?;
            if length > LONGEST {
                return Err(self.malformed("an argument is too long"));
            }
            let start = self.command.len();
            let mut rest = std::io::Read::take(&mut *self.stream, length as u64 + 2);
            let read = std::io::Read::read_to_end(&mut rest, &mut self.command);
            let read = read.map_err(|e| End::Failed(e.to_string()))?;
            self.position += read as u64;
            if read < length + 2 {
                return Err(End::CutOff(begin));
            }
            if at < 2 {
                self.head
                    .push(self.command[start..start + length.min(64)].to_vec());
            }
        }
        Ok(true)
    }

    fn line(&mut self, begin: u64) -> Result<usize, End> {
        let mut rest = std::io::Read::take(&mut *self.stream, 1 << 16);
        let read = rest
            .read_until(b'\n', &mut self.command)
            .map_err(|e| End::Failed(e.to_string()))?;
        self.position += read as u64;
        match read == 0 || self.command.ends_with(b"\n") {
            true => Ok(read),
            false => Err(End::CutOff(begin)),
        }
    }

    /// The number in the line that begins here.
    fn number(&self, start: usize, mark: u8) -> Result<usize, End> {
        let line = self.command[start..].trim_ascii_end();
        let digits = line
            .strip_prefix(&[mark])
            .and_then(|digits| str::from_utf8(digits).ok());
        match digits.and_then(|digits| digits.parse().ok()) {
            Some(number) if mark == b'$' || number <= MOST_ARGUMENTS => Ok(number),
            _ => Err(self.malformed("no command of Redis's protocol")),
        }
    }

    fn malformed(&self, what: &str) -> End {
        End::Failed(format!("before byte {}: {what}", self.position))
    }
}

/// Runs all commands of a file, which end in order, into the store in a directory.
///
/// # Errors
/// One of them fails, or is cut off; the file has a head without its end.
pub fn run_file(dir: &Path, stream: &mut dyn BufRead, progress: &Progress) -> Result<(), String> {
    let mut engine = Engine::open(dir)?;
    let mut mark = None;
    match run(&mut engine, stream, progress, &mut mark)? {
        None if mark == Some(0) => Err("the dump is cut off: its end is missing".to_owned()),
        None => engine.close(),
        Some(at) => Err(format!("it is cut off within the command at byte {at}")),
    }
}

/// Runs the increments of an AOF. The last of them may be cut off, as a crash leaves it: that is returned, for the user to see.
///
/// # Errors
/// A command fails; another file is cut off.
pub fn run_aof(dir: &Path, files: &[PathBuf], progress: &Arc<Progress>) -> Result<Vec<String>, String> {
    let (mut engine, mut notes) = (Engine::open(dir)?, Vec::new());
    for (at, file) in files.iter().enumerate() {
        let name = file.display();
        let (mut stream, _) = streams::open(file, progress)?;
        if let Some(cut) =
            run(&mut engine, &mut stream, progress, &mut None).map_err(|e| format!("{name}: {e}"))?
        {
            if at + 1 < files.len() {
                return Err(format!("{name}: it is cut off within the command at byte {cut}"));
            }
            notes.push(format!(
                "{name} is cut off within the command at byte {cut}, which is left out"
            ));
        }
    }
    engine.close()?;
    Ok(notes)
}

/// Runs commands of a stream to its end. `mark` becomes the number of the last mark. Where the last command begins, if it is cut
/// off.
fn run(
    engine: &mut Engine,
    stream: &mut dyn BufRead,
    progress: &Progress,
    mark: &mut Option<usize>,
) -> Result<Option<u64>, String> {
    let mut commands = Commands {
        stream,
        position: 0,
        command: Vec::new(),
        head: Vec::new(),
    };
    let (mut batch, mut count) = (Vec::new(), 0);
    let cut = loop {
        match commands.next() {
            Ok(true) => {}
            Ok(false) => break None,
            Err(End::CutOff(at)) => break Some(at),
            Err(End::Failed(text)) => return Err(text),
        }
        if commands.head.first().is_some_and(|name| name == b"ECHO") {
            let found = MARKS
                .iter()
                .position(|known| commands.head.get(1).is_some_and(|said| said == known));
            *mark = found.or(*mark);
            continue;
        }
        batch.extend_from_slice(&commands.command);
        count += 1;
        if batch.len() >= BATCH {
            engine
                .run(&batch, count)
                .map_err(|e| format!("before byte {}: {e}", commands.position))?;
            progress.note_key()?;
            batch.clear();
            count = 0;
        }
    };
    engine
        .run(&batch, count)
        .map_err(|e| format!("before byte {}: {e}", commands.position))?;
    Ok(cut)
}

/// Loads libraries of functions into the store in a directory; `replaces`: over those of their names.
///
/// # Errors
/// One cannot be loaded; unless `passes_over`, one of its name is there.
pub fn load_libraries(
    dir: &Path,
    codes: &[Vec<u8>],
    replaces: bool,
    passes_over: bool,
) -> Result<(), String> {
    if codes.is_empty() {
        return Ok(());
    }
    let mut engine = Engine::open(dir)?;
    for code in codes {
        let mut command = match replaces {
            true => b"*4\r\n$8\r\nFUNCTION\r\n$4\r\nLOAD\r\n$7\r\nREPLACE\r\n".to_vec(),
            false => b"*3\r\n$8\r\nFUNCTION\r\n$4\r\nLOAD\r\n".to_vec(),
        };
        command.extend_from_slice(format!("${}\r\n", code.len()).as_bytes());
        command.extend_from_slice(code);
        command.extend_from_slice(b"\r\n");
        match engine.run(&command, 1) {
            Err(text) if passes_over && text.contains("already exists") => engine.connection.output.clear(),
            done => done.map_err(|e| format!("a library of functions: {e}"))?,
        }
    }
    engine.close()
}
