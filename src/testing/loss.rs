//! Checks of a loss: that it keeps the promises on which training relies.

use crate::error::{Error, Result};
use crate::kernels::loss::{Rows, Scores, Targets};
use crate::kernels::reference::one_hot;
use crate::kernels::simd::reduce::LANES;
use crate::losses::{Loss, LossFunction, Takes};

/// Samples that are tried.
const SAMPLES: usize = 24;
/// Steps of differences. Outputs are multiples of 2^-10, so that all are exact.
const STEPS: [f32; 2] = [0.0625, 0.015_625];
/// The error that a gradient may have, relative to the largest of its sample.
const TOLERANCE: f64 = 1e-3;
/// The rounding error of a loss's value, relative to it or to 1.
const NOISE: f64 = 1e-6;
/// The difference that a result in f32 may have from that in f64, relative to it or to 1.
const SINGLE: f64 = 2e-5;
/// The difference that finite differences in f64 may have, relative to the gradient or to 1.
const DOUBLE: f64 = 1e-4;

/// Checks a loss for networks of so many outputs, on outputs between -3 and 3 and all kinds of targets that it takes:
///
/// - its gradient is what finite differences of its value say, taken in f64, or lies between those of both sides where
///   the value has a kink;
/// - its value is the same with the gradient and without;
/// - the result of a sample depends on nothing but that sample, so that training has the same bits on any number of
///   threads;
/// - if it has a [reference](crate::LossKind::reference), value and gradient are that, and its gradient is what finite
///   differences say.
///
/// # Errors
/// [`Error::Mismatch`] with what was expected and found, and at which sample and output; or if the loss is not fit for
/// networks of so many outputs.
pub fn check_loss(loss: &Loss, outputs: usize) -> Result<()> {
    if outputs == 0 {
        return Err(Error::Mismatch {
            what: "outputs".into(),
            expected: "at least 1".into(),
            found: "0".into(),
        });
    }
    loss.check(outputs)?;
    let numbers = |seed| (0..SAMPLES * outputs).map(move |i| spread(i, seed));
    let y: Vec<f32> =
        numbers(0.618_033_988_7).map(|u| ((6.0 * u - 3.0) * 1024.0).round() as f32 / 1024.0).collect();
    let labels: Vec<u8> = (0..SAMPLES).map(|sample| (sample * 7 % outputs.min(256)) as u8).collect();
    let others: Vec<u8> = (0..SAMPLES).map(|sample| (sample * 5 % outputs.min(256)) as u8).collect();
    let values = values_for(loss.kind().about().takes, numbers(0.754_877_666_2).collect(), outputs);
    let mut kinds = Vec::new();
    if loss.takes_classes() {
        kinds.push(("classes", Targets::Classes(&labels)));
    }
    if loss.takes_mixtures() {
        kinds.push(("mixtures", Targets::Mixed { labels: &labels, others: &others, share: 0.75 }));
    }
    if let Some(values) = &values {
        kinds.push(("values", Targets::Values(values)));
    }
    if !loss.takes_targets() {
        kinds.push(("none", Targets::None));
    }
    for (kind, targets) in kinds {
        loss.check_targets(targets, outputs)?;
        Check { loss, function: loss.function(), y: &y, targets, kind, outputs }.run()?;
    }
    Ok(())
}

/// A number in [0, 1) for each index, spread evenly.
fn spread(index: usize, seed: f64) -> f64 {
    ((index + 1) as f64 * seed).fract()
}

/// Targets that are values, \[samples, outputs\], of numbers in [0, 1); none if the loss takes no values.
fn values_for(takes: Takes, numbers: Vec<f64>, outputs: usize) -> Option<Vec<f32>> {
    let bounds = match takes {
        Takes::Classes | Takes::Nothing => return None,
        Takes::Probabilities => {
            let rows = numbers.chunks(outputs).flat_map(|row| {
                let sum: f64 = row.iter().map(|x| x + 0.01).sum();
                row.iter().map(move |x| ((x + 0.01) / sum) as f32)
            });
            return Some(rows.collect());
        }
        Takes::IndependentProbabilities => [0.0, 1.0],
        Takes::Numbers(range) => match range.bounds() {
            [low, high] if low.is_finite() && high.is_finite() => [low, high],
            [low, _] if low.is_finite() => [low, low + 6.0],
            [_, high] if high.is_finite() => [high - 6.0, high],
            _ => [-3.0, 3.0],
        },
    };
    let [low, high] = bounds;
    // The numbers are not so near to a bound that rounding comes to it.
    Some(numbers.into_iter().map(|x| (low + (high - low) * (0.01 + 0.98 * x)) as f32).collect())
}

struct Check<'a> {
    loss: &'a Loss,
    function: LossFunction,
    /// The outputs, \[samples, outputs\].
    y: &'a [f32],
    targets: Targets<'a>,
    /// The kind of the targets, for messages.
    kind: &'static str,
    outputs: usize,
}

/// The results of a loss for some samples.
#[derive(PartialEq)]
struct Answer {
    /// The loss of each sample, \[samples\].
    losses: Vec<f32>,
    /// The gradient by the outputs, \[samples, outputs\]; empty if it was not asked for.
    gradient: Vec<f32>,
}

impl Check<'_> {
    fn run(&self) -> Result<()> {
        let all = self.answer(self.y, self.targets, true);
        let alone = self.answer(self.y, self.targets, false);
        for sample in 0..SAMPLES {
            let (with, without) = (all.losses[sample], alone.losses[sample]);
            if !with.is_finite() {
                return Err(self.wrong("value", "a finite number", with, sample, None));
            }
            if with.to_bits() != without.to_bits() {
                let expected = format!("{with:?} (as with the gradient)");
                return Err(self.wrong("value without the gradient", &expected, without, sample, None));
            }
            self.check_alone(sample, &all)?;
            self.check_differences(sample, &all)?;
            self.check_reference(sample, &all)?;
        }
        Ok(())
    }

    /// The loss of samples, \[samples, outputs\], in rows with a padding that must not matter.
    fn answer(&self, y: &[f32], targets: Targets, wants_gradient: bool) -> Answer {
        let stride = self.outputs.next_multiple_of(LANES);
        let rows = Rows { classes: self.outputs, stride };
        let samples = y.len() / self.outputs;
        let mut padded = vec![f32::NAN; samples * stride];
        for (row, y) in padded.chunks_exact_mut(stride).zip(y.chunks_exact(self.outputs)) {
            row[..self.outputs].copy_from_slice(y);
        }
        let (mut losses, mut correct) = (vec![f32::NAN; samples], vec![0; samples]);
        let scores = Scores { losses: &mut losses, correct: &mut correct };
        let mut gradient = vec![f32::NAN; if wants_gradient { padded.len() } else { 0 }];
        if wants_gradient {
            self.function.gradient(&mut gradient, scores, &padded, targets, rows, 1.0);
        } else {
            self.function.value(scores, &padded, targets, rows);
        }
        let own = |row: &[f32]| row[..self.outputs].to_vec();
        Answer { losses, gradient: gradient.chunks_exact(stride).flat_map(own).collect() }
    }

    /// Checks that a sample alone has the bits that it has among others.
    fn check_alone(&self, sample: usize, all: &Answer) -> Result<()> {
        let (own, of_one) = (self.range(sample), sample..sample + 1);
        let alone = self.answer(&self.y[own.clone()], self.targets.rows(of_one, self.outputs), true);
        let pairs = [(&all.losses[sample..=sample], alone.losses), (&all.gradient[own], alone.gradient)];
        for (what, (among, alone)) in ["value", "gradient"].into_iter().zip(pairs) {
            let differs = |(one, other): (&f32, &f32)| one.to_bits() != other.to_bits();
            if let Some(place) = among.iter().zip(&alone).position(differs) {
                let what = format!("{what} of a sample alone");
                let expected = format!("{:?} (as among others)", among[place]);
                let output = (among.len() > 1).then_some(place);
                return Err(self.wrong(&what, &expected, alone[place], sample, output));
            }
        }
        Ok(())
    }

    /// Checks that the gradient is that of the value.
    fn check_differences(&self, sample: usize, all: &Answer) -> Result<()> {
        let own = self.range(sample);
        let (value, gradient) = (f64::from(all.losses[sample]), &all.gradient[own.clone()]);
        let targets = self.targets.rows(sample..sample + 1, self.outputs);
        let largest = gradient.iter().fold(0.0, |max, d| f64::from(d.abs()).max(max));
        let noise = NOISE * value.abs().max(1.0);
        for (output, found) in gradient.iter().map(|&d| f64::from(d)).enumerate() {
            let mut moved = self.y[own.clone()].to_vec();
            let mut at = |step: f32| {
                moved[output] = self.y[own.start + output] + step;
                f64::from(self.answer(&moved, targets, false).losses[0])
            };
            let (mut slope, mut is_right) = (f64::NAN, false);
            for step in STEPS {
                let size = f64::from(step);
                let room = TOLERANCE * largest + noise / size;
                let [low, high] = [at(-step), at(step)];
                // The difference is of fourth order; near a kink, the slopes of both sides enclose the gradient there.
                slope = (8.0 * (high - low) - (at(2.0 * step) - at(-2.0 * step))) / (12.0 * size);
                let sides = [(value - low) / size, (high - value) / size];
                let between = sides[0].min(sides[1]) - room..=sides[0].max(sides[1]) + room;
                let is_last = step == STEPS[STEPS.len() - 1];
                is_right |= (slope - found).abs() <= room || (is_last && between.contains(&found));
            }
            if !is_right {
                let expected = format!("{slope:.6} (by finite differences of the value)");
                let found = gradient[output];
                return Err(self.wrong("gradient", &expected, found, sample, Some(output)));
            }
        }
        Ok(())
    }

    /// Checks that the loss is its reference, and the reference's gradient that of its value.
    fn check_reference(&self, sample: usize, all: &Answer) -> Result<()> {
        let Some(reference) = self.loss.kind().about().reference else { return Ok(()) };
        let own = self.range(sample);
        let mut y: Vec<f64> = self.y[own.clone()].iter().map(|&y| y.into()).collect();
        let t: Vec<f64> = match self.targets {
            Targets::Classes(labels) => one_hot(labels[sample].into(), self.outputs),
            Targets::Mixed { labels, others, share } => {
                let both = [(labels[sample], share), (others[sample], 1.0 - share)];
                let mut row = vec![0.0; self.outputs];
                both.iter().for_each(|&(class, share)| row[usize::from(class)] += f64::from(share));
                row
            }
            Targets::Values(values) => values[own.clone()].iter().map(|&t| t.into()).collect(),
            Targets::Tokens(_) | Targets::None => Vec::new(),
        };
        let (value, gradient) = reference(self.loss.values(), &y, &t);
        let differs = |one: f64, other: f32, part| (one - f64::from(other)).abs() > part * one.abs().max(1.0);
        if differs(value, all.losses[sample], SINGLE) {
            let expected = format!("{value:.7} (in f64)");
            return Err(self.wrong("value", &expected, all.losses[sample], sample, None));
        }
        for (output, (&exact, &found)) in gradient.iter().zip(&all.gradient[own]).enumerate() {
            if differs(exact, found, SINGLE) {
                let expected = format!("{exact:.7} (in f64)");
                return Err(self.wrong("gradient", &expected, found, sample, Some(output)));
            }
            let (step, here) = (1e-5, y[output]);
            let mut at = |moved: f64| {
                y[output] = here + moved;
                reference(self.loss.values(), &y, &t).0
            };
            let sides = [(value - at(-step)) / step, (at(step) - value) / step];
            y[output] = here;
            let room = DOUBLE * exact.abs().max(1.0);
            let (low, high) = (sides[0].min(sides[1]), sides[0].max(sides[1]));
            if !(low - room..=high + room).contains(&exact) {
                let expected = format!("{:.6} (by finite differences)", 0.5 * (low + high));
                return Err(self.wrong(
                    "gradient of the reference",
                    &expected,
                    exact as f32,
                    sample,
                    Some(output),
                ));
            }
        }
        Ok(())
    }

    /// The range of a sample in rows without padding.
    fn range(&self, sample: usize) -> std::ops::Range<usize> {
        sample * self.outputs..(sample + 1) * self.outputs
    }

    fn wrong(&self, what: &str, expected: &str, found: f32, sample: usize, output: Option<usize>) -> Error {
        let output = output.map_or(String::new(), |output| format!(", output {output}"));
        Error::Mismatch {
            what: format!("{what} of the loss {}", self.loss.name()),
            expected: expected.into(),
            found: format!("{found:?} at sample {sample}{output}, with {} as targets", self.kind),
        }
    }
}

#[cfg(test)]
mod tests;
