//! What the operating system and the allocator say about this process. Where they say nothing, 0.

use std::ffi::{CStr, CString};
use std::fs;
use std::io;
use std::time::Duration;

use tikv_jemalloc_ctl::{arenas, epoch, raw, stats, stats_print, version};

/// Bytes.
#[derive(Clone, Copy, Default, Debug)]
pub struct Memory {
    /// Asked for by the program.
    pub allocated: u64,
    /// In pages that hold something.
    pub active: u64,
    /// Held by the allocator.
    pub resident: u64,
    /// Of the process, in RAM.
    pub rss: u64,
    /// Those of them that are of files: the program itself.
    pub program: u64,
}

impl Memory {
    /// What the process takes of the RAM: what the allocator holds for it, used or not, and the program.
    pub fn used(&self) -> u64 {
        (self.resident + self.program).min(self.rss).max(self.allocated)
    }
}

const PAGE: u64 = 4096;

/// What the process uses now.
pub fn memory() -> Memory {
    // The allocator's figures are as of its last epoch; one that fails to begin leaves them a little old.
    let _ = epoch::advance();
    let bytes = |read: Result<usize, tikv_jemalloc_ctl::Error>| read.unwrap_or(0) as u64;
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let mut pages = statm
        .split(' ')
        .skip(1)
        .map_while(|field| field.parse::<u64>().ok());
    let mut next = || pages.next().unwrap_or(0) * PAGE;
    Memory {
        allocated: bytes(stats::allocated::read()),
        active: bytes(stats::active::read()),
        resident: bytes(stats::resident::read()),
        rss: next(),
        program: next(),
    }
}

/// How soon the allocator gives free pages back to the system, in the arenas that there are and those to come.
pub fn set_heap_decay(after: Duration) {
    let ms = after.as_millis() as isize;
    let mut names = vec![c"arenas.dirty_decay_ms".to_owned()];
    let arenas = arenas::narenas::read().unwrap_or(0);
    names.extend((0..arenas).filter_map(|n| CString::new(format!("arena.{n}.dirty_decay_ms")).ok()));
    for name in names {
        // SAFETY: these options are of jemalloc's type `ssize_t`. One that is refused stays as it was, which only costs memory.
        let _ = unsafe { raw::write(name.as_bytes_with_nul(), ms) };
    }
}

/// Has the calling thread take memory from where no other thread does: so what others keep for long does not lie scattered
/// among what this one lets go of. Refused, that costs memory.
pub fn take_memory_apart() {
    // SAFETY: both are of jemalloc's type `unsigned`.
    let _ = unsafe {
        raw::read::<libc::c_uint>(b"arenas.create\0").and_then(|arena| raw::write(b"thread.arena\0", arena))
    };
}

/// Whether the memory that the process takes from now on may come in huge pages.
pub fn use_huge_pages(yes: bool) {
    let disable = libc::c_ulong::from(!yes);
    // SAFETY: a plain system call that changes how this process's memory is mapped from now on. Refused, it costs memory or
    // time.
    unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, disable, 0, 0, 0) };
}

/// Gives the calling thread a lower priority, by so much niceness, and those that it starts from now on.
pub fn lower_priority(niceness: libc::c_int) {
    // SAFETY: a plain system call, which on Linux is about this thread alone. A refusal leaves the priority as it was:
    // slower, not wrong.
    unsafe { libc::nice(niceness) };
}

/// Gives back what the allocator keeps at hand for the calling thread.
pub fn release_thread_cache() {
    use std::ptr::null_mut;
    let name = c"thread.tcache.flush".as_ptr();
    // SAFETY: this one takes no value and returns none. Refused, it costs memory.
    unsafe { tikv_jemalloc_sys::mallctl(name, null_mut(), null_mut(), null_mut(), 0) };
}

/// Gives all free pages back to the system now.
pub fn release_heap() {
    release_thread_cache();
    let before = raw_decay(c"arenas.dirty_decay_ms");
    set_heap_decay(Duration::ZERO);
    if let Some(ms) = before {
        set_heap_decay(Duration::from_millis(ms));
    }
}

fn raw_decay(name: &CStr) -> Option<u64> {
    // SAFETY: the option is of jemalloc's type `ssize_t`.
    let ms: isize = unsafe { raw::read(name.to_bytes_with_nul()) }.ok()?;
    u64::try_from(ms).ok()
}

/// What the allocator has to say about itself, for people.
///
/// # Errors
/// The allocator could not write it.
pub fn allocator_report() -> io::Result<String> {
    let mut text = Vec::new();
    stats_print::stats_print(&mut text, stats_print::Options::default())?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// "jemalloc-5.3.0".
pub fn allocator() -> String {
    let full = version::read().unwrap_or("unknown");
    let number = full.split('-').next().unwrap_or(full);
    format!("jemalloc-{number}")
}

/// Seconds of processor time.
#[derive(Clone, Copy, Default, Debug)]
pub struct CpuTimes {
    /// Of the process, in its own code.
    pub user: f64,
    /// Of the process, in the kernel.
    pub system: f64,
    /// The same of children that have ended and were waited for.
    pub children_user: f64,
    /// Likewise.
    pub children_system: f64,
}

/// Linux counts in these ticks, whatever the kernel's own frequency.
const TICKS_PER_SECOND: f64 = 100.0;

/// Of the whole process.
pub fn process_cpu() -> CpuTimes {
    cpu_times("/proc/self/stat")
}

/// Of the calling thread.
pub fn thread_cpu() -> CpuTimes {
    cpu_times("/proc/thread-self/stat")
}

fn cpu_times(path: &str) -> CpuTimes {
    let stat = fs::read_to_string(path).unwrap_or_default();
    parse_cpu_times(&stat).unwrap_or_default()
}

fn parse_cpu_times(stat: &str) -> Option<CpuTimes> {
    // The second field is the program's name in parentheses, which may hold anything.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut ticks = fields.split(' ').skip(11).map(|field| field.parse::<f64>().ok());
    let mut next = || Some(ticks.next()?? / TICKS_PER_SECOND);
    Some(CpuTimes {
        user: next()?,
        system: next()?,
        children_user: next()?,
        children_system: next()?,
    })
}

/// "Linux 6.1.0 x86_64".
pub fn system() -> String {
    let kernel = |name| {
        let text = fs::read_to_string(format!("/proc/sys/kernel/{name}"));
        text.map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned())
    };
    format!(
        "{} {} {}",
        kernel("ostype"),
        kernel("osrelease"),
        std::env::consts::ARCH
    )
}

/// The limit of open files, raised as far as the system allows.
pub fn file_limit() -> u64 {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: both calls get a valid rlimit of this frame.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) != 0 {
            return FALLBACK_FILE_LIMIT;
        }
        let raised = libc::rlimit {
            rlim_cur: limit.rlim_max,
            ..limit
        };
        if limit.rlim_cur < limit.rlim_max && libc::setrlimit(libc::RLIMIT_NOFILE, &raised) == 0 {
            limit = raised;
        }
    }
    limit.rlim_cur
}

/// Where the system does not tell: what it usually is at least.
const FALLBACK_FILE_LIMIT: u64 = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_any_name() {
        let stat = "17 (a ) b) S 1 2 3 4 5 6 7 8 9 10 250 50 100 0 20 0";
        let times = parse_cpu_times(stat).unwrap();
        assert_eq!((times.user, times.system), (2.5, 0.5));
        assert_eq!((times.children_user, times.children_system), (1.0, 0.0));
    }

    #[test]
    fn files_may_be_opened() {
        assert!(file_limit() > 10);
    }

    #[test]
    fn this_process_has_memory() {
        let memory = memory();
        assert!(memory.program > 0 && memory.program < memory.rss && memory.used() <= memory.rss);
        assert!(allocator().starts_with("jemalloc-"));
    }
}
