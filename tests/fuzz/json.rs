//! Spoiling JSON value by value.

use serde_json::{Number, Value, json};

use super::random::Random;

/// Makes a few changes, with `words` for texts and keys.
pub fn spoil(random: &mut Random, value: &mut Value, words: &[String]) {
    for _ in 0..random.few(5) {
        change(random, value, words);
    }
}

fn change(random: &mut Random, value: &mut Value, words: &[String]) {
    let other = inside(random, value).clone();
    let place = inside(random, value);
    match random.below(5) {
        0 => *place = edge(random, words),
        // Something that is valid elsewhere.
        1 => *place = other,
        2 => match place {
            Value::Number(number) => *number = near(random, number),
            Value::String(text) => {
                let mut spoilt = text.clone();
                super::text::spoil(random, &mut spoilt, words);
                *text = spoilt;
            }
            _ => *place = edge(random, words),
        },
        _ => match place {
            Value::Object(entries) if !entries.is_empty() => {
                let key = entries.keys().nth(random.below(entries.len())).cloned().unwrap_or_default();
                match random.below(3) {
                    0 => drop(entries.insert(random.pick(words).clone(), other)),
                    1 => drop(entries.remove(&key)),
                    _ => {
                        if let Some(entry) = entries.remove(&key) {
                            entries.insert(random.pick(words).clone(), entry);
                        }
                    }
                }
            }
            Value::Array(items) if !items.is_empty() => {
                let at = random.below(items.len());
                match random.below(3) {
                    0 => drop(items.remove(at)),
                    1 => items.extend(vec![items[at].clone(); random.few(6)]),
                    _ => items.insert(at, edge(random, words)),
                }
            }
            _ => *place = edge(random, words),
        },
    }
}

/// A value somewhere in this one.
fn inside<'a>(random: &mut Random, value: &'a mut Value) -> &'a mut Value {
    let children = match value {
        Value::Array(items) => items.len(),
        Value::Object(entries) => entries.len(),
        _ => 0,
    };
    if children == 0 || random.one_in(8) {
        return value;
    }
    let at = random.below(children);
    match value {
        Value::Array(items) => inside(random, &mut items[at]),
        // There is one at each index.
        Value::Object(entries) => inside(random, entries.values_mut().nth(at).expect("below the length")),
        value => value,
    }
}

fn edge(random: &mut Random, words: &[String]) -> Value {
    match random.below(8) {
        0 => Value::Null,
        1 => random.one_in(2).into(),
        2 | 3 => (*random.pick(&super::bytes::EDGES)).into(),
        4 => json!(-(*random.pick(&super::bytes::EDGES) as f64)),
        5 => json!(*random.pick(&[0.1, -0.0, 1e308, -1e308, 5e-324, 1e19, 0.999_999_999])),
        6 => random.pick(words).clone().into(),
        _ => random
            .pick(&[json!([]), json!({}), json!(""), json!([[], {}]), json!("\u{1b}[31m\n\u{202e}")])
            .clone(),
    }
}

/// A number that is one, or a multiple of this one.
fn near(random: &mut Random, number: &Number) -> Number {
    let new = match (number.as_u64(), random.below(3)) {
        (Some(number), 0) => json!(number.wrapping_add(1)),
        (Some(number), 1) => json!(number.wrapping_sub(1)),
        (Some(number), _) => json!(number.wrapping_mul(*random.pick(&super::bytes::EDGES))),
        (None, _) => json!(number.as_f64().unwrap_or(0.0) * *random.pick(&[-1.0, 1e9, 1e-300, 1e300])),
    };
    // The product may be beyond all numbers, which JSON has no word for.
    new.as_number().unwrap_or(number).clone()
}
