//! Pictures of gradients and of trainings.

use super::super::figure::{Figure, Lines, Named, Picture, Side};
use super::scales::Scaled;
use super::trials::{End, Outcome, Trial};

/// Trials and what they came to.
type Pairs<'a> = [(&'a Trial, &'a Outcome)];

/// The norm of each layer's gradient before the first step, of the trials of these keys.
pub(super) fn layers(title: &str, name: &str, pairs: &Pairs, keys: &[&str]) -> Figure {
    let of = |(trial, outcome): &(&Trial, &Outcome)| {
        Named::new(
            &trial.name,
            (1_u32..).zip(&outcome.gradients).map(|(layer, &norm)| [f64::from(layer), norm]),
        )
    };
    let series = pairs.iter().filter(|(trial, _)| keys.contains(&trial.key)).map(of).collect();
    let (x, y) = (Side::linear("layer, from the input"), Side::log("norm of its gradient"));
    Figure { name: name.into(), title: title.into(), picture: Picture::Lines(Lines { x, y, series }) }
}

/// The loss of each epoch, of the trials of these keys that came to their end.
pub(super) fn losses(title: &str, name: &str, pairs: &Pairs, keys: &[&str]) -> Figure {
    let of = |(trial, outcome): &(&Trial, &Outcome)| match &outcome.end {
        End::Trained { losses, .. } => Some(Named::new(
            &trial.name,
            (1_u32..).zip(losses).map(|(epoch, &loss)| [f64::from(epoch), loss]),
        )),
        End::Diverged { .. } => None,
    };
    let series = pairs.iter().filter(|(trial, _)| keys.contains(&trial.key)).filter_map(of).collect();
    let (x, y) = (Side::linear("epoch"), Side::log("mean loss of the training"));
    Figure { name: name.into(), title: title.into(), picture: Picture::Lines(Lines { x, y, series }) }
}

/// What the size of the first weights does to the ratio of gradients.
pub(super) fn ratios(scaled: &[Scaled]) -> Figure {
    let title = "The first layer's gradient over the last's".into();
    Figure { name: "ratios".into(), title, picture: over_gains(scaled, "first over last", |own| own.1) }
}

/// What it does to the gradient as a whole.
pub(super) fn norms(scaled: &[Scaled]) -> Figure {
    let title = "The norm of the whole gradient".into();
    Figure { name: "norms".into(), title, picture: over_gains(scaled, "norm", |own| own.2) }
}

fn over_gains(scaled: &[Scaled], label: &str, value: impl Fn(&(f32, f64, f64)) -> f64) -> Picture {
    let series = scaled
        .iter()
        .map(|own| Named::new(own.name, own.points.iter().map(|point| [f64::from(point.0), value(point)])));
    let (x, y) = (Side::log("size of the first weights, of the usual"), Side::log(label));
    Picture::Lines(Lines { x, y, series: series.collect() })
}
