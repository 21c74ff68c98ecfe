//! `redkeep-server`: the server's program, and the allocator that it runs with.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// jemalloc's options. The hot tier is read at random: with huge pages a lookup misses the TLB far less, which is a
/// quarter of the CPU time of a GET over a million keys. (They are no trouble without fork.) One thread makes and drops
/// nearly everything: it has an arena of its own, and all others one. What is free goes back after ten seconds: a memtable's pages serve the
/// next memtable, instead of being cleared by the kernel again. A thread of the allocator's sees to that: so it happens also
/// when nothing else does, and never holds the executor. Pages of large collections are mostly of the sizes below 5 and 10 kB:
/// by default two or four share a slab, and for each slab the allocator keeps some of its own memory for good, in which the
/// peak of a heap stays visible after it was given back.
#[allow(non_upper_case_globals)]
#[unsafe(export_name = "malloc_conf")]
pub static malloc_conf: &[u8] =
    b"thp:always,metadata_thp:auto,narenas:1,dirty_decay_ms:10000,muzzy_decay_ms:0,background_thread:true,max_background_threads:1,slab_sizes:5120-5120:20|10240-10240:20\0";

fn main() -> ExitCode {
    redkeep::facade::server::run()
}
