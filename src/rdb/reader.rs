//! Reads a dump, item by item.
//!
//! ```text
//! file    := ("REDIS" | "VALKEY") version record* 0xff [sum:u64 le]     version: four digits, of Valkey three; no sum
//!                                                                       before version 5, or 0: it was not computed
//! payload := type value version:u16 le sum:u64 le
//! record  := 254 length                                                 the number of the database that follows
//!          | 251 length length                                          its keys, and those with deadlines
//!          | 250 string string                                          what the writer says of itself
//!          | 245 string | 246 string string length [string] string      a library of functions; the latter before 7.0
//!          | 244 length length length                                   a slot, its keys, and those with deadlines
//!          | 243 length (u32 module-value)*                             Redis: what modules say of the key that follows
//!          | 243 string length (length length)*                         Valkey: an import of slots
//!          | 247 length length length module-value                      what a module keeps beside keys
//!          | before* type key:string value
//! before  := 252 i64 le | 253 i32 le                                    the deadline in ms, in seconds
//!          | 248 length | 249 u8                                        idle seconds, frequency
//! module-value := (1 length | 2 length | 3 f32 | 4 f64 | 5 string)* 0
//! ```
//!
//! Values are in `value.rs`, streams in `stream.rs`. Nothing is trusted: what a length says is believed as far as bytes come,
//! and what is said twice has to agree.

use std::io::Read;

use super::error::{Broken, Error, Fault, Result};
use super::input::Input;
use super::item::{Item, Key, Kind};
use super::libraries::with_first_line;
use super::piece::{Buffers, Piece};
use super::value::{Value, kind_of};
use super::version::{Family, Version, opcode, type_byte};

/// How a dump is to be read.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReadOptions {
    /// Values and other data of modules end reading; otherwise they are passed over, with an [`Item::Skipped`].
    pub refuse_modules: bool,
    /// The sum at the end is not compared.
    pub ignore_sum: bool,
}

/// What comes next.
enum State {
    /// The bytes that tell family and version.
    Start,
    /// A record.
    Record,
    /// The next piece of a value.
    Value(Box<Value>),
    /// Nothing.
    Ended,
}

/// What a step has found; its texts are in the buffers.
enum Step {
    Aux,
    Library,
    Database,
    Sizes(u64, u64),
    Skipped { of_key: bool },
    Key(Kind),
    Piece(Piece),
    Nothing,
    End,
}

/// Reads a dump.
pub struct Reader<R> {
    input: Input<R>,
    options: ReadOptions,
    version: Version,
    is_payload: bool,
    state: State,
    database: u64,
    deadline: Option<u64>,
    idle: Option<u64>,
    frequency: Option<u8>,
    name: Vec<u8>,
    /// What was left out, in words.
    what: String,
    buffers: Buffers,
}

impl<'p> Reader<&'p [u8]> {
    /// Reads what DUMP answers, of which [`check_payload`](super::check_payload) has told version and body. It has one key, without a name.
    pub fn of_payload(version: Version, body: &'p [u8], options: ReadOptions) -> Reader<&'p [u8]> {
        Reader {
            version,
            is_payload: true,
            state: State::Record,
            ..Reader::new(body, options)
        }
    }
}

impl<R: Read> Reader<R> {
    /// Reads a file from its beginning. `source` needs no buffer.
    pub fn new(source: R, options: ReadOptions) -> Reader<R> {
        Reader {
            input: Input::new(source),
            options,
            version: Version {
                family: Family::Redis,
                number: 0,
            },
            is_payload: false,
            state: State::Start,
            database: 0,
            deadline: None,
            idle: None,
            frequency: None,
            name: Vec::new(),
            what: String::new(),
            buffers: Buffers::default(),
        }
    }

    /// How many bytes were read.
    pub fn position(&self) -> u64 {
        self.input.position()
    }

    /// The next item; none at the end, when the sum was right.
    ///
    /// # Errors
    /// What is wrong with the bytes, and where. Nothing comes after an error.
    pub fn next(&mut self) -> Result<Option<Item<'_>>> {
        let step = loop {
            match self.step() {
                Ok(Step::Nothing) => {}
                Ok(step) => break step,
                Err(error) => {
                    self.state = State::Ended;
                    return Err(error);
                }
            }
        };
        if let Step::Piece(piece) = step {
            return Ok(Some(self.buffers.show(piece)));
        }
        let texts = &self.buffers.texts;
        Ok(Some(match step {
            Step::Aux => Item::Aux {
                name: &texts[0],
                value: &texts[1],
            },
            Step::Library => Item::Library(&texts[0]),
            Step::Database => Item::Database(self.database),
            Step::Sizes(keys, expiring) => Item::Sizes { keys, expiring },
            Step::Skipped { of_key } => Item::Skipped {
                database: self.database,
                key: of_key.then_some(&self.name[..]),
                what: &self.what,
            },
            Step::Key(kind) => Item::Key(Key {
                database: self.database,
                name: &self.name,
                kind,
                deadline: self.deadline.take(),
                idle: self.idle.take(),
                frequency: self.frequency.take(),
            }),
            Step::Piece(_) | Step::Nothing | Step::End => return Ok(None),
        }))
    }

    fn step(&mut self) -> Result<Step> {
        match &mut self.state {
            State::Start => {
                self.version = self.head()?;
                self.state = State::Record;
                Ok(Step::Nothing)
            }
            State::Ended => Ok(Step::End),
            State::Value(value) => {
                let piece = match value.next(&mut self.input, &mut self.buffers) {
                    Ok(piece) => piece,
                    Err(Fault::Error(error)) => return Err(error),
                    Err(Fault::Broken(Broken(what))) => return self.input.malformed(what),
                };
                if piece == Piece::End {
                    self.state = State::Record;
                }
                Ok(Step::Piece(piece))
            }
            State::Record if self.is_payload => self.payload(),
            State::Record => self.record(),
        }
    }

    /// The bytes before the first record.
    fn head(&mut self) -> Result<Version> {
        // The shorter of the two magics, with its version, is as long as the other.
        let head: [u8; 9] = match self.input.array() {
            Err(Error::Malformed { .. }) => return Err(Error::Foreign),
            head => head?,
        };
        let (family, digits) = match &head {
            [b'R', b'E', b'D', b'I', b'S', digits @ ..] => (Family::Redis, &digits[..]),
            [b'V', b'A', b'L', b'K', b'E', b'Y', digits @ ..] => (Family::Valkey, &digits[..]),
            _ => return Err(Error::Foreign),
        };
        if !digits.iter().all(u8::is_ascii_digit) {
            return Err(Error::Foreign);
        }
        let number = digits
            .iter()
            .fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
        match Version::of_payload(number) {
            Some(version) if version.family == family && number > 0 => Ok(version),
            _ => self.input.unsupported(format!(
                "version {number} of {family:?}'s dumps, which is not known yet"
            )),
        }
    }

    fn payload(&mut self) -> Result<Step> {
        if !self.name.is_empty() || self.input.position() > 0 {
            return match self.input.is_at_end()? {
                true => {
                    self.state = State::Ended;
                    Ok(Step::End)
                }
                false => self.input.malformed("there is more behind the value"),
            };
        }
        let byte = self.input.byte()?;
        match byte {
            opcode::KEY_META_OR_SLOT_IMPORT if self.version.family == Family::Redis => {
                self.key_meta()?;
                let byte = self.input.byte()?;
                self.value(byte)
            }
            _ => self.value(byte),
        }
    }

    /// Begins the value of a type.
    fn value(&mut self, byte: u8) -> Result<Step> {
        if byte == type_byte::MODULE {
            return self.module_value();
        }
        let Some(kind) = kind_of(self.version, byte) else {
            return self.input.unsupported(unknown_type(self.version, byte));
        };
        let value = match Value::begin(self.version, byte, &mut self.input, &mut self.buffers) {
            Ok(value) => value,
            Err(Fault::Error(error)) => return Err(error),
            Err(Fault::Broken(Broken(what))) => return self.input.malformed(what),
        };
        self.state = State::Value(Box::new(value));
        Ok(Step::Key(kind))
    }

    fn record(&mut self) -> Result<Step> {
        let byte = self.input.byte()?;
        match byte {
            opcode::END => self.end(),
            opcode::DATABASE => {
                self.database = self.input.number()?;
                Ok(Step::Database)
            }
            opcode::RESIZE => Ok(Step::Sizes(self.input.number()?, self.input.number()?)),
            opcode::AUX => {
                self.text(0)?;
                self.text(1)?;
                Ok(Step::Aux)
            }
            opcode::FUNCTION2 => {
                self.text(0)?;
                Ok(Step::Library)
            }
            opcode::FUNCTION_PRE_GA => self.older_library(),
            opcode::SLOT_INFO => self.numbers(3),
            opcode::KEY_META_OR_SLOT_IMPORT => match self.version.family {
                Family::Redis => self.key_meta(),
                Family::Valkey => self.slot_import(),
            },
            opcode::MODULE_AUX => self.module_aux(),
            opcode::EXPIRE_MS => {
                let deadline = i64::from_le_bytes(self.input.array()?);
                self.deadline = Some(u64::try_from(deadline).unwrap_or(0));
                Ok(Step::Nothing)
            }
            opcode::EXPIRE => {
                let seconds = i32::from_le_bytes(self.input.array()?);
                self.deadline = Some(u64::try_from(seconds).unwrap_or(0) * 1000);
                Ok(Step::Nothing)
            }
            opcode::IDLE => {
                self.idle = Some(self.input.number()?);
                Ok(Step::Nothing)
            }
            opcode::FREQUENCY => {
                self.frequency = Some(self.input.byte()?);
                Ok(Step::Nothing)
            }
            byte => {
                self.input.string(&mut self.name)?;
                self.value(byte)
            }
        }
    }

    fn text(&mut self, at: usize) -> Result<()> {
        self.input.string(&mut self.buffers.texts[at])
    }

    /// Passes over numbers.
    fn numbers(&mut self, count: u64) -> Result<Step> {
        for _ in 0..count {
            self.input.number()?;
        }
        Ok(Step::Nothing)
    }

    fn slot_import(&mut self) -> Result<Step> {
        self.input.skip_string()?;
        for _ in 0..self.input.number()? {
            self.numbers(2)?;
        }
        self.what = "an import of slots that was under way".to_owned();
        Ok(Step::Skipped { of_key: false })
    }

    /// As release candidates of 7.0 had it: what the first line says now was beside the code.
    fn older_library(&mut self) -> Result<Step> {
        self.text(0)?;
        self.text(1)?;
        if self.input.number()? != 0 {
            self.input.skip_string()?;
        }
        let (name, engine) = (self.buffers.texts[0].clone(), self.buffers.texts[1].clone());
        self.text(1)?;
        let code = &self.buffers.texts[1];
        self.buffers.texts[0] = with_first_line(&name, &engine, code);
        Ok(Step::Library)
    }

    fn key_meta(&mut self) -> Result<Step> {
        for _ in 0..self.input.number()? {
            let _: [u8; 4] = self.input.array()?;
            self.skip_module_value()?;
        }
        self.skipped_module("what modules say of a key".to_owned(), false)
    }

    fn module_aux(&mut self) -> Result<Step> {
        let module = module_name(self.input.number()?);
        self.numbers(2)?;
        self.skip_module_value()?;
        self.skipped_module(format!("what the module {module} keeps beside keys"), false)
    }

    fn module_value(&mut self) -> Result<Step> {
        let module = module_name(self.input.number()?);
        self.skip_module_value()?;
        (self.deadline, self.idle, self.frequency) = (None, None, None);
        self.skipped_module(format!("a value of the module {module}"), true)
    }

    fn skipped_module(&mut self, what: String, of_key: bool) -> Result<Step> {
        if self.options.refuse_modules {
            return self.input.unsupported(what);
        }
        self.what = what;
        Ok(Step::Skipped { of_key })
    }

    fn skip_module_value(&mut self) -> Result<()> {
        loop {
            match self.input.number()? {
                0 => return Ok(()),
                1 | 2 => drop(self.input.number()?),
                3 => self.input.skip(4)?,
                4 => self.input.skip(8)?,
                5 => self.input.skip_string()?,
                _ => {
                    return self
                        .input
                        .malformed("a value of a module has a part of an unknown kind");
                }
            }
        }
    }

    fn end(&mut self) -> Result<Step> {
        if self.version.has_sum() {
            let sum = self.input.sum();
            let told = u64::from_le_bytes(self.input.array()?);
            // A server told not to compute it writes 0.
            if told != sum && told != 0 && !self.options.ignore_sum {
                return Err(Error::Checksum);
            }
        }
        self.state = State::Ended;
        Ok(Step::End)
    }
}

fn unknown_type(version: Version, byte: u8) -> String {
    match byte {
        type_byte::MODULE_PRE_GA => "a value of a module from before Redis 4.0".to_owned(),
        _ => format!(
            "a value of type {byte}, which is not known of {:?} {}",
            version.family, version.number
        ),
    }
}

/// The name that is in a module's number: nine letters of six bits each, above ten bits of a version.
fn module_name(number: u64) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    (0..9)
        .map(|at| LETTERS[(number >> (58 - 6 * at)) as usize & 63] as char)
        .collect()
}
