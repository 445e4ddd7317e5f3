//! Layers that end in an activation.

use crate::kernels::activation::Activation;

/// What a layer is called that has an activation.
pub(super) fn with_activation(name: &str, activation: Activation) -> String {
    if activation == Activation::IDENTITY { name.into() } else { format!("{name} + {}", activation.name()) }
}
