//! The norms of each layer in the last step of an epoch, and what they say about a training; warnings of layers.

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::checkpoint::{Archive, State};

/// A layer's gradient relative to its parameters is said to vanish below this part of the largest of
/// the layers after it, and to explode beyond its reciprocal of the last one's. At a rate that changes the
/// latter by a thousandth of itself in a step, which is usual, this one changes by 10⁻⁸: less than half a
/// unit in the last place of single precision, 6 · 10⁻⁸, so most of its parameters stay as they are.
pub const VANISHING: f64 = 1e-5;

/// A step larger than the parameters themselves explodes. Near a minimum a step of gradient descent goes
/// further away from it if it is longer than twice the distance; what then grows from step to step soon
/// is all that the parameters are.
pub const EXPLODING: f64 = 1.0;

/// Where the largest gradient relative to its parameters is less, a fit is perfect, or as good as that:
/// gradients of other layers may be lost to the smallest number there is, 1.2 · 10⁻³⁸.
pub const AT_REST: f64 = 1e-30;

/// Euclidean norms of a layer, over all its parameters, in the last step of an epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerNorms {
    /// The layer's module, as in the names of its parameters.
    pub layer: String,
    /// The norm of the gradient that the update rule is given: with penalty, clipped. For a method that searches along
    /// lines, that at the beginning of its iteration.
    pub gradient: f64,
    /// The norm of the step's change: the parameters after it less those before. Lookahead's steps back do not
    /// count.
    pub update: f64,
    /// The norm of the parameters before the step.
    pub parameters: f64,
}

impl LayerNorms {
    /// Whether all norms are finite.
    pub fn is_finite(&self) -> bool {
        (self.gradient + self.update + self.parameters).is_finite()
    }

    /// The gradient relative to the parameters, if there are any that are not 0.
    fn relative_gradient(&self) -> Option<f64> {
        (self.parameters > 0.0).then(|| self.gradient / self.parameters)
    }
}

/// The trouble with a layer: with its gradients, or with what it sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trouble {
    Vanishing,
    Exploding,
    /// In a model of a text it sees positions behind the one whose next token it has a part in predicting.
    Leaking,
}

/// A layer whose gradients vanish or explode, or which sees the answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Warning {
    pub trouble: Trouble,
    /// The layer's module, as in [`LayerNorms`].
    pub layer: String,
    /// What it is, as in the table that is printed before training: of a layer that sees the answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The first epoch at whose last step it was so; 0 of a layer that sees the answers, which is known before the first.
    pub epoch: usize,
    /// The layer's gradient over its parameters, divided by the same ratio of `other`; without another layer, the
    /// layer's update over its parameters; 0 of a layer that sees the answers.
    pub ratio: f64,
    /// The layer that it was compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other: Option<String>,
}

/// Looks at the norms of each epoch and warns once of each layer and trouble.
#[derive(Debug, Default)]
pub struct Health {
    known: Vec<(Trouble, String)>,
    /// Whether the length of a step is found by a search, which does not go where the loss grows: it may
    /// well be more than all the parameters, and is not judged.
    searches: bool,
}

impl Health {
    /// The state at the beginning of a run with or without a search along lines.
    pub fn new(searches: bool) -> Health {
        Health { known: Vec::new(), searches }
    }

    /// The warnings that are new in this epoch, from the layer next to the input on. The very first step of
    /// a run is not judged: layers that begin with zeros hold back the gradient of others until they have
    /// made a step. Of a training that `diverges`, gradients say nothing about the network, and only the
    /// length of its steps is judged.
    pub fn after_epoch(
        &mut self,
        epoch: usize,
        steps: u64,
        norms: &[LayerNorms],
        diverges: bool,
    ) -> Vec<Warning> {
        if steps < 2 {
            return Vec::new();
        }
        let all = (0..norms.len()).flat_map(|index| judged(epoch, norms, index, self.searches));
        let mut new: Vec<Warning> = all.filter(|warning| !diverges || warning.other.is_none()).collect();
        new.retain(|warning| !self.known.contains(&(warning.trouble, warning.layer.clone())));
        self.known.extend(new.iter().map(|warning| (warning.trouble, warning.layer.clone())));
        new
    }
}

impl State for Health {
    fn visit(&mut self, archive: &mut Archive) -> Result<()> {
        archive.value("known", &mut self.known)
    }
}

fn judged(epoch: usize, norms: &[LayerNorms], index: usize, searches: bool) -> Option<Warning> {
    let own = &norms[index];
    let warning = |trouble, ratio, other: Option<&LayerNorms>| Warning {
        trouble,
        layer: own.layer.clone(),
        kind: None,
        epoch,
        ratio,
        other: other.map(|other| other.layer.clone()),
    };
    let step = own.update / own.parameters;
    // Without parameters yet, the step is all there is.
    if own.parameters > 0.0 && step > EXPLODING && !searches {
        return Some(warning(Trouble::Exploding, step, None));
    }
    let gradient = own.relative_gradient()?;
    let mut later = norms[index + 1..].iter().filter_map(|other| Some((other.relative_gradient()?, other)));
    let (largest, other) = later.clone().max_by(|a, b| a.0.total_cmp(&b.0))?;
    if largest >= AT_REST && gradient < VANISHING * largest {
        return Some(warning(Trouble::Vanishing, gradient / largest, Some(other)));
    }
    // Gradients come back from the last layer.
    let (last, other) = later.next_back()?;
    (last >= AT_REST && VANISHING * gradient > last)
        .then(|| warning(Trouble::Exploding, gradient / last, Some(other)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(name: usize, gradient: f64, update: f64, parameters: f64) -> LayerNorms {
        LayerNorms { layer: name.to_string(), gradient, update, parameters }
    }

    /// The warnings of an epoch: layer, trouble and the layer it was compared with.
    fn seen(norms: &[LayerNorms]) -> Vec<(String, Trouble, Option<String>)> {
        let warnings = Health::default().after_epoch(1, 2, norms, false);
        warnings.into_iter().map(|warning| (warning.layer, warning.trouble, warning.other)).collect()
    }

    fn warned(name: usize, trouble: Trouble, other: Option<usize>) -> (String, Trouble, Option<String>) {
        (name.to_string(), trouble, other.map(|other| other.to_string()))
    }

    #[test]
    fn gradients_vanish_relative_to_a_later_layer() {
        use Trouble::Vanishing;
        let of = |first: f64, second: f64, third: f64| {
            seen(&[layer(0, first, 1e-3, 1.0), layer(2, second, 1e-3, 1.0), layer(4, third, 1e-3, 1.0)])
        };
        assert_eq!(of(1.1e-5, 1.0, 0.5), []);
        assert_eq!(of(0.9e-5, 1.0, 0.5), [warned(0, Vanishing, Some(2))]);
        assert_eq!(of(0.0, 0.0, 1e-3), [warned(0, Vanishing, Some(4)), warned(2, Vanishing, Some(4))]);
        // The ratio counts, not the size: so small are all gradients at a good fit.
        assert_eq!(of(1e-12, 1e-9, 1e-8), []);
        // A perfect fit.
        assert_eq!(of(0.0, 0.0, 0.0), []);
        assert_eq!(of(0.0, 1e-36, 1e-33), []);
        // Relative to the parameters, of which there must be some.
        assert_eq!(seen(&[layer(0, 1e-7, 1e-7, 1e-4), layer(1, 1.0, 1.0, 1e3)]), []);
        assert_eq!(seen(&[layer(0, 0.0, 0.0, 0.0), layer(1, 1.0, 1e-3, 1.0)]), []);
    }

    #[test]
    fn a_step_explodes_that_is_larger_than_the_parameters() {
        use Trouble::Exploding;
        assert_eq!(seen(&[layer(0, 1.0, 0.99, 1.0)]), []);
        assert_eq!(seen(&[layer(0, 1.0, 1.01, 1.0)]), [warned(0, Exploding, None)]);
        assert_eq!(Health::new(true).after_epoch(1, 2, &[layer(0, 1.0, 1.01, 1.0)], false), []);
        assert_eq!(seen(&[layer(0, 1.0, 1.0, 0.0)]), [], "it begins with zeros");
        let growing = [layer(0, 2e6, 1e-3, 1.0), layer(1, 1e3, 1e-3, 1.0), layer(2, 1.0, 1e-3, 1.0)];
        assert_eq!(seen(&growing), [warned(0, Exploding, Some(2))]);
        assert_eq!(seen(&growing[1..]), []);
    }

    /// This holds whatever the activation.
    #[test]
    fn of_a_training_that_diverges_only_the_steps_are_judged() {
        let norms = [layer(0, 0.0, 1e-3, 1.0), layer(2, 1.0, 1e-3, 1.0), layer(4, 1.0, 2.0, 1.0)];
        let warned = |diverges| {
            let warnings = Health::default().after_epoch(2, 2, &norms, diverges);
            warnings.into_iter().map(|warning| (warning.layer, warning.trouble)).collect::<Vec<_>>()
        };
        let steps = ("4".to_string(), Trouble::Exploding);
        assert_eq!(warned(true), std::slice::from_ref(&steps));
        assert_eq!(warned(false), [("0".to_string(), Trouble::Vanishing), steps]);
    }

    #[test]
    fn each_is_told_once_and_the_first_step_is_not_judged() {
        let mut health = Health::default();
        let norms = [layer(0, 0.0, 0.0, 1.0), layer(2, 1.0, 2.0, 1.0)];
        assert_eq!(health.after_epoch(1, 1, &norms, false), []);
        let first = health.after_epoch(2, 2, &norms, false);
        assert_eq!(first.iter().map(|warning| warning.trouble).collect::<Vec<_>>(), {
            [Trouble::Vanishing, Trouble::Exploding]
        });
        assert_eq!((first[1].epoch, first[1].ratio, &first[1].other), (2, 2.0, &None));
        assert_eq!(health.after_epoch(3, 3, &norms, false), []);
        let other = health.after_epoch(4, 4, &[layer(0, 1.0, 3.0, 1.0), layer(2, 1.0, 2.0, 1.0)], false);
        assert_eq!(other.len(), 1, "another trouble of a known layer: {other:?}");
        assert_eq!((other[0].layer.as_str(), other[0].trouble), ("0", Trouble::Exploding));
    }
}
