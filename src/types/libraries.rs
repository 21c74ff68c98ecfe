//! Libraries of functions: all of them in one record, `disk/format.rs` has its grammar. They are data as any other: changed
//! in a transaction, committed with it, lost with it.

use crate::disk::format::{Malformed, RecordKey};
use crate::store::{Result, Stop, Txn, Value};
use crate::types::damage::InRecord;

/// All libraries together take no more bytes than this: they are one record.
const MOST_BYTES: usize = 64 << 20;

/// A function, as its library has registered it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// What it is called by, in letters of any size.
    pub name: Box<[u8]>,
    /// What it has declared, as bits whose meaning this layer does not know.
    pub flags: u8,
    /// What its library says about it.
    pub description: Option<Box<[u8]>>,
}

/// A library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Library {
    /// No other library has or had it, nor this one before it was replaced.
    pub id: u64,
    /// Its name.
    pub name: Box<[u8]>,
    /// All of it, with the line that names it.
    pub code: Box<[u8]>,
    /// What it has registered.
    pub functions: Vec<Function>,
}

/// All libraries, in the order of their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Libraries {
    all: Vec<Library>,
}

impl Libraries {
    /// Those that there are, as the transaction sees them.
    ///
    /// # Errors
    /// A fault; the record makes no sense.
    pub fn read(txn: &mut Txn) -> Result<Libraries> {
        match Libraries::record(txn)? {
            None => Ok(Libraries::default()),
            Some(record) => Libraries::decode(&record),
        }
    }

    /// Their record, for who knows already what it says.
    ///
    /// # Errors
    /// A fault.
    pub fn record(txn: &mut Txn) -> Result<Option<Value>> {
        txn.get(&RecordKey::functions())
    }

    /// What a record says.
    ///
    /// # Errors
    /// It makes no sense.
    pub fn decode(record: &[u8]) -> Result<Libraries> {
        let libraries = decode(record).ok_or(Malformed("record of the libraries of functions"));
        libraries.in_record(RecordKey::functions)
    }

    /// Makes them what there is from now on.
    ///
    /// # Errors
    /// They are too long.
    pub fn write(&self, txn: &mut Txn) -> Result<()> {
        if self.all.is_empty() {
            txn.delete(RecordKey::functions());
            return Ok(());
        }
        let record = self.encode();
        if record.len() > MOST_BYTES {
            return Stop::error(format!(
                "ERR all libraries together must not take more than {MOST_BYTES} bytes"
            ));
        }
        txn.put(RecordKey::functions(), Value::from(&record[..]));
        Ok(())
    }

    /// In the order of their names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Library> {
        self.all.iter()
    }

    /// How many functions they have.
    pub fn count_functions(&self) -> usize {
        self.all.iter().map(|library| library.functions.len()).sum()
    }

    /// A library by its name.
    pub fn get(&self, name: &[u8]) -> Option<&Library> {
        self.position(name).ok().map(|at| &self.all[at])
    }

    /// A function by its name, in letters of any size; with its library.
    pub fn find(&self, name: &[u8]) -> Option<(&Library, &Function)> {
        self.all.iter().find_map(|library| {
            let is_it = |function: &&Function| function.name.eq_ignore_ascii_case(name);
            library
                .functions
                .iter()
                .find(is_it)
                .map(|function| (library, function))
        })
    }

    /// Takes out a library. Whether it was there.
    pub fn remove(&mut self, name: &[u8]) -> Option<Library> {
        self.position(name).ok().map(|at| self.all.remove(at))
    }

    /// Puts in a library, of whose name there is none.
    ///
    /// # Errors
    /// The name of a function of it that another library has. Then nothing is changed.
    pub fn add(&mut self, library: Library) -> std::result::Result<(), Box<[u8]>> {
        let is_taken = |function: &&Function| self.find(&function.name).is_some();
        if let Some(taken) = library.functions.iter().find(is_taken) {
            return Err(taken.name.clone());
        }
        let (Ok(at) | Err(at)) = self.position(&library.name);
        self.all.insert(at, library);
        Ok(())
    }

    fn position(&self, name: &[u8]) -> std::result::Result<usize, usize> {
        self.all.binary_search_by(|library| (*library.name).cmp(name))
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for library in &self.all {
            out.extend_from_slice(&library.id.to_be_bytes());
            put_text(&mut out, &library.name);
            put_text(&mut out, &library.code);
            out.extend_from_slice(&(library.functions.len() as u32).to_be_bytes());
            for function in &library.functions {
                put_text(&mut out, &function.name);
                out.push(function.flags);
                out.push(u8::from(function.description.is_some()));
                if let Some(description) = &function.description {
                    put_text(&mut out, description);
                }
            }
        }
        out
    }
}

fn put_text(out: &mut Vec<u8>, text: &[u8]) {
    out.extend_from_slice(&(text.len() as u32).to_be_bytes());
    out.extend_from_slice(text);
}

/// The rest of a record that is read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(bytes)
    }

    fn byte(&mut self) -> Option<u8> {
        self.bytes(1).map(|byte| byte[0])
    }

    fn number(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.bytes(4)?.try_into().ok()?))
    }

    fn text(&mut self) -> Option<Box<[u8]>> {
        let length = self.number()?;
        self.bytes(length as usize).map(Box::from)
    }

    fn function(&mut self) -> Option<Function> {
        let (name, flags) = (self.text()?, self.byte()?);
        let description = match self.byte()? {
            0 => None,
            1 => Some(self.text()?),
            _ => return None,
        };
        Some(Function {
            name,
            flags,
            description,
        })
    }

    fn library(&mut self) -> Option<Library> {
        let id = u64::from_be_bytes(self.bytes(8)?.try_into().ok()?);
        let (name, code) = (self.text()?, self.text()?);
        let mut functions = Vec::new();
        for _ in 0..self.number()? {
            functions.push(self.function()?);
        }
        Some(Library {
            id,
            name,
            code,
            functions,
        })
    }
}

fn decode(record: &[u8]) -> Option<Libraries> {
    let (mut reader, mut all) = (Reader(record), Vec::<Library>::new());
    while !reader.0.is_empty() {
        let library = reader.library()?;
        if all.last().is_some_and(|last| last.name >= library.name) {
            return None;
        }
        all.push(library);
    }
    Some(Libraries { all })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::Random;

    fn library(name: &str, functions: &[&str]) -> Library {
        let function = |name: &&str| Function {
            name: name.as_bytes().into(),
            flags: 5,
            description: (name.len() > 1).then(|| b"what it does"[..].into()),
        };
        Library {
            id: 7,
            name: name.as_bytes().into(),
            code: b"#!lua name=x\n"[..].into(),
            functions: functions.iter().map(function).collect(),
        }
    }

    #[test]
    fn libraries_are_found_by_name_and_functions_in_letters_of_any_size() {
        let mut libraries = Libraries::default();
        assert_eq!(libraries.add(library("b", &["f", "long"])), Ok(()));
        assert_eq!(libraries.add(library("a", &["g"])), Ok(()));
        assert_eq!(libraries.add(library("c", &["h", "F"])), Err(b"F"[..].into()));
        let names: Vec<&[u8]> = libraries.iter().map(|library| &*library.name).collect();
        assert_eq!(names, [b"a", b"b"]);
        assert_eq!(libraries.count_functions(), 3);
        let found = libraries.find(b"LONG").expect("it is there");
        assert_eq!((&*found.0.name, &*found.1.name), (&b"b"[..], &b"long"[..]));
        assert!(libraries.get(b"B").is_none() && libraries.get(b"b").is_some());
        assert!(libraries.remove(b"b").is_some() && libraries.remove(b"b").is_none());
        assert!(libraries.find(b"f").is_none());
    }

    #[test]
    fn the_record_comes_back_and_one_that_is_damaged_is_refused() {
        let mut libraries = Libraries::default();
        for (name, functions) in [("a", &["f", "long"][..]), ("b", &["g"]), ("c", &[])] {
            assert_eq!(libraries.add(library(name, functions)), Ok(()));
        }
        let record = libraries.encode();
        assert_eq!(decode(&record), Some(libraries));
        let cut = (1..record.len()).filter(|&end| decode(&record[..end]).is_some());
        // Only where a library ends.
        assert_eq!(cut.count(), 2);
        let mut random = Random::from_seed(1);
        for _ in 0..20_000 {
            let mut bytes = record.clone();
            let at = random.below(bytes.len() as u64) as usize;
            bytes[at] = random.next_u64() as u8;
            if let Some(decoded) = decode(&bytes) {
                assert_eq!(decoded.encode(), bytes);
            }
        }
    }
}
