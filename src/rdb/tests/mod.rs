//! What real servers have written is read, and what is written is read again; `tests/rdb/make.py` has made the files.

mod damage;
mod files;
mod large;
mod model;
mod shown;
