//! Random commands: families of generators over a small key space, and what spoils their arguments.
//!
//! A new family is a file with a `FAMILY` and a line in [`FAMILIES`].

use crate::support::Rng;

pub type Args = Vec<Vec<u8>>;
/// Makes a command.
pub type Make = fn(&mut Gen) -> Args;
/// The commands that read all of a key.
pub type Reads = fn(&[u8]) -> Vec<Args>;

/// The commands of one group.
pub struct Family {
    /// How often each is drawn, and what makes one.
    pub commands: &'static [(u64, Make)],
    /// A type of key that this family brings, and what reads it.
    pub state: Option<(&'static str, Reads)>,
}

pub const FAMILIES: &[&Family] = &[
    &super::string::FAMILY,
    &super::set::FAMILY,
    &super::sorted_set::FAMILY,
    &super::bitmap::FAMILY,
    &super::generic::FAMILY,
    &super::geo::FAMILY,
    &super::hyperloglog::FAMILY,
    &super::sort::FAMILY,
    &super::list::FAMILY,
    &super::hash::FAMILY,
    &super::connection::FAMILY,
    &super::stream::FAMILY,
];

/// Databases that are used.
pub const DATABASES: u64 = 3;

/// `args!["SET", g.key(), value]`: a command from anything that becomes bytes.
macro_rules! args {
    ($($arg:expr),+ $(,)?) => {
        vec![$(Vec::<u8>::from($arg)),+]
    };
}
pub(super) use args;

/// Arguments as tests of Redis like them: few keys, so that commands meet; few numbers, so that limits are
/// hit.
pub struct Gen {
    pub rng: Rng,
    total_weight: u64,
}

impl Gen {
    pub fn new(seed: u64) -> Gen {
        let weights = FAMILIES
            .iter()
            .flat_map(|family| family.commands)
            .map(|(weight, _)| weight);
        Gen {
            rng: Rng::new(seed),
            total_weight: weights.sum(),
        }
    }

    /// A command, and what must follow it at once.
    pub fn commands(&mut self) -> Vec<Args> {
        let made = self.command();
        let args = if self.rng.one_in(16) {
            self.spoiled(made)
        } else {
            made
        };
        let next: Vec<Args> = touch_of_expired(&args)
            .into_iter()
            .chain(super::stream::consumers_of(&args))
            .collect();
        [vec![args], next].concat()
    }

    fn command(&mut self) -> Args {
        let mut at = self.rng.below(self.total_weight);
        for (weight, make) in FAMILIES.iter().flat_map(|family| family.commands) {
            if at < *weight {
                return make(self);
            }
            at -= weight;
        }
        unreachable!("the total of the weights is wrong");
    }

    /// The command with something wrong, unless it would then take much memory or depend on the clock.
    fn spoiled(&mut self, made: Args) -> Args {
        let mut args = made.clone();
        let at = self.rng.below(args.len() as u64) as usize;
        match self.rng.below(6) {
            0 => args.truncate(args.len() - 1),
            1 => args.push(self.odd()),
            2 => args.insert(at.max(1), self.odd()),
            3 => args.push(args[at].clone()),
            4 if at > 0 => drop(args.remove(at)),
            _ if at > 0 => args[at] = self.odd(),
            _ => args[at].push(b'x'),
        }
        // Which options there are differs from version to version.
        let sound = name(&made) != "CONFIG"
            && !args.is_empty()
            && is_affordable(&args)
            && is_timeless(&args)
            && leaves_the_same(&args);
        if sound { args } else { made }
    }

    fn odd(&mut self) -> Vec<u8> {
        const ODD: [&str; 30] = [
            "",
            "abc",
            "0",
            "1",
            "-1",
            "2",
            "7",
            "100",
            "-100",
            "1.5",
            "-0",
            "+1",
            " 1",
            "1 ",
            "0x1",
            "1e3",
            "nan",
            "inf",
            "-inf",
            "9223372036854775807",
            "9223372036854775808",
            "-9223372036854775808",
            "4294967295",
            "4294967296",
            "NX",
            "xx",
            "GET",
            "EX",
            "BIT",
            "FOO",
        ];
        Vec::from(*self.rng.pick(&ODD))
    }

    pub fn key(&mut self) -> Vec<u8> {
        match self.rng.below(40) {
            0 => b"".to_vec(),
            1 => b"\xff\x00key".to_vec(),
            2..=4 => self.big_key(),
            5 => format!("r{}", self.rng.below(100)).into(),
            n => format!("k{}", n % 8).into(),
        }
    }

    /// The keys whose values may be large.
    pub fn big_key(&mut self) -> Vec<u8> {
        format!("big{}", self.rng.below(3)).into()
    }

    pub fn value(&mut self) -> Vec<u8> {
        match self.rng.below(20) {
            0 => Vec::new(),
            1..=7 => self.number(),
            8 => self.float(),
            9 => self
                .rng
                .pick(&[" 11", "11 ", "007", "1e3", "-0", "+5", "nan", "0x10"])
                .as_bytes()
                .to_vec(),
            10 => self.long(),
            11 => self.random_bytes(64),
            _ => self.text(30),
        }
    }

    fn random_bytes(&mut self, limit: u64) -> Vec<u8> {
        let len = self.rng.below(limit) as usize;
        self.rng.bytes(len)
    }

    /// Letters of a small alphabet, so that two texts have something in common.
    pub fn text(&mut self, limit: u64) -> Vec<u8> {
        (0..self.rng.below(limit))
            .map(|_| b'a' + self.rng.below(5) as u8)
            .collect()
    }

    /// A value around the sizes where encodings and segments change.
    fn long(&mut self) -> Vec<u8> {
        let around = *self.rng.pick(&[44, 64, 128, 300, 1024, 4096]);
        let len = around + self.rng.below(5) as usize - 2;
        self.rng.bytes(len)
    }

    /// A value of up to 200 KB; for big keys.
    pub fn large(&mut self) -> Vec<u8> {
        let around = *self.rng.pick(&[4096, 16384, 65536, 131072, 200000]);
        let len = around + self.rng.below(5) as usize - 2;
        let byte = b'a' + self.rng.below(26) as u8;
        let mut bytes = vec![byte; len];
        let at = self.rng.below(len as u64) as usize;
        bytes[at] = b'!';
        bytes
    }

    pub fn number(&mut self) -> Vec<u8> {
        const EDGES: [i64; 10] = [0, 1, -1, 255, 256, 9999, 10000, i64::MAX, i64::MAX - 1, i64::MIN];
        let n = match self.rng.below(10) {
            0 => *self.rng.pick(&EDGES),
            1 => self.rng.next() as i64,
            2..=4 => self.rng.between(-1000, 1000),
            _ => self.rng.between(-10, 10),
        };
        n.to_string().into()
    }

    pub fn float(&mut self) -> Vec<u8> {
        const EDGES: [&str; 10] = [
            "0.1", "-0.1", "3.0e3", "1e-5", "2.5", "-7", "0", "0.000001", "1.", ".5",
        ];
        if self.rng.one_in(2) {
            return Vec::from(*self.rng.pick(&EDGES));
        }
        let (whole, part) = (self.rng.between(-1000, 1000), self.rng.below(1000));
        format!("{whole}.{part}").into()
    }

    /// An index into a string: near its ends, rarely far outside.
    pub fn index(&mut self) -> Vec<u8> {
        let n = match self.rng.below(20) {
            0 => *self.rng.pick(&[i64::MAX, i64::MIN, 70000, -70000, 1 << 32]),
            1 => self.rng.between(-70000, 70000),
            2..=8 => self.rng.between(-10, 10),
            _ => self.rng.between(-60, 60),
        };
        n.to_string().into()
    }

    /// Where to write in the value of `key`: small, but in big keys up to 64 KB and rarely 1 MB.
    pub fn offset(&mut self, key: &[u8]) -> u64 {
        if !key.starts_with(b"big") {
            return self.rng.below(200);
        }
        match self.rng.below(50) {
            0 => self.rng.below(1 << 20),
            1..=9 => 65536 + self.rng.below(10) - 5,
            _ => self.rng.below(70000),
        }
    }

    /// So far in the future that no run sees its end, and never the same twice: GT and LT compare what two
    /// servers have computed at slightly different times.
    pub fn seconds_ahead(&mut self) -> u64 {
        100_000 + self.rng.below(100_000_000)
    }

    /// A moment in seconds: far ahead, or rarely long ago.
    pub fn moment(&mut self) -> u64 {
        let ago = self.rng.one_in(10);
        if ago {
            1 + self.rng.below(1_000_000_000)
        } else {
            33_000_000_000 + self.rng.below(1_000_000_000)
        }
    }

    /// `EX n`, `PX n`, `EXAT n` or `PXAT n`.
    pub fn deadline(&mut self) -> Args {
        let millis = self.rng.below(1000);
        match self.rng.below(4) {
            0 => args![self.cased("EX"), self.seconds_ahead().to_string()],
            1 => args![
                self.cased("PX"),
                (self.seconds_ahead() * 1000 + millis).to_string()
            ],
            2 => args![self.cased("EXAT"), self.moment().to_string()],
            _ => args![self.cased("PXAT"), (self.moment() * 1000 + millis).to_string()],
        }
    }

    /// A word as is, in small letters, or in mixed ones.
    pub fn cased(&mut self, word: &str) -> Vec<u8> {
        match self.rng.below(8) {
            0 => word.to_lowercase().into(),
            1 => word
                .bytes()
                .map(|b| {
                    if self.rng.one_in(2) {
                        b.to_ascii_lowercase()
                    } else {
                        b
                    }
                })
                .collect(),
            _ => word.into(),
        }
    }

    pub fn database(&mut self) -> Vec<u8> {
        self.rng.below(DATABASES).to_string().into()
    }

    /// One to `limit` things.
    pub fn some(&mut self, limit: u64, make: fn(&mut Gen) -> Vec<u8>) -> Args {
        (0..=self.rng.below(limit)).map(|_| make(self)).collect()
    }

    /// Each group with one chance in `odds`, in any order, behind what is there.
    pub fn shuffle_in(&mut self, args: &mut Args, odds: u64, mut groups: Vec<Args>) {
        while !groups.is_empty() {
            let at = self.rng.below(groups.len() as u64) as usize;
            let group = groups.swap_remove(at);
            if self.rng.one_in(odds) {
                args.extend(group);
            }
        }
    }
}

fn name(args: &[Vec<u8>]) -> String {
    String::from_utf8_lossy(&args[0]).to_uppercase()
}

fn number_at(args: &[Vec<u8>], at: usize) -> Option<i64> {
    std::str::from_utf8(args.get(at)?).ok()?.parse().ok()
}

/// Redis counts a key that was set with a deadline in the past until something touches it.
fn touch_of_expired(args: &[Vec<u8>]) -> Option<Args> {
    let sets_moment = args
        .iter()
        .any(|arg| arg.eq_ignore_ascii_case(b"EXAT") || arg.eq_ignore_ascii_case(b"PXAT"));
    (name(args) == "SET" && sets_moment)
        .then(|| vec![b"EXISTS".to_vec(), args.get(1).cloned().unwrap_or_default()])
}

/// Whether no offset makes the server allocate more than a few megabytes, and Redis defines the outcome.
fn is_affordable(args: &[Vec<u8>]) -> bool {
    const BITS: i64 = 1 << 23;
    let at_most = |at, limit| number_at(args, at).is_none_or(|n| n <= limit || n > u32::MAX as i64);
    match &name(args)[..] {
        // Not checked in the same way by all versions.
        "XSETID" => false,
        "SETBIT" => at_most(2, BITS),
        "SETRANGE" => at_most(2, BITS / 8),
        "SPOP" => super::set::is_determined(args),
        name if name.starts_with('Z') => super::sorted_set::keeps_scores(name, args),
        // An operation's offset may be anywhere, with # in front or without.
        "BITFIELD" => (2..args.len()).all(|at| {
            let small = !args[at].starts_with(b"#") && at_most(at, BITS);
            small && super::bitmap::defined_in_a_field(&args[at])
        }),
        _ => true,
    }
}

/// Whether no deadline comes while the test runs.
fn is_timeless(args: &[Vec<u8>]) -> bool {
    let name = name(args);
    let far = |at, unit: i64| number_at(args, at).is_none_or(|n| n <= 0 || n > 50_000 * unit);
    match &name[..] {
        "EXPIRE" | "SETEX" => far(2, 1),
        "PEXPIRE" | "PSETEX" => far(2, 1000),
        "SET" | "GETEX" => (2..args.len()).all(|at| match args[at].to_ascii_uppercase().as_slice() {
            b"EX" => far(at + 1, 1),
            b"PX" => far(at + 1, 1000),
            _ => true,
        }),
        _ => true,
    }
}

/// Whether all versions do the same: Redis 7.0 removes something where later ones refuse the count.
fn leaves_the_same(args: &[Vec<u8>]) -> bool {
    name(args) != "LREM" || number_at(args, 2) != Some(i64::MIN)
}

#[test]
fn the_same_seed_gives_the_same_commands() {
    let draw = |seed| {
        let mut g = Gen::new(seed);
        (0..2000).flat_map(|_| g.commands()).collect::<Vec<_>>()
    };
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
}

#[test]
fn what_costs_much_or_soon_expires_is_not_sent() {
    let split = |line: &str| crate::support::text::split(line).unwrap();
    assert!(
        !is_affordable(&split("SETBIT k 4294967295 1")) && is_affordable(&split("SETBIT k 4294967296 1"))
    );
    assert!(!is_affordable(&split("BITFIELD k SET u8 #536870911 1")));
    assert!(!is_timeless(&split("SET k v PX 7")) && is_timeless(&split("SET k v PX -1 EX 99999999")));
    assert!(!leaves_the_same(&split("lrem l -9223372036854775808 a")));
    assert!(leaves_the_same(&split("LREM l -1 a")) && leaves_the_same(&split("LREM l")));
    assert!(!is_timeless(&split("EXPIRE k 100")) && is_timeless(&split("EXPIRE k abc")));
}
