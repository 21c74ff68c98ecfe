//! Functions of Lua's libraries that Redis has made its own.

use std::ffi::c_int;

use super::lua::{Lua, Raise};
use super::random::{RANGE, Random};

/// `math.random`, with Redis's generator.
pub(super) fn math_random(lua: Lua) -> Result<c_int, Raise> {
    let shared = lua.shared();
    let mut random = shared.random.get();
    let fraction = (random.next() % (RANGE - 1)) as f64 / (RANGE - 1) as f64;
    shared.random.set(random);
    let int = |number| lua.integer_argument(number).map(|value| value as i32);
    let value = match lua.top() {
        0 => fraction,
        1 => {
            let high = int(1)?;
            if high < 1 {
                return Err(lua.bad_argument(1, "interval is empty"));
            }
            (fraction * f64::from(high)).floor() + 1.0
        }
        2 => {
            let (low, high) = (int(1)?, int(2)?);
            if low > high {
                return Err(lua.bad_argument(2, "interval is empty"));
            }
            let width = high.wrapping_sub(low).wrapping_add(1);
            (fraction * f64::from(width)).floor() + f64::from(low)
        }
        _ => return Err(lua.raise("wrong number of arguments")),
    };
    lua.push_number(value);
    Ok(1)
}

/// `math.randomseed`.
pub(super) fn math_randomseed(lua: Lua) -> Result<c_int, Raise> {
    let seed = lua.integer_argument(1)? as i32;
    lua.shared().random.set(Random::new(seed));
    Ok(0)
}

/// `os.clock`: the processor's time that the process has taken, in seconds.
pub(super) fn clock(lua: Lua) -> Result<c_int, Raise> {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: it writes to what it is given.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    let micros = time.tv_sec * 1_000_000 + time.tv_nsec / 1000;
    lua.push_number(micros as f64 / 1e6);
    Ok(1)
}
