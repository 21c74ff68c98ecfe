//! Places on Earth as 52-bit numbers, so that those near to each other are near in a sorted set.
//!
//! Longitude and latitude are divided in halves 26 times each; the bits that say which half are interleaved, longitude
//! first. A [`Cell`] is all places that share their first bits. A [`Search`] looks through the cell around its centre and
//! the eight around that, in cells so large that these contain its shape.
//!
//! All is computed in Redis's very order of floating-point operations, for the digits are seen by clients.

use std::f64::consts::PI;

/// How many times each coordinate is halved.
const STEPS: u32 = 26;
/// The mean radius of WGS-84's ellipsoid.
const EARTH_RADIUS: f64 = 6_372_797.560_856;
/// Half the length of the equator on the Mercator map.
const MERCATOR_MAX: f64 = 20_037_726.37;
const DEGREE: f64 = PI / 180.0;

/// From and to, of a coordinate in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    /// The lowest one.
    pub min: f64,
    /// The highest one.
    pub max: f64,
}

/// The coordinates that can be encoded: the poles are beyond EPSG:900913's square map.
pub const LONGITUDES: Span = Span {
    min: -180.0,
    max: 180.0,
};
/// The latitudes of that map, in degrees.
pub const LATITUDES: Span = Span {
    min: -85.051_128_78,
    max: 85.051_128_78,
};
/// The latitudes of the common hash strings.
const ALL_LATITUDES: Span = Span {
    min: -90.0,
    max: 90.0,
};

impl Span {
    /// Whether a coordinate in degrees is in it, ends included.
    pub fn contains(self, value: f64) -> bool {
        (self.min..=self.max).contains(&value)
    }

    /// Which of 2^steps equal parts the value is in.
    fn part(self, value: f64, steps: u32) -> u32 {
        let offset = (value - self.min) / (self.max - self.min);
        (offset * (1u64 << steps) as f64) as u32
    }

    /// The n-th of 2^steps equal parts.
    fn nth_part(self, n: u32, steps: u32) -> Span {
        let (parts, size) = ((1u64 << steps) as f64, self.max - self.min);
        Span {
            min: self.min + f64::from(n) / parts * size,
            max: self.min + f64::from(n.wrapping_add(1)) / parts * size,
        }
    }

    fn middle(self, within: Span) -> f64 {
        ((self.min + self.max) / 2.0).clamp(within.min, within.max)
    }
}

/// A place, in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// In degrees, positive to the east.
    pub longitude: f64,
    /// In degrees, positive to the north.
    pub latitude: f64,
}

impl Place {
    /// Whether it can be encoded.
    pub fn is_valid(self) -> bool {
        LONGITUDES.contains(self.longitude) && LATITUDES.contains(self.latitude)
    }

    /// The score that stands for this place in a sorted set.
    pub fn score(self) -> f64 {
        Cell::around(self, LATITUDES, STEPS).bits as f64
    }

    /// The place that a score stands for: the middle of its cell.
    pub fn of_score(score: f64) -> Place {
        let cell = Cell {
            bits: c_unsigned(score),
            steps: STEPS,
        };
        let area = cell.area();
        Place {
            longitude: area.longitude.middle(LONGITUDES),
            latitude: area.latitude.middle(LATITUDES),
        }
    }

    /// The common hash string, of 11 characters; 52 bits make ten of them, the last is always 0.
    pub fn hash_string(self) -> String {
        const ALPHABET: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
        let bits = Cell::around(self, ALL_LATITUDES, STEPS).bits;
        let character = |i: u32| ALPHABET[(bits >> (52 - 5 * i) & 0x1f) as usize] as char;
        (1..=10).map(character).chain(['0']).collect()
    }

    /// Along the great circle, in metres.
    pub fn distance(self, other: Place) -> f64 {
        let [longitude, other_longitude] = [self.longitude, other.longitude].map(|degrees| degrees * DEGREE);
        let v = ((other_longitude - longitude) / 2.0).sin();
        if v == 0.0 {
            return self.latitude_distance(other);
        }
        let [latitude, other_latitude] = [self.latitude, other.latitude].map(|degrees| degrees * DEGREE);
        let u = ((other_latitude - latitude) / 2.0).sin();
        let a = u * u + latitude.cos() * other_latitude.cos() * v * v;
        2.0 * EARTH_RADIUS * a.sqrt().asin()
    }

    fn latitude_distance(self, other: Place) -> f64 {
        EARTH_RADIUS * (other.latitude * DEGREE - self.latitude * DEGREE).abs()
    }
}

/// As C on x86-64 turns a double into an unsigned integer, where the language leaves it open: a score may be any.
fn c_unsigned(value: f64) -> u64 {
    const HALF: f64 = (1u64 << 63) as f64;
    let signed = |value: f64| {
        if value < HALF { value as i64 } else { i64::MIN }
    };
    if value < HALF {
        signed(value).cast_unsigned()
    } else {
        signed(value - HALF).cast_unsigned() ^ 1 << 63
    }
}

/// All places whose numbers begin with the same 2 * steps bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cell {
    bits: u64,
    steps: u32,
}

#[derive(Clone, Copy, Debug)]
struct Area {
    longitude: Span,
    latitude: Span,
}

/// The bits of latitudes, and those of longitudes.
const EVEN: u64 = 0x5555_5555_5555_5555;
const ODD: u64 = EVEN << 1;

impl Cell {
    fn around(place: Place, latitudes: Span, steps: u32) -> Cell {
        let x = LONGITUDES.part(place.longitude, steps);
        let y = latitudes.part(place.latitude, steps);
        Cell {
            bits: spread(y) | spread(x) << 1,
            steps,
        }
    }

    fn area(self) -> Area {
        Area {
            longitude: LONGITUDES.nth_part(gather(self.bits >> 1), self.steps),
            latitude: LATITUDES.nth_part(gather(self.bits), self.steps),
        }
    }

    /// So many cells to the east and to the north, -1 to 1 each; beyond an edge of the map is the other edge.
    fn neighbour(self, east: i32, north: i32) -> Cell {
        let unused = 64 - 2 * self.steps;
        let x = step(self.bits & ODD, ODD >> unused, EVEN >> unused, east);
        let y = step(self.bits & EVEN, EVEN >> unused, ODD >> unused, north);
        Cell { bits: x | y, ..self }
    }

    /// The scores of the places in it: from the first, to before the second.
    fn scores(self) -> (f64, f64) {
        let align = |bits: u64| (bits << (2 * (STEPS - self.steps))) as f64;
        (align(self.bits), align(self.bits + 1))
    }
}

/// One more or less in the bits of `own`, those between being `others`.
fn step(bits: u64, own: u64, others: u64, by: i32) -> u64 {
    match by {
        0 => bits,
        1.. => bits.wrapping_add(others + 1) & own,
        _ => (bits | others).wrapping_sub(others + 1) & own,
    }
}

/// The bits of a number at the even positions.
fn spread(value: u32) -> u64 {
    let mut x = u64::from(value);
    x = (x | x << 16) & 0x0000_ffff_0000_ffff;
    x = (x | x << 8) & 0x00ff_00ff_00ff_00ff;
    x = (x | x << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    x = (x | x << 2) & 0x3333_3333_3333_3333;
    (x | x << 1) & EVEN
}

/// The number whose bits are at the even positions.
fn gather(bits: u64) -> u32 {
    let mut x = bits & EVEN;
    x = (x | x >> 1) & 0x3333_3333_3333_3333;
    x = (x | x >> 2) & 0x0f0f_0f0f_0f0f_0f0f;
    x = (x | x >> 4) & 0x00ff_00ff_00ff_00ff;
    x = (x | x >> 8) & 0x0000_ffff_0000_ffff;
    (x | x >> 16) as u32
}

/// What is searched, its sizes in the unit of the search.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// All places no further from the centre than this.
    Circle {
        /// In the unit of the search.
        radius: f64,
    },
    /// All places within half of these from the centre: to east and west, and to north and south.
    Rectangle {
        /// From west to east, in the unit of the search.
        width: f64,
        /// From south to north, in the unit of the search.
        height: f64,
    },
}

/// A search among places.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Search {
    /// The middle of its shape.
    pub centre: Place,
    /// What lies within is found.
    pub shape: Shape,
    /// The unit's length in metres.
    pub unit: f64,
}

impl Search {
    /// The distance of a place from the centre in metres, if the place is within the shape.
    pub fn distance(&self, place: Place) -> Option<f64> {
        match self.shape {
            Shape::Circle { radius } => {
                Some(self.centre.distance(place)).filter(|distance| *distance <= radius * self.unit)
            }
            Shape::Rectangle { width, height } => {
                let beside = Place {
                    latitude: place.latitude,
                    ..self.centre
                };
                let inside = place.latitude_distance(self.centre) <= height * self.unit / 2.0
                    && place.distance(beside) <= width * self.unit / 2.0;
                inside.then(|| self.centre.distance(place))
            }
        }
    }

    /// The scores of all places within the shape, and of some around it: ranges from the first, to before the second.
    pub fn score_ranges(&self) -> Vec<(f64, f64)> {
        let bounds = self.bounds();
        let steps = self.steps();
        let mut centre = Cell::around(self.centre, LATITUDES, steps);
        if steps > 1 && !is_surrounded(centre, bounds) {
            centre = Cell::around(self.centre, LATITUDES, steps - 1);
        }
        let area = centre.area();
        // A cell that covers so much leaves nothing of the shape to the cells beyond.
        let is_narrow = centre.steps >= 2;
        let skips = |east: i32, north: i32| {
            is_narrow
                && (north < 0 && area.latitude.min < bounds.latitude.min
                    || north > 0 && area.latitude.max > bounds.latitude.max
                    || east < 0 && area.longitude.min < bounds.longitude.min
                    || east > 0 && area.longitude.max > bounds.longitude.max)
        };
        const ORDER: [(i32, i32); 9] = [
            (0, 0),
            (0, 1),
            (0, -1),
            (1, 0),
            (-1, 0),
            (1, 1),
            (-1, 1),
            (1, -1),
            (-1, -1),
        ];
        let mut cells = vec![centre];
        for (east, north) in ORDER
            .into_iter()
            .skip(1)
            .filter(|(east, north)| !skips(*east, *north))
        {
            let cell = centre.neighbour(east, north);
            // In a map of two by two cells, the neighbours to both sides are one.
            if cells.len() == 1 || cells.last() != Some(&cell) {
                cells.push(cell);
            }
        }
        cells.into_iter().map(Cell::scores).collect()
    }

    /// How often the map can be halved so that a cell and its neighbours still cover the shape, by estimate.
    fn steps(&self) -> u32 {
        let radius = match self.shape {
            Shape::Circle { radius } => radius,
            Shape::Rectangle { width, height } => {
                ((width / 2.0) * (width / 2.0) + (height / 2.0) * (height / 2.0)).sqrt()
            }
        };
        let mut metres = radius * self.unit;
        if metres == 0.0 {
            return STEPS;
        }
        let mut steps = 1;
        while metres < MERCATOR_MAX {
            metres *= 2.0;
            steps += 1;
        }
        steps -= 2;
        let latitude = self.centre.latitude.abs();
        steps -= i32::from(latitude > 66.0) + i32::from(latitude > 80.0);
        steps.clamp(1, STEPS as i32).unsigned_abs()
    }

    /// The rectangle of coordinates around the shape, taken at its wider end.
    fn bounds(&self) -> Area {
        let (half_width, half_height) = match self.shape {
            Shape::Circle { radius } => (radius, radius),
            Shape::Rectangle { width, height } => (width / 2.0, height / 2.0),
        };
        let (half_width, half_height) = (self.unit * half_width, self.unit * half_height);
        let Place { longitude, latitude } = self.centre;
        let latitudes = half_height / EARTH_RADIUS / DEGREE;
        let nearer_to_pole = if latitude < 0.0 {
            latitude - latitudes
        } else {
            latitude + latitudes
        };
        let longitudes = half_width / EARTH_RADIUS / (nearer_to_pole * DEGREE).cos() / DEGREE;
        Area {
            longitude: Span {
                min: longitude - longitudes,
                max: longitude + longitudes,
            },
            latitude: Span {
                min: latitude - latitudes,
                max: latitude + latitudes,
            },
        }
    }
}

/// Whether none of the cell's four neighbours ends before the bounds do.
fn is_surrounded(cell: Cell, bounds: Area) -> bool {
    let area = |east, north| cell.neighbour(east, north).area();
    let is_short = area(0, 1).latitude.max < bounds.latitude.max
        || area(0, -1).latitude.min > bounds.latitude.min
        || area(1, 0).longitude.max < bounds.longitude.max
        || area(-1, 0).longitude.min > bounds.longitude.min;
    !is_short
}

#[cfg(test)]
mod tests {
    use super::*;

    const PALERMO: Place = Place {
        longitude: 13.361_389,
        latitude: 38.115_556,
    };
    const CATANIA: Place = Place {
        longitude: 15.087_269,
        latitude: 37.502_669,
    };

    #[test]
    fn as_redis_s_manual_has_it() {
        assert_eq!(PALERMO.score(), 3_479_099_956_230_698.0);
        assert_eq!(CATANIA.score(), 3_479_447_370_796_909.0);
        let [palermo, catania] = [PALERMO, CATANIA].map(|place| Place::of_score(place.score()));
        assert_eq!(palermo.hash_string(), "sqc8b49rny0");
        assert_eq!(catania.hash_string(), "sqdtr74hyu0");
        assert_eq!(format!("{:.4}", palermo.distance(catania)), "166274.1516");
    }

    #[test]
    fn bits_come_apart_again() {
        for value in [0, 1, 2, 0x1234_5678, u32::MAX, 1 << 26] {
            assert_eq!(gather(spread(value)), value);
        }
    }

    #[test]
    fn neighbours_lie_around_and_wrap() {
        let cell = Cell::around(PALERMO, LATITUDES, 10);
        assert_eq!(cell.neighbour(1, 0).neighbour(-1, 0), cell);
        assert_eq!(cell.neighbour(-1, 1).neighbour(1, -1), cell);
        assert_eq!(
            cell.neighbour(1, 0).area().longitude.min,
            cell.area().longitude.max
        );
        assert_eq!(
            cell.neighbour(0, -1).area().latitude.max,
            cell.area().latitude.min
        );
        let edge = Cell { bits: 0, steps: 3 };
        assert_eq!(edge.neighbour(-1, 0).neighbour(1, 0), edge);
        assert_eq!(edge.neighbour(-1, 0).area().longitude.max, 180.0);
    }

    #[test]
    fn every_place_within_a_shape_is_in_its_ranges() {
        let mut random = crate::base::random::Random::from_seed(5);
        let mut between = |min: f64, max: f64| {
            let share = random.below(1 << 30) as f64 / f64::from(1 << 30);
            min + (max - min) * share
        };
        let mut inside = 0;
        for _ in 0..20_000 {
            let centre = Place {
                longitude: between(-160.0, 160.0),
                latitude: between(-70.0, 70.0),
            };
            let radius = 10f64.powf(between(0.0, 6.0));
            let search = Search {
                centre,
                shape: Shape::Circle { radius },
                unit: 1.0,
            };
            let reach = radius / 111_000.0;
            let place = Place {
                longitude: (centre.longitude + between(-reach, reach)).clamp(-180.0, 180.0),
                latitude: (centre.latitude + between(-reach, reach)).clamp(-85.0, 85.0),
            };
            if search.distance(place).is_some() {
                inside += 1;
                let score = place.score();
                let found = search
                    .score_ranges()
                    .iter()
                    .any(|(from, to)| (*from..*to).contains(&score));
                assert!(found, "{search:?} {place:?}");
            }
        }
        assert!(inside > 5_000);
    }

    #[test]
    fn scores_that_are_no_places_do_no_harm() {
        for score in [-1.0, -1e300, 1e300, f64::INFINITY, f64::NEG_INFINITY, 0.5, 1.8e19] {
            assert!(Place::of_score(score).is_valid());
        }
    }
}
