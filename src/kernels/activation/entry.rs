//! What is known of an activation, and its loops.

use crate::kernels::simd::vectorise::vectorise;

/// All that is known of an activation.
pub struct Entry {
    /// The name in recipes and tables.
    pub name: &'static str,
    /// y of x, in plain text.
    pub formula: &'static str,
    /// Who has proposed it, where that is known.
    pub source: &'static str,
    pub parameter: Option<Parameter>,
    /// Whether a layer in front of it begins with Xavier's weights, for an activation that is about linear near 0;
    /// else with Kaiming's, for one that passes half of its input (Glorot, Bengio 2010; He et al. 2015).
    pub is_linear_near_0: bool,
    /// Whether the derivative follows from the output, for this parameter.
    pub derivative_from_output: fn(f32) -> bool,
    /// The same in f64, naively, of parameter and x: for tests.
    pub reference: fn(f64, f64) -> f64,
    /// The derivative of that by x.
    pub reference_derivative: fn(f64, f64) -> f64,
    pub kernels: Kernels,
}

/// The number that belongs to an activation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameter {
    /// The key in recipes.
    pub key: &'static str,
    pub default: f32,
    /// What recipes may ask for.
    pub limit: Limit,
}

/// A range of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    Positive,
    NonNegative,
}

/// The formulas of an activation. Formulas and limits are PyTorch's, and NaN stays NaN.
pub(super) trait Elementwise: Copy {
    /// With this parameter, if it has one.
    fn new(parameter: f32) -> Self;

    /// y of x.
    fn apply(self, x: f32) -> f32;

    /// dy/dx, from y if the entry says so, from x otherwise.
    fn derivative(self, saved: f32) -> f32;
}

/// The loops of an activation over slices, each compiled with its formula alone; the first argument is the
/// parameter.
pub struct Kernels {
    pub(super) apply: fn(f32, f32) -> f32,
    pub(super) forward: fn(f32, Elements),
    pub(super) backward: fn(f32, Elements, &[f32]),
}

impl Kernels {
    pub(super) const fn of<E: Elementwise>() -> Kernels {
        Kernels { apply: apply::<E>, forward: forward_on::<E>, backward: backward_on::<E> }
    }
}

/// What an elementwise function writes, and reads: another slice, or the same.
pub(super) enum Elements<'a> {
    Apart(&'a mut [f32], &'a [f32]),
    InPlace(&'a mut [f32]),
}

pub(super) fn apply<E: Elementwise>(parameter: f32, x: f32) -> f32 {
    E::new(parameter).apply(x)
}

pub(super) fn forward_on<E: Elementwise>(parameter: f32, elements: Elements) {
    let activation = E::new(parameter);
    map(
        elements,
        #[inline(always)]
        move |x| activation.apply(x),
    );
}

/// The loops of [`forward_on`], with each gradient multiplied by the derivative.
pub(super) fn backward_on<E: Elementwise>(parameter: f32, elements: Elements, saved: &[f32]) {
    let activation = E::new(parameter);
    zip(
        elements,
        saved,
        #[inline(always)]
        move |dy, saved| dy * activation.derivative(saved),
    );
}

pub(super) fn map(elements: Elements, f: impl Fn(f32) -> f32) {
    match elements {
        Elements::Apart(y, x) => vectorise(
            #[inline(always)]
            || {
                for (y, &x) in y.iter_mut().zip(x) {
                    *y = f(x);
                }
            },
        ),
        Elements::InPlace(y) => vectorise(
            #[inline(always)]
            || {
                for y in y.iter_mut() {
                    *y = f(*y);
                }
            },
        ),
    }
}

pub(super) fn zip(elements: Elements, saved: &[f32], f: impl Fn(f32, f32) -> f32) {
    match elements {
        Elements::Apart(dx, dy) => vectorise(
            #[inline(always)]
            || {
                for ((dx, &dy), &saved) in dx.iter_mut().zip(dy).zip(saved) {
                    *dx = f(dy, saved);
                }
            },
        ),
        Elements::InPlace(dy) => vectorise(
            #[inline(always)]
            || {
                for (dy, &saved) in dy.iter_mut().zip(saved) {
                    *dy = f(*dy, saved);
                }
            },
        ),
    }
}
