//! Warnings of a training in words.

use crate::report::chart::short;
use crate::train::{Trouble, Warning};

/// What is wrong, and what may help.
pub fn text(warning: &Warning) -> String {
    let Warning { trouble, layer, epoch, ratio, other } = warning;
    let ratio = short(*ratio);
    let Some(other) = other else {
        return format!(
            "the steps of layer {layer} explode: in epoch {epoch}, one is {ratio} times as long as its \
             parameters; try a smaller learning rate"
        );
    };
    let (verb, hint) = match trouble {
        Trouble::Vanishing => ("vanishes", "another activation or initialiser, or fewer layers"),
        Trouble::Exploding => ("explodes", "smaller initial weights, or gradient.clip_norm"),
    };
    format!(
        "the gradient of layer {layer} {verb}: in epoch {epoch}, relative to its parameters, it is {ratio} times \
         that of layer {other}; try {hint}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_trouble_is_one_sentence() {
        let vanishing = Warning {
            trouble: Trouble::Vanishing,
            layer: "0".into(),
            epoch: 3,
            ratio: 3.2e-9,
            other: Some("18".into()),
        };
        assert_eq!(
            text(&vanishing),
            "the gradient of layer 0 vanishes: in epoch 3, relative to its parameters, it is 3.2e-9 times that of \
             layer 18; try another activation or initialiser, or fewer layers"
        );
        let exploding = Warning { trouble: Trouble::Exploding, ratio: 25.0, ..vanishing };
        assert!(text(&exploding).starts_with("the gradient of layer 0 explodes: in epoch 3, "));
        assert_eq!(
            text(&Warning { other: None, ..exploding }),
            "the steps of layer 0 explode: in epoch 3, one is 25 times as long as its parameters; try a \
             smaller learning rate"
        );
    }
}
