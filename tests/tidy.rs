//! The rules of the house that can be read off the source text.

mod source;

use source::Source;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A layer may import itself and those behind it, not those in front of it or beside it.
const LAYERS: [&[&str]; 8] = [
    &["net", "repl"],
    &["exec"],
    &["command"],
    &["rdb"],
    &["types"],
    &["store"],
    &["disk"],
    &["base"],
];
/// Anybody may import it, it imports nobody.
const LEAF: &str = "resp";
/// The options: who may import them, and what they may import.
const CONFIG: (&str, [&str; 2], [&str; 1]) = ("config", ["net", "exec"], ["base"]);
/// The only layer that knows the storage engine.
const DISK: &str = "disk";
const ENGINE: &str = "rocksdb";

const LINES_OF_A_FILE: usize = 800;
/// Files that may be longer, each with its reason.
const LONG_FILES: [(&str, &str); 0] = [];
/// Longer functions are reported; those that are longer by half fail the test.
const LINES_OF_A_FUNCTION: usize = 70;

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
        if test_modules.iter().any(|tests| modules.starts_with(tests)) {
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
fn files_are_short_and_say_what_they_are() {
    let mut faults = Vec::new();
    let mut excepted: BTreeSet<&str> = LONG_FILES.iter().map(|(path, _)| *path).collect();
    for source in everything() {
        let lines = source.text.lines().count();
        if !source.text.starts_with("//!") {
            faults.push(format!("{}: does not begin with //!", source.path));
        }
        if lines >= LINES_OF_A_FILE && !excepted.remove(&source.path[..]) {
            faults.push(format!("{}: has {lines} lines", source.path));
        }
    }
    faults.extend(
        excepted
            .iter()
            .map(|path| format!("{path}: is excepted from the limit, but not above it")),
    );
    report(faults);
}

#[test]
fn functions_are_short() {
    let mut faults = Vec::new();
    for source in everything() {
        for (line, name, lines) in source.functions() {
            let text = format!("{}:{line}: fn {name} has {lines} lines", source.path);
            if lines >= LINES_OF_A_FUNCTION {
                println!("{text}");
            }
            if lines >= LINES_OF_A_FUNCTION * 3 / 2 {
                faults.push(text);
            }
        }
    }
    report(faults);
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

/// The layer of a file under `src`; the files at the root, `lib.rs` and `main.rs`, belong to none.
fn layer_of(source: &Source) -> Option<String> {
    let mut modules = source.modules();
    if modules.is_empty() {
        None
    } else {
        Some(modules.remove(0))
    }
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
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
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
