//! Amounts of memory: as people write them, and as the allocator rounds them.

/// Parses `100`, `100b`, `1k` (1000), `1kb` (1024), `1m`, `1mb`, `1g` and `1gb` in any case.
///
/// Stricter than Redis in two cases that can only be mistakes: no digits at all (Redis reads 0) and an amount
/// beyond 64 bits (Redis wraps around).
pub fn parse_memory(text: &str) -> Option<u64> {
    let unit_start = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(unit_start);
    let multiplier = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" => 1000,
        "kb" => 1 << 10,
        "m" => 1_000_000,
        "mb" => 1 << 20,
        "g" => 1_000_000_000,
        "gb" => 1 << 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(multiplier)
}

/// The shortest spelling that `parse_memory` reads back: `64mb`, `1gb`, `1000`.
pub fn format_memory(bytes: u64) -> String {
    for (shift, unit) in [(30, "gb"), (20, "mb"), (10, "kb")] {
        if bytes != 0 && bytes.trailing_zeros() >= shift {
            return format!("{}{unit}", bytes >> shift);
        }
    }
    bytes.to_string()
}

/// Bytes that jemalloc 5.3 sets aside for a request of `size` bytes: classes of 8, then every 16 up to 128,
/// then four to each doubling.
pub const fn alloc_size(size: usize) -> usize {
    if size <= 8 {
        return 8;
    }
    let step = if size <= 128 {
        16
    } else {
        1 << ((size - 1).ilog2() - 2)
    };
    match size.checked_next_multiple_of(step) {
        Some(rounded) => rounded,
        // No allocator grants that much.
        None => usize::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_units() {
        for (text, bytes) in [
            ("0", 0),
            ("100", 100),
            ("100b", 100),
            ("1k", 1000),
            ("1kb", 1024),
            ("1M", 1_000_000),
            ("1Mb", 1 << 20),
            ("2g", 2_000_000_000),
            ("2GB", 2 << 30),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(parse_memory(text), Some(bytes), "{text}");
        }
    }

    #[test]
    fn bad_memory_amounts() {
        for text in [
            "",
            "kb",
            "-1",
            "+1",
            "1.5gb",
            "1x",
            "1 kb",
            "1kbb",
            "18446744073709551616",
            "18446744073709551615k",
        ] {
            assert_eq!(parse_memory(text), None, "{text}");
        }
    }

    #[test]
    fn memory_formats_read_back() {
        for (bytes, text) in [
            (0, "0"),
            (1000, "1000"),
            (1024, "1kb"),
            (64 << 20, "64mb"),
            (3 << 30, "3gb"),
            (1536, "1536"),
        ] {
            assert_eq!(format_memory(bytes), text);
            assert_eq!(parse_memory(text), Some(bytes));
        }
    }

    #[test]
    fn jemalloc_size_classes() {
        let classes = [
            8, 16, 32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768, 896, 1024,
            1280, 1536, 1792, 2048, 2560, 3072, 3584, 4096, 5120, 6144, 7168, 8192, 10240, 12288, 14336,
            16384, 20480, 24576, 28672, 32768, 40960, 49152, 57344, 65536,
        ];
        let mut below = 0;
        for class in classes {
            assert_eq!(alloc_size(below + 1), class);
            assert_eq!(alloc_size(class), class);
            below = class;
        }
        assert_eq!(alloc_size(0), 8);
        assert_eq!(alloc_size((1 << 30) + 1), (1 << 30) + (1 << 28));
        assert_eq!(alloc_size(usize::MAX), usize::MAX);
    }
}
