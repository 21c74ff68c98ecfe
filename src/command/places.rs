//! Arguments of commands over places.

use super::{NOT_A_FLOAT, is_option};
use crate::base::num::parse_f64;
use crate::resp::Args;
use crate::store::{Result, Stop};
use crate::types::geohash::Place;

/// The place that two arguments give.
pub fn place(args: Args) -> Result<Place> {
    let coordinate = |i: usize| match args.get(i).and_then(parse_f64) {
        Some(degrees) => Ok(degrees),
        None => Stop::error(NOT_A_FLOAT),
    };
    let place = Place {
        longitude: coordinate(0)?,
        latitude: coordinate(1)?,
    };
    if place.is_valid() {
        return Ok(place);
    }
    let Place { longitude, latitude } = place;
    Stop::error(format!(
        "ERR invalid longitude,latitude pair {longitude:.6},{latitude:.6}"
    ))
}

/// A unit's length in metres.
pub fn unit(arg: &[u8]) -> Result<f64> {
    match arg {
        _ if is_option(arg, "M") => Ok(1.0),
        _ if is_option(arg, "KM") => Ok(1000.0),
        _ if is_option(arg, "FT") => Ok(0.3048),
        _ if is_option(arg, "MI") => Ok(1609.34),
        _ => Stop::error("ERR unsupported unit provided. please use M, KM, FT, MI"),
    }
}
