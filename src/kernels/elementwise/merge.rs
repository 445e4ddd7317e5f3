//! Where two branches of a network meet: their sum, and an image times a gate for each of its channels.

use crate::kernels::simd::vectorise::vectorise;
use crate::tensor::LANES;

/// y = a + b, slices of equal length.
pub fn sum(y: &mut [f32], a: &[f32], b: &[f32]) {
    debug_assert!(y.len() == a.len() && y.len() == b.len());
    vectorise(
        #[inline(always)]
        || {
            for ((y, a), b) in y.iter_mut().zip(a).zip(b) {
                *y = a + b;
            }
        },
    );
}

/// y = y + x, slices of equal length: what two readers of an output give to its gradient.
pub fn add(y: &mut [f32], x: &[f32]) {
    debug_assert_eq!(y.len(), x.len());
    vectorise(
        #[inline(always)]
        || {
            for (y, x) in y.iter_mut().zip(x) {
                *y += x;
            }
        },
    );
}

/// Each channel of `x` `[pixels, pitch]` times its `gate` `[channels]`, which is padded with zeros to whole
/// vectors, as `y` `[pixels, gate.len()]` is; `x` may be data, whose channels are not.
pub fn scale(y: &mut [f32], x: &[f32], gate: &[f32], pitch: usize) {
    vectorise(
        #[inline(always)]
        || {
            for (y, x) in y.chunks_exact_mut(gate.len()).zip(x.chunks_exact(pitch)) {
                let (y, padding) = y.split_at_mut(pitch);
                for ((y, x), gate) in y.iter_mut().zip(x).zip(gate) {
                    *y = x * gate;
                }
                padding.fill(0.0);
            }
        },
    );
}

/// Inverts [`scale`] for the image: writes its gradient, `[pixels, gate.len()]`, to `dx` or adds it to what
/// is there.
pub fn scale_backward(dx: &mut [f32], dy: &[f32], gate: &[f32], adds: bool) {
    debug_assert_eq!(dx.len(), dy.len());
    vectorise(
        #[inline(always)]
        || {
            for (dx, dy) in dx.chunks_exact_mut(gate.len()).zip(dy.chunks_exact(gate.len())) {
                for ((dx, dy), gate) in dx.iter_mut().zip(dy).zip(gate) {
                    *dx = if adds { *dx + dy * gate } else { dy * gate };
                }
            }
        },
    );
}

/// Inverts [`scale`] for the gate: the sum of dy · x over all pixels, in their order, `[gate.len()]`.
pub fn gate_backward(dgate: &mut [f32], dy: &[f32], x: &[f32], pitch: usize) {
    let columns = dgate.len();
    if pitch != columns {
        // Data, whose pixels are not whole vectors.
        dgate.fill(0.0);
        for (dy, x) in dy.chunks_exact(columns).zip(x.chunks_exact(pitch)) {
            for ((dgate, dy), x) in dgate.iter_mut().zip(dy).zip(x) {
                *dgate += dy * x;
            }
        }
        return;
    }
    let pixels = dy.len() / columns;
    vectorise(
        #[inline(always)]
        || {
            for (lane, dgate) in dgate.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
                let mut sums = [0.0; LANES];
                for pixel in 0..pixels {
                    let place = pixel * columns + lane * LANES;
                    let (dy, x) = (&dy[place..place + LANES], &x[place..place + LANES]);
                    for i in 0..LANES {
                        sums[i] += dy[i] * x[i];
                    }
                }
                *dgate = sums;
            }
        },
    );
}
