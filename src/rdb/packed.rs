//! Small collections as servers have them in memory, and write them as one string: elements in a row, numbers in few bytes.
//!
//! They are gone over from the front, cell by cell. All that a format says twice has to agree, as servers that are told to look
//! closely (`sanitize-dump-payload`) demand.

mod intset;
mod listpack;
mod ziplist;
mod zipmap;

use super::error::Broken;

pub(super) use listpack::Builder;

/// An element: where its bytes are, or the number that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    /// The bytes from the first to before the second place.
    Bytes(usize, usize),
    Number(i64),
}

/// How the elements are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Listpack,
    Ziplist,
    /// The width of its numbers in bytes.
    Intset(u8),
    Zipmap,
}

/// A way through a collection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor {
    form: Form,
    /// Where the next element begins.
    at: usize,
    /// Where the element before began, or the end of what stands before the first.
    before: usize,
    /// How many elements are gone over.
    seen: u64,
    /// In a set of numbers, the one before.
    last: Option<i64>,
}

impl Cursor {
    /// The way through a collection, from its first element on.
    pub fn listpack(bytes: &[u8]) -> Result<Cursor, Broken> {
        listpack::check_head(bytes)?;
        Ok(Cursor::at(Form::Listpack, listpack::HEAD))
    }

    /// As [`Cursor::listpack`].
    pub fn ziplist(bytes: &[u8]) -> Result<Cursor, Broken> {
        ziplist::check_head(bytes)?;
        Ok(Cursor::at(Form::Ziplist, ziplist::HEAD))
    }

    /// As [`Cursor::listpack`].
    pub fn intset(bytes: &[u8]) -> Result<Cursor, Broken> {
        let width = intset::check_head(bytes)?;
        Ok(Cursor::at(Form::Intset(width), intset::HEAD))
    }

    /// As [`Cursor::listpack`]. Fields and values are elements in turn.
    pub fn zipmap(bytes: &[u8]) -> Result<Cursor, Broken> {
        zipmap::check_head(bytes)?;
        Ok(Cursor::at(Form::Zipmap, zipmap::HEAD))
    }

    fn at(form: Form, at: usize) -> Cursor {
        Cursor {
            form,
            at,
            before: at,
            seen: 0,
            last: None,
        }
    }

    /// The next element; none if that was all, and the end is as it should be. `bytes` are those that it was made for.
    pub fn next(&mut self, bytes: &[u8]) -> Result<Option<Cell>, Broken> {
        let (cell, behind) = match self.form {
            Form::Listpack if listpack::is_end(bytes, self.at, self.seen)? => return Ok(None),
            Form::Listpack => listpack::cell(bytes, self.at)?,
            Form::Ziplist if ziplist::is_end(bytes, self.at, self.before, self.seen)? => return Ok(None),
            Form::Ziplist => ziplist::cell(bytes, self.at, self.before)?,
            Form::Intset(_) if self.at == bytes.len() => return Ok(None),
            Form::Intset(width) => {
                let (number, behind) = intset::number(bytes, self.at, width)?;
                if self.last.is_some_and(|last| last >= number) {
                    return Err(Broken("a set of numbers that are not in order"));
                }
                self.last = Some(number);
                (Cell::Number(number), behind)
            }
            Form::Zipmap if zipmap::is_end(bytes, self.at, self.seen)? => return Ok(None),
            Form::Zipmap => zipmap::cell(bytes, self.at, self.seen % 2 == 1)?,
        };
        (self.before, self.at) = (self.at, behind);
        self.seen += 1;
        Ok(Some(cell))
    }
}

/// `count` bytes of a collection from a place on.
fn slice<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], Broken> {
    match bytes.get(at..).and_then(|rest| rest.first_chunk()) {
        Some(chunk) => Ok(*chunk),
        None => Err(Broken("a packed collection ends in the middle")),
    }
}

/// The text of `length` bytes at a place, and what comes behind it.
fn text(bytes: &[u8], at: usize, length: usize) -> Result<(Cell, usize), Broken> {
    match at.checked_add(length) {
        Some(behind) if behind <= bytes.len() => Ok((Cell::Bytes(at, behind), behind)),
        _ => Err(Broken("an element of a packed collection is longer than that")),
    }
}

/// A number of three bytes.
fn i24(bytes: [u8; 3]) -> i64 {
    i64::from(i32::from_le_bytes([0, bytes[0], bytes[1], bytes[2]]) >> 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8], cursor: Result<Cursor, Broken>) -> Result<Vec<String>, Broken> {
        let (mut cursor, mut found) = (cursor?, Vec::new());
        while let Some(cell) = cursor.next(bytes)? {
            found.push(match cell {
                Cell::Bytes(from, to) => String::from_utf8_lossy(&bytes[from..to]).into_owned(),
                Cell::Number(number) => format!("#{number}"),
            });
        }
        Ok(found)
    }

    #[test]
    fn a_listpack_gives_what_was_put_in() {
        let mut builder = Builder::new();
        let long = "y".repeat(5000);
        let texts = [
            "", "a", "0", "127", "128", "-1", "-4096", "4095", "4096", "-32768", "8388607", "-8388609",
        ];
        let more = [
            "2147483648",
            "-9223372036854775808",
            "00",
            "+1",
            &long,
            "sixty-four bytes, more or less: it takes another form from then on",
        ];
        texts
            .iter()
            .chain(&more)
            .for_each(|text| builder.push(text.as_bytes()));
        let bytes = builder.finish().to_vec();
        let expected: Vec<String> = texts
            .iter()
            .chain(&more)
            .map(|text| match text.parse::<i64>() {
                Ok(number) if number.to_string() == *text => format!("#{number}"),
                _ => (*text).to_owned(),
            })
            .collect();
        assert_eq!(all(&bytes, Cursor::listpack(&bytes)), Ok(expected));
        // Whatever is cut off or changed in length is seen.
        for end in 0..bytes.len() {
            assert!(all(&bytes[..end], Cursor::listpack(&bytes[..end])).is_err());
        }
    }

    #[test]
    fn a_ziplist_of_every_encoding_is_read() {
        let entries: [&[u8]; 9] = [
            b"\x01a",
            b"\x40\x02bc",
            b"\x80\x00\x00\x00\x01d",
            b"\xfe\x80",
            b"\xc0\x00\x80",
            b"\xf0\xff\xff\xff",
            b"\xd0\x00\x00\x00\x80",
            b"\xe0\x00\x00\x00\x00\x00\x00\x00\x80",
            b"\xfd",
        ];
        let mut body = Vec::new();
        let (mut before, mut tail) = (0, 0);
        for entry in entries {
            tail = ziplist::HEAD + body.len();
            body.push(before as u8);
            body.extend_from_slice(entry);
            before = 1 + entry.len();
        }
        let total = ziplist::HEAD + body.len() + 1;
        let head = [
            &(total as u32).to_le_bytes()[..],
            &(tail as u32).to_le_bytes(),
            &9u16.to_le_bytes(),
        ]
        .concat();
        let mut bytes = [&head[..], &body, b"\xff"].concat();
        let expected = [
            "a",
            "bc",
            "d",
            "#-128",
            "#-32768",
            "#-1",
            "#-2147483648",
            "#-9223372036854775808",
            "#12",
        ];
        assert_eq!(all(&bytes, Cursor::ziplist(&bytes)).unwrap(), expected);
        for (at, wrong) in [(0, 1), (4, 1), (8, 8), (13, 4), (total - 1, 0)] {
            let right = std::mem::replace(&mut bytes[at], wrong);
            assert!(all(&bytes, Cursor::ziplist(&bytes)).is_err(), "{at}");
            bytes[at] = right;
        }
    }

    #[test]
    fn a_zipmap_and_a_set_of_numbers_are_read() {
        let map = b"\x02\x01a\x01\x001\x01b\x02\x0122x\xff";
        assert_eq!(all(map, Cursor::zipmap(map)).unwrap(), ["a", "1", "b", "22"]);
        let odd = b"\x01\x01a\xff";
        assert!(all(odd, Cursor::zipmap(odd)).is_err());
        let set = b"\x02\0\0\0\x02\0\0\0\xff\xff\x05\0";
        assert_eq!(all(set, Cursor::intset(set)).unwrap(), ["#-1", "#5"]);
        let turned = b"\x02\0\0\0\x02\0\0\0\x05\0\xff\xff";
        assert!(all(turned, Cursor::intset(turned)).is_err());
        let short = b"\x02\0\0\0\x03\0\0\0\xff\xff\x05\0";
        assert!(all(short, Cursor::intset(short)).is_err());
    }
}
