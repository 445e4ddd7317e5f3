//! Activations and their derivatives.

use crate::kernels::activation::Activation;

/// An activation of one number.
pub fn activation(activation: Activation, x: f64) -> f64 {
    (activation.entry().reference)(f64::from(activation.parameter().map_or(0.0, |(_, value)| value)), x)
}

/// The derivative of an activation at the input `x`.
pub fn activation_derivative(activation: Activation, x: f64) -> f64 {
    (activation.entry().reference_derivative)(
        f64::from(activation.parameter().map_or(0.0, |(_, value)| value)),
        x,
    )
}
