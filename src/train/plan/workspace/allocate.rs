//! Where the buffers of a workspace lie: they are declared once, and that is read twice, to learn how much memory they
//! need and to cut this memory into them.

use std::marker::PhantomData;
use std::ops::Range;

use crate::team::Shared;
use crate::tensor::{Arena, LANES, padded, row_stride};

/// The form of a buffer of some numbers: its place, or the buffer itself.
pub trait Form {
    type Of<T: 'static>;
}

/// Places in the memory of a workspace.
pub struct Places;

/// Buffers that the workers share.
pub struct Shares<'a>(PhantomData<&'a ()>);

impl Form for Places {
    type Of<T: 'static> = Place;
}

impl<'a> Form for Shares<'a> {
    type Of<T: 'static> = Shared<'a, T>;
}

/// A matrix, or as one row an array, among the numbers of its type.
#[derive(Clone)]
pub struct Place {
    pub range: Range<usize>,
    rows: usize,
    columns: usize,
    /// Numbers from row to row.
    stride: usize,
}

/// Hands out buffers.
pub trait Allocate<F: Form> {
    /// A matrix of floats with so many numbers from row to row.
    fn strided(&mut self, rows: usize, columns: usize, stride: usize) -> F::Of<f32>;

    fn bytes(&mut self, len: usize) -> F::Of<u8>;

    fn words(&mut self, rows: usize, columns: usize) -> F::Of<u32>;

    fn doubles(&mut self, len: usize) -> F::Of<f64>;

    fn array(&mut self, len: usize) -> F::Of<f32> {
        self.strided(1, len, len)
    }

    /// A matrix whose rows do not share cache sets.
    fn matrix(&mut self, rows: usize, columns: usize) -> F::Of<f32> {
        self.strided(rows, columns, row_stride(columns))
    }

    /// Two matrices of this shape, columns padded.
    fn pair(&mut self, rows: usize, columns: usize) -> [F::Of<f32>; 2] {
        [(); 2].map(|()| self.matrix(rows, padded(columns)))
    }
}

/// Measures where buffers will lie.
#[derive(Default)]
pub struct Measure {
    floats: Arena,
    bytes: usize,
    words: usize,
    doubles: usize,
}

/// The next `rows x columns` numbers without gaps behind the first `len`, and whole cache lines behind them.
fn after(len: &mut usize, rows: usize, columns: usize) -> Place {
    let range = *len..*len + rows * columns;
    *len = range.end.next_multiple_of(4 * LANES);
    Place { range, rows, columns, stride: columns }
}

impl Measure {
    /// The lengths so far: floats, bytes, words and doubles.
    pub fn lens(&self) -> [usize; 4] {
        [self.floats.len(), self.bytes, self.words, self.doubles]
    }
}

impl Allocate<Places> for Measure {
    fn strided(&mut self, rows: usize, columns: usize, stride: usize) -> Place {
        Place { range: self.floats.place(rows * stride), rows, columns, stride }
    }

    fn bytes(&mut self, len: usize) -> Place {
        after(&mut self.bytes, 1, len)
    }

    fn words(&mut self, rows: usize, columns: usize) -> Place {
        after(&mut self.words, rows, columns)
    }

    fn doubles(&mut self, len: usize) -> Place {
        after(&mut self.doubles, 1, len)
    }
}

/// Cuts memory into buffers, at the places that [`Measure`] tells.
pub struct Carve<'a> {
    measure: Measure,
    floats: Rest<'a, f32>,
    bytes: Rest<'a, u8>,
    words: Rest<'a, u32>,
    doubles: Rest<'a, f64>,
}

/// Numbers that are not handed out yet.
struct Rest<'a, T> {
    numbers: &'a mut [T],
    /// How many were before them.
    position: usize,
}

impl<'a, T> Rest<'a, T> {
    fn of(numbers: &'a mut [T]) -> Self {
        Rest { numbers, position: 0 }
    }

    fn cut(&mut self, place: Place) -> Shared<'a, T> {
        let Place { range, rows, columns, stride } = place;
        let (_, rest) = std::mem::take(&mut self.numbers).split_at_mut(range.start - self.position);
        let (own, rest) = rest.split_at_mut(range.len());
        (self.numbers, self.position) = (rest, range.end);
        Shared::matrix(own, rows, columns, stride)
    }
}

impl<'a> Carve<'a> {
    /// An allocator that hands out this memory, of at least the measured lengths.
    pub fn of(
        floats: &'a mut [f32],
        bytes: &'a mut [u8],
        words: &'a mut [u32],
        doubles: &'a mut [f64],
    ) -> Carve<'a> {
        Carve {
            measure: Measure::default(),
            floats: Rest::of(floats),
            bytes: Rest::of(bytes),
            words: Rest::of(words),
            doubles: Rest::of(doubles),
        }
    }
}

impl<'a> Allocate<Shares<'a>> for Carve<'a> {
    fn strided(&mut self, rows: usize, columns: usize, stride: usize) -> Shared<'a, f32> {
        self.floats.cut(self.measure.strided(rows, columns, stride))
    }

    fn bytes(&mut self, len: usize) -> Shared<'a, u8> {
        self.bytes.cut(self.measure.bytes(len))
    }

    fn words(&mut self, rows: usize, columns: usize) -> Shared<'a, u32> {
        self.words.cut(self.measure.words(rows, columns))
    }

    fn doubles(&mut self, len: usize) -> Shared<'a, f64> {
        self.doubles.cut(self.measure.doubles(len))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::team::Team;

    /// Buffers lie where they were measured, and none overlap.
    #[test]
    fn buffers_are_carved_where_they_were_measured() {
        struct Buffers<F: Form>(Vec<F::Of<f32>>, F::Of<u8>, F::Of<u32>, F::Of<f64>);
        fn declare<F: Form>(arena: &mut impl Allocate<F>) -> Buffers<F> {
            let mut floats = vec![arena.array(5), arena.strided(3, 20, 32), arena.array(0)];
            floats.extend(arena.pair(2, 17));
            Buffers(floats, arena.bytes(7), arena.words(2, 3), arena.doubles(4))
        }
        let mut measure = Measure::default();
        let places = declare(&mut measure);
        for pair in places.0.windows(2) {
            assert!(pair[0].range.end <= pair[1].range.start);
        }
        let [floats, bytes, words, doubles] = measure.lens();
        let (mut floats, mut bytes) = (vec![0.0; floats], vec![0; bytes]);
        let (mut words, mut doubles) = (vec![0; words], vec![0.0; doubles]);
        {
            let shares = declare(&mut Carve::of(&mut floats, &mut bytes, &mut words, &mut doubles));
            Team::new(1).unwrap().run(
                |worker| {
                    shares.0[1].block_mut(worker, 1..2, 0..20).row(0)[19] = 1.0;
                    shares.1.write(worker, 6..7)[0] = 2;
                    shares.2.rows_mut(worker, 1..2)[2] = 3;
                    shares.3.write(worker, 3..4)[0] = 4.0;
                },
                None,
            );
        }
        assert_eq!(floats[places.0[1].range.start + 32 + 19], 1.0);
        assert_eq!(bytes[places.1.range.start + 6], 2);
        assert_eq!(words[places.2.range.start + 5], 3);
        assert_eq!(doubles[places.3.range.start + 3], 4.0);
    }
}
