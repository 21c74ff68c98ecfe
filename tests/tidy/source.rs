//! Just enough of Rust's syntax to see what is code, what it imports, and where a function ends.

use std::ops::Range;

pub struct Source {
    /// From the project's root.
    pub path: String,
    pub text: String,
    /// The text with blanks for comments and for what is between quotes; lines stay.
    pub code: String,
    /// The same with its comments.
    pub code_and_comments: String,
}

impl Source {
    pub fn new(path: String, text: String) -> Source {
        let (code, code_and_comments) = (blank(&text, false), blank(&text, true));
        Source {
            path,
            text,
            code,
            code_and_comments,
        }
    }

    /// Where the file's module is in the crate: `src/store/hot.rs` is `store`, `hot`.
    pub fn modules(&self) -> Vec<String> {
        let path = self.path.strip_prefix("src/").unwrap_or(&self.path);
        let path = path.strip_suffix(".rs").unwrap_or(path);
        let path = path.strip_suffix("/mod").unwrap_or(path);
        if matches!(path, "lib" | "main") {
            vec![]
        } else {
            path.split('/').map(String::from).collect()
        }
    }

    /// The modules in files of their own that are compiled for tests only, declared in this file.
    pub fn test_modules(&self) -> Vec<Vec<String>> {
        let declared = self.code.split(TEST_ONLY).skip(1).filter_map(|behind| {
            let end = behind.find([';', '{'])?;
            let words: Vec<&str> = behind[..end].split_whitespace().collect();
            match words[..] {
                [.., "mod", name] if behind[end..].starts_with(';') => {
                    Some([self.modules(), vec![name.to_owned()]].concat())
                }
                _ => None,
            }
        });
        declared.collect()
    }

    /// The lines of the modules for tests that are written out in it, counted from 0.
    pub fn test_lines(&self) -> Vec<Range<usize>> {
        let line_of = |at: usize| self.code[..at].matches('\n').count();
        let modules = self.code.match_indices(TEST_ONLY).filter_map(|(at, _)| {
            let length = test_module(&self.code[at..])?;
            Some(line_of(at)..line_of(at + length) + 1)
        });
        modules.collect()
    }

    /// The code without the modules for tests that are written out in it; lines do not stay.
    pub fn code_without_tests(&self) -> String {
        let mut code = String::with_capacity(self.code.len());
        let mut rest = &self.code[..];
        while let Some(at) = rest.find(TEST_ONLY) {
            let (before, item) = rest.split_at(at);
            code.push_str(before);
            rest = &item[test_module(item).unwrap_or(TEST_ONLY.len())..];
        }
        code + rest
    }

    /// The crate's own top-level modules that are named, through `crate::` or enough `super::`, with their lines; not
    /// those that only tests name.
    pub fn imports_of_the_root(&self) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        let depth = self.modules().len();
        let mut inline = InlineModules::default();
        let mut at = 0;
        while at < self.code.len() {
            let rest = &self.code[at..];
            if let Some(length) = test_module(rest) {
                at += length;
                continue;
            }
            inline.see(&self.code, at);
            let starts_word = !self.code[..at].ends_with(is_word);
            let supers = count_supers(rest);
            let behind = if !starts_word {
                None
            } else if let Some(behind) = rest.strip_prefix("crate::") {
                Some(behind)
            } else if supers >= depth + inline.depth() && supers > 0 {
                Some(&rest[supers * "super::".len()..])
            } else {
                None
            };
            if let Some(behind) = behind {
                let line = self.code[..at].matches('\n').count() + 1;
                found.extend(first_names(behind).into_iter().map(|name| (line, name)));
            }
            at += if starts_word && supers > 0 {
                supers * "super::".len()
            } else {
                width(rest)
            };
        }
        found
    }

    /// Line, name and length in lines of each function with a body.
    pub fn functions(&self) -> Vec<(usize, String, usize)> {
        let mut found = Vec::new();
        for (at, _) in self.code.match_indices("fn ") {
            let name: String = self.code[at + 3..].chars().take_while(|c| is_word(*c)).collect();
            if name.is_empty() || self.code[..at].ends_with(is_word) {
                continue;
            }
            if let Some(length) = length_with_body(&self.code[at..]) {
                let line = self.code[..at].matches('\n').count() + 1;
                found.push((line, name, self.code[at..at + length].matches('\n').count() + 1));
            }
        }
        found
    }
}

const TEST_ONLY: &str = "#[cfg(test)]";

/// The length of a module for tests that is written out here, if one starts here.
fn test_module(code: &str) -> Option<usize> {
    let item = code.strip_prefix(TEST_ONLY)?;
    let is_module = item
        .split_whitespace()
        .take_while(|word| *word != "{")
        .any(|word| word == "mod");
    let length = if is_module {
        length_with_body(item)?
    } else {
        return None;
    };
    Some(TEST_ONLY.len() + length)
}

/// The blocks around a place, and which of them are `mod name { ... }`.
#[derive(Default)]
struct InlineModules {
    blocks: Vec<bool>,
}

impl InlineModules {
    fn see(&mut self, code: &str, at: usize) {
        match code.as_bytes()[at] {
            b'{' => {
                let mut words = code[..at].split_whitespace().rev();
                self.blocks.push(words.nth(1) == Some("mod"));
            }
            b'}' => drop(self.blocks.pop()),
            _ => {}
        }
    }

    fn depth(&self) -> usize {
        self.blocks.iter().filter(|is_module| **is_module).count()
    }
}

/// How many `super::` follow each other here.
fn count_supers(text: &str) -> usize {
    let behind = text.trim_start_matches("super::");
    (text.len() - behind.len()) / "super::".len()
}

/// `a` of `a::b`; `a` and `c` of `{a::b, c}`.
fn first_names(text: &str) -> Vec<String> {
    let name = |text: &str| {
        text.trim_start()
            .chars()
            .take_while(|c| is_word(*c))
            .collect::<String>()
    };
    let Some(group) = text.strip_prefix('{') else {
        return vec![name(text)];
    };
    let mut names = Vec::new();
    let (mut depth, mut start) = (0, 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            ',' | '}' if depth == 0 => {
                names.push(name(&group[start..at]));
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

/// The length of a function from its `fn` to the brace that closes its body, if it has one.
fn length_with_body(code: &str) -> Option<usize> {
    let (mut brackets, mut braces) = (0, 0);
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' => brackets += 1,
            ')' | ']' => brackets -= 1,
            ';' if brackets == 0 && braces == 0 => return None,
            '{' => braces += 1,
            '}' => {
                braces -= 1;
                if braces == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

/// Replaces what is between quotes, and comments unless they are kept, by spaces.
fn blank(text: &str, keep_comments: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let starts_word = !out.ends_with(is_word);
        let (length, keep) = if rest.starts_with("//") {
            (rest.find('\n').unwrap_or(rest.len()), keep_comments)
        } else if rest.starts_with("/*") {
            (block_comment(rest), keep_comments)
        } else if let Some(length) = raw_string(rest).filter(|_| starts_word) {
            (length, false)
        } else if rest.starts_with('"') {
            (quoted(rest, '"'), false)
        } else if let Some(length) = character(rest) {
            (length, false)
        } else {
            (width(rest), true)
        };
        let (token, after) = rest.split_at(length);
        match keep {
            true => out.push_str(token),
            false => out.extend(token.chars().map(|c| if c == '\n' { '\n' } else { ' ' })),
        }
        rest = after;
    }
    out
}

/// The length of a comment that may have others inside.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                break;
            }
        } else {
            at += width(&text[at..]);
        }
    }
    at
}

/// The length of a `r"..."` or `br#"..."#`, if one starts here.
fn raw_string(text: &str) -> Option<usize> {
    let prefix = text
        .find('r')
        .filter(|at| *at <= 1 && matches!(&text[..*at], "" | "b" | "c"))?;
    let hashes = text[prefix + 1..].chars().take_while(|c| *c == '#').count();
    let start = prefix + 1 + hashes;
    text[start..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(
        text[start + 1..]
            .find(&end)
            .map_or(text.len(), |at| start + 1 + at + end.len()),
    )
}

/// The length up to the closing quote.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of a character literal, if this quote is not a lifetime's.
fn character(text: &str) -> Option<usize> {
    let inside = text.strip_prefix('\'')?;
    if inside.starts_with('\\') {
        return Some(quoted(text, '\''));
    }
    let length = width(inside);
    inside[length..].starts_with('\'').then_some(length + 2)
}

fn width(text: &str) -> usize {
    text.chars().next().map_or(0, char::len_utf8)
}

pub fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[test]
fn code_is_told_from_text() {
    let text = r##"let a = "crate::no \" {"; // crate::no
let b = '"'; let c: &'static str = r#"} " crate::no"#; /* /* { */ crate::no */ let d = b'\''; use crate::yes::x;"##;
    let source = Source::new("src/net/mod.rs".into(), text.into());
    assert_eq!(source.imports_of_the_root(), [(2, "yes".to_string())]);
    assert!(source.code_and_comments.contains("// crate::no") && !source.code.contains("no"));
}

#[test]
fn imports_are_found() {
    let text = "use crate::{a, b::{c, d}, e as f};\nuse super::g;\nuse super::super::h::i;\n\
                mod tests {\n    use super::j;\n    use super::super::super::k;\n}\nfn x() { super::super::l::m() }\n";
    let found = |path: &str| {
        let names = Source::new(path.into(), text.into())
            .imports_of_the_root()
            .into_iter();
        names
            .map(|(line, name)| format!("{line}{name}"))
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(found("src/net/conn.rs"), "1a 1b 1e 3h 6k 8l");
    assert_eq!(found("src/net/mod.rs"), "1a 1b 1e 2g 3h 6k 8l");
}

#[test]
fn what_only_tests_see_is_told_apart() {
    let text = "use crate::a;\n#[cfg(test)]\npub mod b;\n#[cfg(test)]\nfn c() { crate::d() }\n\
                #[cfg(test)]\nmod e {\n    use crate::f;\n}\nmod g;\nuse crate::h;\n";
    let source = Source::new("src/net/mod.rs".into(), text.into());
    assert_eq!(source.test_modules(), [["net", "b"]]);
    assert_eq!(
        source
            .imports_of_the_root()
            .into_iter()
            .map(|(_, name)| name)
            .collect::<Vec<_>>(),
        ["a", "d", "h"]
    );
}

#[test]
fn functions_are_measured() {
    let text = "trait T {\n    fn a(x: [u8; 4]);\n}\nfn b(f: fn(u8) -> u8) -> [u8; 2] {\n    {\n    }\n}\nfn c() {}\n";
    let source = Source::new("src/x.rs".into(), text.into());
    assert_eq!(
        source.functions(),
        [(4, "b".to_string(), 4), (8, "c".to_string(), 1)]
    );
}
