//! What the load generator has the servers do.

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Workload {
    Get,
    Set,
    Incr,
    Mset,
    /// MULTI, INCR and EXEC: one operation.
    MultiIncr,
    /// EVALSHA of a script that calls INCR, or GET.
    EvalIncr,
    EvalGet,
    /// RPUSH to keys that others wait for (`wake.rs`): an operation is an element that one of those was given.
    Wake,
    /// To a channel without subscribers.
    Publish,
}

/// Scripts, and the hashes that EVALSHA names them by.
const INCR_SCRIPT: Script = Script {
    text: "return redis.call('incr',KEYS[1])",
    sha: "6f5ade10a69975e903c6d07b10ea44c6382381a5",
};
const GET_SCRIPT: Script = Script {
    text: "return redis.call('get',KEYS[1])",
    sha: "fd758d1589d044dd850a6f05d52f2eefd27f033f",
};

pub struct Script {
    pub text: &'static str,
    pub sha: &'static str,
}

impl Workload {
    pub const ALL: [Workload; 9] = [
        Workload::Get,
        Workload::Set,
        Workload::Incr,
        Workload::Mset,
        Workload::MultiIncr,
        Workload::EvalIncr,
        Workload::EvalGet,
        Workload::Wake,
        Workload::Publish,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Workload::Get => "GET",
            Workload::Set => "SET",
            Workload::Incr => "INCR",
            Workload::Mset => "MSET",
            Workload::MultiIncr => "MULTI-INCR-EXEC",
            Workload::EvalIncr => "EVALSHA-INCR",
            Workload::EvalGet => "EVALSHA-GET",
            Workload::Wake => "BLPOP-WAKE",
            Workload::Publish => "PUBLISH",
        }
    }

    /// The command that has the keys.
    pub fn command(self) -> &'static str {
        match self {
            Workload::MultiIncr => "INCR",
            Workload::EvalIncr | Workload::EvalGet => "EVALSHA",
            other => other.name(),
        }
    }

    /// Whether its keys hold integers.
    pub fn counts(self) -> bool {
        matches!(self, Workload::Incr | Workload::MultiIncr | Workload::EvalIncr)
    }

    /// What an operation is answered; the elements of EXEC's reply are counted, not the array.
    pub fn replies(self) -> usize {
        match self {
            Workload::MultiIncr => 3,
            _ => 1,
        }
    }

    /// The script that it runs, which has to be loaded.
    pub fn script(self) -> Option<&'static Script> {
        match self {
            Workload::EvalIncr => Some(&INCR_SCRIPT),
            Workload::EvalGet => Some(&GET_SCRIPT),
            _ => None,
        }
    }
}
