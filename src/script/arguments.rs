//! A script's values as the arguments of a command.

use itoa::Buffer;

use super::lua::{Lua, Type, whole};
use crate::resp::double::{DoubleText, format_double};

/// So many arguments need no memory of their own.
const FEW: usize = 16;

/// The text of a number; it has to be somewhere while the arguments refer to it.
enum Text {
    Int(Buffer, i64),
    Double(DoubleText),
    /// As C prints what 0/0 gives on most machines.
    NegativeNan,
}

/// Calls `run` with all values on the stack as arguments; or says what is wrong with them.
pub(super) fn with<R>(lua: Lua, run: impl FnOnce(&[&[u8]]) -> R) -> Result<R, &'static str> {
    let count = usize::try_from(lua.top()).unwrap_or(0);
    if count == 0 {
        return Err("Please specify at least one argument for this redis lib call");
    }
    // Numbers are rare, and their texts go to a place of their own.
    let mut texts: Vec<Text> = Vec::new();
    for index in 1..=count as i32 {
        match lua.type_of(index) {
            Type::String => {}
            Type::Number => texts.push(text_of(lua.to_number(index))),
            _ => return Err("Lua redis lib command arguments must be strings or integers"),
        }
    }
    let mut texts = texts.iter_mut();
    let mut argument = |index: usize| -> &[u8] {
        match lua.type_of(index as i32 + 1) {
            Type::String => lua.bytes(index as i32 + 1).unwrap_or_default(),
            _ => texts.next().map_or(&[], Text::bytes),
        }
    };
    if count <= FEW {
        let mut few = [&[][..]; FEW];
        few.iter_mut()
            .take(count)
            .enumerate()
            .for_each(|(index, place)| *place = argument(index));
        return Ok(run(&few[..count]));
    }
    let many: Vec<&[u8]> = (0..count).map(argument).collect();
    Ok(run(&many))
}

impl Text {
    fn bytes(&mut self) -> &[u8] {
        match self {
            Text::Int(buffer, value) => buffer.format(*value).as_bytes(),
            Text::Double(text) => text,
            Text::NegativeNan => b"-nan",
        }
    }
}

/// A whole number is written as one, so that commands take it for an integer.
fn text_of(number: f64) -> Text {
    let int = whole(number);
    // Neither 2^63, which is no `i64`, nor what the conversion gives for it.
    const LIMIT: f64 = 4_611_686_018_427_387_904.0;
    if int as f64 == number && number.abs() <= LIMIT {
        Text::Int(Buffer::new(), int)
    } else if number.is_nan() && number.is_sign_negative() {
        Text::NegativeNan
    } else {
        Text::Double(format_double(number))
    }
}
