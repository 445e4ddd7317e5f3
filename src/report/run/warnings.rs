//! Warnings of a training in words.

use crate::error::rate;
use crate::report::chart::short;
use crate::report::numbers::{loss, thousands};
use crate::train::{Divergence, NotFinite, Phase, Trouble, Warning};

/// The trouble of a layer, and what may help.
pub fn text(warning: &Warning) -> String {
    let Warning { trouble, layer, kind, epoch, ratio, other } = warning;
    let (verb, hint) = match trouble {
        Trouble::Vanishing => ("vanishes", "another activation or initialiser, or fewer layers"),
        Trouble::Exploding => ("explodes", "smaller initial weights, or gradient.clip_norm"),
        Trouble::Leaking => return leaking(layer, kind.as_deref().unwrap_or("unknown")),
    };
    let ratio = short(*ratio);
    let Some(other) = other else {
        return format!(
            "the steps of layer {layer} explode: in epoch {epoch}, one is {ratio} times as long as its \
             parameters; try a smaller learning rate"
        );
    };
    format!(
        "the gradient of layer {layer} {verb}: in epoch {epoch}, relative to its parameters, it is {ratio} times \
         that of layer {other}; try {hint}"
    )
}

/// That a layer of a model of a text sees what is to be predicted, and what helps.
fn leaking(layer: &str, kind: &str) -> String {
    let begins = |names: &[&str]| names.iter().any(|name| kind.starts_with(name));
    let hint = match kind {
        _ if begins(&["attention"]) => "set `causal = true`",
        _ if begins(&["bidirectional"]) => "set `bidirectional = false`",
        _ if begins(&["layer-norm"]) => "set `by_position = true`",
        _ if begins(&["conv", "depthwise"]) && !begins(&["conv-transpose"]) => {
            "take `conv-1d` with `padding = \"causal\"`"
        }
        _ => "take a layer that goes by each position, or through them in order",
    };
    format!(
        "layer {layer} ({kind}) sees later positions, among them the answers: the loss means nothing and `generate` \
         will refuse; {hint}"
    )
}

/// The sentence that a training has failed, and by what learning rate.
pub fn divergence(diverged: &Divergence) -> String {
    if let Some(error) = diverged.error() {
        return error.to_string();
    }
    let Divergence { what, value, first, epoch, learning_rate, .. } = diverged;
    let first = first.map_or("-".to_string(), loss);
    format!(
        "training diverged: {what} of epoch {epoch} is {}, above the {first} of the first step; the learning rate \
         was {}: try a smaller one",
        loss(*value),
        rate(*learning_rate),
    )
}

/// The sentence that some samples have no finite loss, so that the mean of all has none.
pub fn not_finite(phase: Phase, seen: &NotFinite) -> String {
    let sample = match phase {
        Phase::Validating => "training sample",
        Phase::Testing => "test sample",
    };
    not_finite_of(sample, seen)
}

/// The same of samples that are called by this name.
pub fn not_finite_of(set: &str, seen: &NotFinite) -> String {
    let what = match seen.samples {
        1 => format!("the loss of {set} {}", seen.first),
        several => {
            format!("the loss of {} {set}s, the first of them {},", thousands(several as u64), seen.first)
        }
    };
    format!("{what} is not finite, so the mean is not; is it an outlier, or a broken value?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_divergence_names_the_learning_rate() {
        let above = Divergence {
            what: "the mean training loss".into(),
            value: 6.6e22,
            first: Some(2.4012),
            step: 100,
            epoch: 5,
            learning_rate: 1e10,
        };
        assert_eq!(
            divergence(&above),
            "training diverged: the mean training loss of epoch 5 is 6.600e22, above the 2.4012 of the first step; \
             the learning rate was 1e10: try a smaller one"
        );
        let lost = Divergence { what: "the loss".into(), value: f64::NAN, first: None, ..above };
        assert_eq!(
            divergence(&lost),
            "training diverged: the loss is NaN at step 100 of epoch 5; the learning rate was 1e10: try a smaller one"
        );
    }

    #[test]
    fn samples_without_a_finite_loss_are_named() {
        let seen = |samples| not_finite(Phase::Testing, &NotFinite { samples, first: 7 });
        assert!(seen(1).starts_with("the loss of test sample 7 is not finite, so the mean is not"));
        assert!(seen(1200).starts_with("the loss of 1,200 test samples, the first of them 7, is not finite"));
    }

    #[test]
    fn each_trouble_is_one_sentence() {
        let vanishing = Warning {
            trouble: Trouble::Vanishing,
            layer: "0".into(),
            kind: None,
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
        let leaking = |kind: &str| {
            let (trouble, kind) = (Trouble::Leaking, Some(kind.to_string()));
            text(&Warning { trouble, layer: "2".into(), kind, epoch: 0, ratio: 0.0, other: None })
        };
        assert_eq!(
            leaking("attention"),
            "layer 2 (attention) sees later positions, among them the answers: the loss means nothing and `generate` \
             will refuse; set `causal = true`"
        );
        assert!(leaking("bidirectional lstm").ends_with("; set `bidirectional = false`"));
        assert!(leaking("layer-norm + relu").ends_with("; set `by_position = true`"));
        assert!(leaking("conv 3").ends_with("`padding = \"causal\"`"));
        assert!(leaking("conv-transpose 3").ends_with("or through them in order"));
    }
}
