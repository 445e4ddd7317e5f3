//! The places of four bytes in many, eight bytes at a time.

/// The lowest bit of each byte of a word.
const ONES: u64 = 0x0101_0101_0101_0101;
/// All bits of each byte but the highest.
const SEVEN: u64 = 0x7f7f_7f7f_7f7f_7f7f;

/// Gives the places at which one of four bytes is, in their order.
pub(super) struct Marks<'a> {
    bytes: &'a [u8],
    /// For each of the four a word of nothing else.
    wanted: [u64; 4],
    /// Where the word that is looked at begins, and in it the highest bit of each byte that is yet to be given.
    word: usize,
    flags: u64,
}

impl<'a> Marks<'a> {
    pub fn new(bytes: &'a [u8], wanted: [u8; 4]) -> Marks<'a> {
        let mut marks = Marks { bytes, wanted: wanted.map(|byte| ONES * u64::from(byte)), word: 0, flags: 0 };
        marks.go_to(0);
        marks
    }

    /// Goes on from another place.
    pub fn go_to(&mut self, place: usize) {
        self.word = place;
        self.flags = self.flags_at(place);
    }

    /// The next place; none at the end.
    #[inline]
    pub fn next(&mut self) -> Option<usize> {
        while self.flags == 0 {
            self.word += 8;
            if self.word >= self.bytes.len() {
                return None;
            }
            self.flags = self.flags_at(self.word);
        }
        let place = self.word + self.flags.trailing_zeros() as usize / 8;
        self.flags &= self.flags - 1;
        Some(place)
    }

    /// The highest bit of each byte of a word that is one of the four; zeros behind the end.
    #[inline]
    fn flags_at(&self, place: usize) -> u64 {
        let rest = self.bytes.get(place..).unwrap_or_default();
        match rest.first_chunk() {
            Some(chunk) => self.flags_of(u64::from_le_bytes(*chunk)),
            None => {
                let mut chunk = [0; 8];
                chunk[..rest.len()].copy_from_slice(rest);
                let behind = u64::MAX << (8 * rest.len());
                self.flags_of(u64::from_le_bytes(chunk)) & !behind
            }
        }
    }

    fn flags_of(&self, word: u64) -> u64 {
        // The sum carries into the highest bit of each byte that has a lower one, and never beyond it: so a byte is
        // without that bit only where it is zero, which is where both words are equal.
        let differ = self.wanted.map(|wanted| {
            let other = word ^ wanted;
            ((other & SEVEN) + SEVEN) | other
        });
        !(differ[0] & differ[1] & differ[2] & differ[3]) & !SEVEN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_a_search_byte_by_byte() {
        let wanted = [b',', b'"', b'\n', 0xff];
        let mut state = 1u32;
        let bytes: Vec<u8> = (0..2000)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                // Those wanted, their neighbours, zeros, and any other byte.
                [b',', b'-', b'+', b'"', b'\n', 0, 0x7f, 0x80, 0xff, (state >> 8) as u8]
                    [(state >> 16) as usize % 10]
            })
            .collect();
        for end in (0..40).chain([2000]) {
            for start in 0..end.min(20) {
                let mut marks = Marks::new(&bytes[..end], wanted);
                marks.go_to(start);
                let found: Vec<usize> = std::iter::from_fn(|| marks.next()).collect();
                let expected = (start..end).filter(|&place| wanted.contains(&bytes[place]));
                assert_eq!(found, expected.collect::<Vec<_>>(), "{start}..{end}");
            }
        }
    }
}
