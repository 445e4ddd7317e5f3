//! Where arrays start inside a buffer.

use std::ops::Range;

/// Every buffer, row and panel starts on a cache line.
pub const ALIGNMENT: usize = 64;

/// Floats in a panel and in the longest vector (AVX-512); features are padded to a multiple of it.
pub const LANES: usize = 16;

/// Floats by which consecutive arrays of one buffer are shifted against a 4 KiB grid: loads and
/// stores whose addresses agree in the low 12 bits stall each other.
const STAGGER: usize = 5 * LANES;

/// A 4 KiB page in floats.
const PAGE: usize = 1024;

/// `features` rounded up to whole vectors.
pub const fn padded(features: usize) -> usize {
    features.next_multiple_of(LANES)
}

/// Floats from one row to the next of a matrix with this many columns: whole vectors, and never
/// a multiple of 2 KiB, which would put all rows of a tile into one cache set.
pub const fn row_stride(columns: usize) -> usize {
    let stride = padded(columns);
    if stride.is_multiple_of(PAGE / 2) && stride > 0 { stride + LANES } else { stride }
}

/// Hands out consecutive, aligned, staggered ranges of a buffer that is allocated afterwards.
#[derive(Clone, Debug, Default)]
pub struct Arena {
    len: usize,
    arrays: usize,
}

impl Arena {
    /// The place of the next array of `len` elements.
    pub fn place(&mut self, len: usize) -> Range<usize> {
        let wanted = (self.arrays * STAGGER) % PAGE;
        let here = padded(self.len);
        let start = here + (wanted + PAGE - here % PAGE) % PAGE;
        self.arrays += 1;
        self.len = start + len;
        start..self.len
    }

    /// Elements that the buffer needs.
    pub fn len(&self) -> usize {
        padded(self.len)
    }

    /// Whether nothing was placed yet.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_are_disjoint_aligned_and_staggered() {
        let mut arena = Arena::default();
        let ranges: Vec<_> = [1000, 1, 1024, 0, 77].into_iter().map(|len| arena.place(len)).collect();
        for pair in ranges.windows(2) {
            assert!(pair[0].end <= pair[1].start);
            assert_ne!(pair[0].start % PAGE, pair[1].start % PAGE);
        }
        assert!(ranges.iter().all(|range| range.start % LANES == 0));
        assert!(arena.len() >= ranges[4].end);
    }

    #[test]
    fn rows_are_padded_and_never_alias() {
        assert_eq!((row_stride(10), row_stride(784), row_stride(512)), (16, 784, 528));
        for features in 1..5000 {
            let stride = row_stride(features);
            assert!(stride >= features && stride.is_multiple_of(LANES) && !stride.is_multiple_of(PAGE / 2));
        }
    }
}
