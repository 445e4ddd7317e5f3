//! Stochastic descent on a linear fit, with a rate that stays and with rates that fall.

use rand::seq::SliceRandom;

use super::words::short;
use crate::data::small::{Drawn, DrawnTarget, Generated, Part};
use crate::error::Result;
use crate::linear::{Linear, LinearKind};
use crate::model::Model;
use crate::model::recipe::Optimizer;
use crate::optim::schedule::{Curve, Length, Schedule};
use crate::rng::{Purpose, stream};
use crate::tour::figure::{Figure, Lines, Named, Picture, Side};
use crate::tour::record::Finding;
use crate::train::Trainer;

/// The samples: five features, and a noise that no weights can explain.
const SAMPLES: usize = 400;
const FEATURES: usize = 5;
const BATCH: usize = 4;
const EPOCHS: usize = 60;
const RATE: f64 = 0.05;
/// How much smaller the other constant rate is, and what is left of a rate that falls exponentially.
const SMALLER: f64 = 20.0;
const LEFT: f64 = 0.001;
/// Of so many last epochs the mean is taken, where a run has come to its floor.
const LAST: usize = 10;

/// A run: its name, the key of its number, its rate and its schedule.
struct Run {
    name: String,
    key: &'static str,
    rate: f64,
    schedule: Schedule,
}

fn runs() -> [Run; 4] {
    let constant = |key, rate: f64| Run {
        name: format!("constant, {}", short(rate)),
        key,
        rate,
        schedule: Schedule::constant(),
    };
    let falling = |key: &'static str, curve| Run {
        name: format!("{key}, from {}", short(RATE)),
        key,
        rate: RATE,
        schedule: Schedule::of(curve),
    };
    // The factor of an epoch, of which all together leave that part.
    let gamma = LEFT.powf(1.0 / EPOCHS as f64);
    [
        constant("constant", RATE),
        constant("smaller", RATE / SMALLER),
        falling("exponential", Curve::Exponential { every: Length::Epochs(1.0), gamma: Some(gamma) }),
        falling("cosine", Curve::Cosine { end_factor: 0.0 }),
    ]
}

/// The samples, `[SAMPLES, FEATURES]` and `[SAMPLES]`.
struct Data {
    x: Vec<f32>,
    y: Vec<f32>,
}

fn data() -> Result<Data> {
    let Drawn { features, target, .. } = Generated::of("linear")?.draw(Part::Train, SAMPLES, 1)?;
    let y = if let DrawnTarget::Values(values) = target { values } else { Vec::new() };
    Ok(Data { x: features, y })
}

/// The weights of a fit, the bias last.
type Weights = [f64; FEATURES + 1];

/// The mean squared error.
fn loss(data: &Data, weights: &Weights) -> f64 {
    let off = |(x, &y): (&[f32], &f32)| {
        let sum: f64 = x.iter().zip(weights).map(|(&x, w)| f64::from(x) * w).sum();
        (sum + weights[FEATURES] - f64::from(y)).powi(2)
    };
    data.x.chunks_exact(FEATURES).zip(&data.y).map(off).sum::<f64>() / SAMPLES as f64
}

/// The least squares, by fallline's exact method.
fn closed_form(data: &Data) -> Result<Weights> {
    let samples = crate::data::Samples::from_rows(data.x.clone(), FEATURES).values(data.y.clone())?;
    let found = Trainer::new().exact(&model()?, &samples)?;
    let mut weights = [f64::NAN; FEATURES + 1];
    for coefficient in found.iter().flat_map(|found| &found.coefficients) {
        weights[coefficient.feature.unwrap_or(FEATURES)] = coefficient.exact;
    }
    Ok(weights)
}

fn model() -> Result<Model> {
    Model::linear(FEATURES, Linear::new(LinearKind::Linear, 1))
}

fn weights(model: &Model) -> Weights {
    let mut all = model.tensors().into_iter().flat_map(|tensor| tensor.values);
    std::array::from_fn(|_| all.next().map_or(f64::NAN, f64::from))
}

/// The loss after each epoch, the start first.
fn descend(data: &Data, run: &Run) -> Result<Vec<f64>> {
    let mut model = model()?;
    let mut losses = vec![loss(data, &weights(&model))];
    let trainer = Trainer::new().optimizer(Optimizer::sgd(run.rate)).schedule(run.schedule.clone());
    let trainer = trainer.batch(BATCH).epochs(EPOCHS).steps_per_epoch((SAMPLES / BATCH) as u64).threads(1);
    let mut steps = trainer.steps(&mut model)?;
    let mut order: Vec<usize> = (0..SAMPLES).collect();
    for epoch in 0..EPOCHS {
        order.shuffle(&mut stream(1, Purpose::Tour, 500 + epoch as u64));
        for chosen in order.chunks(BATCH) {
            let x: Vec<f32> =
                chosen.iter().flat_map(|&i| &data.x[i * FEATURES..][..FEATURES]).copied().collect();
            let y: Vec<f32> = chosen.iter().map(|&i| data.y[i]).collect();
            steps.step(&x, &y)?;
        }
        losses.push(loss(data, &weights(steps.model())));
    }
    Ok(losses)
}

pub(super) fn add(finding: &mut Finding) -> Result<()> {
    let data = data()?;
    let least = loss(&data, &closed_form(&data)?);
    finding.note("noise_least_loss", least);
    let mut series = Vec::new();
    for run in runs() {
        let above: Vec<f64> = descend(&data, &run)?.into_iter().map(|loss| loss - least).collect();
        let last = above[above.len() - LAST..].iter().sum::<f64>() / LAST as f64;
        finding.note(format!("floor_{}", run.key), last);
        finding.note(format!("end_{}", run.key), above[EPOCHS]);
        finding.note(format!("after_2_{}", run.key), above[2]);
        series.push(Named::course(&run.name, above));
    }
    let text = text(finding);
    finding.text.extend(text);
    let lines = Lines { x: Side::linear("epoch"), y: Side::log("loss above the least"), series };
    let title = "Rates that stay, and rates that fall".into();
    finding.figures.push(Figure { name: "schedules".into(), title, picture: Picture::Lines(lines) });
    Ok(())
}

fn text(found: &Finding) -> [String; 2] {
    let of = |name: &str| found.number(name);
    [
        format!(
            "A rate that is right at first is too large later, if steps see a part of the samples: here {BATCH} of {SAMPLES}, of a \
             linear fit with noise. The gradient of a few samples is never 0, so with a constant rate the weights keep trembling \
             around the lowest point, the more the larger the rate. In the last {LAST} epochs the loss is {:.1e} above the least \
             with {}; with a rate {SMALLER} times smaller it is {:.1e}, but that run is slow at first: after two epochs it is {:.2} \
             above, the other {:.3}.",
            of("floor_constant"),
            short(RATE),
            of("floor_smaller"),
            of("after_2_smaller"),
            of("after_2_constant"),
        ),
        format!(
            "A schedule has both: large steps first, small ones in the end. With the exponential schedule, which leaves {LEFT} of \
             the rate, the run ends {:.1e} above the least, with the cosine {:.1e}, both below either constant rate. The cosine \
             keeps the rate high for longer and falls to 0 with the last step, so that its curve drops at the very end. In \
             practice: take the cosine, and do not judge a run in its middle.",
            of("end_exponential"),
            of("end_cosine"),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn falling_rates_end_below_the_floors() {
        let mut found = Finding::default();
        add(&mut found).unwrap();
        let of = |name: &str| found.number(name);
        let floor = of("floor_constant").min(of("floor_smaller"));
        assert!(of("floor_constant") > 5.0 * of("floor_smaller"));
        assert!(of("after_2_smaller") > 10.0 * of("after_2_constant"));
        for falling in ["exponential", "cosine"] {
            let end = of(&format!("end_{falling}"));
            assert!(end > -1e-9 && end < 0.5 * floor, "{falling}: {end} {floor}");
        }
    }

    #[test]
    fn the_gradient_is_nothing_at_the_closed_form() {
        let data = data().unwrap();
        let weights = closed_form(&data).unwrap();
        for feature in 0..=FEATURES {
            let of = |(x, &y): (&[f32], &f32)| {
                let value = |i: usize| x.get(i).map_or(1.0, |&x| f64::from(x));
                let off: f64 = (0..=FEATURES).map(|i| weights[i] * value(i)).sum::<f64>() - f64::from(y);
                off * value(feature)
            };
            let slope = data.x.chunks_exact(FEATURES).zip(&data.y).map(of).sum::<f64>() / SAMPLES as f64;
            assert!(slope.abs() < 1e-6, "{feature}: {slope}");
        }
    }
}
