//! Activation functions, forward and backward, over slices of any length.

use super::math;
use super::vectorise::vectorise;
use std::f32::consts::FRAC_1_SQRT_2;

/// An elementwise nonlinearity. Formulas and limits are PyTorch's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Activation {
    /// x
    Identity,
    /// max(x, 0)
    Relu,
    /// x above 0, `slope` * x below.
    LeakyRelu { slope: f32 },
    /// 1 / (1 + e^-x)
    Sigmoid,
    /// tanh(x)
    Tanh,
    /// x Φ(x), with Φ the distribution function of the standard normal, by the error function and
    /// not by its tanh approximation (Hendrycks and Gimpel 2016).
    Gelu,
    /// x sigmoid(x) (Elfwing, Uchibe and Doya 2017).
    Silu,
    /// ln(1 + e^x)
    Softplus,
    /// x above 0, `alpha` (e^x - 1) below (Clevert, Unterthiner and Hochreiter 2015).
    Elu { alpha: f32 },
}

/// 1 / sqrt(2 pi)
const NORMAL_DENSITY_AT_0: f32 = 0.398_942_3;

impl Activation {
    /// The name in recipes and tables.
    pub fn name(self) -> &'static str {
        match self {
            Activation::Identity => "identity",
            Activation::Relu => "relu",
            Activation::LeakyRelu { .. } => "leaky-relu",
            Activation::Sigmoid => "sigmoid",
            Activation::Tanh => "tanh",
            Activation::Gelu => "gelu",
            Activation::Silu => "silu",
            Activation::Softplus => "softplus",
            Activation::Elu { .. } => "elu",
        }
    }

    /// Whether the backward pass reads the output; it reads the input otherwise.
    pub fn derivative_from_output(self) -> bool {
        match self {
            Activation::Gelu | Activation::Silu => false,
            // The sign of the output tells that of the input, unless these are negative.
            Activation::LeakyRelu { slope } => slope > 0.0,
            Activation::Elu { alpha } => alpha > 0.0,
            _ => true,
        }
    }

    /// The activation of one number.
    #[inline(always)]
    pub fn apply(self, x: f32) -> f32 {
        match self {
            Activation::Identity => x,
            // In this order, NaN stays NaN.
            Activation::Relu => {
                if x <= 0.0 {
                    0.0
                } else {
                    x
                }
            }
            Activation::LeakyRelu { slope } => {
                if x <= 0.0 {
                    slope * x
                } else {
                    x
                }
            }
            Activation::Sigmoid => math::sigmoid(x),
            Activation::Tanh => math::tanh(x),
            Activation::Gelu => x * normal_distribution(x),
            Activation::Silu => x * math::sigmoid(x),
            // ln(1 + e^x) without overflow: the second term vanishes for large x.
            Activation::Softplus => {
                let linear = if x <= 0.0 { 0.0 } else { x };
                linear + math::ln_1p(math::exp(-x.abs()))
            }
            Activation::Elu { alpha } => {
                // Of a positive x only the limit is taken, so that no infinity arises here.
                let negative = alpha * math::exp_m1(if x > 0.0 { 0.0 } else { x });
                if x > 0.0 { x } else { negative }
            }
        }
    }

    /// The derivative at one number, from the output if [`Activation::derivative_from_output`] and
    /// from the input otherwise.
    #[inline(always)]
    pub fn derivative(self, saved: f32) -> f32 {
        match self {
            Activation::Identity => 1.0,
            Activation::Relu => {
                if saved <= 0.0 {
                    0.0
                } else {
                    1.0
                }
            }
            // Input and output have one sign, or `saved` is the input.
            Activation::LeakyRelu { slope } => {
                if saved <= 0.0 {
                    slope
                } else {
                    1.0
                }
            }
            // y = sigmoid(x): y (1 - y)
            Activation::Sigmoid => saved * (1.0 - saved),
            // y = tanh(x): 1 - y^2
            Activation::Tanh => (-saved).mul_add(saved, 1.0),
            // x Φ(x): Φ(x) + x φ(x)
            Activation::Gelu => {
                let density = NORMAL_DENSITY_AT_0 * math::exp(-0.5 * saved * saved);
                saved.mul_add(density, normal_distribution(saved))
            }
            // x s, s = sigmoid(x): s + x s (1 - s)
            Activation::Silu => {
                // 1 - s by the same formula, for x (1 - s) would magnify the error of a difference.
                let e = math::exp(-saved.abs());
                let (near_1, near_0) = (1.0 / (1.0 + e), e / (1.0 + e));
                let (s, rest) = if saved > 0.0 { (near_1, near_0) } else { (near_0, near_1) };
                s * saved.mul_add(rest, 1.0)
            }
            // y = ln(1 + e^x): sigmoid(x) = 1 - e^-y
            Activation::Softplus => -math::exp_m1(-saved),
            // y = alpha (e^x - 1): alpha e^x = y + alpha
            Activation::Elu { alpha } if alpha > 0.0 => {
                if saved <= 0.0 {
                    saved + alpha
                } else {
                    1.0
                }
            }
            Activation::Elu { alpha } => {
                if saved <= 0.0 {
                    alpha * math::exp(saved)
                } else {
                    1.0
                }
            }
        }
    }
}

/// Φ, the distribution function of the standard normal.
#[inline(always)]
fn normal_distribution(x: f32) -> f32 {
    math::erf(x * FRAC_1_SQRT_2).mul_add(0.5, 0.5)
}

/// y = activation(x), elementwise over slices of equal length.
pub fn forward(activation: Activation, y: &mut [f32], x: &[f32]) {
    debug_assert_eq!(y.len(), x.len());
    forward_on(activation, Elements::Apart(y, x));
}

/// y = activation(y), elementwise.
pub fn forward_in_place(activation: Activation, y: &mut [f32]) {
    forward_on(activation, Elements::InPlace(y));
}

/// dx = dy * activation'(saved), elementwise over slices of equal length; `saved` is the output of
/// the forward pass if [`Activation::derivative_from_output`] and its input otherwise.
pub fn backward(activation: Activation, dx: &mut [f32], dy: &[f32], saved: &[f32]) {
    debug_assert!(dx.len() == dy.len() && dx.len() == saved.len());
    backward_on(activation, Elements::Apart(dx, dy), saved);
}

/// dy = dy * activation'(saved): [`backward`] in place.
pub fn backward_in_place(activation: Activation, dy: &mut [f32], saved: &[f32]) {
    debug_assert_eq!(dy.len(), saved.len());
    backward_on(activation, Elements::InPlace(dy), saved);
}

/// What an elementwise function writes, and reads: another slice, or the same.
enum Elements<'a> {
    Apart(&'a mut [f32], &'a [f32]),
    InPlace(&'a mut [f32]),
}

/// The activation is matched here, once, and not at each element: every arm is a loop of its own,
/// in which `apply` is left with one formula.
fn forward_on(activation: Activation, elements: Elements) {
    use Activation::*;
    match activation {
        Identity => match elements {
            Elements::Apart(y, x) => y.copy_from_slice(x),
            Elements::InPlace(_) => {}
        },
        Relu => map(
            elements,
            #[inline(always)]
            |x| Relu.apply(x),
        ),
        LeakyRelu { slope } => map(
            elements,
            #[inline(always)]
            move |x| LeakyRelu { slope }.apply(x),
        ),
        Sigmoid => map(
            elements,
            #[inline(always)]
            |x| Sigmoid.apply(x),
        ),
        Tanh => map(
            elements,
            #[inline(always)]
            |x| Tanh.apply(x),
        ),
        Gelu => map(
            elements,
            #[inline(always)]
            |x| Gelu.apply(x),
        ),
        Silu => map(
            elements,
            #[inline(always)]
            |x| Silu.apply(x),
        ),
        Softplus => map(
            elements,
            #[inline(always)]
            |x| Softplus.apply(x),
        ),
        Elu { alpha } => map(
            elements,
            #[inline(always)]
            move |x| Elu { alpha }.apply(x),
        ),
    }
}

/// The loops of [`forward_on`], with each gradient multiplied by the derivative.
fn backward_on(activation: Activation, elements: Elements, saved: &[f32]) {
    use Activation::*;
    match activation {
        Identity => match elements {
            Elements::Apart(dx, dy) => dx.copy_from_slice(dy),
            Elements::InPlace(_) => {}
        },
        Relu => zip(
            elements,
            saved,
            #[inline(always)]
            |dy, y| dy * Relu.derivative(y),
        ),
        LeakyRelu { slope } => zip(
            elements,
            saved,
            #[inline(always)]
            move |dy, y| dy * LeakyRelu { slope }.derivative(y),
        ),
        Sigmoid => zip(
            elements,
            saved,
            #[inline(always)]
            |dy, y| dy * Sigmoid.derivative(y),
        ),
        Tanh => zip(
            elements,
            saved,
            #[inline(always)]
            |dy, y| dy * Tanh.derivative(y),
        ),
        Gelu => zip(
            elements,
            saved,
            #[inline(always)]
            |dy, x| dy * Gelu.derivative(x),
        ),
        Silu => zip(
            elements,
            saved,
            #[inline(always)]
            |dy, x| dy * Silu.derivative(x),
        ),
        Softplus => zip(
            elements,
            saved,
            #[inline(always)]
            |dy, y| dy * Softplus.derivative(y),
        ),
        Elu { alpha } => zip(
            elements,
            saved,
            #[inline(always)]
            move |dy, y| dy * Elu { alpha }.derivative(y),
        ),
    }
}

fn map(elements: Elements, f: impl Fn(f32) -> f32) {
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

fn zip(elements: Elements, saved: &[f32], f: impl Fn(f32, f32) -> f32) {
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
