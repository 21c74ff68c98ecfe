//! Scripts and functions that run commands of the families: several calls, some of them protected, in conditions and loops.
//!
//! A program runs commands by their number. Its reply has, for each that it ran, the number and the reply, so that these can
//! be compared as replies of that command.

use super::generate::{Args, Gen, args};
use super::transaction::{alike, own};
use crate::support::Value;

/// The function, and its library, of programs that are called as one.
const FUNCTION: &str = "program";

/// What every program begins with: commands are in the arguments, each behind the number of its words.
const PRELUDE: &str = "\
local commands, at, out = {}, 1, {}
while ARGV[at] do
  local words = tonumber(ARGV[at])
  commands[#commands + 1] = {unpack(ARGV, at + 1, at + words)}
  at = at + words + 1
end
local function run(n)
  local reply = redis.pcall(unpack(commands[n]))
  out[#out + 1] = {n, reply}
  return reply
end
local function must(n)
  local reply = redis.call(unpack(commands[n]))
  out[#out + 1] = {n, reply}
  return reply
end
";

/// A program that is being made.
#[derive(Default)]
struct Program {
    body: String,
    keys: Args,
    commands: Vec<Args>,
}

impl Program {
    fn line(&mut self, depth: usize, text: &str) {
        self.body.push_str(&"  ".repeat(depth));
        self.body.push_str(text);
        self.body.push('\n');
    }

    /// Runs a command, and what must follow it at once; mostly an error of it is passed over.
    fn run(&mut self, g: &mut Gen, depth: usize) {
        let function = *g
            .rng
            .pick(&["run", "run", "run", "run", "run", "run", "run", "must"]);
        for command in alike(g) {
            self.commands.push(command);
            let text = format!("{function}({})", self.commands.len());
            self.line(depth, &text);
        }
    }

    /// What is the same on both sides, whatever the commands before have answered.
    fn condition(&mut self, g: &mut Gen) -> String {
        let key = if g.rng.one_in(3) { own(g) } else { g.key() };
        self.keys.push(key);
        let key = format!("KEYS[{}]", self.keys.len());
        match g.rng.below(5) {
            0 => format!("redis.call('EXISTS', {key}) == 1"),
            1 => format!("redis.call('TYPE', {key}).ok == 'none'"),
            2 => "redis.call('DBSIZE') % 2 == 0".to_owned(),
            3 => format!("redis.pcall('STRLEN', {key}) == 0"),
            _ => format!("redis.pcall('GET', {key})"),
        }
    }

    fn block(&mut self, g: &mut Gen, depth: usize) {
        for _ in 0..=g.rng.below(3) {
            match g.rng.below(9) {
                0 if depth < 3 => {
                    let condition = self.condition(g);
                    self.line(depth, &format!("if {condition} then"));
                    self.block(g, depth + 1);
                    if g.rng.one_in(2) {
                        self.line(depth, "else");
                        self.block(g, depth + 1);
                    }
                    self.line(depth, "end");
                }
                1 if depth < 3 => {
                    let rounds = 1 + g.rng.below(3);
                    self.line(depth, &format!("for _ = 1, {rounds} do"));
                    self.block(g, depth + 1);
                    self.line(depth, "end");
                }
                2 if depth < 3 => {
                    self.line(depth, "out[#out + 1] = {0, pcall(function()");
                    self.block(g, depth + 1);
                    self.line(depth, "end)}");
                }
                _ => self.run(g, depth),
            }
        }
    }

    /// The arguments behind what names the program.
    fn arguments(&self) -> Args {
        let mut args = args![self.keys.len().to_string()];
        args.extend(self.keys.iter().cloned());
        for command in &self.commands {
            args.push(command.len().to_string().into());
            args.extend(command.iter().cloned());
        }
        args
    }
}

/// The commands that make and run a program.
pub fn commands(g: &mut Gen) -> Vec<Args> {
    let mut program = Program::default();
    program.block(g, 0);
    let text = format!("{PRELUDE}{}return out\n", program.body);
    let called = program.arguments();
    match g.rng.below(3) {
        0 => {
            let library = format!(
                "#!lua name={FUNCTION}\nredis.register_function('{FUNCTION}', function(KEYS, ARGV)\n{text}end)\n"
            );
            let load = args!["FUNCTION", "LOAD", "REPLACE", library];
            vec![load, [args!["FCALL", FUNCTION], called].concat()]
        }
        _ => vec![[args!["EVAL", text], called].concat()],
    }
}

/// The commands that a program runs, by number, if this calls one.
fn commands_of(args: &[Vec<u8>]) -> Option<Vec<&[Vec<u8>]>> {
    let calls = match args.first()?.as_slice() {
        b"EVAL" => args.get(1)?.starts_with(PRELUDE.as_bytes()),
        b"FCALL" => args.get(1)? == FUNCTION.as_bytes(),
        _ => false,
    };
    let number = |text: &[u8]| std::str::from_utf8(text).ok()?.parse::<usize>().ok();
    let keys = number(args.get(2).filter(|_| calls)?)?;
    let mut rest = args.get(3 + keys..)?;
    let mut commands = Vec::new();
    while let Some((words, after)) = rest.split_first() {
        let words = number(words)?;
        commands.push(after.get(..words)?);
        rest = &after[words..];
    }
    Some(commands)
}

/// Whether the replies of a program agree; `None` if this calls none. `agree` compares the replies to one command.
pub fn agree(
    args: &[Vec<u8>],
    redis: &Value,
    redkeep: &Value,
    agree: impl Fn(&[Vec<u8>], &Value, &Value) -> bool,
) -> Option<bool> {
    let commands = commands_of(args)?;
    let (Value::Array(a), Value::Array(b)) = (redis, redkeep) else {
        // What is wrong with a call is told in words of the version.
        return Some(redis == redkeep || (redis.is_error() && redkeep.is_error()));
    };
    let pairs_agree = |(a, b): (&Value, &Value)| match (a.items(), b.items()) {
        ([Value::Integer(n), a], [Value::Integer(m), b]) if n == m && *n > 0 => {
            (a.is_error() && b.is_error()) || agree(commands[*n as usize - 1], a, b)
        }
        // Of a protected function, whether it has failed.
        ([n, a, ..], [m, b, ..]) => n == m && a == b,
        (a, b) => a == b,
    };
    Some(a.len() == b.len() && a.iter().zip(b).all(pairs_agree))
}

#[test]
fn the_replies_of_a_program_are_compared_as_those_of_its_commands() {
    let program = Program {
        commands: vec![args!["GET", "k"], args!["KEYS", "*"]],
        ..Program::default()
    };
    let called = [args!["EVAL", PRELUDE], program.arguments()].concat();
    let reply = |n: i64, items: &[&str]| {
        let items = items.iter().map(|item| Value::bulk(*item)).collect();
        Value::Array(vec![Value::Array(vec![Value::Integer(n), Value::Array(items)])])
    };
    let check = |a: &Value, b: &Value| agree(&called, a, b, super::expected::agree);
    let (ab, ba) = (["a", "b"], ["b", "a"]);
    assert_eq!(check(&reply(2, &ab), &reply(2, &ba)), Some(true));
    assert_eq!(check(&reply(1, &ab), &reply(1, &ba)), Some(false));
    assert_eq!(check(&reply(1, &ab), &reply(2, &ab)), Some(false));
    assert_eq!(check(&reply(1, &ab), &Value::Nil), Some(false));
    let other = args!["EVAL", "return 1", "0"];
    assert_eq!(agree(&other, &Value::Nil, &Value::Nil, |_, _, _| true), None);
}
