//! Activation functions, forward and backward, over slices of any length.
//!
//! Each is a file of its own with an [`Entry`] in [`ALL`]: recipes, documentation, peers and tests read the entry.

mod elu;
mod entry;
mod gelu;
mod hard_swish;
mod identity;
mod leaky_relu;
mod mish;
mod relu;
mod sigmoid;
mod silu;
mod softplus;
mod tanh;

use entry::Elements;
pub use entry::{Entry, Kernels, Limit, Parameter};
use std::fmt;

/// Every activation, in the order in which documentation lists them.
pub const ALL: [&Entry; 11] = [
    &identity::ENTRY,
    &relu::ENTRY,
    &leaky_relu::ENTRY,
    &sigmoid::ENTRY,
    &tanh::ENTRY,
    &gelu::ENTRY,
    &silu::ENTRY,
    &softplus::ENTRY,
    &elu::ENTRY,
    &mish::ENTRY,
    &hard_swish::ENTRY,
];

/// An elementwise nonlinearity: one of [`ALL`], with its parameter if it has one.
#[derive(Clone, Copy)]
pub struct Activation {
    entry: &'static Entry,
    /// The parameter; 0 if there is none.
    parameter: f32,
}

impl Activation {
    pub const IDENTITY: Activation = Activation::plain(&identity::ENTRY);
    pub const RELU: Activation = Activation::plain(&relu::ENTRY);
    pub const SIGMOID: Activation = Activation::plain(&sigmoid::ENTRY);
    pub const TANH: Activation = Activation::plain(&tanh::ENTRY);
    pub const GELU: Activation = Activation::plain(&gelu::ENTRY);
    pub const SILU: Activation = Activation::plain(&silu::ENTRY);
    pub const SOFTPLUS: Activation = Activation::plain(&softplus::ENTRY);
    pub const MISH: Activation = Activation::plain(&mish::ENTRY);
    pub const HARD_SWISH: Activation = Activation::plain(&hard_swish::ENTRY);

    const fn plain(entry: &'static Entry) -> Activation {
        Activation { entry, parameter: 0.0 }
    }

    /// The leaky ReLU: x above 0, `slope` * x below.
    pub const fn leaky_relu(slope: f32) -> Activation {
        Activation { entry: &leaky_relu::ENTRY, parameter: slope }
    }

    /// The exponential linear unit: x above 0, `alpha` (e^x - 1) below.
    pub const fn elu(alpha: f32) -> Activation {
        Activation { entry: &elu::ENTRY, parameter: alpha }
    }

    /// The activation of an entry, with this parameter if it has one.
    #[doc(hidden)]
    pub fn of(entry: &'static Entry, parameter: f32) -> Activation {
        Activation { entry, parameter: if entry.parameter.is_some() { parameter } else { 0.0 } }
    }

    #[doc(hidden)]
    pub fn entry(self) -> &'static Entry {
        self.entry
    }

    /// The key of the parameter and its value, if there is one.
    pub fn parameter(self) -> Option<(&'static str, f32)> {
        self.entry.parameter.map(|parameter| (parameter.key, self.parameter))
    }

    /// The name in recipes and tables.
    pub fn name(self) -> &'static str {
        self.entry.name
    }

    /// Whether the backward pass reads the output; it reads the input otherwise.
    pub fn derivative_from_output(self) -> bool {
        (self.entry.derivative_from_output)(self.parameter)
    }

    /// The activation of one number.
    pub fn apply(self, x: f32) -> f32 {
        (self.entry.kernels.apply)(self.parameter, x)
    }
}

impl PartialEq for Activation {
    fn eq(&self, other: &Activation) -> bool {
        self.entry.name == other.entry.name && self.parameter == other.parameter
    }
}

impl fmt::Debug for Activation {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(self.name())?;
        match self.parameter() {
            Some((key, value)) => write!(formatter, " with {key} {value}"),
            None => Ok(()),
        }
    }
}

/// y = activation(x), elementwise: `y`, `x` `[n]`.
pub fn forward(activation: Activation, y: &mut [f32], x: &[f32]) {
    debug_assert_eq!(y.len(), x.len());
    (activation.entry.kernels.forward)(activation.parameter, Elements::Apart(y, x));
}

/// y = activation(y), elementwise: `y` `[n]`.
pub fn forward_in_place(activation: Activation, y: &mut [f32]) {
    (activation.entry.kernels.forward)(activation.parameter, Elements::InPlace(y));
}

/// dx = dy * activation'(saved), elementwise: `dx`, `dy`, `saved` `[n]`. `saved` is the output of
/// the forward pass if [`Activation::derivative_from_output`] and its input otherwise.
pub fn backward(activation: Activation, dx: &mut [f32], dy: &[f32], saved: &[f32]) {
    debug_assert!(dx.len() == dy.len() && dx.len() == saved.len());
    (activation.entry.kernels.backward)(activation.parameter, Elements::Apart(dx, dy), saved);
}

/// dy = dy * activation'(saved): [`backward`] in place. `dy`, `saved` `[n]`.
pub fn backward_in_place(activation: Activation, dy: &mut [f32], saved: &[f32]) {
    debug_assert_eq!(dy.len(), saved.len());
    (activation.entry.kernels.backward)(activation.parameter, Elements::InPlace(dy), saved);
}
