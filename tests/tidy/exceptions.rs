//! What does not keep the rules yet. These lists only become shorter: who mends something removes its line (the test that reads
//! the list says when a line is not needed any more), and nothing new goes in. Only [`TABLES`] may stay.

/// Files that are long because they are one long table, each with its reason.
pub const TABLES: &[(&str, &str)] = &[];

/// Files of 600 lines and more.
pub const LONG_FILES: &[&str] = &["benches/serve/main.rs"];

/// Functions of 70 lines and more: the file and the name.
pub const LONG_FUNCTIONS: &[&str] = &["tests/long_replies.rs what_leaves_in_pieces_is_what_is_there"];

/// Uses between two files of a layer that close a circle: the first file uses the second.
pub const CIRCLES: &[(&str, &str)] = &[];
