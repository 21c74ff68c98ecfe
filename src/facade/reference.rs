//! The reference tables and the list of commands, from the tables that the server itself goes by.

use std::fmt::Write;

use crate::config;
use crate::exec::table::{self, COMMANDS, Command, Run};

/// The tables of options and commands, in Markdown.
pub fn reference() -> String {
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

/// The names of all commands over data, in lower case; of a subcommand with its command's: `object|freq`.
pub fn data_commands() -> Vec<String> {
    let is_data = |command: &&Command| matches!(command.run, Run::Data(_));
    let mut names = Vec::new();
    for table::Found { command, .. } in table::all() {
        let subcommands = command.subcommands().iter().filter(is_data);
        names.extend(subcommands.map(|sub| format!("{}|{}", command.name, sub.name)));
        if is_data(&command) {
            names.push(command.name.to_owned());
        }
    }
    names
}
