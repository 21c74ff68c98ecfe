//! The one budget of open files: how the system's limit is shared out between clients and the store's tables.

/// Files of neither: logs, what compactions write, listening sockets.
const OWN: u64 = 96;
/// The store works with so few tables open, slowly.
const LEAST_TABLES: u64 = 32;
/// The least share of the limit that tables get: 1/4, if there are so many clients that they would get less.
const LEAST_SHARE: u64 = 4;

/// Shares of the limit of open files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FilePlan {
    /// Most connections.
    pub clients: u32,
    /// Most tables that are open at a time.
    pub tables: u64,
}

impl FilePlan {
    /// The least limit that there is a plan for.
    pub const LEAST: u64 = OWN + LEAST_TABLES + 1;

    /// For `clients`, or as many as `limit` allows, which is not below [`FilePlan::LEAST`].
    pub fn of(limit: u64, clients: u32) -> FilePlan {
        let rest = limit.saturating_sub(OWN);
        let least = (rest / LEAST_SHARE).max(LEAST_TABLES);
        let tables = rest.saturating_sub(u64::from(clients)).max(least);
        let possible = u32::try_from(rest.saturating_sub(tables)).unwrap_or(u32::MAX);
        FilePlan {
            clients: clients.min(possible).max(1),
            tables,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_are_no_more_than_the_limit() {
        for limit in [FilePlan::LEAST, 200, 256, 1024, 4096, 1 << 20] {
            for clients in [1, 100, 10_000, u32::MAX] {
                let plan = FilePlan::of(limit, clients);
                assert!(
                    u64::from(plan.clients) + plan.tables + OWN <= limit,
                    "{limit}: {plan:?}"
                );
                assert!(plan.clients >= 1 && plan.tables >= LEAST_TABLES);
            }
        }
        let plan = FilePlan::of(1 << 20, 10_000);
        assert_eq!((plan.clients, plan.tables), (10_000, (1 << 20) - 10_000 - OWN));
        assert_eq!(
            FilePlan::of(1024, 10_000),
            FilePlan {
                clients: 696,
                tables: 232
            }
        );
    }
}
