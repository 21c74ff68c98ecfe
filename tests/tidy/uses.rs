//! Which files of a layer use which others, and where that goes round in a circle.
//!
//! A file and those in the folder of its name are one thing for whoever is above: that a module uses its own submodules says
//! nothing. A name that a module only passes on (`pub use`) is looked for where it is from.

use super::source::{Source, is_word};
use std::collections::{BTreeMap, BTreeSet};

/// That the file which is named first uses the other.
pub type Use = (String, String);
type Path = Vec<String>;

/// How often a name is passed on at most before it is found.
const PASSED_ON: usize = 8;

/// What a file says about others.
struct File<'a> {
    path: &'a str,
    modules: Path,
    named: Vec<Named>,
}

/// A path of modules in the source, from the crate's root.
struct Named {
    path: Path,
    /// What a `use` calls it; None for a path in the midst of code.
    as_name: Option<String>,
}

/// The uses between files of the same layer; `sources` are those under `src` that are not for tests only.
pub fn uses(sources: &[&Source]) -> BTreeSet<Use> {
    let modules: BTreeMap<Path, &str> = sources
        .iter()
        .map(|source| (source.modules(), &source.path[..]))
        .filter(|(modules, _)| !modules.is_empty())
        .collect();
    let files: Vec<File> = sources
        .iter()
        .filter(|source| !source.modules().is_empty())
        .map(|source| File {
            path: &source.path,
            modules: source.modules(),
            named: named(source, &modules),
        })
        .collect();
    let mut passed_on = BTreeMap::new();
    for file in &files {
        for named in &file.named {
            if let Some(name) = &named.as_name {
                let known_as = [&file.modules[..], std::slice::from_ref(name)].concat();
                passed_on.insert(known_as, named.path.clone());
            }
        }
    }
    let mut found = BTreeSet::new();
    for file in &files {
        for named in &file.named {
            let Some(used) = file_of(&named.path, &modules, &passed_on, PASSED_ON) else {
                continue;
            };
            if used[0] == file.modules[0] && !used.starts_with(&file.modules) {
                found.insert((file.path.to_owned(), modules[&used].to_owned()));
            }
        }
    }
    found
}

/// The uses that are part of a circle.
pub fn in_circles(uses: &BTreeSet<Use>) -> Vec<&Use> {
    uses.iter().filter(|(from, to)| leads(uses, to, from)).collect()
}

/// Whether one comes from a file to another along uses.
pub fn leads(uses: &BTreeSet<Use>, from: &str, to: &str) -> bool {
    let mut seen = BTreeSet::from([from]);
    let mut left = vec![from];
    while let Some(file) = left.pop() {
        if file == to {
            return true;
        }
        let first = (String::from(file), String::new());
        let behind = uses.range(first..).take_while(|(user, _)| user == file);
        left.extend(behind.map(|(_, used)| &used[..]).filter(|used| seen.insert(used)));
    }
    false
}

/// The module with a file of its own that a path is in, through what is passed on.
fn file_of(
    path: &[String],
    modules: &BTreeMap<Path, &str>,
    passed_on: &BTreeMap<Path, Path>,
    left: usize,
) -> Option<Path> {
    let length = (1..=path.len())
        .rev()
        .find(|length| modules.contains_key(&path[..*length]))?;
    let Some(origin) = path.get(..=length).and_then(|known_as| passed_on.get(known_as)) else {
        return Some(path[..length].to_vec());
    };
    if left == 0 {
        return Some(path[..length].to_vec());
    }
    let path = [&origin[..], &path[length + 1..]].concat();
    file_of(&path, modules, passed_on, left - 1)
}

/// All paths of the crate's modules that a file names, in `use` and elsewhere; not in modules for tests.
fn named(source: &Source, modules: &BTreeMap<Path, &str>) -> Vec<Named> {
    let code = source.code_without_tests();
    let tokens = tokens(&code);
    let mut found = Vec::new();
    // The blocks around a place; those that are modules with their names.
    let mut blocks: Vec<Option<&str>> = Vec::new();
    let here = |blocks: &[Option<&str>]| -> Path {
        let inline = blocks.iter().flatten().map(|name| (*name).to_owned());
        source.modules().into_iter().chain(inline).collect()
    };
    let mut at = 0;
    while at < tokens.len() {
        match tokens[at] {
            "{" => blocks.push((at >= 2 && tokens[at - 2] == "mod").then(|| tokens[at - 1])),
            "}" => drop(blocks.pop()),
            "use" => {
                let end = tokens[at..].iter().position(|token| *token == ";");
                let end = end.map_or(tokens.len(), |length| at + length);
                let (mut tree, here) = (Vec::new(), here(&blocks));
                leaves(&tokens[at + 1..end], &[], &mut tree);
                let absolute = tree.into_iter().filter_map(|(path, name)| {
                    let path = absolute(&path, &here, modules)?;
                    let as_name = blocks.is_empty().then_some(name);
                    Some(Named { path, as_name })
                });
                found.extend(absolute);
                at = end;
            }
            token if token.starts_with(is_word) && (at == 0 || tokens[at - 1] != "::") => {
                let path = path_at(&tokens[at..]);
                at += (path.len() - 1) * 2;
                if path.len() > 1 {
                    let path = absolute(&path, &here(&blocks), modules);
                    found.extend(path.map(|path| Named { path, as_name: None }));
                }
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// Words, `::`, and other characters one by one.
fn tokens(code: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = code.trim_start();
    while !rest.is_empty() {
        let length = if rest.starts_with("::") {
            2
        } else if rest.starts_with(is_word) {
            rest.find(|c| !is_word(c)).unwrap_or(rest.len())
        } else {
            rest.chars().next().map_or(0, char::len_utf8)
        };
        tokens.push(&rest[..length]);
        rest = rest[length..].trim_start();
    }
    tokens
}

/// The words of `a::b::c` at the beginning.
fn path_at<'a>(tokens: &[&'a str]) -> Vec<&'a str> {
    let mut path = vec![tokens[0]];
    let mut at = 1;
    while tokens.get(at) == Some(&"::") && tokens.get(at + 1).is_some_and(|word| word.starts_with(is_word)) {
        path.push(tokens[at + 1]);
        at += 2;
    }
    path
}

/// The paths that a `use` ends in, and the names that it gives them: `a::{b, c as d}` are `a::b` and `a::c`, called `d`.
fn leaves<'a>(tree: &[&'a str], before: &[&'a str], found: &mut Vec<(Vec<&'a str>, String)>) {
    let open = tree.iter().position(|token| *token == "{");
    let end = open.unwrap_or(tree.len());
    let (words, alias) = match tree[..end].iter().position(|token| *token == "as") {
        Some(at) => (&tree[..at], tree.get(at + 1)),
        None => (&tree[..end], None),
    };
    // Within braces `self` is the path before them.
    let names = words
        .iter()
        .filter(|token| **token != "::" && (before.is_empty() || **token != "self"));
    let path: Vec<&str> = before.iter().chain(names).copied().collect();
    let Some(open) = open else {
        let Some(last) = alias.or(path.last()) else { return };
        let last = (*last).to_owned();
        found.push((path, last));
        return;
    };
    let (mut depth, mut start) = (0, open + 1);
    for at in open + 1..tree.len() {
        match tree[at] {
            "{" => depth += 1,
            "}" if depth > 0 => depth -= 1,
            "," | "}" if depth == 0 => {
                if at > start {
                    leaves(&tree[start..at], &path, found);
                }
                start = at + 1;
            }
            _ => {}
        }
    }
}

/// A path from the crate's root, if it is one of this crate's.
fn absolute(path: &[&str], here: &[String], modules: &BTreeMap<Path, &str>) -> Option<Path> {
    let supers = path.iter().take_while(|word| **word == "super").count();
    let (base, rest) = match path[0] {
        "crate" => (&here[..0], &path[1..]),
        "self" => (here, &path[1..]),
        "super" => (here.get(..here.len().checked_sub(supers)?)?, &path[supers..]),
        child if modules.contains_key(&[here, &[child.to_owned()]].concat()) => (here, path),
        _ => return None,
    };
    Some(
        base.iter()
            .cloned()
            .chain(rest.iter().map(|word| (*word).to_owned()))
            .collect(),
    )
}

fn found(files: &[(&str, &str)]) -> String {
    let sources: Vec<Source> = files
        .iter()
        .map(|(path, text)| Source::new(format!("src/{path}.rs"), (*text).into()))
        .collect();
    let uses = uses(&sources.iter().collect::<Vec<_>>());
    let short = |path: &str| path.trim_start_matches("src/").trim_end_matches(".rs").to_owned();
    uses.iter()
        .map(|(from, to)| format!("{}>{} ", short(from), short(to)))
        .collect()
}

#[test]
fn uses_are_found() {
    let files = [
        ("lib", "pub mod a;\npub mod z;\n"),
        (
            "a/mod",
            "mod b;\nmod c;\npub use b::{B, Other as Renamed};\nfn f() { c::g() }\n",
        ),
        (
            "a/b",
            "use super::c::{self, g as h};\nuse crate::z::Z;\n// super::d\n",
        ),
        (
            "a/c",
            "use super::Renamed;\nuse std::fmt;\nfn g() { super::d::x::<u8>() }\n",
        ),
        (
            "a/d",
            "#[cfg(test)]\nmod tests {\n    use super::super::b::B;\n}\nmod e;\nuse e::E;\n",
        ),
        (
            "a/d/e",
            "mod inner {\n    use super::super::super::b;\n}\nuse super::F;\n",
        ),
        ("z", "use crate::a::c::g;\n"),
    ];
    assert_eq!(found(&files), "a/b>a/c a/c>a/b a/c>a/d a/d/e>a/b a/d/e>a/d ");
}

#[test]
fn circles_are_found() {
    let uses = ["a b", "b c", "c a", "c d", "d e"].map(|line| {
        let (from, to) = line.split_once(' ').unwrap();
        (from.to_owned(), to.to_owned())
    });
    let mut uses = BTreeSet::from(uses);
    let names: Vec<&str> = in_circles(&uses).into_iter().map(|(from, _)| &from[..]).collect();
    assert_eq!(names, ["a", "b", "c"]);
    assert!(leads(&uses, "a", "e") && !leads(&uses, "e", "a"));
    uses.remove(&("c".into(), "a".into()));
    assert!(in_circles(&uses).is_empty());
}
