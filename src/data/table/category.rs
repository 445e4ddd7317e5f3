//! Texts as categories: each different text once, and its number for every row.

use std::collections::HashMap;
use std::sync::Arc;

use super::options::Encoding;

/// The most categories of a column.
pub const MOST_CATEGORIES: usize = 100_000;

/// The most bytes of a column's different texts.
pub const MOST_TEXT: usize = 16 << 20;

/// The number of a missing value.
pub const MISSING: u32 = u32::MAX;

/// Places of the small table that is asked first, one for each value of a byte; and texts from which on there is one,
/// fewer being compared one by one.
const RECENT: usize = 256;
const FEW: usize = 4;

/// Gives each different text a number, from 0 on, in the order of their first appearance.
#[derive(Default)]
pub(super) struct Interner {
    numbers: HashMap<Arc<[u8]>, u32>,
    texts: Vec<Arc<[u8]>>,
    /// Numbers of texts that came lately, by their length and a few bytes: most texts of a table are found here,
    /// for a fraction of what a hash costs. A wrong entry is noticed when the texts are compared.
    recent: Vec<u32>,
    bytes: usize,
}

impl Interner {
    /// The number of a text that came lately; none of others.
    #[inline]
    pub fn recent(&self, text: &[u8]) -> Option<u32> {
        if self.texts.len() < FEW {
            return self.texts.iter().position(|known| **known == *text).map(|place| place as u32);
        }
        let number = *self.recent.get(place(text))?;
        (*self.texts[number as usize] == *text).then_some(number)
    }

    /// The number of a text; none if there are too many different ones.
    pub fn number(&mut self, text: &[u8]) -> Option<u32> {
        if let Some(number) = self.recent(text) {
            return Some(number);
        }
        let number = match self.numbers.get(text) {
            Some(&number) => number,
            None => self.add(text)?,
        };
        if let Some(recent) = self.recent.get_mut(place(text)) {
            *recent = number;
        }
        Some(number)
    }

    fn add(&mut self, text: &[u8]) -> Option<u32> {
        if self.texts.len() == MOST_CATEGORIES || self.bytes + text.len() > MOST_TEXT {
            return None;
        }
        let number = self.texts.len() as u32;
        let text: Arc<[u8]> = text.into();
        self.bytes += text.len();
        self.numbers.insert(text.clone(), number);
        self.texts.push(text);
        if self.texts.len() == FEW {
            self.recent.resize(RECENT, 0);
        }
        Some(number)
    }

    /// For each number of another's texts, the number here; new texts are added. None if that are too many.
    pub fn numbers_of(&mut self, other: &Interner) -> Option<Vec<u32>> {
        other.texts.iter().map(|text| self.number(text)).collect()
    }

    /// How many different texts there are.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// All texts, by their numbers; those that are none in this encoding have been refused when they came.
    pub fn into_names(self, encoding: Encoding) -> Vec<String> {
        drop(self.numbers);
        self.texts.into_iter().map(|text| encoding.text(&text).unwrap_or_default()).collect()
    }
}

/// A place for a text, by its length and its first and last bytes, as many as make two words.
fn place(text: &[u8]) -> usize {
    let words = || Some((u64::from_le_bytes(*text.first_chunk()?), u64::from_le_bytes(*text.last_chunk()?)));
    let halves = || Some((u32::from_le_bytes(*text.first_chunk()?), u32::from_le_bytes(*text.last_chunk()?)));
    let bytes = || Some((text.first()?, u16::from_le_bytes([text[text.len() / 2], *text.last()?])));
    let (first, last) = words()
        .or_else(|| halves().map(|(first, last)| (first.into(), last.into())))
        .or_else(|| bytes().map(|(&first, last)| (first.into(), last.into())))
        .unwrap_or_default();
    let mixed: u64 = first ^ last.rotate_left(29) ^ ((text.len() as u64) << 56);
    // The upper bits of a product with the golden ratio depend on all bits of the other factor.
    (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as usize
}

/// A column of categories.
#[derive(Clone, Debug, PartialEq)]
pub struct Categories {
    /// `[rows]`: for each row the number of its category, or [`MISSING`].
    pub codes: Vec<u32>,
    /// The categories, in the order of their first appearance.
    pub names: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_numbered_in_the_order_of_their_appearance() {
        let mut interner = Interner::default();
        // The first two fall into one place of the recent ones, and so do many of the thousand.
        let [one, other] = ["the same first and last bytes", "the same first. And last bytes"];
        let one = one.replace("first and", "first  and");
        assert_eq!(place(one.as_bytes()), place(other.as_bytes()));
        for (text, number) in [(&one[..], 0), (other, 1), (&one[..], 0), ("", 2), (other, 1), ("", 2)] {
            assert_eq!(interner.number(text.as_bytes()), Some(number));
        }
        for round in 0..3 {
            for index in 0..1000u32 {
                assert_eq!(interner.number(format!("{index}x").as_bytes()), Some(3 + index), "{round}");
            }
        }
        assert_eq!(interner.len(), 1003);
        assert_eq!(interner.into_names(Encoding::Utf8)[..4], [&one[..], other, "", "0x"]);
    }

    #[test]
    fn too_many_are_refused() {
        let mut interner = Interner::default();
        for index in 0..MOST_CATEGORIES {
            assert!(interner.number(&index.to_le_bytes()).is_some());
        }
        assert_eq!((interner.number(b"one more"), interner.number(&7usize.to_le_bytes())), (None, Some(7)));
        let mut interner = Interner::default();
        assert!(interner.number(&vec![b'x'; MOST_TEXT]).is_some());
        assert_eq!(interner.number(b"x"), None);
    }
}
