//! The products of a convolution without its patches: pixels and elements of the window are read from
//! the image where they lie (`kernels/convolution/implicit_gemm.rs`).
//!
//! Every element is one chain of fused multiply-adds, bit for bit that of the product of gathered
//! patches, but for what the window sees beyond the edge: terms of that are zeros, and where a whole tile
//! has them they are left out. (A sum of -0 stays one then, and an infinite factor is not found out.)

use std::ops::Range;

use crate::kernels::convolution::implicit_gemm::{Limits, MOST_ROWS, Tile, evenly, in_tiles};
use crate::kernels::image::{Image, Patches, Side};
use crate::kernels::products::gemm::Epilogue;
use crate::kernels::products::tile::Initial;
use crate::tensor::{LANES, MatrixRef};

/// With so many channels, tiles of the gradient lie within the channels of one pixel of the window, and
/// need no frame; with fewer such tiles would have too few rows.
const WIDE: usize = 8;

/// Floats of images and their gradients over which the gradient of all weights is summed up before the
/// next ones: they stay in the second-level cache. Fewer cost more, for the sums are then read and
/// written more often.
const BLOCK: usize = 64 << 10;

/// Where an image lies, in floats: from its first pixel, by rows and pixels.
#[derive(Clone, Copy)]
struct Placed {
    start: *const f32,
    down: usize,
    right: usize,
}

impl Placed {
    /// The pixel at a place, which may be outside of the image.
    fn at(&self, [row, column]: [isize; 2]) -> *const f32 {
        self.start.wrapping_offset(row * self.down as isize + column * self.right as isize)
    }
}

impl Patches {
    /// Whether the image is copied into its frame first: for what lies beyond the edge, and where it
    /// makes a row of the window one run.
    fn is_framed(&self) -> bool {
        let Image { channels, pitch, .. } = self.input;
        self.window.is_padded() || (self.window.kernel[1] > 1 && channels < LANES && channels != pitch)
    }

    /// Floats of scratch that [`correlate`] wants.
    pub fn correlation_scratch(&self) -> usize {
        if self.is_framed() { self.framed_len() } else { 0 }
    }

    /// Floats of scratch that [`gradient`] wants.
    pub fn gradient_scratch(&self) -> usize {
        if self.has_few_channels() { self.framed_len() } else { 0 }
    }

    /// Whether the gradient is summed up in tiles of inputs of several pixels of the window, for there are
    /// few channels.
    pub fn has_few_channels(&self) -> bool {
        self.input.channels < WIDE && !self.are_pixels()
    }

    /// Floats of the longest run of a patch without gaps.
    pub const fn run(&self) -> usize {
        self.input.channels * if self.window.dilation[1] == 1 { self.window.kernel[1] } else { 1 }
    }

    /// Pairs of a row of output pixels and a row of the window that sees the image from there.
    pub fn rows_seen(&self) -> usize {
        let ([down, _], height) = (self.window.sides(), self.input.height);
        (0..down.places(height)).map(|row| down.kernel_inside(row, height).len()).sum()
    }

    /// The image in its frame.
    fn placed_in_frame(&self, framed: &mut [f32], x: &[f32]) -> Placed {
        self.frame(framed, x);
        let (right, [[above, _], [left, _]]) = (self.input.channels, self.window.padding);
        let down = self.framed_width() * right;
        Placed { start: framed[above * down + left * right..].as_ptr(), down, right }
    }

    fn placed(&self, x: &[f32]) -> Placed {
        let right = self.input.pitch;
        Placed { start: x.as_ptr(), down: self.input.width * right, right }
    }
}

/// `y = finish(w ⋆ x + bias)` of one sample: `[pixels x in] * [in x out] -> [pixels x out]`.
///
/// `x` `[height, width, pitch]`; `y` `[pixels, out]`, `out` a multiple of 16; `weights` in panels
/// `[out / 16][in][16]` with the inputs in the order of [`Patches`]; `bias`, if there is one, `[out]`;
/// `scratch` [`correlation_scratch`](Patches::correlation_scratch).
pub fn correlate(
    y: &mut [f32],
    x: &[f32],
    patches: &Patches,
    weights: &[f32],
    bias: Option<&[f32]>,
    epilogue: Epilogue,
    scratch: &mut [f32],
) {
    let Patches { input, window } = *patches;
    let Image { height, width, channels, .. } = input;
    let [down, across] = window.sides();
    let [rows, columns] = [down.places(height), across.places(width)];
    let (pixels, inputs) = (rows * columns, patches.inputs());
    assert_eq!(x.len(), input.columns(), "x");
    assert!(pixels > 0 && y.len().is_multiple_of(pixels * LANES), "y of {pixels} pixels");
    let outputs = y.len() / pixels;
    assert_eq!(weights.len(), outputs * inputs, "weights of {outputs} x {inputs}");
    assert!(bias.is_none_or(|bias| bias.len() == outputs), "bias of {outputs}");
    let x = if patches.is_framed() { patches.placed_in_frame(scratch, x) } else { patches.placed(x) };
    let (y, weights) = (y.as_mut_ptr(), weights.as_ptr());
    // Of a row of the window: how many runs without gaps, and their floats.
    let (runs, run) = if across.dilation == 1 && x.right == channels {
        (1, across.kernel * channels)
    } else {
        (across.kernel, channels)
    };
    let window_row = across.kernel * channels;
    let mut work = |limits: Limits, compute: &mut dyn FnMut(&Tile)| {
        for panel in (0..outputs / LANES).step_by(limits.panels) {
            let mut row = 0;
            while row < rows {
                // Rows of which the window sees the same part are cut into tiles together.
                let inside = down.kernel_inside(row, height);
                let same = |next: &usize| down.kernel_inside(*next, height) == inside;
                let band = (row..rows).take_while(same).count();
                let top = |row: usize| {
                    (row * down.stride + inside.start * down.dilation) as isize - down.before as isize
                };
                let mut tile = Tile {
                    rows: 0,
                    panels: limits.panels.min(outputs / LANES - panel),
                    lefts: [std::ptr::null(); MOST_ROWS],
                    results: [std::ptr::null_mut(); MOST_ROWS],
                    counts: [inside.len(), runs, run],
                    left_steps: [down.dilation * x.down, across.dilation * x.right, 1],
                    right: weights.wrapping_add((panel * inputs + inside.start * window_row) * LANES),
                    right_steps: [window_row * LANES, run * LANES, LANES],
                    right_panel: inputs * LANES,
                    result_panel: LANES,
                    initial: bias.map_or(Initial::Zero, |bias| Initial::Row(bias[panel * LANES..].as_ptr())),
                    epilogue,
                };
                evenly(band * columns, limits.rows, |start, count| {
                    tile.rows = count;
                    let (mut at, mut column) = (row + start / columns, start % columns);
                    for i in 0..count {
                        let left = (column * across.stride) as isize - across.before as isize;
                        tile.lefts[i] = x.at([top(at), left]);
                        tile.results[i] = y.wrapping_add((at * columns + column) * outputs + panel * LANES);
                        column += 1;
                        if column == columns {
                            (at, column) = (at + 1, 0);
                        }
                    }
                    compute(&tile);
                });
                row += band;
            }
        }
    };
    // Safety: the assertions above hold y, weights and bias to these sizes; the rows of the window are
    // those inside the image, and its columns lie in the image or its frame.
    unsafe { in_tiles(&mut work) };
}

/// The gradient of all weights over some samples: `[out x pixels] * [pixels x in] -> [out x in]`.
///
/// `dw` is `[out / 16][in][16]`; `dy` `[samples, pixels * out]`, `out` a multiple of 16; `x`
/// `[samples, height * width * pitch]`. It is overwritten, or with `accumulate` carried on from what earlier
/// samples have left there. `scratch`: [`gradient_scratch`](Patches::gradient_scratch).
pub fn gradient(
    dw: &mut [f32],
    dy: MatrixRef,
    x: MatrixRef,
    patches: &Patches,
    accumulate: bool,
    scratch: &mut [f32],
) {
    let all = Gradient::all(patches, dy);
    if !patches.has_few_channels() {
        return gradient_of(dw, dy, x, patches, [all.panels, all.inputs], accumulate);
    }
    all.check(dw, dy, x);
    for sample in 0..x.rows() {
        let x = patches.placed_in_frame(scratch, x.row(sample));
        // Safety: all places of the window lie in the frame, and the sizes were checked.
        unsafe { all.narrow(dw.as_mut_ptr(), x, dy.row(sample), accumulate || sample > 0) };
    }
}

/// The gradient of some weights: those of some panels of outputs and some inputs, `dw`
/// `[panels][inputs][16]`; else as [`gradient`]. For layers of [many](Patches::has_few_channels) channels.
pub fn gradient_of(
    dw: &mut [f32],
    dy: MatrixRef,
    x: MatrixRef,
    patches: &Patches,
    [panels, inputs]: [Range<usize>; 2],
    accumulate: bool,
) {
    assert!(!patches.has_few_channels(), "few channels");
    let of = Gradient { panels, inputs, ..Gradient::all(patches, dy) };
    of.check(dw, dy, x);
    // Whole samples as long as several are a block; else rows of output pixels.
    let Image { height, width, channels, .. } = patches.input;
    let row = of.columns * of.panels.len() * LANES + width * channels.min(of.inputs.len());
    let rows = (BLOCK / row.max(1)).max(1);
    let samples = (rows / height).max(1);
    let mut accumulate = accumulate;
    for first in (0..x.rows()).step_by(samples) {
        let samples = first..(first + samples).min(x.rows());
        evenly(of.rows, rows, |start, count| {
            // Safety: the sizes were checked; of each place of the window only what lies in the image is read.
            unsafe { of.wide(dw.as_mut_ptr(), x, dy, samples.clone(), start..start + count, accumulate) };
            accumulate = true;
        });
    }
}

/// What all tiles of a gradient share.
struct Gradient<'a> {
    patches: &'a Patches,
    /// Floats of a pixel of `dy`.
    outputs: usize,
    /// Of the output.
    rows: usize,
    columns: usize,
    /// The weights.
    panels: Range<usize>,
    inputs: Range<usize>,
}

impl<'a> Gradient<'a> {
    fn all(patches: &'a Patches, dy: MatrixRef) -> Gradient<'a> {
        let output = patches.window.output(patches.input, 1);
        assert!(output.pixels() > 0 && dy.columns().is_multiple_of(output.pixels() * LANES), "dy");
        let outputs = dy.columns() / output.pixels();
        Gradient {
            patches,
            outputs,
            rows: output.height,
            columns: output.width,
            panels: 0..outputs / LANES,
            inputs: 0..patches.inputs(),
        }
    }

    /// Panics unless all that is read and written is there.
    fn check(&self, dw: &[f32], dy: MatrixRef, x: MatrixRef) {
        assert_eq!(x.rows(), dy.rows(), "samples");
        assert_eq!(x.columns(), self.patches.input.columns(), "x");
        assert!(self.panels.end * LANES <= self.outputs && self.inputs.end <= self.patches.inputs());
        let len = self.panels.len() * self.inputs.len() * LANES;
        assert_eq!(dw.len(), len, "gradient of {:?} x {:?}", self.panels, self.inputs);
    }

    /// The panels from one on that a tile holds.
    fn tile(&self, panel: usize, limits: Limits, accumulate: bool) -> Tile {
        Tile {
            rows: 0,
            panels: limits.panels.min(self.panels.end - panel),
            lefts: [std::ptr::null(); MOST_ROWS],
            results: [std::ptr::null_mut(); MOST_ROWS],
            counts: [0; 3],
            left_steps: [0; 3],
            right: std::ptr::null(),
            right_steps: [0; 3],
            right_panel: LANES,
            result_panel: self.inputs.len() * LANES,
            initial: if accumulate { Initial::Result } else { Initial::Zero },
            epilogue: Epilogue::Plain,
        }
    }

    /// Where the gradient of an input's weights lies, from a panel on.
    fn place(&self, dw: *mut f32, panel: usize, input: usize) -> *mut f32 {
        let [panel, input] = [panel - self.panels.start, input - self.inputs.start];
        dw.wrapping_add((panel * self.inputs.len() + input) * LANES)
    }

    /// Over these samples and rows of output pixels: tiles of some channels of one pixel of the window.
    ///
    /// # Safety
    /// The sizes must be [checked](Gradient::check).
    unsafe fn wide(
        &self,
        dw: *mut f32,
        x: MatrixRef,
        dy: MatrixRef,
        samples: Range<usize>,
        rows: Range<usize>,
        accumulate: bool,
    ) {
        let Patches { input: Image { height, width, channels, pitch, .. }, window } = *self.patches;
        let [vertical, horizontal] = window.sides();
        let right = dy.as_ptr().wrapping_add(samples.start * dy.stride());
        let left = x.as_ptr().wrapping_add(samples.start * x.stride());
        let mut work = |limits: Limits, compute: &mut dyn FnMut(&Tile)| {
            for panel in self.panels.clone().step_by(limits.panels) {
                let mut tile = self.tile(panel, limits, accumulate);
                for element in self.inputs.start / channels..self.inputs.end.div_ceil(channels) {
                    let [i, j] = [element / horizontal.kernel, element % horizontal.kernel];
                    let down = vertical.places_inside(i, height);
                    let across = horizontal.places_inside(j, width);
                    let down = down.start.max(rows.start)..down.end.min(rows.end);
                    if accumulate && (down.is_empty() || across.is_empty()) {
                        continue;
                    }
                    tile.counts = [samples.len(), down.len(), across.len()];
                    tile.left_steps =
                        [x.stride(), vertical.stride * width * pitch, horizontal.stride * pitch];
                    tile.right_steps = [dy.stride(), self.columns * self.outputs, self.outputs];
                    let pixel = (down.start * self.columns + across.start) * self.outputs;
                    tile.right = right.wrapping_add(pixel + panel * LANES);
                    let at = |side: Side, place: usize, i: usize| {
                        (place * side.stride + i * side.dilation).wrapping_sub(side.before)
                    };
                    let [row, column] = [at(vertical, down.start, i), at(horizontal, across.start, j)];
                    let pixel = row.wrapping_mul(width).wrapping_add(column);
                    let left = left.wrapping_add(pixel.wrapping_mul(pitch));
                    let first = element * channels;
                    let inputs = self.inputs.start.max(first)..self.inputs.end.min(first + channels);
                    evenly(inputs.len(), limits.rows, |start, count| {
                        tile.rows = count;
                        for r in 0..count {
                            let input = inputs.start + start + r;
                            tile.lefts[r] = left.wrapping_add(input - first);
                            tile.results[r] = self.place(dw, panel, input);
                        }
                        compute(&tile);
                    });
                }
            }
        };
        // Safety: the caller's, and `Side::places_inside`.
        unsafe { in_tiles(&mut work) };
    }

    /// Over one sample, in its frame: tiles of any inputs.
    ///
    /// # Safety
    /// The sizes must be [checked](Gradient::check), and the weights all that there are.
    unsafe fn narrow(&self, dw: *mut f32, x: Placed, dy: &[f32], accumulate: bool) {
        let Patches { input: Image { channels, .. }, window } = *self.patches;
        let [down, across] = window.sides();
        let mut work = |limits: Limits, compute: &mut dyn FnMut(&Tile)| {
            for panel in self.panels.clone().step_by(limits.panels) {
                let mut tile = self.tile(panel, limits, accumulate);
                tile.counts = [1, self.rows, self.columns];
                tile.left_steps = [0, down.stride * x.down, across.stride * x.right];
                tile.right = dy[panel * LANES..].as_ptr();
                tile.right_steps = [0, self.columns * self.outputs, self.outputs];
                evenly(self.inputs.len(), limits.rows, |start, count| {
                    tile.rows = count;
                    for r in 0..count {
                        let input = start + r;
                        let [pixel, channel] = [input / channels, input % channels];
                        let along =
                            |side: Side, i: usize| (i * side.dilation) as isize - side.before as isize;
                        let [i, j] = [pixel / across.kernel, pixel % across.kernel];
                        let left = x.at([along(down, i), along(across, j)]);
                        tile.lefts[r] = left.wrapping_add(channel);
                        tile.results[r] = self.place(dw, panel, input);
                    }
                    compute(&tile);
                });
            }
        };
        // Safety: the caller's.
        unsafe { in_tiles(&mut work) };
    }
}
