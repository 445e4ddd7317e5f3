//! Loops of the rules over parameters, gradients and slots.

use crate::kernels::simd::vectorise::vectorise;

/// Calls `element` with each parameter and its gradient, compiled for the instruction set in use.
/// `element` must be marked `#[inline(always)]`.
#[inline(always)]
pub fn each_0(parameters: &mut [f32], gradients: &[f32], mut element: impl FnMut(&mut f32, f32)) {
    vectorise(
        #[inline(always)]
        || {
            for (p, &g) in parameters.iter_mut().zip(gradients) {
                element(p, g);
            }
        },
    );
}

/// As [`each_0`], with the element of a slot. One function for each number of slots: an array of
/// references instead is beyond what the compiler turns into vectors (measured: six times slower).
#[inline(always)]
pub fn each_1(
    parameters: &mut [f32],
    gradients: &[f32],
    slots: &mut [&mut [f32]],
    mut element: impl FnMut(&mut f32, f32, &mut f32),
) {
    let [a] = slots else { unreachable!("one slot") };
    vectorise(
        #[inline(always)]
        || {
            for ((p, &g), a) in parameters.iter_mut().zip(gradients).zip(a.iter_mut()) {
                element(p, g, a);
            }
        },
    );
}

/// As [`each_0`], with the elements of two slots.
#[inline(always)]
pub fn each_2(
    parameters: &mut [f32],
    gradients: &[f32],
    slots: &mut [&mut [f32]],
    mut element: impl FnMut(&mut f32, f32, &mut f32, &mut f32),
) {
    let [a, b] = slots else { unreachable!("two slots") };
    vectorise(
        #[inline(always)]
        || {
            let slots = a.iter_mut().zip(b.iter_mut());
            for ((p, &g), (a, b)) in parameters.iter_mut().zip(gradients).zip(slots) {
                element(p, g, a, b);
            }
        },
    );
}

/// As [`each_0`], with the elements of three slots.
#[inline(always)]
pub fn each_3(
    parameters: &mut [f32],
    gradients: &[f32],
    slots: &mut [&mut [f32]],
    mut element: impl FnMut(&mut f32, f32, &mut f32, &mut f32, &mut f32),
) {
    let [a, b, c] = slots else { unreachable!("three slots") };
    vectorise(
        #[inline(always)]
        || {
            let slots = a.iter_mut().zip(b.iter_mut()).zip(c.iter_mut());
            for ((p, &g), ((a, b), c)) in parameters.iter_mut().zip(gradients).zip(slots) {
                element(p, g, a, b, c);
            }
        },
    );
}

/// As [`each_0`], with the elements of four slots.
#[inline(always)]
pub fn each_4(
    parameters: &mut [f32],
    gradients: &[f32],
    slots: &mut [&mut [f32]],
    mut element: impl FnMut(&mut f32, f32, &mut f32, &mut f32, &mut f32, &mut f32),
) {
    let [a, b, c, d] = slots else { unreachable!("four slots") };
    vectorise(
        #[inline(always)]
        || {
            let slots = a.iter_mut().zip(b.iter_mut()).zip(c.iter_mut()).zip(d.iter_mut());
            for ((p, &g), (((a, b), c), d)) in parameters.iter_mut().zip(gradients).zip(slots) {
                element(p, g, a, b, c, d);
            }
        },
    );
}
