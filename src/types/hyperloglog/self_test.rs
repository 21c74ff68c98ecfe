//! PFSELFTEST: that registers hold what they are given, and that counts are as close as theory says.

use super::{DENSE_LEN, ENCODING_AT, Encoding, HEADER, REGISTER_MAX, REGISTERS, Sketch};
use super::{dense_register, set_dense_register};
use crate::base::random::Random;
use crate::store::{Result, Stop};

const CYCLES: usize = 1000;

/// `elements`: how many are added to a dense and a sparse sketch.
pub fn self_test(random: &mut Random, elements: u64, sparse_max: u64) -> Result<()> {
    test_registers(random)?;
    let mut dense = Sketch::new();
    dense.make_dense()?;
    let mut sparse = Sketch::new();
    let (seed, mut checkpoint) = (random.next_u64(), 1);
    for n in 1..=elements {
        let element = (n ^ seed).to_le_bytes();
        dense.add(&element, sparse_max)?;
        sparse.add(&element, sparse_max)?;
        if n == checkpoint {
            check(n, &dense, &sparse, sparse_max)?;
            checkpoint *= 10;
        }
    }
    Ok(())
}

fn test_registers(random: &mut Random) -> Result<()> {
    let mut sketch = Sketch {
        bytes: vec![0; DENSE_LEN],
    };
    sketch.bytes[ENCODING_AT] = 0;
    let body = &mut sketch.bytes[HEADER..];
    let mut values = vec![0; REGISTERS];
    for _ in 0..CYCLES {
        for (index, value) in values.iter_mut().enumerate() {
            *value = random.next_u64() as u8 & REGISTER_MAX;
            set_dense_register(body, index, *value);
        }
        for (index, &value) in values.iter().enumerate() {
            let found = dense_register(body, index);
            if found != value {
                return Stop::error(format!(
                    "TESTFAILED Register {index} should be {value} but is {found}"
                ));
            }
        }
    }
    Ok(())
}

fn check(added: u64, dense: &Sketch, sparse: &Sketch, sparse_max: u64) -> Result<()> {
    if added < sparse_max / 2 && sparse.encoding() != Encoding::Sparse {
        return Stop::error("TESTFAILED sparse encoding not used");
    }
    let count = dense.count()?;
    if count != sparse.count()? {
        return Stop::error("TESTFAILED dense/sparse disagree");
    }
    let standard_error = 1.04 / (REGISTERS as f64).sqrt();
    // Six times the standard error; of ten elements, two may share a register.
    let allowed = match added {
        10 => 1,
        _ => (standard_error * 6.0 * added as f64).ceil() as u64,
    };
    let error = count.abs_diff(added);
    if error > allowed {
        return Stop::error(format!("TESTFAILED Too big error. card:{added} abserr:{error}"));
    }
    Ok(())
}
