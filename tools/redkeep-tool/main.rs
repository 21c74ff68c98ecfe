//! `redkeep-tool`: what is done to a store while no server runs, and the tables of `tools/reference.md`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use redkeep::facade;

#[derive(Parser)]
#[command(version, about = "Works on a Redkeep store while no server runs")]
struct Cli {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Reads a whole store, changes nothing, and says what in it is damaged or does not agree; exits with 1 if anything does not
    Check {
        /// The data directory
        dir: PathBuf,
    },
    /// Has a store that lost commits, as its log is damaged, go on from what there is; says what was wrong
    Repair {
        /// The data directory
        dir: PathBuf,
    },
    /// Prints the tables of options and commands in tools/reference.md, in Markdown
    Reference,
}

fn main() -> ExitCode {
    match Cli::parse().action {
        Action::Reference => {
            print!("{}", facade::reference());
            ExitCode::SUCCESS
        }
        Action::Check { dir } => match facade::check(&dir) {
            Ok(report) => {
                print!("{report}");
                exit_code(report.is_whole())
            }
            Err(text) => failure(&text),
        },
        Action::Repair { dir } => match facade::repair(&dir) {
            Ok(report) => {
                print!("{report}");
                ExitCode::SUCCESS
            }
            Err(text) => failure(&text),
        },
    }
}

fn exit_code(is_whole: bool) -> ExitCode {
    match is_whole {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn failure(text: &str) -> ExitCode {
    eprintln!("redkeep-tool: {text}");
    ExitCode::from(2)
}
