//! The rules of the house that can be read off the source text.

mod docs;
mod exceptions;
mod pages;
mod source;
mod uses;

use exceptions::{CIRCLES, LONG_FILES, LONG_FUNCTIONS, TABLES};
use source::Source;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use uses::Use;

/// A layer may import itself and those behind it, not those in front of it or beside it.
const LAYERS: [&[&str]; 8] = [
    &["facade"],
    &["net", "repl"],
    &["exec"],
    &["command"],
    &["types", "formats"],
    &["store"],
    &["disk", "script", "rdb"],
    &["base"],
];
/// Anybody may import it, it imports nobody.
const LEAF: &str = "resp";
/// The options: who may import them, and what they may import.
const CONFIG: (&str, [&str; 3], [&str; 1]) = ("config", ["facade", "net", "exec"], ["base"]);
/// The only layer that knows the storage engine.
const DISK: &str = "disk";
const ENGINE: &str = "rocksdb";

const LINES_OF_A_FILE: usize = 600;
const LINES_OF_A_FUNCTION: usize = 70;
/// What is excepted from these may be longer by half, and not more.
const EXCEPTED: usize = 3;
const OF_A_LIMIT: usize = 2;

/// The architecture page, how many walks it has at least, and how many functions each of them names at least.
const PAGE: &str = "src/lib.rs";
const WALKS: usize = 4;
const STEPS_OF_A_WALK: usize = 5;
/// The shortest way of a request through the server, and how many files it may pass.
const SHORTEST_WALK: &str = "A warm GET";
const FILES_OF_THE_SHORTEST: usize = 13;

/// Pages whose files have to exist; and files of a type that is to come, which have the type's name.
const PAGES: [&str; 4] = [
    PAGE,
    "README.md",
    "tools/CONTRIBUTING.md",
    "tests/commands/README.md",
];
const TO_COME: [&str; 4] = ["types/x.rs", "command/x.rs", "src/types/x.rs", "src/command/x.rs"];

const FORBIDDEN: [&str; 5] = ["todo!(", "unimplemented!(", "dbg!(", "FIXME", "#[ignore"];

#[test]
fn imports_run_one_way() {
    let mut faults = Vec::new();
    let sources = sources(&["src"]);
    let test_modules: Vec<Vec<String>> = sources.iter().flat_map(Source::test_modules).collect();
    for source in &sources {
        let modules = source.modules();
        let Some(layer) = modules.first() else { continue };
        // What only tests see may look up: a layer is tested with what stands on it.
        if is_for_tests(source, &test_modules) {
            continue;
        }
        for (line, imported) in source.imports_of_the_root() {
            if !may_import(layer, &imported) {
                faults.push(format!("{}:{line}: {layer} imports {imported}", source.path));
            }
        }
    }
    report(faults);
}

#[test]
fn only_the_disk_layer_knows_the_storage_engine() {
    let mut faults = Vec::new();
    for source in sources(&["src", "tools"]) {
        if layer_of(&source).is_some_and(|layer| layer == DISK) {
            continue;
        }
        for (index, line) in source.code.lines().enumerate() {
            let names = |after: &str| line.contains(&format!("{ENGINE}{after}"));
            if names("::") || names(";") || names(" as ") {
                faults.push(format!("{}:{}: names the crate {ENGINE}", source.path, index + 1));
            }
        }
    }
    report(faults);
}

#[test]
fn files_say_what_they_are() {
    let silent = everything()
        .into_iter()
        .filter(|source| !source.text.starts_with("//!"));
    report(
        silent
            .map(|source| format!("{}: does not begin with //!", source.path))
            .collect(),
    );
}

/// What is seen outside its module is documented. That of what is seen outside the crate, its fields and variants as well, is
/// the compiler's to check.
#[test]
fn what_others_see_is_documented() {
    let sources = sources(&["src"]);
    let test_modules: Vec<Vec<String>> = sources.iter().flat_map(Source::test_modules).collect();
    let mut faults = Vec::new();
    for source in sources
        .iter()
        .filter(|source| !is_for_tests(source, &test_modules))
    {
        let silent = docs::undocumented(source).into_iter();
        faults.extend(silent.map(|(line, item)| format!("{}:{line}: {item}", source.path)));
    }
    report(faults);
}

#[test]
fn files_are_short() {
    let mut lengths = Vec::new();
    let mut tables: BTreeSet<&str> = TABLES.iter().map(|(path, _)| *path).collect();
    for source in everything() {
        let lines = source.text.lines().count();
        if lines < LINES_OF_A_FILE || !tables.remove(&source.path[..]) {
            lengths.push((source.path, lines));
        }
    }
    let mut faults = too_long(&lengths, LINES_OF_A_FILE, LONG_FILES);
    faults.extend(
        tables
            .iter()
            .map(|path| format!("{path}: is no long table, and called one")),
    );
    report(faults);
}

#[test]
fn functions_are_short() {
    let mut lengths = Vec::new();
    for source in everything() {
        let functions = source.functions().into_iter();
        lengths.extend(functions.map(|(_, name, lines)| (format!("{} {name}", source.path), lines)));
    }
    report(too_long(&lengths, LINES_OF_A_FUNCTION, LONG_FUNCTIONS));
}

#[test]
fn imports_go_in_no_circle_within_a_layer() {
    let sources = sources(&["src"]);
    let test_modules: Vec<Vec<String>> = sources.iter().flat_map(Source::test_modules).collect();
    let sources: Vec<&Source> = sources
        .iter()
        .filter(|source| !is_for_tests(source, &test_modules))
        .collect();
    report(circles(uses::uses(&sources), CIRCLES));
}

#[test]
fn nothing_is_left_undone() {
    let mut faults = Vec::new();
    for source in everything() {
        for (index, line) in source.code_and_comments.lines().enumerate() {
            let found = FORBIDDEN.iter().filter(|word| line.contains(**word));
            faults.extend(found.map(|word| format!("{}:{}: {word}", source.path, index + 1)));
        }
    }
    report(faults);
}

fn may_import(from: &str, to: &str) -> bool {
    let rank = |name: &str| LAYERS.iter().position(|names| names.contains(&name));
    let (config, importers, imported) = CONFIG;
    match (rank(from), rank(to)) {
        _ if from == to => true,
        _ if from == LEAF => false,
        _ if to == LEAF => true,
        _ if from == config => imported.contains(&to),
        _ if to == config => importers.contains(&from),
        (Some(from), Some(to)) => from < to,
        _ => false,
    }
}

/// The walks of the architecture page name functions that exist, so that whoever follows one does not get lost.
#[test]
fn the_walks_name_what_exists() {
    let sources = sources(&["src"]);
    let page = sources
        .iter()
        .find(|source| source.path == PAGE)
        .expect("the architecture page");
    let walks = pages::walks(&page.text);
    assert!(walks.len() >= WALKS, "{PAGE}: {} walks", walks.len());
    let mut faults = Vec::new();
    for walk in walks {
        if walk.functions.len() < STEPS_OF_A_WALK {
            faults.push(format!(
                "{}: names {} functions",
                walk.title,
                walk.functions.len()
            ));
        }
        for (file, function) in walk.functions {
            let path = format!("src/{file}");
            let source = sources.iter().find(|source| source.path == path);
            let functions = source.map(Source::functions).unwrap_or_default();
            if !functions.iter().any(|(_, name, _)| *name == function) {
                faults.push(format!("{}: no fn {function} in {path}", walk.title));
            }
        }
    }
    report(faults);
}

#[test]
fn a_warm_get_passes_few_files() {
    let page = fs::read_to_string(root().join(PAGE)).expect("the architecture page");
    let walks = pages::walks(&page);
    let walk = walks.iter().find(|walk| walk.title.starts_with(SHORTEST_WALK));
    let files: BTreeSet<&str> = walk
        .expect("the walk of a warm GET")
        .functions
        .iter()
        .map(|(file, _)| &file[..])
        .collect();
    assert!(files.len() <= FILES_OF_THE_SHORTEST, "{}: {files:?}", files.len());
}

/// And so do the files that the pages name, from the project's root or from the folder `src`.
#[test]
fn pages_name_files_that_exist() {
    let sources = everything();
    let mut faults = Vec::new();
    for page in PAGES {
        let text = fs::read_to_string(root().join(page)).expect("a page");
        for name in pages::files(&text) {
            let is_it =
                |source: &Source| source.path == name || source.path.strip_prefix("src/") == Some(name);
            if !TO_COME.contains(&name) && !sources.iter().any(is_it) {
                faults.push(format!("{page}: there is no {name}"));
            }
        }
    }
    report(faults);
}

/// What is at a limit or above it and not excepted, or far above it; and what is excepted and not above it.
fn too_long(lengths: &[(String, usize)], limit: usize, excepted: &[&str]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut unused: BTreeSet<&str> = excepted.iter().copied().collect();
    for (name, lines) in lengths.iter().filter(|(_, lines)| *lines >= limit) {
        if !unused.remove(&name[..]) || *lines >= limit * EXCEPTED / OF_A_LIMIT {
            faults.push(format!(
                "{name}: has {lines} lines, and less than {limit} is wanted"
            ));
        }
    }
    faults.extend(
        unused
            .iter()
            .map(|name| format!("{name}: is short now; remove it from the exceptions")),
    );
    faults
}

/// The uses that close a circle without those that are excepted; and the excepted that would close none.
fn circles(mut uses: BTreeSet<Use>, excepted: &[(&str, &str)]) -> Vec<String> {
    let owned = |(from, to): &(&str, &str)| (String::from(*from), String::from(*to));
    let (known, gone): (Vec<Use>, Vec<Use>) = excepted.iter().map(owned).partition(|pair| uses.remove(pair));
    let mut faults: Vec<String> = uses::in_circles(&uses)
        .into_iter()
        .map(|(from, to)| format!("{from} uses {to}, which leads back to it"))
        .collect();
    let mended = known.iter().filter(|(from, to)| !uses::leads(&uses, to, from));
    let no_more =
        |(from, to): &Use| format!("{from} -> {to}: closes no circle now; remove it from the exceptions");
    faults.extend(gone.iter().chain(mended).map(no_more));
    faults
}

/// The layer of a file under `src`; the files at the root, `lib.rs` and `main.rs`, belong to none.
fn layer_of(source: &Source) -> Option<String> {
    let mut modules = source.modules();
    if modules.is_empty() {
        None
    } else {
        Some(modules.remove(0))
    }
}

/// Whether a file is a module that is compiled for tests only, or belongs to one.
fn is_for_tests(source: &Source, test_modules: &[Vec<String>]) -> bool {
    let modules = source.modules();
    test_modules.iter().any(|tests| modules.starts_with(tests))
}

fn report(faults: Vec<String>) {
    assert!(
        faults.is_empty(),
        "{} faults\n{}",
        faults.len(),
        faults.join("\n")
    );
}

fn everything() -> Vec<Source> {
    sources(&["src", "tests", "tools", "benches"])
}

fn sources(folders: &[&str]) -> Vec<Source> {
    let root = root();
    let mut paths = Vec::new();
    for folder in folders {
        collect(&root.join(folder), &mut paths);
    }
    paths.sort();
    let relative = |path: &PathBuf| {
        path.strip_prefix(root)
            .unwrap_or(path)
            .to_string_lossy()
            .into_owned()
    };
    paths
        .iter()
        .map(|path| Source::new(relative(path), fs::read_to_string(path).expect("a source file")))
        .collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    // A project may have no tools or benches yet.
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.map(|entry| entry.expect("an entry").path()) {
        if path.is_dir() {
            // What a build has left there, as cargo-fuzz does, is nobody's source.
            if !path.ends_with("target") {
                collect(&path, paths);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

#[test]
fn the_rule_of_imports() {
    for (from, to) in [
        ("net", "exec"),
        ("net", "base"),
        ("exec", "store"),
        ("disk", "base"),
        ("store", "resp"),
    ] {
        assert!(may_import(from, to), "{from} -> {to}");
        assert!(!may_import(to, from), "{to} -> {from}");
    }
    assert!(!may_import("net", "repl") && !may_import("base", "nosuch") && may_import("types", "types"));
    assert!(may_import("net", "config") && may_import("config", "base"));
    assert!(!may_import("store", "config") && !may_import("config", "store"));
}

#[test]
fn the_rule_of_lengths() {
    let lengths =
        [("a", 9), ("b", 10), ("c", 14), ("d", 15), ("e", 1)].map(|(name, lines)| (name.to_owned(), lines));
    let faults = too_long(&lengths, 10, &["c", "d", "e", "f"]);
    let named: String = faults.iter().map(|fault| &fault[..1]).collect();
    assert_eq!(named, "bdef", "{faults:?}");
    assert!(too_long(&lengths[..3], 10, &["b", "c"]).is_empty());
}

#[test]
fn the_rule_of_circles() {
    let uses: BTreeSet<Use> = [("a", "b"), ("b", "a"), ("b", "c"), ("c", "d")]
        .map(|(from, to)| (from.to_owned(), to.to_owned()))
        .into();
    assert_eq!(circles(uses.clone(), &[]).len(), 2);
    assert!(circles(uses.clone(), &[("b", "a")]).is_empty());
    for unneeded in [("c", "d"), ("d", "c")] {
        assert_eq!(circles(uses.clone(), &[("b", "a"), unneeded]).len(), 1);
    }
}
