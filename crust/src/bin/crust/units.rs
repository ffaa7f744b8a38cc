//! Numbers as people read them.

/// A number in three or four digits: `1.23 M`.
pub(crate) fn count(number: f64) -> String {
    scaled(number, &["", " k", " M", " G", " T"], 1_000.0)
}

/// Bytes in powers of ten: `1.23 GB`.
pub(crate) fn bytes(number: f64) -> String {
    scaled(number, &[" B", " kB", " MB", " GB", " TB"], 1_000.0)
}

/// Memory in powers of two: `1.23 MiB`.
pub(crate) fn memory(bytes: u64) -> String {
    scaled(
        bytes as f64,
        &[" B", " KiB", " MiB", " GiB", " TiB"],
        1_024.0,
    )
}

/// A time: `85.3 µs`, `1.20 ms`.
pub(crate) fn micros(us: f64) -> String {
    scaled(us, &[" µs", " ms", " s"], 1_000.0)
}

/// A time that has passed, roughly: `45 s`, `3 h`, `12 days`.
pub(crate) fn age(age: std::time::Duration) -> String {
    match age.as_secs() {
        s @ 0..120 => format!("{s} s"),
        s @ 120..7_200 => format!("{} min", s / 60),
        s @ 7_200..172_800 => format!("{} h", s / 3_600),
        s => format!("{} days", s / 86_400),
    }
}

fn scaled(mut number: f64, units: &[&str], step: f64) -> String {
    let mut units = units.iter().peekable();
    let mut unit = "";
    while let Some(next) = units.next() {
        unit = next;
        // 999.96 would be printed as 1000.0.
        if number.abs() < step * 0.9995 || units.peek().is_none() {
            break;
        }
        number /= step;
    }
    let digits = match number.abs() {
        size if size >= 100.0 || number.fract() == 0.0 && unit.len() < 3 => 0,
        size if size >= 10.0 => 1,
        _ => 2,
    };
    format!("{number:.digits$}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_three_digits() {
        assert_eq!(count(0.0), "0");
        assert_eq!(count(7.0), "7");
        assert_eq!(count(999.99), "1.00 k");
        assert_eq!(count(2_512_345.0), "2.51 M");
        assert_eq!(bytes(100.0), "100 B");
        assert_eq!(bytes(1_234_567_890.0), "1.23 GB");
        assert_eq!(memory(8_192), "8.00 KiB");
        assert_eq!(micros(85.31), "85.3 µs");
        assert_eq!(micros(1_200.0), "1.20 ms");
        assert_eq!(age(std::time::Duration::from_secs(7_300)), "2 h");
    }
}
