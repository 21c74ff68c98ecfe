//! `redkeep-tool`: what is done to a store while no server runs, and the reference tables of the README.

mod check;
mod reference;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(version, about = "Works on a Redkeep store while no server runs")]
struct Cli {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Reads a whole store and says what in it does not agree; exits with 1 if anything does not
    Check {
        /// The data directory
        dir: PathBuf,
    },
    /// Prints the README's tables of options and commands, in Markdown
    Reference,
}

fn main() -> ExitCode {
    match Cli::parse().action {
        Action::Reference => {
            print!("{}", reference::markdown());
            ExitCode::SUCCESS
        }
        Action::Check { dir } => match check::run(&dir) {
            Ok(report) => {
                print!("{report}");
                if report.faults.is_empty() {
                    ExitCode::SUCCESS
                } else {
                    ExitCode::FAILURE
                }
            }
            Err(text) => {
                eprintln!("redkeep-tool: {text}");
                ExitCode::from(2)
            }
        },
    }
}
