//! Images between layers, and the patches of them that a convolution looks at.
//!
//! An image lies as height x width x channels, the channels of each pixel padded with zeros to whole
//! vectors: so pools work on whole vectors, and a product of patches and weights is an image as it
//! comes. The data that a network begins with are not padded.

pub mod channels;
pub mod pool;
mod shape;
mod window;

pub use shape::Image;
use std::ops::Range;

pub use window::{Side, Window};

use crate::kernels::simd::vectorise::vectorise;
use crate::tensor::{LANES, padded};

/// The patches of an image under each place of a window, one row each: `[pixels out, inputs]` with the
/// inputs in the order row of the window, column of the window, channel ("im2col": Chellapilla, Puri,
/// Simard, "High Performance Convolutional Neural Networks for Document Processing", 2006).
#[derive(Clone, Copy, Debug)]
pub struct Patches {
    pub input: Image,
    pub window: Window,
}

/// How a patch lies in a framed image: runs of floats without gaps.
#[derive(Clone, Copy)]
struct Runs {
    /// Floats of a run.
    len: usize,
    /// Runs in a row of the window.
    count: usize,
    /// Floats from one run of a row to the next.
    across: usize,
    /// Floats from one row of the window to the next.
    down: usize,
}

impl Patches {
    /// Numbers of a patch.
    pub const fn inputs(&self) -> usize {
        self.window.area() * self.input.channels
    }

    /// Whether each patch is a pixel of the image.
    pub const fn are_pixels(&self) -> bool {
        let Window { stride: [down, across], .. } = self.window;
        self.window.area() == 1 && down == 1 && across == 1 && !self.window.is_padded()
    }

    /// Pixels of a row of the framed image.
    pub(super) const fn framed_width(&self) -> usize {
        self.window.sides()[1].framed(self.input.width)
    }

    /// Floats of an image in a frame of zeros as wide as the padding, the channels of its pixels without
    /// gaps, and of a vector after it, so that whole vectors can be read from every place.
    pub const fn framed_len(&self) -> usize {
        let pixels = self.window.sides()[0].framed(self.input.height) * self.framed_width();
        padded(pixels * self.input.channels) + LANES
    }

    /// Where the pixels of each row of the image begin in the frame.
    fn framed_rows(&self) -> impl Iterator<Item = usize> {
        let (width, [[above, _], [left, _]]) = (self.framed_width(), self.window.padding);
        let start = move |row| ((above + row) * width + left) * self.input.channels;
        (0..self.input.height).map(start)
    }

    /// Puts `x` `[height, width, pitch]`, whose padding is zero, into its frame, `[framed_len]`. Then all
    /// channels of neighbouring pixels are one run of a patch.
    pub fn frame(&self, framed: &mut [f32], x: &[f32]) {
        let Image { width, channels, pitch, .. } = self.input;
        let framed = &mut framed[..self.framed_len()];
        // How far it is written.
        let mut end = 0;
        for (start, row) in self.framed_rows().zip(x.chunks_exact(width * pitch)) {
            framed[end..start].fill(0.0);
            end = start + width * channels;
            if channels == pitch {
                framed[start..end].copy_from_slice(row);
                continue;
            }
            for (pixel, x) in row.chunks_exact(pitch).enumerate() {
                let start = start + pixel * channels;
                // Whole vectors: what is too much is overwritten, by the next pixel or by the frame.
                for (lane, x) in x.as_chunks::<LANES>().0.iter().enumerate() {
                    framed[start + lane * LANES..start + (lane + 1) * LANES].copy_from_slice(x);
                }
            }
        }
        framed[end..].fill(0.0);
    }

    /// The inverse of [`frame`](Patches::frame): `dx` `[height, width, pitch]` from `[framed_len]`.
    pub fn unframe(&self, dx: &mut [f32], framed: &[f32]) {
        let Image { width, channels, pitch, .. } = self.input;
        for (start, row) in self.framed_rows().zip(dx.chunks_exact_mut(width * pitch)) {
            if channels == pitch {
                row.copy_from_slice(&framed[start..start + row.len()]);
                continue;
            }
            for (pixel, dx) in row.chunks_exact_mut(pitch).enumerate() {
                let start = start + pixel * channels;
                for (lane, dx) in dx.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
                    let (start, left) = (start + lane * LANES, channels.saturating_sub(lane * LANES));
                    dx.copy_from_slice(&framed[start..start + LANES]);
                    // What lies behind the channels is the next pixel's.
                    for (i, dx) in dx.iter_mut().enumerate() {
                        *dx = if i < left { *dx } else { 0.0 };
                    }
                }
            }
        }
    }

    fn runs(&self) -> Runs {
        let Window { kernel: [_, width], dilation: [below, right], .. } = self.window;
        let channels = self.input.channels;
        let down = below * self.framed_width() * channels;
        if right == 1 {
            Runs { len: width * channels, count: 1, across: 0, down }
        } else {
            Runs { len: channels, count: width, across: right * channels, down }
        }
    }

    /// The patches of some output pixels: `columns` `[pixels, inputs]` with rows `stride` apart, and a
    /// vector after them, from the framed image.
    pub fn gather(&self, columns: &mut [f32], stride: usize, framed: &[f32], pixels: Range<usize>) {
        self.check(columns, stride, framed, &pixels);
        let walk = self.walk(stride, pixels);
        let (columns, framed) = (columns.as_mut_ptr(), framed.as_ptr());
        // Whole vectors: what is too much is overwritten by the next run.
        vectorise(
            #[inline(always)]
            || {
                // In registers, where no store can be thought to change them.
                let (columns, framed) = (columns, framed);
                if walk.runs.len <= LANES / 2 {
                    // Half a vector lies across two cache lines half as often.
                    walk.each_run(
                        #[inline(always)]
                        // Safety: by `check`, as for whole vectors below.
                        |patch, image, _| unsafe {
                            let run = framed.add(image).cast::<[f32; LANES / 2]>().read_unaligned();
                            columns.add(patch).cast::<[f32; LANES / 2]>().write_unaligned(run);
                        },
                    );
                } else {
                    walk.each_run(
                        #[inline(always)]
                        // Safety: by `check`, a vector from every place of a patch lies in each slice.
                        |patch, image, _| unsafe {
                            let run = framed.add(image).cast::<[f32; LANES]>().read_unaligned();
                            columns.add(patch).cast::<[f32; LANES]>().write_unaligned(run);
                        },
                    );
                }
            },
        );
    }

    /// The transpose of [`gather`](Patches::gather): adds each number of `columns` to the pixel of the
    /// framed image that it was read from, in the order of the output pixels ("col2im").
    pub fn scatter(&self, framed: &mut [f32], columns: &[f32], stride: usize, pixels: Range<usize>) {
        self.check(columns, stride, framed, &pixels);
        let walk = self.walk(stride, pixels);
        let (columns, framed) = (columns.as_ptr(), framed.as_mut_ptr());
        vectorise(
            #[inline(always)]
            || {
                let (columns, framed) = (columns, framed);
                walk.each_run(
                    #[inline(always)]
                    // Safety: by `check`, a vector from every place of a patch lies in each slice.
                    |patch, image, left| unsafe {
                        let terms = columns.add(patch).cast::<[f32; LANES]>().read_unaligned();
                        let mut sums = framed.add(image).cast::<[f32; LANES]>().read_unaligned();
                        for i in 0..LANES {
                            // What lies behind the run belongs elsewhere.
                            sums[i] += if (i as u32) < left { terms[i] } else { 0.0 };
                        }
                        framed.add(image).cast::<[f32; LANES]>().write_unaligned(sums);
                    },
                );
            },
        );
    }

    /// Panics unless a vector can be read from every place of these patches, in both forms.
    fn check(&self, columns: &[f32], stride: usize, framed: &[f32], pixels: &Range<usize>) {
        let area = self.window.area();
        let output = self.window.output(self.input, 1);
        assert!(area > 0 && pixels.start <= pixels.end && pixels.end <= output.pixels(), "{pixels:?}");
        assert!(stride >= self.inputs() && columns.len() >= pixels.len() * stride + LANES, "patches");
        assert!(framed.len() >= self.framed_len(), "framed image");
    }

    fn walk(&self, stride: usize, pixels: Range<usize>) -> Walk {
        let Window { kernel: [rows, _], stride: [below, right], .. } = self.window;
        let across = self.window.output(self.input, 1).width;
        Walk {
            runs: self.runs(),
            rows,
            first: [pixels.start / across, pixels.start % across],
            pixels: pixels.len(),
            across,
            right: right * self.input.channels,
            down: below * self.framed_width() * self.input.channels,
            stride,
        }
    }
}

/// A way through patches and image at the same time.
struct Walk {
    runs: Runs,
    /// Rows of the window.
    rows: usize,
    /// Row and column of the first output pixel.
    first: [usize; 2],
    pixels: usize,
    /// Output pixels of a row.
    across: usize,
    /// Floats of the image from one output pixel to the next, and to that below.
    right: usize,
    down: usize,
    /// Floats from patch to patch.
    stride: usize,
}

impl Walk {
    /// Calls `each` with the place of every vector of every run: in the patches, in the framed image, and
    /// how many floats of the run begin there.
    #[inline(always)]
    fn each_run(&self, each: impl FnMut(usize, usize, u32)) {
        // Short runs are many: the usual kernels have loops of their own, which unroll.
        let short = self.runs.len <= LANES && self.runs.count == 1;
        match self.rows {
            3 if short => self.each_run_of::<3, true>(each),
            5 if short => self.each_run_of::<5, true>(each),
            _ => self.each_run_of::<0, false>(each),
        }
    }

    /// [`each_run`](Walk::each_run) for windows of `ROWS` rows, or any if that is 0, and for `SHORT` runs:
    /// one of at most a vector for each row of the window.
    #[inline(always)]
    fn each_run_of<const ROWS: usize, const SHORT: bool>(&self, mut each: impl FnMut(usize, usize, u32)) {
        let Walk { runs, rows, first: [mut y, mut x], pixels, across, right, down, stride } = *self;
        let Runs { len, count, across: run_across, down: run_down } = runs;
        let rows = if ROWS > 0 { ROWS } else { rows };
        for pixel in 0..pixels {
            let mut patch = pixel * stride;
            let mut row = y * down + x * right;
            for _ in 0..rows {
                let mut image = row;
                if SHORT {
                    each(patch, image, len as u32);
                    patch += len;
                } else {
                    for _ in 0..count {
                        let mut lane = 0;
                        while lane < len {
                            each(patch + lane, image + lane, (len - lane) as u32);
                            lane += LANES;
                        }
                        patch += len;
                        image += run_across;
                    }
                }
                row += run_down;
            }
            x += 1;
            if x == across {
                (x, y) = (0, y + 1);
            }
        }
    }
}

/// `y` `[channels * pixels]`, channel by channel as PyTorch flattens an image, from `x`
/// `[pixels, pitch]`.
pub fn flatten(y: &mut [f32], x: &[f32], image: Image) {
    for (pixel, x) in x.chunks_exact(image.pitch).enumerate() {
        for (channel, &x) in x[..image.channels].iter().enumerate() {
            y[channel * image.pixels() + pixel] = x;
        }
    }
}

/// The inverse of [`flatten`], with zeros as padding.
pub fn unflatten(dx: &mut [f32], dy: &[f32], image: Image) {
    for (pixel, dx) in dx.chunks_exact_mut(image.pitch).enumerate() {
        let (channels, padding) = dx.split_at_mut(image.channels);
        for (channel, dx) in channels.iter_mut().enumerate() {
            *dx = dy[channel * image.pixels() + pixel];
        }
        padding.fill(0.0);
    }
}
