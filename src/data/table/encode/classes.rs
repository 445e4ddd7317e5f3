//! The class that a field of a table stands for.

use std::collections::HashMap;

use super::super::number::number;
use super::encoder::Target;

/// The classes of a target by what stands in a table.
pub(super) enum Classes<'a> {
    Texts(HashMap<&'a [u8], u8>),
    /// By the bits of the number, that of 0 without a sign.
    Numbers(HashMap<u64, u8>),
}

impl<'a> Classes<'a> {
    /// Those of a target, if it is of classes.
    pub fn of(target: &'a Target) -> Option<Classes<'a>> {
        let Target::Classes { values, numbers, .. } = target else { return None };
        // There are no more than a label can tell apart.
        let numbered = values.iter().zip(0u8..=u8::MAX);
        Some(if *numbers {
            let parsed = numbered.filter_map(|(value, class)| Some((bits(value.parse().ok()?), class)));
            Classes::Numbers(parsed.collect())
        } else {
            Classes::Texts(numbered.map(|(value, class)| (value.as_bytes(), class)).collect())
        })
    }

    /// The class of a field without blanks around it. Some tables for tests have a period behind each class.
    pub fn class(&self, field: &[u8]) -> Option<u8> {
        match self {
            Classes::Texts(classes) => {
                let known = classes.get(field);
                known.or_else(|| classes.get(field.strip_suffix(b".")?)).copied()
            }
            Classes::Numbers(classes) => classes.get(&bits(number(field)?)).copied(),
        }
    }

    /// The class of a number.
    pub fn class_of_number(&self, value: f64) -> Option<u8> {
        match self {
            Classes::Texts(_) => None,
            Classes::Numbers(classes) => classes.get(&bits(value)).copied(),
        }
    }
}

fn bits(number: f64) -> u64 {
    (number + 0.0).to_bits()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(values: &[&str], numbers: bool) -> Target {
        let values = values.iter().map(|value| value.to_string()).collect();
        Target::Classes { column: "y".into(), values, names: Vec::new(), numbers }
    }

    #[test]
    fn classes_are_found_as_texts_and_as_numbers() {
        let of_texts = target(&["<=50K", ">50K"], false);
        let texts = Classes::of(&of_texts).unwrap();
        for (field, class) in
            [("<=50K", Some(0)), (">50K.", Some(1)), (">50K..", None), ("", None), (".", None)]
        {
            assert_eq!(texts.class(field.as_bytes()), class, "{field}");
        }
        let of_numbers = target(&["-1", "0", "2"], true);
        let numbers = Classes::of(&of_numbers).unwrap();
        for (field, class) in [("-1.0", Some(0)), ("-0", Some(1)), ("2e0", Some(2)), ("1", None), ("x", None)]
        {
            assert_eq!(numbers.class(field.as_bytes()), class, "{field}");
        }
        assert_eq!((numbers.class_of_number(2.0), texts.class_of_number(2.0)), (Some(2), None));
    }
}
