//! The data structures, one file each, over a transaction. They know no wire: texts of errors are here because they
//! are part of what a structure refuses, shapes of replies are not.

pub mod keys;
pub mod string;
