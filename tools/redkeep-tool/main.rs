//! `redkeep-tool`: what is done to a store while no server runs, and the tables of `tools/reference.md`.

mod args;
mod html;
mod report;
mod watch;

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use args::{Action, Cli, DiffArgs, DumpArgs, RestoreArgs, StatArgs};
use clap::Parser;
use redkeep::facade;
use redkeep::facade::transfer::{self, DumpFormat, RestoreOptions, StatOptions};
use watch::Watch;

/// What the process ends with, besides 0: nothing went wrong, but there is something to see to.
const FOUND: u8 = 1;
/// It could not be done, and nothing has changed.
const FAILED: u8 = 2;

fn main() -> ExitCode {
    let done = match Cli::parse().action {
        Action::Reference => {
            print!("{}", facade::reference());
            Ok(0)
        }
        Action::Check { dir } => facade::check(&dir).map(|report| {
            print!("{report}");
            if report.is_whole() { 0 } else { FOUND }
        }),
        Action::Repair { dir } => facade::repair(&dir).map(|report| {
            print!("{report}");
            0
        }),
        Action::Dump(args) => dump(args),
        Action::Restore(args) => restore(args),
        Action::Diff(args) => diff(args),
        Action::Stat(args) => stat(args),
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(text) => {
            eprintln!("redkeep-tool: {text}");
            ExitCode::from(FAILED)
        }
    }
}

fn say(notes: &[String]) {
    notes.iter().for_each(|note| eprintln!("redkeep-tool: {note}"));
}

fn dump(args: DumpArgs) -> Result<u8, String> {
    let format = args.format()?;
    let watch = Watch::begin("dump", args.quiet)?;
    let dumped = transfer::dump(
        &args.source,
        &args.to,
        &format,
        &args.chosen.choice(),
        args.accept_losses,
        watch.progress(),
    )?;
    watch.end();
    say(&dumped.notes);
    if let DumpFormat::Rdb(target) = &format
        && dumped.refused > 0
    {
        eprintln!(
            "redkeep-tool: {} keys are missing in the file, as {target} cannot hold them: --for names another target",
            dumped.refused
        );
    }
    if args.to != Path::new("-") && !args.quiet {
        eprintln!("{} keys written to {}", dumped.keys, args.to.display());
    }
    Ok(if dumped.refused > 0 { FOUND } else { 0 })
}

fn restore(args: RestoreArgs) -> Result<u8, String> {
    let options = RestoreOptions {
        conflict: args.on_conflict.into(),
        databases: args.databases,
        choice: args.chosen.choice(),
        accepts_losses: args.accept_losses,
        beside: Vec::new(),
    };
    let watch = Watch::begin("restore", args.quiet)?;
    let restored =
        transfer::restore(&args.source, &args.dir, &options, watch.progress()).map_err(|text| {
            format!(
                "{text}\nredkeep-tool: nothing in {} has changed",
                args.dir.display()
            )
        })?;
    watch.end();
    say(&restored.notes);
    if !args.quiet {
        eprintln!("{}", report::restored(&restored, &args.dir));
    }
    Ok(0)
}

fn diff(args: DiffArgs) -> Result<u8, String> {
    let watch = Watch::begin("diff", args.quiet)?;
    let mut failed = None;
    let mut out = io::BufWriter::new(io::stdout().lock());
    let found = transfer::diff(
        [&args.first, &args.second],
        &args.chosen.choice(),
        args.ignore_times,
        watch.progress(),
        &mut |difference| {
            if let Err(e) = writeln!(out, "{}", report::difference(&difference)) {
                failed.get_or_insert(e);
            }
        },
    )?;
    watch.end();
    say(&found.notes);
    out.flush()
        .err()
        .or(failed)
        .map_or(Ok(()), |e| Err(e.to_string()))?;
    if !args.quiet {
        eprintln!("{}", report::differences(&found));
    }
    Ok(if found.are_none() { 0 } else { FOUND })
}

fn stat(args: StatArgs) -> Result<u8, String> {
    let options = StatOptions {
        separator: args.separator()?,
        depth: args.depth,
        listed: args.top,
        samples: args.samples,
    };
    let watch = Watch::begin("stat", args.quiet)?;
    let stat = transfer::stat(&args.dir, &options, watch.progress())?;
    watch.end();
    if let Some(file) = &args.html {
        std::fs::write(file, html::page(&stat)).map_err(|e| format!("{}: {e}", file.display()))?;
    }
    if args.json {
        println!(
            "{}",
            serde_json::to_string_pretty(&stat).map_err(|e| e.to_string())?
        );
    } else if args.html.is_none() {
        print!("{}", report::stat(&stat));
    }
    Ok(if stat.faults.is_empty() { 0 } else { FOUND })
}
