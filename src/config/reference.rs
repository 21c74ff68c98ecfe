//! The reference of options, as in `tools/reference.md`, made from the table.

use super::{
    ROWS,
    table::{Flags, Row},
};

/// Markdown tables: options with effect by group, then those that are accepted without.
pub fn reference_markdown() -> String {
    let mut text = String::new();
    for chunk in ROWS.chunk_by(|a, b| a.group == b.group) {
        let rows: Vec<&Row> = chunk.iter().filter(|row| row.flags.has_effect()).collect();
        if rows.is_empty() {
            continue;
        }
        text.push_str(&format!("### {}\n\n", chunk[0].group));
        text.push_str("| Option | Type | Default | Change | Meaning |\n|---|---|---|---|---|\n");
        for row in rows {
            let cells = [
                names(row),
                row.describe(),
                default(row),
                change(row).to_owned(),
                row.meaning.to_owned(),
            ];
            text.push_str(&line(&cells));
        }
        text.push('\n');
    }
    text.push_str("### Accepted, without effect yet\n\n");
    text.push_str("These are checked, kept and shown, until what they are about is there.\n\n");
    without_effect(Flags::NOT_YET, "Meaning", &mut text);
    text.push_str("\n### Accepted without effect\n\n");
    text.push_str(
        "These are options of Redis that have no meaning here. They are checked, kept and shown.\n\n",
    );
    without_effect(Flags::NO_EFFECT, "Why", &mut text);
    text
}

fn without_effect(flag: Flags, meaning: &str, text: &mut String) {
    text.push_str(&format!(
        "| Option | Type | Default | {meaning} |\n|---|---|---|---|\n"
    ));
    let shown = |row: &&Row| row.flags.contains(flag) && !row.flags.contains(Flags::HIDDEN);
    for row in ROWS.iter().filter(shown) {
        text.push_str(&line(&[
            names(row),
            row.describe(),
            default(row),
            row.meaning.to_owned(),
        ]));
    }
}

fn line(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

fn names(row: &Row) -> String {
    row.names()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

fn default(row: &Row) -> String {
    if row.default.is_empty() {
        "none".into()
    } else {
        format!("`{}`", row.default)
    }
}

fn change(row: &Row) -> &'static str {
    if row.flags.contains(Flags::IMMUTABLE) || row.flags.contains(Flags::STARTUP) {
        "startup"
    } else {
        "live"
    }
}
