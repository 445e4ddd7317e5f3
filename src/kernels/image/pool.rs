//! Pools: the largest number or the mean under each place of a window, channel by channel.
//!
//! `x` is `[height, width, pitch]`, `y` the image that the window gives of it. Padding is left out of a maximum,
//! so each place must see a pixel of the image; in a mean it counts as zeros.

use crate::kernels::image::{Image, Window};
use crate::kernels::simd::vectorise::vectorise;
use crate::tensor::LANES;

/// The pixels of the image that a place of the window sees.
#[derive(Clone, Copy)]
struct Seen {
    /// Where the first of them begins.
    corner: usize,
    rows: usize,
    columns: usize,
    /// Floats from one to the next, down and across.
    down: usize,
    right: usize,
}

impl Seen {
    /// Calls `each` with the place of each pixel, row by row, `lane` floats on.
    #[inline(always)]
    fn each(self, lane: usize, mut each: impl FnMut(usize)) {
        for y in 0..self.rows {
            for x in 0..self.columns {
                each(self.corner + lane + y * self.down + x * self.right);
            }
        }
    }
}

/// Calls `each` with each output pixel's number, and what its window sees.
#[inline(always)]
fn places(input: Image, window: Window, mut each: impl FnMut(usize, Seen)) {
    let ([down, across], is_padded) = (window.sides(), window.is_padded());
    let Image { height, width, pitch, .. } = input;
    let [rows, columns] = [down.places(height), across.places(width)];
    for y in 0..rows {
        let tall = if is_padded { down.kernel_inside(y, height) } else { 0..down.kernel };
        let top = y * down.stride + tall.start * down.dilation - down.before;
        for x in 0..columns {
            let wide = if is_padded { across.kernel_inside(x, width) } else { 0..across.kernel };
            let left = x * across.stride + wide.start * across.dilation - across.before;
            let seen = Seen {
                corner: (top * width + left) * pitch,
                rows: tall.len(),
                columns: wide.len(),
                down: down.dilation * width * pitch,
                right: across.dilation * pitch,
            };
            each(y * columns + x, seen);
        }
    }
}

/// The vector at a place.
#[inline(always)]
fn vector(x: &[f32], place: usize) -> [f32; LANES] {
    let mut vector = [0.0; LANES];
    vector.copy_from_slice(&x[place..place + LANES]);
    vector
}

/// Writes a vector of gradients to a place, or adds it to what is there.
#[inline(always)]
fn give(dx: &mut [f32], place: usize, mut gradients: [f32; LANES], adds: bool) {
    if adds {
        let before = vector(dx, place);
        for i in 0..LANES {
            gradients[i] += before[i];
        }
    }
    dx[place..place + LANES].copy_from_slice(&gradients);
}

/// The larger number; a NaN stays one.
#[inline(always)]
fn larger(best: f32, x: f32) -> f32 {
    if x > best || x.is_nan() { x } else { best }
}

/// The largest number under each place.
pub fn max_forward(y: &mut [f32], x: &[f32], input: Image, window: Window) {
    forward(
        y,
        x,
        input,
        window,
        f32::NEG_INFINITY,
        larger,
        #[inline(always)]
        |best| best,
    );
}

/// The mean of the numbers under each place, padding included as zeros, added up row by row.
pub fn average_forward(y: &mut [f32], x: &[f32], input: Image, window: Window) {
    let factor = 1.0 / window.area() as f32;
    forward(
        y,
        x,
        input,
        window,
        0.0,
        #[inline(always)]
        |sum, x| sum + x,
        #[inline(always)]
        |sum| sum * factor,
    );
}

#[inline(always)]
fn forward(
    y: &mut [f32],
    x: &[f32],
    input: Image,
    window: Window,
    begin: f32,
    combine: impl Fn(f32, f32) -> f32,
    finish: impl Fn(f32) -> f32,
) {
    let pitch = window.output(input, input.channels).pitch;
    if input.pitch != pitch {
        // Data, whose pixels are not whole vectors.
        return places(input, window, |pixel, seen| {
            let (y, padding) = y[pixel * pitch..(pixel + 1) * pitch].split_at_mut(input.channels);
            for (channel, y) in y.iter_mut().enumerate() {
                let mut result = begin;
                seen.each(channel, |place| result = combine(result, x[place]));
                *y = finish(result);
            }
            padding.fill(0.0);
        });
    }
    vectorise(
        #[inline(always)]
        || {
            // In registers, where no store can be thought to change them.
            let (input, window, pitch) = (input, window, pitch);
            places(
                input,
                window,
                #[inline(always)]
                |pixel, seen| {
                    let mut lane = 0;
                    while lane < pitch {
                        let mut results = [begin; LANES];
                        seen.each(
                            lane,
                            #[inline(always)]
                            |place| {
                                let x = vector(x, place);
                                for i in 0..LANES {
                                    results[i] = combine(results[i], x[i]);
                                }
                            },
                        );
                        for result in &mut results {
                            *result = finish(*result);
                        }
                        y[pixel * pitch + lane..pixel * pitch + lane + LANES].copy_from_slice(&results);
                        lane += LANES;
                    }
                },
            );
        },
    );
}

/// Inverts [`max_forward`]: the first of the largest numbers under each place, row by row, takes the
/// whole gradient, as in PyTorch.
pub fn max_backward(dx: &mut [f32], dy: &[f32], x: &[f32], y: &[f32], input: Image, window: Window) {
    let pitch = input.pitch;
    let adds = clear(dx, input, window);
    vectorise(
        #[inline(always)]
        || {
            let (input, window, pitch, adds) = (input, window, pitch, adds);
            places(
                input,
                window,
                #[inline(always)]
                |pixel, seen| {
                    let mut lane = 0;
                    while lane < pitch {
                        let at = pixel * pitch + lane;
                        // What no number has taken yet.
                        let mut left = vector(dy, at);
                        let y = vector(y, at);
                        seen.each(
                            lane,
                            #[inline(always)]
                            |place| {
                                let x = vector(x, place);
                                let mut taken = [0.0; LANES];
                                for i in 0..LANES {
                                    let is_largest = x[i] == y[i];
                                    taken[i] = if is_largest { left[i] } else { 0.0 };
                                    left[i] = if is_largest { 0.0 } else { left[i] };
                                }
                                give(dx, place, taken, adds);
                            },
                        );
                        lane += LANES;
                    }
                },
            );
        },
    );
}

/// Inverts [`average_forward`]: all numbers under a place take the same part of the gradient.
pub fn average_backward(dx: &mut [f32], dy: &[f32], input: Image, window: Window) {
    let factor = 1.0 / window.area() as f32;
    let adds = clear(dx, input, window);
    vectorise(
        #[inline(always)]
        || {
            let (input, window, factor, adds) = (input, window, factor, adds);
            places(
                input,
                window,
                #[inline(always)]
                |pixel, seen| {
                    let mut lane = 0;
                    while lane < input.pitch {
                        let at = pixel * input.pitch + lane;
                        let mut part = vector(dy, at);
                        for part in &mut part {
                            *part *= factor;
                        }
                        seen.each(
                            lane,
                            #[inline(always)]
                            |place| give(dx, place, part, adds),
                        );
                        lane += LANES;
                    }
                },
            );
        },
    );
}

/// Makes `dx` ready for what each place gives it; whether that is added. Where every pixel is under one
/// place, nothing has to be done.
fn clear(dx: &mut [f32], input: Image, window: Window) -> bool {
    let [down, across] = window.sides();
    let adds = down.reach() >= down.stride || across.reach() >= across.stride;
    let is_even = |pixels: usize, axis: usize| {
        window.kernel[axis] == window.stride[axis] && pixels.is_multiple_of(window.stride[axis])
    };
    let covered =
        !window.is_padded() && !window.is_dilated() && is_even(input.height, 0) && is_even(input.width, 1);
    if !covered {
        dx.fill(0.0);
    }
    adds
}

/// The mean of each channel over all pixels, added up in their order: `x` `[pixels, pitch]`, `y`
/// `[channels]`, padded with zeros.
pub fn global_average_forward(y: &mut [f32], x: &[f32], input: Image) {
    let factor = 1.0 / input.pixels() as f32;
    vectorise(
        #[inline(always)]
        || {
            y.fill(0.0);
            for x in x.chunks_exact(input.pitch) {
                for (y, x) in y.iter_mut().zip(x) {
                    *y += x;
                }
            }
            for y in y.iter_mut() {
                *y *= factor;
            }
        },
    );
}

/// Inverts [`global_average_forward`].
pub fn global_average_backward(dx: &mut [f32], dy: &[f32], input: Image) {
    let factor = 1.0 / input.pixels() as f32;
    vectorise(
        #[inline(always)]
        || {
            for dx in dx.chunks_exact_mut(input.pitch) {
                for (dx, dy) in dx.iter_mut().zip(dy) {
                    *dx = dy * factor;
                }
            }
        },
    );
}
