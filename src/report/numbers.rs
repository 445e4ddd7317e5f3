//! Numbers as people read them.

/// An integer with separators between thousands: 101,770.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of things: "1 epoch", "1,000 epochs".
pub fn counted(number: usize, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {thing}{plural}", thousands(number as u64))
}

/// A non-negative number rounded to an integer, with separators; "-" if it is not finite.
pub fn rounded(number: f64) -> String {
    if number.is_finite() { thousands(number.round().max(0.0) as u64) } else { "-".to_string() }
}

/// A fraction of 1 in percent, with two decimals: 97.65 %; "-" if it is not finite.
pub fn percent(fraction: f64) -> String {
    if fraction.is_finite() { format!("{:.2} %", 100.0 * fraction) } else { "-".to_string() }
}

/// A loss with four decimals, or as a power of ten if it is huge: 0.0480, 1.5e23.
pub fn loss(value: f64) -> String {
    if value.abs() < 1e6 { format!("{value:.4}") } else { format!("{value:.3e}") }
}

/// A number with four digits or more: 39, 38.58, 189,778, 1.2e-7.
pub fn significant(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 {
        return "0".into();
    }
    if !(1e-4..1e9).contains(&size) {
        return format!("{value:.3e}");
    }
    let sign = if value < 0.0 { "-" } else { "" };
    let decimals = (3.0 - size.log10().floor()).max(0.0) as usize;
    let written = format!("{size:.decimals$}");
    let (whole, part) = written.split_once('.').unwrap_or((&written, ""));
    let whole = thousands(whole.parse().unwrap_or(0));
    match part.trim_end_matches('0') {
        "" => format!("{sign}{whole}"),
        part => format!("{sign}{whole}.{part}"),
    }
}

/// Height, width and channels: 28x28x1.
pub fn shape(sizes: [usize; 3]) -> String {
    sizes.map(|size| size.to_string()).join("x")
}

/// A number of bytes in the unit that suits it, with three digits: 48 KiB, 23.5 GiB.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut unit = 0;
    let mut amount = bytes as f64;
    // 1023.5 would be rounded to 1024.
    while amount >= 1023.5 && unit + 1 < UNITS.len() {
        amount /= 1024.0;
        unit += 1;
    }
    let decimals = if amount >= 99.95 { 0 } else { usize::from((10.0 * amount).round() % 10.0 != 0.0) };
    format!("{amount:.decimals$} {}", UNITS[unit])
}

/// A duration in the unit that suits it: 850 ms, 12.3 s, 4 min 05 s, 2 h 07 min.
pub fn duration(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    if seconds < 0.9995 {
        format!("{:.0} ms", 1000.0 * seconds.max(0.0))
    } else if seconds < 59.95 {
        format!("{seconds:.1} s")
    } else if whole < 3600 {
        format!("{} min {:02} s", whole / 60, whole % 60)
    } else {
        format!("{} h {:02} min", whole / 3600, whole % 3600 / 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_separated() {
        for (number, text) in
            [(0, "0"), (999, "999"), (1000, "1,000"), (101_770, "101,770"), (1 << 20, "1,048,576")]
        {
            assert_eq!(thousands(number), text);
        }
        assert_eq!(
            (rounded(1234.5), rounded(f64::NAN), rounded(-1.0)),
            ("1,235".into(), "-".into(), "0".into())
        );
    }

    #[test]
    fn one_thing_is_singular() {
        let texts = [0, 1, 1000].map(|number| counted(number, "epoch"));
        assert_eq!(texts, ["0 epochs", "1 epoch", "1,000 epochs"]);
    }

    #[test]
    fn bytes_change_their_unit() {
        for (number, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1 KiB"),
            (24_000, "23.4 KiB"),
            (573_440, "560 KiB"),
            ((1 << 20) - 1, "1 MiB"),
            (24_684_084 << 10, "23.5 GiB"),
            (u64::MAX, "16777216 TiB"),
        ] {
            assert_eq!(bytes(number), text);
        }
    }

    #[test]
    fn durations_change_their_unit() {
        for (seconds, text) in [
            (0.0, "0 ms"),
            (0.85, "850 ms"),
            (0.9999, "1.0 s"),
            (12.34, "12.3 s"),
            (59.99, "1 min 00 s"),
            (245.0, "4 min 05 s"),
            (3599.6, "1 h 00 min"),
            (7650.0, "2 h 07 min"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }

    #[test]
    fn losses_stay_short() {
        let texts = [0.04801, 999_999.0, 1.479e23, f64::NAN].map(loss);
        assert_eq!(texts, ["0.0480", "999999.0000", "1.479e23", "NaN"]);
    }

    #[test]
    fn fractions_are_percent() {
        assert_eq!([0.97651, 1.0, f64::NAN].map(percent), ["97.65 %", "100.00 %", "-"]);
    }

    #[test]
    fn numbers_have_four_digits() {
        for (value, text) in [
            (0.0, "0"),
            (39.0, "39"),
            (38.581_64, "38.58"),
            (189_778.4, "189,778"),
            (-0.125, "-0.125"),
            (1.2e-7, "1.200e-7"),
            (-12_345_678.0, "-12,345,678"),
            (0.3, "0.3"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(significant(value), text);
        }
    }
}
