//! The windows of convolutions and pools.

use std::ops::Range;

use super::shape::Image;

/// A window that moves over an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Height and width of the window in pixels; at least 1.
    pub kernel: [usize; 2],
    /// The stride: pixels from one position to the next, down and across; at least 1.
    pub stride: [usize; 2],
    /// Pixels of padding around the image: `[[above, below], [left, right]]`. For a convolution
    /// and an average they are zeros; a maximum leaves them out.
    pub padding: [[usize; 2]; 2],
    /// The dilation: pixels from one pixel of the window to the next, down and across; at least 1.
    pub dilation: [usize; 2],
    /// Whether the layer is of sequences, which are images of one row: the window is one row too, and the
    /// shape of a kernel is written without it, as PyTorch's `Conv1d` has it.
    pub one_dimensional: bool,
}

impl Window {
    /// A square window without padding and dilation.
    pub const fn plain(kernel: usize, stride: usize) -> Window {
        Window::square(kernel, stride, 0, 1)
    }

    /// A window that is the same along height and width.
    pub const fn square(kernel: usize, stride: usize, padding: usize, dilation: usize) -> Window {
        Window::rectangle([kernel; 2], [stride; 2], [padding; 2], [dilation; 2])
    }

    /// A window given along height and width. The padding is the same on opposite sides.
    pub const fn rectangle(
        kernel: [usize; 2],
        stride: [usize; 2],
        [vertical, horizontal]: [usize; 2],
        dilation: [usize; 2],
    ) -> Window {
        let padding = [[vertical; 2], [horizontal; 2]];
        Window { kernel, stride, padding, dilation, one_dimensional: false }
    }

    /// A window over a sequence.
    pub const fn line(kernel: usize, stride: usize, padding: usize, dilation: usize) -> Window {
        let window = Window::rectangle([1, kernel], [1, stride], [0, padding], [1, dilation]);
        Window { one_dimensional: true, ..window }
    }

    /// The same over a sequence with as many zeros in front that an output sees the position of its own number and
    /// those before it alone.
    pub const fn causal(self) -> Window {
        Window { padding: [[0; 2], [self.side(1).reach(), 0]], ..self }
    }

    /// Whether it is [causal](Window::causal), and moves by single positions: there are as many outputs as positions.
    pub fn is_causal(&self) -> bool {
        self.one_dimensional && self.kernel[0] == 1 && self.stride == [1, 1] && *self == self.causal()
    }

    /// The window along the height of the image, and along its width.
    pub const fn sides(&self) -> [Side; 2] {
        [self.side(0), self.side(1)]
    }

    const fn side(&self, axis: usize) -> Side {
        let [before, after] = self.padding[axis];
        let (kernel, stride) = (self.kernel[axis], self.stride[axis]);
        Side { kernel, stride, before, after, dilation: self.dilation[axis] }
    }

    /// Pixels of the window.
    pub const fn area(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// Whether there is padding on any side.
    pub const fn is_padded(&self) -> bool {
        let [[above, below], [left, right]] = self.padding;
        above > 0 || below > 0 || left > 0 || right > 0
    }

    /// Whether there is dilation on any side.
    pub const fn is_dilated(&self) -> bool {
        self.dilation[0] > 1 || self.dilation[1] > 1
    }

    /// The last sides of the shape of a kernel, as PyTorch has them: height and width, or the length alone.
    pub fn kernel_shape(&self) -> &[usize] {
        &self.kernel[usize::from(self.one_dimensional)..]
    }

    /// The image of so many channels of which the places of the window are the pixels of `input`, with so many pixels
    /// more below it and to its right than those places need: what a transposed convolution makes of `input`. None if
    /// padding is all of it, or it is more than can be counted.
    pub fn transposed(&self, input: Image, channels: usize, output_padding: [usize; 2]) -> Option<Image> {
        let [down, across] = self.sides();
        let height = down.transposed(input.height, output_padding[0])?;
        let width = across.transposed(input.width, output_padding[1])?;
        Some(Image::new(height, width, channels))
    }

    /// The output image for `input`, with so many channels.
    pub const fn output(&self, input: Image, channels: usize) -> Image {
        let [rows, columns] = self.sides();
        Image::new(rows.places(input.height), columns.places(input.width), channels)
    }
}

/// The height and the width, as in 3x5; of a sequence the length.
impl std::fmt::Display for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self.kernel_shape() {
            [height, width] => write!(f, "{height}x{width}"),
            shape => write!(f, "{}", shape[0]),
        }
    }
}

/// A window along one side of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Side {
    /// Pixels of the window.
    pub kernel: usize,
    /// The stride: pixels from one position to the next.
    pub stride: usize,
    /// Pixels of padding before the first pixel of the image.
    pub before: usize,
    /// Pixels of padding after the last one.
    pub after: usize,
    /// The dilation: pixels from one pixel of the window to the next.
    pub dilation: usize,
}

impl Side {
    /// Pixels from the first of the window to its last one.
    pub const fn reach(&self) -> usize {
        self.dilation * (self.kernel - 1)
    }

    /// Pixels of the image with its padding.
    pub const fn framed(&self, pixels: usize) -> usize {
        self.before + pixels + self.after
    }

    /// Positions along so many pixels of an image, rounded down as in PyTorch; none if the window does not fit.
    pub const fn places(&self, pixels: usize) -> usize {
        let framed = self.framed(pixels);
        if framed <= self.reach() { 0 } else { (framed - self.reach() - 1) / self.stride + 1 }
    }

    /// The fewest pixels of an image with so many places, and `more` pixels behind them: below the stride, so that there is
    /// no place more. None if padding is all of them, or they are more than can be counted.
    pub fn transposed(&self, places: usize, more: usize) -> Option<usize> {
        let between = places.checked_sub(1)?.checked_mul(self.stride)?;
        let framed = between.checked_add(self.reach())?.checked_add(more)?.checked_add(1)?;
        framed.checked_sub(self.before)?.checked_sub(self.after).filter(|&pixels| pixels > 0)
    }

    /// The pixels of the window that see the image, of so many pixels, at a position.
    #[inline(always)]
    pub fn kernel_inside(&self, place: usize, pixels: usize) -> Range<usize> {
        let Side { kernel, stride, before, dilation, .. } = *self;
        let first = before.saturating_sub(place * stride).div_ceil(dilation).min(kernel);
        // The last pixel of the image that can be seen, counted from where the window begins.
        let end = (pixels + before).checked_sub(place * stride + 1).map_or(0, |last| last / dilation + 1);
        first..end.min(kernel).max(first)
    }

    /// The positions at which a pixel of the window sees the image, of so many pixels.
    pub fn places_inside(&self, pixel: usize, pixels: usize) -> Range<usize> {
        let Side { stride, before, dilation, .. } = *self;
        let first = before.saturating_sub(pixel * dilation).div_ceil(stride);
        let end = (pixels + before).checked_sub(pixel * dilation + 1).map_or(0, |last| last / stride + 1);
        let end = end.min(self.places(pixels));
        first.min(end)..end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All sides with small numbers.
    fn sides() -> impl Iterator<Item = Side> {
        (0..4 * 4 * 4 * 4 * 3).map(|number: usize| Side {
            kernel: number % 4 + 1,
            stride: number / 4 % 4 + 1,
            before: number / 16 % 4,
            after: number / 64 % 4,
            dilation: number / 256 + 1,
        })
    }

    #[test]
    fn places_and_what_they_see_are_those_that_counting_finds() {
        for (side, pixels) in sides().flat_map(|side| (1..8).map(move |pixels| (side, pixels))) {
            let fits = |place: &usize| place * side.stride + side.reach() < side.framed(pixels);
            assert_eq!(side.places(pixels), (0..).take_while(fits).count(), "{side:?} {pixels}");
            let sees = |place: usize, pixel: usize| {
                let at = place * side.stride + pixel * side.dilation;
                (side.before..side.before + pixels).contains(&at)
            };
            for place in 0..side.places(pixels) {
                let seen: Vec<_> = (0..side.kernel).filter(|&pixel| sees(place, pixel)).collect();
                assert_eq!(side.kernel_inside(place, pixels).collect::<Vec<_>>(), seen, "{side:?} {pixels}");
            }
            for pixel in 0..side.kernel {
                let seen: Vec<_> = (0..side.places(pixels)).filter(|&place| sees(place, pixel)).collect();
                assert_eq!(side.places_inside(pixel, pixels).collect::<Vec<_>>(), seen, "{side:?} {pixels}");
            }
        }
    }

    #[test]
    fn transposed_sides_have_the_places_that_they_were_made_of() {
        for (side, places) in sides().flat_map(|side| (1..8).map(move |places| (side, places))) {
            for more in 0..side.stride {
                let Some(pixels) = side.transposed(places, more) else {
                    // Padding is all of the fewest pixels, and of those behind them.
                    assert!((places - 1) * side.stride + side.reach() + more < side.before + side.after);
                    continue;
                };
                assert_eq!(side.places(pixels), places, "{side:?} {more}");
                // One less if one pixel fewer than the fewest is there, and one more with a whole stride of them.
                assert!(more > 0 || side.places(pixels - 1) < places, "{side:?}");
                assert!(more + 1 < side.stride || side.places(pixels + 1) > places, "{side:?} {more}");
            }
        }
        let window =
            Window { padding: [[1, 0], [2, 1]], ..Window::rectangle([3, 4], [2, 3], [0, 0], [1, 2]) };
        // Height: 4 strides of 2, a reach of 2, 1 more and 1, less 1; width: 2 strides of 3, 6, 2 and 1, less 3.
        let output = window.transposed(Image::new(5, 3, 7), 4, [1, 2]);
        assert_eq!(output, Some(Image::new(11, 12, 4)));
        assert_eq!(Window::square(1, 1, 3, 1).transposed(Image::new(5, 6, 1), 1, [0, 0]), None);
        assert_eq!(Window::plain(1, usize::MAX).transposed(Image::new(5, 6, 1), 1, [0, 0]), None);
    }

    #[test]
    fn the_axes_keep_their_own_numbers() {
        let window =
            Window { padding: [[1, 0], [2, 5]], ..Window::rectangle([3, 5], [2, 1], [0, 0], [1, 2]) };
        // Height: 10 + 1 with 3 and stride 2; width: 9 + 7 with a reach of 8.
        assert_eq!(window.output(Image::new(10, 9, 1), 4), Image::new(5, 8, 4));
        assert_eq!((window.to_string(), window.area(), window.is_padded()), ("3x5".into(), 15, true));
        let line = Window::line(7, 1, 3, 1);
        assert_eq!((line.to_string(), line.kernel_shape()), ("7".into(), &[7][..]));
        assert_eq!(line.output(Image::new(1, 20, 2), 3), Image::new(1, 20, 3));
        let causal = Window::line(3, 1, 0, 4).causal();
        assert_eq!((causal.padding, causal.is_causal()), ([[0, 0], [8, 0]], true));
        assert_eq!(causal.output(Image::new(1, 5, 2), 3), Image::new(1, 5, 3));
        let others = [line, Window::line(3, 2, 0, 4).causal(), Window::plain(3, 1).causal()];
        assert!(!others.iter().any(Window::is_causal));
    }
}
