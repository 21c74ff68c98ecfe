//! What is said in the end, for people.

use std::path::Path;

use redkeep::facade::transfer::{Bar, Difference, Differences, Restored, Stat, Sums};

/// Width of the longest bar.
const BAR: u64 = 30;
/// So much of a name is shown.
const NAME: usize = 40;
/// What [`sums`] makes of sums.
const SUMS: [&str; 4] = ["keys", "elements", "bytes", "in memory"];

/// What a restore has done.
pub fn restored(restored: &Restored, dir: &Path) -> String {
    let mut text = format!("{} keys restored into {}", restored.written, dir.display());
    for (count, what) in [
        (restored.replaced, "took the place of others"),
        (restored.skipped, "left out, as they were there"),
        (restored.expired, "left out, as they had expired"),
        (restored.libraries, "libraries of functions"),
    ] {
        if count > 0 {
            text.push_str(&format!("; {count} {what}"));
        }
    }
    text
}

/// A line about a key that differs.
pub fn difference(difference: &Difference) -> String {
    let key = difference.key.escape_ascii();
    match difference.database {
        Some(database) => format!("db{database} {key}: {}", difference.what),
        None => format!("library {key}: {}", difference.what),
    }
}

/// What a comparison has found.
pub fn differences(found: &Differences) -> String {
    format!(
        "{} keys are the same, {} differ, {} are only in the first, {} only in the second",
        found.same, found.changed, found.only_first, found.only_second
    )
}

/// A number of bytes as people read it.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["B", "KB", "MB", "GB", "TB", "PB"];
    let (mut value, mut unit) = (count as f64, 0);
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    match unit {
        0 => format!("{count} B"),
        _ if value < 10.0 => format!("{value:.2} {}", UNITS[unit]),
        _ if value < 100.0 => format!("{value:.1} {}", UNITS[unit]),
        _ => format!("{value:.0} {}", UNITS[unit]),
    }
}

/// A number with its digits in groups of three.
pub fn number(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// The text, cut to so many characters.
pub fn cut(text: &str, most: usize) -> String {
    match text.chars().count() > most {
        true => text.chars().take(most - 3).chain("...".chars()).collect(),
        false => text.to_owned(),
    }
}

/// Rows under a title; the first column is text, the others are numbers.
fn table(out: &mut String, head: &[&str], rows: &[Vec<String>]) {
    if rows.is_empty() {
        return;
    }
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([head[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let mut line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut text = String::new();
        for (at, cell) in cells.enumerate() {
            let padding = " ".repeat(widths[at].saturating_sub(cell.chars().count()));
            match at {
                0 => text.push_str(&format!("{cell}{padding}")),
                _ => text.push_str(&format!("  {padding}{cell}")),
            }
        }
        out.push_str(text.trim_end());
        out.push('\n');
    };
    line(&mut head.iter().copied());
    for row in rows {
        line(&mut row.iter().map(String::as_str));
    }
    out.push('\n');
}

fn sums(name: String, sums: &Sums) -> Vec<String> {
    vec![
        name,
        number(sums.keys),
        number(sums.elements),
        bytes(sums.bytes),
        bytes(sums.memory),
    ]
}

fn histogram(out: &mut String, title: &str, bars: &[Bar]) {
    let most = bars.iter().map(|bar| bar.keys).max().unwrap_or(0);
    if most == 0 {
        return;
    }
    let rows: Vec<Vec<String>> = bars
        .iter()
        .map(|bar| {
            let length = (bar.keys * BAR).div_ceil(most) as usize;
            vec![
                bar.label.to_owned(),
                number(bar.keys),
                bytes(bar.bytes),
                format!("{:<30}", "#".repeat(length)),
            ]
        })
        .collect();
    table(out, &[title, "keys", "bytes", ""], &rows);
}

/// A store's figures, as tables.
pub fn stat(stat: &Stat) -> String {
    let mut out = head(stat);
    let rows: Vec<Vec<String>> = stat
        .databases
        .iter()
        .map(|database| {
            let mut row = sums(format!("db{}", database.number), &database.sums);
            row.extend([number(database.expiring), number(database.expired)]);
            row
        })
        .collect();
    let head = [&["database"], &SUMS[..], &["expiring", "expired"]].concat();
    table(&mut out, &head, &rows);
    let types = stat.types.iter().map(|of| sums(of.name.to_owned(), &of.sums));
    table(
        &mut out,
        &[&["type"], &SUMS[..]].concat(),
        &types.collect::<Vec<_>>(),
    );
    let prefixes = stat
        .prefixes
        .iter()
        .map(|of| sums(cut(&of.prefix, NAME), &of.sums));
    table(
        &mut out,
        &[&["prefix"], &SUMS[..]].concat(),
        &prefixes.collect::<Vec<_>>(),
    );
    let biggest = stat.biggest.iter().map(|key| {
        vec![
            format!("db{} {}", key.database, cut(&key.key, NAME)),
            key.type_name.to_owned(),
            number(key.elements),
            bytes(key.bytes),
        ]
    });
    let head = ["biggest keys", "type", "elements", "bytes"];
    table(&mut out, &head, &biggest.collect::<Vec<_>>());
    histogram(&mut out, "time to live", &stat.ttl);
    histogram(&mut out, "size of keys", &stat.sizes);
    histogram(&mut out, "elements of collections", &stat.elements);
    let levels = stat.levels.iter().map(|level| {
        vec![
            format!("{} L{}", level.family, level.level),
            number(level.tables),
            bytes(level.bytes),
            number(level.entries),
            number(level.deletions),
        ]
    });
    let head = ["level", "tables", "bytes", "records", "deletions"];
    table(&mut out, &head, &levels.collect::<Vec<_>>());
    out
}

/// What is said of a whole store.
fn head(stat: &Stat) -> String {
    let (total, mut out) = (&stat.total, String::new());
    for line in [
        format!(
            "{}: {} keys, {} elements",
            stat.path,
            number(total.keys),
            number(total.elements)
        ),
        format!(
            "records {}, in memory {} if all of them were there",
            bytes(total.bytes),
            bytes(total.memory)
        ),
        format!(
            "on disk {}, of which tables {}; about {} of these are of what was replaced or deleted",
            bytes(stat.directory_bytes),
            bytes(stat.table_bytes),
            bytes(stat.reclaimable_bytes)
        ),
        format!(
            "{} values to be reclaimed, {} libraries of functions",
            stat.unreclaimed, stat.libraries
        ),
    ] {
        out.push_str(&line);
        out.push('\n');
    }
    for fault in &stat.faults {
        out.push_str(&format!("fault: {fault}\n"));
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_people_read_them() {
        assert_eq!(
            [number(0), number(999), number(1_234_567)],
            ["0", "999", "1 234 567"]
        );
        assert_eq!(
            [bytes(17), bytes(2048), bytes(5 << 30)],
            ["17 B", "2.00 KB", "5.00 GB"]
        );
        assert_eq!(cut("abcdef", 5), "ab...");
    }
}
