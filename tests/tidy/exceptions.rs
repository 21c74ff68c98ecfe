//! What does not keep the rules yet. These lists only become shorter: who mends something removes its line (the test that reads
//! the list says when a line is not needed any more), and nothing new goes in. Only [`TABLES`] may stay.

/// Files that are long because they are one long table, each with its reason.
pub const TABLES: [(&str, &str); 1] = [("src/config/table.rs", "a row for each option")];

/// Files of 600 lines and more.
pub const LONG_FILES: [&str; 9] = [
    "benches/serve/main.rs",
    "src/base/glob.rs",
    "src/disk/checkpoint.rs",
    "src/disk/format.rs",
    "src/resp/decode.rs",
    "src/types/buckets.rs",
    "src/types/set.rs",
    "src/types/stream/entries.rs",
    "src/types/tree/node.rs",
];

/// Functions of 70 lines and more: the file and the name.
pub const LONG_FUNCTIONS: [&str; 3] = [
    "src/resp/encode.rs element",
    "src/types/tree/write.rs settle",
    "tests/long_replies.rs what_leaves_in_pieces_is_what_is_there",
];

/// Uses between two files of a layer that close a circle: the first file uses the second.
pub const CIRCLES: [(&str, &str); 15] = [
    ("src/command/elements.rs", "src/command/string.rs"),
    ("src/command/geo.rs", "src/command/geo_search.rs"),
    ("src/config/suggest.rs", "src/config/file.rs"),
    ("src/config/user.rs", "src/config/table.rs"),
    ("src/disk/opened.rs", "src/disk/checkpoint.rs"),
    ("src/disk/overlay.rs", "src/disk/checkpoint.rs"),
    ("src/disk/overlay.rs", "src/disk/opened.rs"),
    ("src/disk/overlay.rs", "src/disk/view.rs"),
    ("src/exec/table.rs", "src/exec/session.rs"),
    ("src/resp/inline.rs", "src/resp/decode.rs"),
    ("src/resp/reply.rs", "src/resp/aggregate.rs"),
    ("src/types/footprint.rs", "src/types/buckets.rs"),
    ("src/types/footprint.rs", "src/types/list.rs"),
    ("src/types/footprint.rs", "src/types/stream/mod.rs"),
    ("src/types/footprint.rs", "src/types/tree.rs"),
];
