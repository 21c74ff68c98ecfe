//! The large keys, and the commands that make them.

use crate::Options;
use crate::load::Random;
use crate::server::{Client, Result};

/// A type of key that is measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Data {
    /// Every member with its number as the score.
    SortedSet,
    /// Every member with the score 0.
    Lexical,
    List,
    Set,
    Hash,
}

impl Data {
    pub const ALL: [Data; 5] = [Data::SortedSet, Data::Lexical, Data::List, Data::Set, Data::Hash];

    /// The key's name.
    pub fn key(self) -> &'static str {
        match self {
            Data::SortedSet => "zset",
            Data::Lexical => "lex",
            Data::List => "list",
            Data::Set => "set",
            Data::Hash => "hash",
        }
    }

    /// The command that adds the elements of these numbers.
    fn add(self, numbers: &[u64]) -> Vec<String> {
        let name = match self {
            Data::SortedSet | Data::Lexical => "ZADD",
            Data::List => "RPUSH",
            Data::Set => "SADD",
            Data::Hash => "HSET",
        };
        let mut command = words(&[name, self.key()]);
        for &number in numbers {
            match self {
                Data::SortedSet => command.extend([number.to_string(), element(number)]),
                Data::Lexical => command.extend(["0".to_owned(), element(number)]),
                Data::List | Data::Set => command.push(element(number)),
                Data::Hash => command.extend([element(number), number.to_string()]),
            }
        }
        command
    }

    /// Makes the key anew. Elements come in a random order, but for a list.
    pub fn fill(self, client: &mut Client, options: &Options) -> Result<()> {
        const ADDED: usize = 10;
        client.command(&["DEL", self.key()])?;
        let mut numbers: Vec<u64> = (0..options.elements).collect();
        if self != Data::List {
            let mut random = Random(7);
            for at in (1..numbers.len()).rev() {
                numbers.swap(at, random.below(at as u64 + 1) as usize);
            }
        }
        for batch in numbers.chunks(ADDED * options.pipeline as usize) {
            let commands: Vec<_> = batch.chunks(ADDED).map(|numbers| self.add(numbers)).collect();
            client.pipeline(&commands)?;
        }
        Ok(())
    }
}

pub fn element(number: u64) -> String {
    format!("element:{number:012}")
}

pub fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}
