//! Rows of the commands on places.

use super::*;
use crate::command::geo;

/// A row of this group.
const fn row(name: &'static str, arity: i32, handler: Handler) -> Command {
    Command::data(name, arity, handler).acl(acl::GEO)
}

const RADIUS_COMPLEXITY: &str = "O(N+log(M)) where N is the number of elements inside the bounding box of the circular area delimited by center and radius and M is the number of items inside the index.";
const SEARCH_COMPLEXITY: &str = "O(N+log(M)) where N is the number of elements in the grid-aligned bounding box area around the shape provided as the filter and M is the number of items inside the shape";
const ANY_ADDED: (&str, &str) = ("6.2.0", "Added the `ANY` option for `COUNT`.");
const UPPERCASE_ADDED: (&str, &str) = ("7.0.0", "Added support for uppercase unit names.");

/// The group is filled in by [`super::COMMANDS`].
pub const ROWS: &[Command] = &[
    row("geoadd", -5, geo::geoadd)
        .flags(WRITE | DENYOOM)
        .keys(&[at(1, RW | UPDATE)])
        .docs(
            "3.2.0",
            "Add one or more geospatial items in the geospatial index represented using a sorted set",
            "O(log(N)) for each item added, where N is the number of elements in the sorted set.",
        )
        .history(&[("6.2.0", "Added the `CH`, `NX` and `XX` options.")]),
    row("geodist", -4, geo::geodist)
        .flags(READONLY)
        .keys(&[at(1, RO | ACCESS)])
        .docs(
            "3.2.0",
            "Returns the distance between two members of a geospatial index",
            "O(log(N))",
        ),
    row("geohash", -2, geo::geohash)
        .flags(READONLY)
        .keys(&[at(1, RO | ACCESS)])
        .docs(
            "3.2.0",
            "Returns members of a geospatial index as standard geohash strings",
            "O(log(N)) for each member requested, where N is the number of elements in the sorted set.",
        ),
    row("geopos", -2, geo::geopos)
        .flags(READONLY)
        .keys(&[at(1, RO | ACCESS)])
        .docs(
            "3.2.0",
            "Returns longitude and latitude of members of a geospatial index",
            "O(N) where N is the number of members requested.",
        ),
    row("georadius", -6, geo::georadius)
        .flags(WRITE | DENYOOM | MOVABLEKEYS)
        .keys(&[
            at(1, RO | ACCESS),
            behind("STORE", 6, OW | UPDATE),
            behind("STOREDIST", 6, OW | UPDATE),
        ])
        .docs(
            "3.2.0",
            "Query a sorted set representing a geospatial index to fetch members matching a given maximum distance from a point",
            RADIUS_COMPLEXITY,
        )
        .deprecated("6.2.0", "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument")
        .history(&[ANY_ADDED, UPPERCASE_ADDED]),
    row("georadius_ro", -6, geo::georadius_ro)
        .flags(READONLY)
        .keys(&[at(1, RO | ACCESS)])
        .docs("3.2.10", "A read-only variant for GEORADIUS", RADIUS_COMPLEXITY)
        .deprecated("6.2.0", "`GEOSEARCH` with the `BYRADIUS` argument")
        .history(&[ANY_ADDED]),
    row("georadiusbymember", -5, geo::georadiusbymember)
        .flags(WRITE | DENYOOM | MOVABLEKEYS)
        .keys(&[
            at(1, RO | ACCESS),
            behind("STORE", 5, OW | UPDATE),
            behind("STOREDIST", 5, OW | UPDATE),
        ])
        .docs(
            "3.2.0",
            "Query a sorted set representing a geospatial index to fetch members matching a given maximum distance from a member",
            RADIUS_COMPLEXITY,
        )
        .deprecated(
            "6.2.0",
            "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments",
        )
        .history(&[UPPERCASE_ADDED]),
    row("georadiusbymember_ro", -5, geo::georadiusbymember_ro)
        .flags(READONLY)
        .keys(&[at(1, RO | ACCESS)])
        .docs(
            "3.2.10",
            "A read-only variant for GEORADIUSBYMEMBER",
            RADIUS_COMPLEXITY,
        )
        .deprecated("6.2.0", "`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments"),
    row("geosearch", -7, geo::geosearch)
        .flags(READONLY)
        .keys(&[at(1, RO | ACCESS)])
        .docs(
            "6.2.0",
            "Query a sorted set representing a geospatial index to fetch members inside an area of a box or a circle.",
            SEARCH_COMPLEXITY,
        )
        .history(&[UPPERCASE_ADDED]),
    row("geosearchstore", -8, geo::geosearchstore)
        .flags(WRITE | DENYOOM)
        .keys(&[at(1, OW | UPDATE), at(2, RO | ACCESS)])
        .docs(
            "6.2.0",
            "Query a sorted set representing a geospatial index to fetch members inside an area of a box or a circle, and store the result in another key.",
            SEARCH_COMPLEXITY,
        )
        .history(&[UPPERCASE_ADDED]),
];
