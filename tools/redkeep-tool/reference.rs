//! The reference tables, from the tables that the server itself goes by.

use std::fmt::Write;

use redkeep::config;
use redkeep::exec::table::COMMANDS;

pub fn markdown() -> String {
    let mut out = String::from("## Options\n\n");
    out.push_str(&config::reference_markdown());
    out.push_str("\n## Commands\n\n| group | commands |\n|---|---|\n");
    let mut groups: Vec<&str> = COMMANDS.iter().map(|row| row.docs.group).collect();
    groups.sort_unstable();
    groups.dedup();
    for group in groups {
        let mut names: Vec<String> = COMMANDS
            .iter()
            .filter(|row| row.docs.group == group)
            .map(|row| row.name.to_ascii_uppercase())
            .collect();
        names.sort_unstable();
        // Writing to a String does not fail.
        let _ = writeln!(out, "| {group} | {} |", names.join(" "));
    }
    out
}
