//! COMMAND: the table of commands, told to clients.

use super::{SYNTAX, help as help_lines};
use crate::base::glob::Pattern;
use crate::command::is_option;
use crate::exec::table::{self, Begin, Command, Find, Found, KeySpec, access, acl, flag, names};
use crate::exec::{Engine, Session};
use crate::resp::{Aggregate, Args, Reply, Shape};
use crate::store::OUT_OF_MEMORY;

const HELP: &[&str] = &[
    "(no subcommand)",
    "    Return details about all Redis commands.",
    "COUNT",
    "    Return the total number of commands in this Redis server.",
    "LIST",
    "    Return a list of all commands in this Redis server.",
    "INFO [<command-name> ...]",
    "    Return details about multiple Redis commands.",
    "    If no command names are given, documentation details for all",
    "    commands are returned.",
    "DOCS [<command-name> ...]",
    "    Return documentation details about multiple Redis commands.",
    "    If no command names are given, documentation details for all",
    "    commands are returned.",
    "GETKEYS <full-command>",
    "    Return the keys from a full Redis command.",
    "GETKEYSANDFLAGS <full-command>",
    "    Return the keys and the access flags from a full Redis command.",
];

/// COMMAND HELP: a line about each subcommand, as simple strings.
pub fn help(_: &mut Engine, _: &mut Session, _: Args) -> Reply {
    help_lines("COMMAND", HELP)
}

/// COMMAND COUNT: how many commands there are, subcommands not counted.
pub fn count(_: &mut Engine, _: &mut Session, _: Args) -> Reply {
    Reply::Int(table::COMMANDS.len() as i64)
}

/// COMMAND alone.
pub fn all(_: &mut Engine, _: &mut Session, _: Args) -> Reply {
    Reply::Array(table::all().map(|found| info_of(found.command, "")).collect())
}

/// COMMAND INFO: for each name, `container|subcommand` among them, an array as of COMMAND, or null if there is no such
/// command; without names, all of them. An error if they are longer than a command may gather.
pub fn info(engine: &mut Engine, session: &mut Session, args: Args) -> Reply {
    if args.len() == 2 {
        return all(engine, session, args);
    }
    let mut infos = Aggregate::new(Shape::Array, session.protocol);
    for name in args.skip(2) {
        let named = Named::find(name);
        infos.push_reply(&named.map_or(Reply::Null, |named| info_of(named.row, named.container)));
        if infos.encoded().weight() > engine.limits.gathered {
            return Reply::err(OUT_OF_MEMORY);
        }
    }
    Reply::Aggregate(Box::new(infos))
}

/// COMMAND DOCS: a map from names to what is documented about each; without names, of all commands. Names of no command are
/// passed over. An error if it is longer than a command may gather.
pub fn docs(engine: &mut Engine, session: &mut Session, args: Args) -> Reply {
    if args.len() == 2 {
        return Reply::Map(table::all().map(|found| docs_of(found.command, None)).collect());
    }
    let mut docs = Aggregate::new(Shape::Map, session.protocol);
    for named in args.skip(2).iter().filter_map(Named::find) {
        docs.push_entry(&docs_of(named.row, named.of));
        if docs.encoded().weight() > engine.limits.gathered {
            return Reply::err(OUT_OF_MEMORY);
        }
    }
    Reply::Aggregate(Box::new(docs))
}

/// A command by its full name, "config|get".
struct Named {
    row: &'static Command,
    /// The name of its container, if it is a subcommand, and the container itself.
    container: &'static str,
    of: Option<&'static Command>,
}

impl Named {
    fn find(name: &[u8]) -> Option<Named> {
        let mut words = name.splitn(2, |byte| *byte == b'|');
        let first = table::find(words.next()?)?;
        match words.next() {
            None => Some(Named {
                row: first.command,
                container: "",
                of: None,
            }),
            Some(sub) => Some(Named {
                row: first.subcommand(sub)?.command,
                container: first.command.name,
                of: Some(first.command),
            }),
        }
    }
}

fn full_name(container: &str, row: &Command) -> String {
    match container {
        "" => row.name.to_owned(),
        container => format!("{container}|{}", row.name),
    }
}

fn info_of(row: &'static Command, container: &'static str) -> Reply {
    let statuses = |set, of: &'static [&'static str]| names(set, of).map(Reply::simple).collect();
    let categories = names(row.categories(), &acl::NAMES);
    let (first, last, step) = row.legacy_range();
    let subcommands = row.subcommands();
    Reply::Array(vec![
        Reply::bulk(full_name(container, row)),
        Reply::Int(i64::from(row.arity)),
        Reply::Set(statuses(row.flags, &flag::NAMES)),
        Reply::Int(i64::from(first)),
        Reply::Int(i64::from(last)),
        Reply::Int(i64::from(step)),
        Reply::Set(categories.map(|name| Reply::simple(format!("@{name}"))).collect()),
        Reply::Set(row.tips.iter().map(|tip| Reply::bulk(*tip)).collect()),
        Reply::Set(row.keys.iter().map(key_spec).collect()),
        if subcommands.is_empty() {
            Reply::Set(Vec::new())
        } else {
            Reply::Array(subcommands.iter().map(|sub| info_of(sub, row.name)).collect())
        },
    ])
}

fn map<const N: usize>(fields: [(&'static str, Reply); N]) -> Reply {
    let fields = fields.into_iter();
    Reply::Map(fields.map(|(name, value)| (Reply::bulk(name), value)).collect())
}

fn key_spec(spec: &KeySpec) -> Reply {
    let int = |n: i32| Reply::Int(i64::from(n));
    let (begin, begin_spec) = match spec.begin {
        Begin::Index(index) => ("index", map([("index", int(index))])),
        Begin::Keyword { word, from } => (
            "keyword",
            map([("keyword", Reply::bulk(word)), ("startfrom", int(from))]),
        ),
        Begin::Unknown(_) => ("unknown", Reply::Map(Vec::new())),
    };
    let (find, find_spec) = match spec.find {
        Find::Range { last, step, limit } => (
            "range",
            map([
                ("lastkey", int(last)),
                ("keystep", int(step)),
                ("limit", int(limit)),
            ]),
        ),
        Find::KeyNumber { number, first, step } => (
            "keynum",
            map([
                ("keynumidx", int(number)),
                ("firstkey", int(first)),
                ("keystep", int(step)),
            ]),
        ),
        Find::Unknown => ("unknown", Reply::Map(Vec::new())),
    };
    let flags = names(spec.access, &access::NAMES).map(Reply::simple).collect();
    let mut fields = Vec::with_capacity(4);
    if !spec.notes.is_empty() {
        fields.push((Reply::bulk("notes"), Reply::bulk(spec.notes)));
    }
    fields.push((Reply::bulk("flags"), Reply::Set(flags)));
    for (name, kind, spec) in [
        ("begin_search", begin, begin_spec),
        ("find_keys", find, find_spec),
    ] {
        fields.push((
            Reply::bulk(name),
            map([("type", Reply::bulk(kind)), ("spec", spec)]),
        ));
    }
    Reply::Map(fields)
}

fn docs_of(row: &'static Command, container: Option<&'static Command>) -> (Reply, Reply) {
    let docs = &row.docs;
    let group = container.unwrap_or(row).docs.group;
    let mut fields = vec![
        ("summary", Reply::bulk(docs.summary)),
        ("since", Reply::bulk(docs.since)),
        ("group", Reply::bulk(group)),
    ];
    if !docs.complexity.is_empty() {
        fields.push(("complexity", Reply::bulk(docs.complexity)));
    }
    if let Some((since, instead)) = docs.deprecated {
        fields.push(("doc_flags", Reply::Set(vec![Reply::simple("deprecated")])));
        fields.push(("deprecated_since", Reply::bulk(since)));
        fields.push(("replaced_by", Reply::bulk(instead)));
    }
    if !docs.history.is_empty() {
        let change = |(version, what): &(&'static str, &'static str)| {
            Reply::Array(vec![Reply::bulk(*version), Reply::bulk(*what)])
        };
        fields.push(("history", Reply::Set(docs.history.iter().map(change).collect())));
    }
    let subcommands = row.subcommands();
    if !subcommands.is_empty() {
        let subcommands = subcommands.iter().map(|sub| docs_of(sub, Some(row)));
        fields.push(("subcommands", Reply::Map(subcommands.collect())));
    }
    let fields = fields.into_iter().map(|(name, value)| (Reply::bulk(name), value));
    let name = full_name(container.map_or("", |container| container.name), row);
    (Reply::bulk(name), Reply::Map(fields.collect()))
}

/// Which commands COMMAND LIST lists.
enum Filter<'a> {
    /// There are no modules, so none has a command.
    Module,
    Category(Option<u32>),
    Pattern(Box<Pattern<'a>>),
}

impl<'a> Filter<'a> {
    fn parse(kind: &[u8], value: &'a [u8]) -> Option<Filter<'a>> {
        if is_option(kind, "module") {
            Some(Filter::Module)
        } else if is_option(kind, "aclcat") {
            let bit = acl::NAMES.iter().position(|name| is_option(value, name));
            Some(Filter::Category(bit.map(|bit| 1 << bit)))
        } else if is_option(kind, "pattern") {
            Some(Filter::Pattern(Box::new(Pattern::new(value, true))))
        } else {
            None
        }
    }

    fn admits(&self, name: &str, row: &Command) -> bool {
        match self {
            Filter::Module => false,
            Filter::Category(bit) => bit.is_some_and(|bit| row.categories() & bit != 0),
            Filter::Pattern(pattern) => pattern.matches(name.as_bytes()),
        }
    }
}

/// COMMAND LIST: the names of all commands and subcommands, or of those in an ACL category or that a pattern fits. There
/// are no modules, and in a category that does not exist there is nothing.
pub fn list(_: &mut Engine, _: &mut Session, args: Args) -> Reply {
    let filter = match (args.get(2), args.get(3), args.get(4)) {
        (None, ..) => None,
        (Some(option), Some(kind), Some(value)) if is_option(option, "filterby") && args.len() == 5 => {
            match Filter::parse(kind, value) {
                Some(filter) => Some(filter),
                None => return Reply::err(SYNTAX),
            }
        }
        _ => return Reply::err(SYNTAX),
    };
    let mut listed = Vec::new();
    for Found { command, .. } in table::all() {
        let subcommands = command.subcommands().iter().map(|sub| (command.name, sub));
        for (container, row) in std::iter::once(("", command)).chain(subcommands) {
            let name = full_name(container, row);
            if filter.as_ref().is_none_or(|filter| filter.admits(&name, row)) {
                listed.push(Reply::bulk(name));
            }
        }
    }
    Reply::Array(listed)
}

/// COMMAND GETKEYS: the keys of the request that follows, as bulk strings. An error if it is no command, has no keys, or
/// could not be run.
pub fn getkeys(_: &mut Engine, _: &mut Session, args: Args) -> Reply {
    let key = |(at, _)| Reply::bulk(args.skip(2)[at].to_vec());
    match key_uses(args.skip(2)) {
        Ok(uses) => Reply::Array(uses.into_iter().map(key).collect()),
        Err(error) => Reply::err(error),
    }
}

/// COMMAND GETKEYSANDFLAGS: the same, each key in an array with a set of the flags that say what is done to it.
pub fn getkeysandflags(_: &mut Engine, _: &mut Session, args: Args) -> Reply {
    let key_and_flags = |(at, set): (usize, u32)| {
        let flags = names(set, &access::NAMES).map(Reply::simple).collect();
        Reply::Array(vec![Reply::bulk(args.skip(2)[at].to_vec()), Reply::Set(flags)])
    };
    match key_uses(args.skip(2)) {
        Ok(uses) => Reply::Array(uses.into_iter().map(key_and_flags).collect()),
        Err(error) => Reply::err(error),
    }
}

fn key_uses(request: Args) -> Result<Vec<(usize, u32)>, &'static str> {
    const INVALID: &str = "ERR Invalid command specified";
    let first = request.get(0).and_then(table::find).ok_or(INVALID)?;
    let sub = request.get(1).and_then(|name| first.subcommand(name));
    let row = match first.command.subcommands() {
        [] => first.command,
        _ if request.len() == 1 => first.command,
        _ => sub.ok_or(INVALID)?.command,
    };
    if !row.keys.iter().any(KeySpec::names_keys) {
        return Err("ERR The command has no key arguments");
    }
    if !row.accepts(request.len()) {
        return Err("ERR Invalid number of arguments specified for command");
    }
    let uses = row.key_uses(request).unwrap_or_default();
    match uses.is_empty() && !row.has(flag::NO_MANDATORY_KEYS) {
        true => Err("ERR Invalid arguments specified for command"),
        false => Ok(uses),
    }
}
