//! Some channels of an image, and channels repeated: what stands between the images of layers,
//! `[pixels, pitch]`, and those of a convolution in groups.

use std::ops::Range;

use crate::kernels::image::Image;

/// These channels of `x`, whose pixels are `pitch` floats apart, as the image `to` of just these: zeros
/// as padding.
pub fn take(to: &mut [f32], x: &[f32], pitch: usize, channels: Range<usize>) {
    let to_pitch = to.len() / (x.len() / pitch);
    for (to, x) in to.chunks_exact_mut(to_pitch).zip(x.chunks_exact(pitch)) {
        let (taken, padding) = to.split_at_mut(channels.len());
        taken.copy_from_slice(&x[channels.clone()]);
        padding.fill(0.0);
    }
}

/// The inverse of [`take`]: puts the image `from` of these channels into `y`, and leaves the other
/// channels alone.
pub fn put(y: &mut [f32], from: &[f32], pitch: usize, channels: Range<usize>) {
    let from_pitch = from.len() / (y.len() / pitch);
    for (y, from) in y.chunks_exact_mut(pitch).zip(from.chunks_exact(from_pitch)) {
        y[channels.clone()].copy_from_slice(&from[..channels.len()]);
    }
}

/// Adds a number for each channel, `bias` `[pitch]`, to every pixel of `y`.
pub fn add_bias(y: &mut [f32], bias: &[f32]) {
    for y in y.chunks_exact_mut(bias.len()) {
        y.iter_mut().zip(bias).for_each(|(y, bias)| *y += bias);
    }
}

/// Zeros behind the channels of every pixel.
pub fn clear_padding(y: &mut [f32], image: Image) {
    if image.channels < image.pitch {
        y.chunks_exact_mut(image.pitch).for_each(|y| y[image.channels..].fill(0.0));
    }
}

/// Each of `channels` channels of `x`, whose pixels are `pitch` floats apart, as many times as they fit
/// into the channels of the image `to`: the first several times, then the second, and so on.
pub fn repeat(to: &mut [f32], repeated: Image, x: &[f32], channels: usize, pitch: usize) {
    let times = repeated.channels / channels;
    for (to, x) in to.chunks_exact_mut(repeated.pitch).zip(x.chunks_exact(pitch)) {
        let (copies, padding) = to.split_at_mut(repeated.channels);
        for (copies, x) in copies.chunks_exact_mut(times).zip(x) {
            copies.fill(*x);
        }
        padding.fill(0.0);
    }
}

/// Inverts [`repeat`]: the gradient of a channel is the sum of those of its copies, in their order.
/// `dx` is `[pixels, input.pitch]`.
pub fn sum_repeated(dx: &mut [f32], input: Image, from: &[f32], repeated: Image) {
    let times = repeated.channels / input.channels;
    for (dx, from) in dx.chunks_exact_mut(input.pitch).zip(from.chunks_exact(repeated.pitch)) {
        let (channels, padding) = dx.split_at_mut(input.channels);
        for (dx, copies) in channels.iter_mut().zip(from.chunks_exact(times)) {
            *dx = copies.iter().sum();
        }
        padding.fill(0.0);
    }
}
