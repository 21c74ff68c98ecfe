//! A store's figures as one page with plots, which needs nothing else: no scripts, no requests, light or dark as the reader has it.

use std::fmt::Write;

use redkeep::facade::transfer::{Bar, Stat, Sums};

use crate::report::{bytes, cut, number};

const STYLE: &str = "\
:root{color-scheme:light dark;--paper:#fbfaf8;--card:#fff;--ink:#1d1c1a;--soft:#6c6860;--line:#e4e0d8;--a:#b3412e;--b:#2f6f8f;--c:#5b8c3a;\
--d:#c08a1e;--e:#7a5195;--f:#2a9187}\
@media(prefers-color-scheme:dark){:root{--paper:#161513;--card:#1f1e1b;--ink:#ece9e3;--soft:#a09b91;--line:#34312c;--a:#e0705c;--b:#6fb2d2;\
--c:#93c572;--d:#e2b450;--e:#b691d0;--f:#62c5ba}}\
*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif}\
main{max-width:1120px;margin:0 auto;padding:32px 20px 64px}h1{font-size:26px;margin:0;font-weight:650;letter-spacing:-.01em}\
h2{font-size:15px;margin:0 0 14px;font-weight:650}.sub{color:var(--soft);margin:4px 0 24px}\
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(160px,1fr));gap:12px;margin-bottom:16px}\
.card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:16px 18px}\
.figure b{display:block;font-size:24px;font-weight:650;letter-spacing:-.02em;font-variant-numeric:tabular-nums}\
.figure span{color:var(--soft);font-size:13px}\
.two{display:grid;grid-template-columns:repeat(auto-fit,minmax(420px,1fr));gap:16px;margin-bottom:16px}\
@media(max-width:500px){.two{grid-template-columns:1fr}}.wide{margin-bottom:16px;overflow-x:auto}\
table{border-collapse:collapse;width:100%;font-size:14px;font-variant-numeric:tabular-nums}\
th{text-align:right;color:var(--soft);font-weight:500;font-size:12px;padding:0 0 6px 14px;white-space:nowrap}\
td{text-align:right;padding:5px 0 5px 14px;border-top:1px solid var(--line);white-space:nowrap}\
th:first-child,td:first-child{text-align:left;padding-left:0;white-space:normal;overflow-wrap:anywhere}\
td.bar{width:28%;min-width:110px}svg{display:block;width:100%;height:auto}svg text{fill:var(--ink);font:12px system-ui,sans-serif}\
svg .soft{fill:var(--soft)}.legend{display:flex;flex-wrap:wrap;gap:4px 16px;margin-top:10px;font-size:13px}\
.legend i{display:inline-block;width:10px;height:10px;border-radius:3px;margin-right:6px}\
.fault{border-color:var(--a);color:var(--a);margin-bottom:16px}footer{color:var(--soft);font-size:13px;margin-top:24px}";

/// Colours of what is side by side, in turn.
const COLOURS: [&str; 6] = [
    "var(--a)", "var(--b)", "var(--c)", "var(--d)", "var(--e)", "var(--f)",
];

/// The length of a ring's line.
const AROUND: f64 = 2.0 * std::f64::consts::PI * 64.0;
/// So much of a name has room in a legend.
const LEGEND: usize = 13;

/// A text between tags.
fn safe(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

/// Seconds of Unix as a date in UTC.
fn date(seconds: u64) -> String {
    // Days since 0000-03-01, in eras of 400 years.
    let days = seconds / 86_400 + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day_of_month = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    let minutes = seconds % 86_400 / 60;
    format!(
        "{year}-{month:02}-{day_of_month:02} {:02}:{:02} UTC",
        minutes / 60,
        minutes % 60
    )
}

/// The page.
pub fn page(stat: &Stat) -> String {
    let mut out = String::new();
    let title = format!("Redkeep store {}", safe(&stat.path));
    out.push_str("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">");
    out.push_str("<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">");
    out.push_str(&format!(
        "<title>{title}</title><style>{STYLE}</style></head><body><main>"
    ));
    out.push_str(&format!(
        "<h1>{title}</h1><p class=\"sub\">As of {}</p>",
        date(stat.at / 1000)
    ));
    for fault in &stat.faults {
        out.push_str(&format!("<div class=\"card fault\">{}</div>", safe(fault)));
    }
    figures(&mut out, stat);
    out.push_str("<div class=\"two\">");
    shares(
        &mut out,
        "Bytes by type",
        stat.types.iter().map(|of| (of.name.to_owned(), of.sums.bytes)),
    );
    let databases = stat
        .databases
        .iter()
        .map(|of| (format!("db{}", of.number), of.sums.bytes));
    shares(&mut out, "Bytes by database", databases);
    histogram(&mut out, "Time to live", &stat.ttl);
    histogram(&mut out, "Size of keys", &stat.sizes);
    histogram(&mut out, "Elements of collections", &stat.elements);
    space(&mut out, stat);
    out.push_str("</div>");
    let types = stat.types.iter().map(|of| (of.name.to_owned(), of.sums));
    sums(&mut out, "Types", types.collect());
    let databases = stat
        .databases
        .iter()
        .map(|of| (format!("db{}", of.number), of.sums));
    sums(&mut out, "Databases", databases.collect());
    let prefixes = stat.prefixes.iter().map(|of| (of.prefix.clone(), of.sums));
    sums(&mut out, "Prefixes", prefixes.collect());
    biggest(&mut out, stat);
    levels(&mut out, stat);
    out.push_str("<footer>Made by redkeep-tool stat. Bytes are those of records before compression; of large collections they are \
                  estimated from samples.</footer></main></body></html>\n");
    out
}

fn figures(out: &mut String, stat: &Stat) {
    let expiring: u64 = stat.databases.iter().map(|of| of.expiring).sum();
    out.push_str("<div class=\"figures\">");
    for (value, what) in [
        (number(stat.total.keys), "keys"),
        (number(stat.total.elements), "elements"),
        (number(expiring), "keys with a deadline"),
        (bytes(stat.total.bytes), "bytes of records"),
        (bytes(stat.total.memory), "in memory, if all were there"),
        (bytes(stat.directory_bytes), "on disk"),
        (bytes(stat.reclaimable_bytes), "reclaimable, about"),
        (number(stat.libraries), "libraries of functions"),
    ] {
        out.push_str(&format!(
            "<div class=\"card figure\"><b>{value}</b><span>{what}</span></div>"
        ));
    }
    out.push_str("</div>");
}

/// A ring of shares, with its legend.
fn shares(out: &mut String, title: &str, parts: impl Iterator<Item = (String, u64)>) {
    let mut parts: Vec<(String, u64)> = parts.filter(|(_, part)| *part > 0).collect();
    parts.sort_by_key(|part| std::cmp::Reverse(part.1));
    if parts.len() > COLOURS.len() {
        let others = parts.split_off(COLOURS.len() - 1);
        parts.push((
            format!("{} others", others.len()),
            others.iter().map(|(_, part)| part).sum(),
        ));
    }
    let all: u64 = parts.iter().map(|(_, part)| part).sum();
    if all == 0 {
        return;
    }
    out.push_str(&format!("<section class=\"card\"><h2>{title}</h2>"));
    out.push_str("<svg viewBox=\"0 0 420 180\" role=\"img\"><g transform=\"rotate(-90 90 90)\">");
    // Each part is a dash of the circle's line.
    let mut before = 0.0;
    for (at, (name, part)) in parts.iter().enumerate() {
        let share = *part as f64 / all as f64;
        let _ = write!(
            out,
            "<circle cx=\"90\" cy=\"90\" r=\"64\" fill=\"none\" stroke=\"{}\" stroke-width=\"26\" \
             stroke-dasharray=\"{:.2} {AROUND:.2}\" stroke-dashoffset=\"{:.2}\"><title>{}: {} ({:.1} %)</title></circle>",
            COLOURS[at % COLOURS.len()],
            (share * AROUND - 1.5).max(0.5),
            -before * AROUND,
            safe(name),
            bytes(*part),
            share * 100.0,
        );
        before += share;
    }
    out.push_str("</g>");
    let _ = write!(
        out,
        "<text x=\"90\" y=\"95\" text-anchor=\"middle\" font-weight=\"650\">{}</text>",
        bytes(all)
    );
    for (at, (name, part)) in parts.iter().enumerate() {
        let (y, share) = (26 + at * 26, *part as f64 * 100.0 / all as f64);
        let colour = COLOURS[at % COLOURS.len()];
        let _ = write!(
            out,
            "<rect x=\"196\" y=\"{}\" width=\"10\" height=\"10\" rx=\"3\" fill=\"{colour}\"/><text x=\"214\" y=\"{y}\">{}</text>\
             <text x=\"418\" y=\"{y}\" text-anchor=\"end\" class=\"soft\">{} &#183; {share:.1} %</text>",
            y - 10,
            safe(&cut(name, LEGEND)),
            bytes(*part),
        );
    }
    out.push_str("</svg></section>");
}

/// Columns: keys in front, their bytes below as a number.
fn histogram(out: &mut String, title: &str, bars: &[Bar]) {
    let most = bars.iter().map(|bar| bar.keys).max().unwrap_or(0);
    if most == 0 {
        return;
    }
    let width = 420.0 / bars.len() as f64;
    out.push_str(&format!(
        "<section class=\"card\"><h2>{title}</h2><svg viewBox=\"0 0 420 190\" role=\"img\">"
    ));
    out.push_str("<line x1=\"0\" y1=\"150.5\" x2=\"420\" y2=\"150.5\" stroke=\"var(--line)\"/>");
    for (at, bar) in bars.iter().enumerate() {
        let height = match bar.keys {
            0 => 0.0,
            keys => (keys as f64 / most as f64 * 126.0).max(1.5),
        };
        let (x, middle) = (at as f64 * width, (at as f64 + 0.5) * width);
        let _ = write!(
            out,
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{height:.1}\" rx=\"3\" fill=\"var(--b)\"><title>{}: {} keys, \
             {}</title></rect><text x=\"{middle:.1}\" y=\"{:.1}\" text-anchor=\"middle\" class=\"soft\" font-size=\"9\">{}</text>\
             <text transform=\"translate({:.1} 164) rotate(-28)\" text-anchor=\"end\" class=\"soft\" font-size=\"10\">{}</text>",
            x + width * 0.14,
            150.0 - height,
            width * 0.72,
            safe(bar.label),
            number(bar.keys),
            bytes(bar.bytes),
            144.0 - height,
            short(bar.keys),
            middle + 6.0,
            safe(bar.label),
        );
    }
    out.push_str("</svg></section>");
}

/// A number in a few characters; nothing for none.
fn short(count: u64) -> String {
    match count {
        0 => String::new(),
        1..1000 => count.to_string(),
        1000..1_000_000 => format!("{:.1}k", count as f64 / 1e3),
        _ => format!("{:.1}M", count as f64 / 1e6),
    }
}

/// What of the disk is of what is there, and what not.
fn space(out: &mut String, stat: &Stat) {
    let live = stat.table_bytes.saturating_sub(stat.reclaimable_bytes);
    let other = stat.directory_bytes.saturating_sub(stat.table_bytes);
    let parts = [
        ("live records".to_owned(), live),
        ("reclaimable".to_owned(), stat.reclaimable_bytes),
        ("log, other".to_owned(), other),
    ];
    shares(out, "Space on disk", parts.into_iter());
}

/// A table of sums with bars of their bytes.
fn sums(out: &mut String, title: &str, rows: Vec<(String, Sums)>) {
    let most = rows.iter().map(|(_, sums)| sums.bytes).max().unwrap_or(0);
    if most == 0 {
        return;
    }
    out.push_str(&format!(
        "<section class=\"card wide\"><h2>{title}</h2><table><tr><th></th><th>keys</th><th>elements</th>"
    ));
    out.push_str("<th>bytes a key</th><th>in memory</th><th>bytes</th><th></th></tr>");
    for (name, sums) in rows {
        let _ = write!(
            out,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td class=\"bar\">{}</td></tr>",
            safe(&name),
            number(sums.keys),
            number(sums.elements),
            bytes(sums.bytes / sums.keys.max(1)),
            bytes(sums.memory),
            bytes(sums.bytes),
            bar(sums.bytes, most, "var(--a)"),
        );
    }
    out.push_str("</table></section>");
}

fn bar(part: u64, most: u64, colour: &str) -> String {
    let width = (part as f64 * 200.0 / most as f64).max(1.0);
    format!(
        "<svg viewBox=\"0 0 200 10\" preserveAspectRatio=\"none\" style=\"height:10px\"><rect width=\"{width:.1}\" height=\"10\" \
         rx=\"2\" fill=\"{colour}\"/></svg>"
    )
}

fn biggest(out: &mut String, stat: &Stat) {
    let Some(most) = stat.biggest.first().map(|key| key.bytes.max(1)) else {
        return;
    };
    out.push_str("<section class=\"card wide\"><h2>Biggest keys</h2><table><tr><th></th><th>type</th><th>elements</th>");
    out.push_str("<th>bytes</th><th></th></tr>");
    for key in &stat.biggest {
        let _ = write!(
            out,
            "<tr><td>db{} {}</td><td>{}</td><td>{}</td><td>{}</td><td class=\"bar\">{}</td></tr>",
            key.database,
            safe(&cut(&key.key, 100)),
            key.type_name,
            number(key.elements),
            bytes(key.bytes),
            bar(key.bytes, most, "var(--e)"),
        );
    }
    out.push_str("</table></section>");
}

fn levels(out: &mut String, stat: &Stat) {
    let Some(most) = stat.levels.iter().map(|level| level.bytes.max(1)).max() else {
        return;
    };
    out.push_str("<section class=\"card wide\"><h2>Tables on disk</h2><table><tr><th>records, level</th><th>tables</th>");
    out.push_str("<th>records</th><th>deletions</th><th>bytes</th><th></th></tr>");
    for level in &stat.levels {
        let _ = write!(
            out,
            "<tr><td>{} L{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td class=\"bar\">{}</td></tr>",
            safe(&level.family),
            level.level,
            number(level.tables),
            number(level.entries),
            number(level.deletions),
            bytes(level.bytes),
            bar(level.bytes, most, "var(--c)"),
        );
    }
    out.push_str("</table></section>");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date(0), "1970-01-01 00:00 UTC");
        assert_eq!(date(951_782_399), "2000-02-28 23:59 UTC");
        assert_eq!(date(951_782_400), "2000-02-29 00:00 UTC");
        assert_eq!(date(1_798_761_600), "2027-01-01 00:00 UTC");
    }

    #[test]
    fn names_of_keys_are_no_tags() {
        assert_eq!(safe("<b>&\"'"), "&lt;b&gt;&amp;&quot;&#39;");
    }
}
