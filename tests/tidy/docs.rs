//! Which items that are seen outside their module have no documentation.

use super::source::{Source, is_word};

/// Words that an item begins with, behind its visibility. Re-exports are none, and the name of a field may say all of it.
const ITEMS: [&str; 13] = [
    "fn", "struct", "enum", "union", "trait", "type", "const", "static", "mod", "macro", "async", "unsafe",
    "extern",
];

/// Line and code of each item that is `pub`, if only for some, or that a trait which is so demands, and that no comment says
/// anything about. Modules in files of their own have that there.
pub fn undocumented(source: &Source) -> Vec<(usize, String)> {
    let (code, text): (Vec<&str>, Vec<&str>) = (source.code.lines().collect(), source.text.lines().collect());
    let only_tests = source.test_lines();
    let mut found = Vec::new();
    // How many blocks are open, and in how many the trait is that is being read.
    let (mut depth, mut within_trait) = (0, None);
    for (at, line) in code.iter().enumerate() {
        let item = line.trim();
        let seen = behind_visibility(item);
        let counts = match seen {
            Some(seen) => is_item(seen),
            None => within_trait == Some(depth) && is_item(item),
        };
        if counts && !only_tests.iter().any(|lines| lines.contains(&at)) && !is_documented(&text, at) {
            found.push((at + 1, item.to_owned()));
        }
        if seen.is_some_and(|seen| seen.starts_with("trait ")) {
            within_trait = Some(depth + 1);
        }
        depth += line.matches('{').count();
        depth = depth.saturating_sub(line.matches('}').count());
        within_trait = within_trait.filter(|inside| *inside <= depth || !line.contains('}'));
    }
    found
}

/// What follows `pub` or `pub(...)`.
fn behind_visibility(item: &str) -> Option<&str> {
    let rest = item.strip_prefix("pub")?;
    match rest.strip_prefix('(') {
        Some(rest) => Some(rest.split_once(')')?.1.trim_start()),
        None => rest.strip_prefix(' '),
    }
}

fn is_item(code: &str) -> bool {
    let kind = code.split(|c| !is_word(c)).next().unwrap_or_default();
    ITEMS.contains(&kind) && !(kind == "mod" && code.ends_with(';'))
}

/// Whether there is a doc comment above the attributes of the item in this line; a macro's may be passed on to it.
fn is_documented(text: &[&str], item: usize) -> bool {
    let mut within_attribute = false;
    for line in text[..item].iter().rev().map(|line| line.trim()) {
        if line.starts_with("#[") {
            within_attribute = false;
        } else if line.starts_with("///") || line.starts_with("$(#[") {
            return true;
        } else if line.ends_with(")]") {
            within_attribute = true;
        } else if !within_attribute {
            return false;
        }
    }
    false
}

#[test]
fn undocumented_items_are_found() {
    let text = "\
/// Says something.
#[derive(Clone)]
pub struct A {
    pub b: u8,
}
pub(crate) fn c() {}
/// Says something.
#[cfg_attr(
    not(test),
    expect(dead_code)
)]
pub fn d() {}

pub(super) const fn e() {}
pub use f::g;
pub mod h;
// Says nothing that rustdoc shows.
pub mod i {
    fn j() {}
}
/// Says something.
pub trait K {
    fn l(&self) {
        const M: u8 = 0;
    }
    /// Says something.
    fn n(&self);
    type O;
}
fn p() {}
#[cfg(test)]
mod tests {
    pub fn q() {}
}
$(#[$meta])*
pub enum $r {}
pub unsafe fn s() {}
";
    let source = Source::new("src/x.rs".into(), text.into());
    let lines: Vec<usize> = undocumented(&source).into_iter().map(|(line, _)| line).collect();
    assert_eq!(lines, [6, 14, 18, 23, 28, 37]);
}
