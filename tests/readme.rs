//! What the pages say is true: the tables of `tools/reference.md` are what `redkeep-tool reference` prints, the files that
//! pages link to exist, and the directives that transcripts use are described.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

const REFERENCE: &str = "tools/reference.md";
const BEGIN: &str = "<!-- reference -->\n";
const END: &str = "<!-- end of reference -->";

/// The pages, from the project's root.
const PAGES: [&str; 4] = [
    "README.md",
    "tools/CONTRIBUTING.md",
    "tests/commands/README.md",
    REFERENCE,
];

/// With REDKEEP_UPDATE_README set, writes the tables instead of comparing them.
#[test]
fn the_reference_is_current() {
    let path = root().join(REFERENCE);
    let page = fs::read_to_string(&path).expect("the page of reference");
    let (before, rest) = page.split_once(BEGIN).expect("where the reference begins");
    let (found, after) = rest.split_once(END).expect("where the reference ends");
    let printed = Command::new(env!("CARGO_BIN_EXE_redkeep-tool"))
        .arg("reference")
        .output()
        .expect("redkeep-tool");
    let wanted = String::from_utf8(printed.stdout).expect("text");
    assert!(wanted.len() > 1000, "the tables are there");
    if std::env::var_os("REDKEEP_UPDATE_README").is_some() {
        fs::write(path, format!("{before}{BEGIN}{wanted}{END}{after}")).expect("the page is written");
        return;
    }
    assert!(
        found == wanted,
        "{REFERENCE} is out of date; run with REDKEEP_UPDATE_README=1 to renew it"
    );
}

#[test]
fn what_pages_link_to_exists() {
    let mut missing = Vec::new();
    for page in PAGES {
        let text = fs::read_to_string(root().join(page)).expect("a page");
        let folder = Path::new(page).parent().unwrap_or(Path::new(""));
        for link in links(&text) {
            if !root().join(folder).join(link).exists() {
                missing.push(format!("{page}: {link}"));
            }
        }
    }
    assert!(missing.is_empty(), "no such file\n{}", missing.join("\n"));
}

#[test]
fn what_transcripts_use_is_described() {
    let folder = root().join("tests/commands");
    let page = fs::read_to_string(folder.join("README.md")).expect("the page of transcripts");
    let mut unknown = BTreeSet::new();
    for entry in fs::read_dir(&folder).expect("the folder of transcripts") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "txt") {
            let text = fs::read_to_string(path).expect("a transcript");
            let directives = text.lines().filter(|line| line.starts_with('@'));
            let names = directives.filter_map(|line| line.split_whitespace().next());
            unknown.extend(names.filter(|name| !describes(&page, name)).map(String::from));
        }
    }
    assert!(unknown.is_empty(), "not described: {unknown:?}");
}

/// Whether the page has `@name` as code, by itself or with what follows it.
fn describes(page: &str, name: &str) -> bool {
    [" ", "`"]
        .iter()
        .any(|end| page.contains(&format!("`{name}{end}")))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files that `[text](file)` and `[text](file#part)` name; not places on the web or on the page itself.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|behind| {
        let (target, _) = behind.split_once(')')?;
        let file = target.split('#').next().unwrap_or_default();
        (!file.is_empty() && !file.contains("://")).then_some(file)
    })
}

#[test]
fn links_to_files_are_found() {
    let text = "[a](b.md), [c](../d/e.rs#f) and [g](#h); [i](https://example.com/j)";
    assert_eq!(links(text).collect::<Vec<_>>(), ["b.md", "../d/e.rs"]);
}
