//! Depthwise convolutions: each channel has a kernel of its own. With the channels of a pixel in whole
//! vectors, each place of the window is a multiply-add of vectors, and nothing is gathered.
//!
//! Images are `[height, width, pitch]` with a pitch of whole vectors; kernels lie in panels,
//! `[pitch / 16][pixels of the window][16]`. Every sum is one chain of fused multiply-adds: of outputs and inputs in
//! the order of the kernel, of kernels in the order of the pixels.

mod correlation;
mod kernel_sums;
mod lanes;
mod transposed;
mod walk;

use walk::Walk;

use correlation::{Correlation, Spread};
use kernel_sums::KernelSums;
use transposed::Transposed;

use crate::kernels::image::{Image, Window};
use crate::kernels::products::gemm::Epilogue;
use crate::kernels::simd::isa::dispatch;
use crate::probe::count_flops;
use crate::tensor::LANES;

/// An image whose pixels are whole vectors, and the window that moves over it.
#[derive(Clone, Copy, Debug)]
pub struct Depthwise {
    pub input: Image,
    pub window: Window,
}

impl Depthwise {
    /// What comes out, with as many channels.
    pub const fn output(&self) -> Image {
        self.window.output(self.input, self.input.channels)
    }

    /// Numbers of all kernels, padding included.
    pub const fn weights_len(&self) -> usize {
        self.window.area() * self.input.pitch
    }

    fn check(&self, x: &[f32], y: &[f32], weights: &[f32]) {
        let (input, output) = (self.input, self.output());
        assert!(input.pitch.is_multiple_of(LANES) && output.pitch == input.pitch, "{input:?}");
        assert!(x.len() == input.columns() && y.len() == output.columns(), "images of {self:?}");
        assert_eq!(weights.len(), self.weights_len(), "kernels of {self:?}");
    }

    fn walk(&self) -> Walk {
        let (input, output, window) = (self.input, self.output(), self.window);
        Walk {
            kernel: window.kernel,
            stride: window.stride.map(|stride| stride as isize),
            dilation: window.dilation.map(|dilation| dilation as isize),
            padding: window.padding.map(|[before, _]| before as isize),
            height: input.height as isize,
            width: input.width as isize,
            places: [output.height, output.width],
            pitch: input.pitch,
        }
    }
}

/// `y = finish(w ⋆ x + bias)`. `bias` is `[pitch]`.
pub fn forward(
    y: &mut [f32],
    x: &[f32],
    weights: &[f32],
    bias: Option<&[f32]>,
    shape: Depthwise,
    epilogue: Epilogue,
) {
    shape.check(x, y, weights);
    assert!(bias.is_none_or(|bias| bias.len() == shape.input.pitch), "bias of {shape:?}");
    let walk = shape.walk();
    count_flops(walk.flops(walk.is_unrolled()));
    dispatch(Correlation {
        walk,
        y: y.as_mut_ptr(),
        x: x.as_ptr(),
        weights: weights.as_ptr(),
        bias: bias.map(<[f32]>::as_ptr),
        flipped: false,
        epilogue,
    });
}

/// The gradient of the input: inverts [`forward`] but for its bias and epilogue.
pub fn input_gradient(dx: &mut [f32], dy: &[f32], weights: &[f32], shape: Depthwise) {
    shape.check(dx, dy, weights);
    let walk = shape.walk();
    if walk.stride != [1, 1] {
        count_flops(walk.flops(false));
        let overlap = [0, 1].iter().any(|&axis| walk.reach(axis) >= walk.stride[axis]);
        if !overlap {
            dx.fill(0.0);
        }
        let (dx, dy, weights) = (dx.as_mut_ptr(), dy.as_ptr(), weights.as_ptr());
        if overlap {
            return dispatch(Transposed { walk, dx, dy, weights });
        }
        return dispatch(Spread { walk, dx, dy, weights });
    }
    let walk = walk.back();
    count_flops(walk.flops(walk.is_unrolled()));
    dispatch(Correlation {
        walk,
        y: dx.as_mut_ptr(),
        x: dy.as_ptr(),
        weights: weights.as_ptr(),
        bias: None,
        flipped: true,
        epilogue: Epilogue::Plain,
    });
}

/// The gradient of the kernels over one image: overwritten, or with `accumulate` carried on from what
/// earlier images have left there.
pub fn weight_gradient(dw: &mut [f32], dy: &[f32], x: &[f32], shape: Depthwise, accumulate: bool) {
    shape.check(x, dy, dw);
    if !accumulate {
        dw.fill(0.0);
    }
    let walk = shape.walk();
    count_flops(walk.flops(walk.is_unrolled()));
    dispatch(KernelSums { walk, dw: dw.as_mut_ptr(), dy: dy.as_ptr(), x: x.as_ptr() });
}
