//! The walk of a window over an image, row by row.

use std::ops::Range;

use crate::tensor::LANES;

/// The way of a window over an image.
#[derive(Clone, Copy)]
pub(super) struct Walk {
    /// Pixels of the window, as all pairs here down and across.
    pub(super) kernel: [usize; 2],
    pub(super) stride: [isize; 2],
    pub(super) dilation: [isize; 2],
    /// Above and to the left; less than none where the window begins inside the image.
    pub(super) padding: [isize; 2],
    /// Of the image under the window.
    pub(super) height: isize,
    pub(super) width: isize,
    /// Down and across.
    pub(super) places: [usize; 2],
    /// Floats from pixel to pixel, of both images.
    pub(super) pitch: usize,
}

impl Walk {
    /// The way, one pixel at a time, of the window flipped round over the image of places: under it lies
    /// what a pixel of the image has added to.
    pub(super) fn back(self) -> Walk {
        Walk {
            padding: [self.reach(0) - self.padding[0], self.reach(1) - self.padding[1]],
            height: self.places[0] as isize,
            width: self.places[1] as isize,
            places: [self.height as usize, self.width as usize],
            ..self
        }
    }

    /// Pixels from the first of the window to its last one.
    #[inline(always)]
    pub(super) fn reach(&self, axis: usize) -> isize {
        self.dilation[axis] * (self.kernel[axis] as isize - 1)
    }

    /// Row and column under the first pixel of the window.
    #[inline(always)]
    pub(super) fn corner(&self, row: usize, column: usize) -> [isize; 2] {
        let ([below, right], [above, left]) = (self.stride, self.padding);
        [row as isize * below - above, column as isize * right - left]
    }

    /// The places of a row at which no pixel of the window lies to the left or the right of the image.
    pub(super) fn inner_columns(&self) -> Range<usize> {
        let fits = |&column: &usize| self.is_across(self.corner(0, column)[1]);
        let first = (0..self.places[1]).find(fits).unwrap_or(0);
        first..first + (first..self.places[1]).take_while(fits).count()
    }

    #[inline(always)]
    fn is_across(&self, x: isize) -> bool {
        x >= 0 && x + self.reach(1) < self.width
    }

    /// Whether row i of the window lies on the image.
    #[inline(always)]
    pub(super) fn holds_row(&self, y: isize, i: usize) -> bool {
        (0..self.height).contains(&(y + i as isize * self.dilation[0]))
    }

    /// Pairs of a place and a pixel of the window that is on the image.
    fn pairs_inside(&self) -> usize {
        let along = |axis: usize, side: isize| -> usize {
            let (places, stride) = (self.places[axis], self.stride[axis]);
            // Places at which pixel i of the window is inside.
            let inside = |i: usize| {
                let before = self.padding[axis] - i as isize * self.dilation[axis];
                let first = (before.max(0) + stride - 1) / stride;
                let end = ((side + before).max(0) + stride - 1) / stride;
                (end.min(places as isize) - first).max(0) as usize
            };
            (0..self.kernel[axis]).map(inside).sum()
        };
        along(0, self.height) * along(1, self.width)
    }

    /// Floating-point operations, for each channel, padding included: of a multiply-add for each such pair, or
    /// if `all` for the others, too.
    pub(super) fn flops(&self, all: bool) -> usize {
        let pairs = self.places[0] * self.places[1] * self.area();
        2 * self.pitch * if all { pairs } else { self.pairs_inside() }
    }

    /// Numbers of a kernel.
    #[inline(always)]
    pub(super) fn area(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// Whether kernels are small enough for registers: terms beside the image are computed in vain then.
    pub(super) fn is_unrolled(&self) -> bool {
        matches!(self.kernel, [3, 3] | [5, 5])
    }

    /// Whether neighbouring places see neighbouring pixels, and so does a window.
    pub(super) fn is_dense(&self) -> bool {
        self.stride == [1, 1] && self.dilation == [1, 1]
    }

    /// Whether pixel (i, j) of the window does.
    #[inline(always)]
    pub(super) fn holds(&self, [y, x]: [isize; 2], i: usize, j: usize) -> bool {
        let (y, x) = (y + i as isize * self.dilation[0], x + j as isize * self.dilation[1]);
        (0..self.height).contains(&y) && (0..self.width).contains(&x)
    }

    /// Where a place of the window begins in the image; it may lie beside it.
    #[inline(always)]
    pub(super) fn start(&self, [y, x]: [isize; 2], lane: usize) -> isize {
        (y * self.width + x) * self.pitch as isize + lane as isize
    }

    /// Floats from pixel to pixel of the window, down and across.
    #[inline(always)]
    pub(super) fn steps(&self) -> [usize; 2] {
        let [below, right] = self.dilation.map(|dilation| dilation as usize * self.pitch);
        [below * self.width as usize, right]
    }

    /// Where the number of a kernel lies for these lanes of the channels.
    #[inline(always)]
    pub(super) fn weight(&self, tap: usize, lane: usize) -> usize {
        (lane / LANES * self.area() + tap) * LANES + lane % LANES
    }

    /// The place number `row`, `column` in the image of places.
    #[inline(always)]
    pub(super) fn place(&self, row: usize, column: usize, lane: usize) -> usize {
        (row * self.places[1] + column) * self.pitch + lane
    }
}
