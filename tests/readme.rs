//! The README's reference tables are what `redkeep-tool reference` prints.

use std::fs;
use std::process::Command;

const BEGIN: &str = "<!-- reference -->\n";
const END: &str = "<!-- end of reference -->";

/// With REDKEEP_UPDATE_README set, writes the tables instead of comparing them.
#[test]
fn the_reference_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let readme = fs::read_to_string(path).expect("README.md");
    let (before, rest) = readme.split_once(BEGIN).expect("where the reference begins");
    let (found, after) = rest.split_once(END).expect("where the reference ends");
    let printed = Command::new(env!("CARGO_BIN_EXE_redkeep-tool"))
        .arg("reference")
        .output()
        .expect("redkeep-tool");
    let wanted = String::from_utf8(printed.stdout).expect("text");
    assert!(wanted.len() > 1000, "the tables are there");
    if std::env::var_os("REDKEEP_UPDATE_README").is_some() {
        fs::write(path, format!("{before}{BEGIN}{wanted}{END}{after}")).expect("README.md is written");
        return;
    }
    assert!(
        found == wanted,
        "out of date; run with REDKEEP_UPDATE_README=1 to renew it"
    );
}
