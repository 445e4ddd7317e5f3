//! Numbers as tables hold them.

/// Powers of ten that an f64 holds exactly.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];

/// Digits that always fit into the 53 bits of an f64.
const EXACT_DIGITS: usize = 15;

/// The nearest f64 to a field such as `-12.5e3`; none if the field is something else, or not finite.
///
/// Up to fifteen digits and no exponent, digits and power of ten are exact, so that one division gives the nearest
/// number (W. Clinger, "How to read floating point numbers accurately", 1990); the standard library does the rest.
pub fn number(field: &[u8]) -> Option<f64> {
    let (negative, unsigned) = match field {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    if unsigned.len() > EXACT_DIGITS + 1 {
        return general(field);
    }
    let (whole, rest) = digits(0, unsigned);
    let (all, decimals) = match rest {
        [] => (whole, 0),
        [b'.', decimals @ ..] => match digits(whole, decimals) {
            (all, []) => (all, decimals.len()),
            _ => return general(field),
        },
        _ => return general(field),
    };
    let count = unsigned.len() - usize::from(!rest.is_empty());
    if count == 0 || count > EXACT_DIGITS {
        return general(field);
    }
    let value = all as f64 / POWERS[decimals];
    Some(if negative { -value } else { value })
}

/// A whole number with the digits at the beginning of a text behind its own, and the rest of the text.
fn digits(mut value: i64, mut text: &[u8]) -> (i64, &[u8]) {
    while let [digit @ b'0'..=b'9', rest @ ..] = text {
        value = 10 * value + i64::from(digit - b'0');
        text = rest;
    }
    (value, text)
}

/// Any other number; the words `inf` and `nan` are none.
fn general(field: &[u8]) -> Option<f64> {
    let allowed = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
    if field.is_empty() || !field.iter().all(allowed) {
        return None;
    }
    let value: f64 = std::str::from_utf8(field).ok()?.parse().ok()?;
    value.is_finite().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_are_those_of_the_standard_library() {
        for text in [
            "0",
            "-0",
            "+7",
            "3.25",
            ".5",
            "5.",
            "-12.5e3",
            "1E-7",
            "0.1",
            "123456789012345",
            "0.000000000000001",
            "1234567890123456",
            "123456789012345678901234567890",
            "0.30000000000000004",
            "1e-400",
            "007",
            "99999999.9999999",
        ] {
            let expected: f64 = text.parse().unwrap();
            assert_eq!(number(text.as_bytes()).map(f64::to_bits), Some(expected.to_bits()), "{text}");
        }
        let mut state = 1u64;
        for _ in 0..20_000 {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let (whole, decimals) = ((state >> 33) % 10_000_000, state % 1_000_000);
            let text = format!("-{whole}.{decimals:06}");
            let expected: f64 = text.parse().unwrap();
            assert_eq!(number(text.as_bytes()), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_finite_number_is_none() {
        for text in
            ["", "-", ".", "e5", "1e999", "inf", "NaN", "1,5", "1 2", "0x10", "1.2.3", "--1", "1e", "12a"]
        {
            assert_eq!(number(text.as_bytes()), None, "{text}");
        }
    }
}
