//! The arguments of GEOSEARCH, GEORADIUS and their like.

use super::places::{place, unit};
use super::{Call, NOT_AN_INTEGER, is_option, syntax_error};
use crate::base::num::{parse_f64, parse_i64};
use crate::resp::{Args, c_text};
use crate::store::{Result, Stop, Txn};
use crate::types::geo;
use crate::types::geohash::{Place, Search, Shape};
use crate::types::sorted_set::SortedSet;

/// Where a command has its centre, and whether it may store what it finds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// GEOSEARCH, GEOSEARCHSTORE: among the options.
    Search { stores: bool },
    /// GEORADIUS: a place before the options.
    Place { stores: bool },
    /// GEORADIUSBYMEMBER: a member before the options.
    Member { stores: bool },
}

/// What a search is told, and the search.
#[derive(Default)]
pub struct GeoOptions<'a> {
    /// None if there is no key to search.
    pub search: Option<Search>,
    /// Where to store what is found.
    pub target: Option<&'a [u8]>,
    /// STOREDIST: distances are stored for scores.
    pub store_distances: bool,
    /// WITHDIST.
    pub with_distance: bool,
    /// WITHHASH.
    pub with_hash: bool,
    /// WITHCOORD.
    pub with_place: bool,
    /// DESC, or ASC if false.
    pub descending: Option<bool>,
    /// COUNT.
    pub count: Option<usize>,
    /// ANY: those found first will do.
    pub any: bool,
}

/// The options so far, and what is yet to become a search.
struct Parser<'a, 's> {
    source: Source,
    set: Option<&'s SortedSet>,
    options: GeoOptions<'a>,
    /// A centre that is a place, or a member's; and whether a member was named.
    centre: Option<Place>,
    by_member: bool,
    shape: Option<(Shape, f64)>,
}

/// Reads all arguments behind the key. In the order in which Redis does: which error comes first depends on it.
pub fn parse<'a>(
    txn: &mut Txn,
    call: &Call<'a>,
    set: Option<&SortedSet>,
    source: Source,
) -> Result<GeoOptions<'a>> {
    let mut parser = Parser {
        source,
        set,
        options: GeoOptions::default(),
        centre: None,
        by_member: false,
        shape: None,
    };
    let rest = match source {
        Source::Search { stores: false } => call.args.skip(2),
        Source::Search { stores: true } => {
            parser.options.target = Some(call.arg(1));
            call.args.skip(3)
        }
        Source::Place { .. } => {
            parser.centre = Some(place(call.args.skip(2))?);
            parser.shape = Some(circle(call.args.skip(4))?);
            call.args.skip(6)
        }
        Source::Member { .. } => {
            parser.centre_on(txn, call.arg(2))?;
            if set.is_some() {
                parser.shape = Some(circle(call.args.skip(3))?);
            }
            call.args.skip(5)
        }
    };
    parser.options(txn, rest)?;
    parser.finish(call)
}

impl<'a> Parser<'a, '_> {
    fn options(&mut self, txn: &mut Txn, mut rest: Args<'a>) -> Result<()> {
        while let Some(word) = rest.get(0) {
            let args = rest.skip(1);
            let taken = match word {
                _ if is_option(word, "WITHDIST") => switch(&mut self.options.with_distance),
                _ if is_option(word, "WITHHASH") => switch(&mut self.options.with_hash),
                _ if is_option(word, "WITHCOORD") => switch(&mut self.options.with_place),
                _ if is_option(word, "ANY") => switch(&mut self.options.any),
                _ if is_option(word, "ASC") => self.direct(false),
                _ if is_option(word, "DESC") => self.direct(true),
                _ if is_option(word, "COUNT") && !args.is_empty() => {
                    self.options.count = Some(count(&args[0])?);
                    1
                }
                _ if matches!(self.source, Source::Search { .. }) => self.search_option(txn, word, args)?,
                _ => self.store_option(word, args)?,
            };
            rest = args.skip(taken);
        }
        Ok(())
    }

    fn direct(&mut self, descending: bool) -> usize {
        self.options.descending = Some(descending);
        0
    }

    /// An option of GEOSEARCH and GEOSEARCHSTORE alone. Says how many arguments it takes.
    fn search_option(&mut self, txn: &mut Txn, word: &[u8], args: Args<'a>) -> Result<usize> {
        let by = self.shape.map(|(shape, _)| shape);
        let by_place = self.centre.is_some() && !self.by_member;
        match args.len() {
            _ if is_option(word, "STOREDIST") && self.options.target.is_some() => {
                self.options.store_distances = true;
                Ok(0)
            }
            1.. if is_option(word, "FROMMEMBER") && !by_place => {
                self.centre_on(txn, &args[0])?;
                Ok(1)
            }
            2.. if is_option(word, "FROMLONLAT") && !self.by_member => {
                self.centre = Some(place(args)?);
                Ok(2)
            }
            2.. if is_option(word, "BYRADIUS") && !matches!(by, Some(Shape::Rectangle { .. })) => {
                self.shape = Some(circle(args)?);
                Ok(2)
            }
            3.. if is_option(word, "BYBOX") && !matches!(by, Some(Shape::Circle { .. })) => {
                self.shape = Some(rectangle(args)?);
                Ok(3)
            }
            _ => syntax_error(),
        }
    }

    /// An option of GEORADIUS and GEORADIUSBYMEMBER alone.
    fn store_option(&mut self, word: &[u8], args: Args<'a>) -> Result<usize> {
        let stores = matches!(
            self.source,
            Source::Place { stores: true } | Source::Member { stores: true }
        );
        let distances = is_option(word, "STOREDIST");
        match args.get(0) {
            Some(target) if stores && (distances || is_option(word, "STORE")) => {
                self.options.target = Some(target);
                self.options.store_distances = distances;
                Ok(1)
            }
            _ => syntax_error(),
        }
    }

    /// Takes a member's place as the centre. Without a key nothing is looked for, but the arguments are checked.
    fn centre_on(&mut self, txn: &mut Txn, member: &[u8]) -> Result<()> {
        self.by_member = true;
        let Some(set) = self.set else { return Ok(()) };
        match geo::places(txn, set, std::iter::once(member))?[..] {
            [Some(place)] => {
                self.centre = Some(place);
                Ok(())
            }
            _ => Stop::error("ERR could not decode requested zset member"),
        }
    }

    fn finish(mut self, call: &Call<'a>) -> Result<GeoOptions<'a>> {
        let options = &self.options;
        let command = || String::from_utf8_lossy(c_text(call.arg(0), usize::MAX)).into_owned();
        let is_search = matches!(self.source, Source::Search { .. });
        if options.target.is_some() && (options.with_distance || options.with_hash || options.with_place) {
            let what = if is_search {
                "GEOSEARCHSTORE"
            } else {
                "STORE option in GEORADIUS"
            };
            return Stop::error(format!(
                "ERR {what} is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
            ));
        }
        if is_search && self.centre.is_none() && !self.by_member {
            return Stop::error(format!(
                "ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for {}",
                command()
            ));
        }
        if is_search && self.shape.is_none() {
            return Stop::error(format!(
                "ERR exactly one of BYRADIUS and BYBOX can be specified for {}",
                command()
            ));
        }
        if options.any && options.count.is_none() {
            return Stop::error("ERR the ANY argument requires COUNT argument");
        }
        self.options.search = match (self.centre, self.shape) {
            (Some(centre), Some((shape, unit))) => Some(Search { centre, shape, unit }),
            _ => None,
        };
        Ok(self.options)
    }
}

fn switch(option: &mut bool) -> usize {
    *option = true;
    0
}

fn count(arg: &[u8]) -> Result<usize> {
    match parse_i64(arg) {
        None => Stop::error(NOT_AN_INTEGER),
        Some(count) => match usize::try_from(count) {
            Ok(count) if count > 0 => Ok(count),
            _ => Stop::error("ERR COUNT must be > 0"),
        },
    }
}

fn size(args: Args, i: usize, message: &'static str) -> Result<f64> {
    args.get(i)
        .and_then(parse_f64)
        .map_or_else(|| Stop::error(message), Ok)
}

/// A radius and its unit.
fn circle(args: Args) -> Result<(Shape, f64)> {
    let radius = size(args, 0, "ERR need numeric radius")?;
    if radius < 0.0 {
        return Stop::error("ERR radius cannot be negative");
    }
    Ok((Shape::Circle { radius }, unit(&args[1])?))
}

/// A width, a height and their unit.
fn rectangle(args: Args) -> Result<(Shape, f64)> {
    let width = size(args, 0, "ERR need numeric width")?;
    let height = size(args, 1, "ERR need numeric height")?;
    if width < 0.0 || height < 0.0 {
        return Stop::error("ERR height or width cannot be negative");
    }
    Ok((Shape::Rectangle { width, height }, unit(&args[2])?))
}
