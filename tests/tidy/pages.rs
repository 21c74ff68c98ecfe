//! The walks of the architecture page: what a request, or a checkpoint, passes, function by function; and the files that it
//! names.

use std::collections::BTreeSet;

const SECTION: &str = "## Four walks";
/// What begins a walk within the section, and what ends the section.
const WALK: &str = "### ";
const NEXT_SECTION: &str = "## ";
/// Between the file and the function in `exec/session.rs::advance`.
const IN: &str = ".rs::";

#[derive(Debug, PartialEq)]
pub struct Walk {
    pub title: String,
    /// File, from the folder `src`, and function.
    pub functions: Vec<(String, String)>,
}

/// The walks in a file's own documentation.
pub fn walks(text: &str) -> Vec<Walk> {
    let page = text
        .lines()
        .map_while(|line| line.strip_prefix("//!"))
        .map(str::trim);
    let section = page.skip_while(|line| *line != SECTION).skip(1);
    let mut walks: Vec<Walk> = Vec::new();
    for line in section.take_while(|line| !line.starts_with(NEXT_SECTION)) {
        if let Some(title) = line.strip_prefix(WALK) {
            walks.push(Walk {
                title: title.into(),
                functions: vec![],
            });
        } else if let Some(walk) = walks.last_mut() {
            walk.functions.extend(functions(line));
        }
    }
    walks
}

/// The functions that a line names between backticks.
fn functions(line: &str) -> impl Iterator<Item = (String, String)> {
    let quoted = line.split('`').skip(1).step_by(2);
    quoted.filter_map(|name| {
        let (file, function) = name.split_once(IN)?;
        Some((format!("{file}.rs"), function.into()))
    })
}

/// The files that a page names between backticks, a function in them or not, from the folder that it is about.
pub fn files(text: &str) -> BTreeSet<&str> {
    let quoted = text.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    let named = quoted.map(|name| name.split_once("::").map_or(name, |(file, _)| file));
    let is_file = |name: &&str| name.ends_with(".rs") && name.contains('/') && !name.contains(' ');
    named.filter(is_file).collect()
}

#[test]
fn files_are_read() {
    let text = "//! `a/b.rs::c`, `a.rs`, `d e/f.rs` and `a/g`\n//! `a/h.rs`; `i`\n";
    assert_eq!(files(text).into_iter().collect::<Vec<_>>(), ["a/b.rs", "a/h.rs"]);
}

#[test]
fn walks_are_read() {
    let text = "//! # Page\n//!\n//! `a.rs::no`\n//! ## Four walks\n//!\n//! Words, `b.rs::no`.\n//! ### One\n\
                //! 1. `c/d.rs::e`, then `f` and `g.rs::h`\n//!    - `i.rs`\n//! ### Two\n//! ## Next\n\
                //! ### Not a walk\n//! `j.rs::no`\n";
    let walk = |title: &str, functions: &[(&str, &str)]| Walk {
        title: title.into(),
        functions: functions
            .iter()
            .map(|(file, name)| ((*file).into(), (*name).into()))
            .collect(),
    };
    assert_eq!(
        walks(text),
        [walk("One", &[("c/d.rs", "e"), ("g.rs", "h")]), walk("Two", &[])]
    );
}
