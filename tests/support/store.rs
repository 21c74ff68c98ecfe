//! Data directories that no server is using.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the files of a directory hold, by path; not those of directories within.
pub fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = fs::read_dir(dir)
        .expect("a directory")
        .map(|entry| entry.expect("an entry").path());
    entries
        .filter(|path| path.is_file())
        .map(|path| (path.clone(), fs::read(&path).expect("a readable file")))
        .collect()
}

/// Copies the files whose names are wanted; a data directory has no others inside.
pub fn copy_store(from: &Path, to: &Path, wanted: impl Fn(&str) -> bool) {
    fs::create_dir_all(to).expect("a new directory");
    for entry in fs::read_dir(from).expect("a directory") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().unwrap_or_default();
        if wanted(&name.to_string_lossy()) {
            fs::copy(&path, to.join(name)).expect("a copy");
        }
    }
}

/// What `redkeep-tool check` says, which must be that nothing is wrong.
pub fn check_store(data: &Path) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_redkeep-tool"))
        .arg("check")
        .arg(data)
        .output()
        .expect("redkeep-tool");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    said.into_owned()
}
