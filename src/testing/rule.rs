//! Checks of an update rule: every number of threads, and every cut of the parameters among them, must
//! give the same bits.

use crate::model::recipe::Optimizer;
use crate::optim::{MOST_SLOTS, Rule, StepSettings};
use crate::{Error, Result, panics, rng};

/// Elements; odd, so that no width of a vector divides it.
const COUNT: usize = 67;
const STEPS: u64 = 20;
/// Steps whose coefficients are checked, far into a training, too.
const COEFFICIENT_STEPS: [u64; 7] = [1, 2, 3, 10, 1000, 1_000_000, 1_000_000_000];
/// The learning rate for a rule whose own is 0.
const RATE: f64 = 0.01;

/// Checks an update rule that works element by element: of any parameters and gradients,
///
/// - it has a name, keys and defaults that recipes can use, and at most [`MOST_SLOTS`] slots;
/// - its coefficients are finite and follow from the step's settings alone;
/// - an element's result follows from that element, its gradient, its slots and the coefficients: wherever slices are
///   cut, however they are aligned and in whatever order they come, down to one element and none, the bits are the
///   same, and so they are when all is done again;
/// - it moves the parameters, and writes to each of its slots;
/// - parameters, gradients and slots of 0 give nothing that is not finite;
/// - another learning rate, and where it has a momentum another momentum, make another step: a schedule of one that
///   the rule does not look at would do nothing.
///
/// # Errors
/// [`Error::Mismatch`], or [`Error::Setting`] about its entry, says which of these does not hold, and where. A panic of
/// the rule is such an error.
pub fn check_rule(config: &Optimizer) -> Result<()> {
    config.kind().check()?;
    let rate = if config.learning_rate > 0.0 { config.learning_rate } else { RATE };
    let checked = panics::quietly(|| {
        let rule = config.rule();
        Check { name: config.name(), rule: rule.as_ref(), rate }.all()
    });
    checked.unwrap_or_else(|message| {
        let name = config.name();
        Err(mismatch(name, "its work", "no panic".into(), format!("a panic ({message})")))
    })
}

struct Check<'a> {
    name: &'a str,
    rule: &'a dyn Rule,
    rate: f64,
}

/// The result of some steps.
struct Outcome {
    parameters: Vec<f32>,
    /// The slots, \[slots, elements\].
    slots: Vec<Vec<f32>>,
}

/// The elements of a run, and how they are handed over.
#[derive(Clone, Copy)]
struct Run<'a> {
    /// The parameters, \[elements\].
    parameters: &'a [f32],
    /// The gradients, \[steps * elements\].
    gradients: &'a [f32],
    /// The indices at which slices are cut.
    cuts: &'a [usize],
    /// Floats before the first element.
    offset: usize,
    /// Whether the last slice comes first.
    backwards: bool,
    rate: f64,
    momentum: Option<f64>,
}

impl Check<'_> {
    fn all(&self) -> Result<()> {
        self.is_for_elements()?;
        self.coefficients_are_sound()?;
        let numbers = |count: usize, seed: u64| (0..count as u64).map(|i| uniform(seed, i)).collect();
        let parameters: Vec<f32> = numbers(COUNT, 1);
        let mut gradients: Vec<f32> = numbers(COUNT * STEPS as usize, 2);
        // Some gradients are 0, as behind a ReLU.
        gradients.iter_mut().step_by(11).for_each(|gradient| *gradient = 0.0);
        let plain = Run {
            parameters: &parameters,
            gradients: &gradients,
            cuts: &[],
            offset: 0,
            backwards: false,
            rate: self.rate,
            momentum: None,
        };
        let whole = self.run(plain);
        self.is_at_work(&whole, &parameters)?;
        self.elements_are_alone(&whole, plain)?;
        self.zeros_stay_finite()?;
        let slower = self.run(Run { rate: self.rate / 2.0, ..plain });
        if bits(&slower.parameters) == bits(&whole.parameters) {
            let expected =
                format!("another step with learning rate {} than with {}", self.rate / 2.0, self.rate);
            return Err(self.mismatch("step", expected, "the same".into()));
        }
        if let Some(momentum) = self.rule.momentum() {
            let other = if momentum > 0.5 { momentum / 2.0 } else { (momentum + 1.0) / 2.0 };
            let scheduled = self.run(Run { momentum: Some(other), ..plain });
            if bits(&scheduled.parameters) == bits(&whole.parameters) {
                let expected =
                    format!("another step with the scheduled momentum {other} than with {momentum}");
                return Err(self.mismatch("step", expected, "the same".into()));
            }
        }
        Ok(())
    }

    fn is_for_elements(&self) -> Result<()> {
        if self.rule.per_tensor().is_some() || self.rule.full_batch().is_some() {
            let what = if self.rule.per_tensor().is_some() { "whole parameters" } else { "a line search" };
            return Err(self.mismatch(
                "kind",
                "a rule that works element by element".into(),
                format!("one for {what}"),
            ));
        }
        let slots = self.rule.slots();
        if slots > MOST_SLOTS {
            return Err(self.mismatch("slots", format!("at most {MOST_SLOTS}"), slots.to_string()));
        }
        if let Some(slot) = self.rule.evaluated().filter(|slot| *slot >= slots) {
            return Err(self.mismatch("slot to evaluate", format!("below {slots}"), slot.to_string()));
        }
        Ok(())
    }

    fn coefficients_are_sound(&self) -> Result<()> {
        for step in COEFFICIENT_STEPS {
            let of_step = || self.rule.coefficients(StepSettings::new(step, self.rate));
            let (first, again) = (of_step(), of_step());
            let what = format!("coefficients of step {step}");
            if let Some(place) = first.iter().position(|x| !x.is_finite()) {
                let found = format!("{} at index {place}", first[place]);
                return Err(self.mismatch(&what, "finite numbers".into(), found));
            }
            if bits(&first) != bits(&again) {
                return Err(self.mismatch(&what, "the same whenever asked for".into(), "others".into()));
            }
        }
        Ok(())
    }

    fn is_at_work(&self, whole: &Outcome, before: &[f32]) -> Result<()> {
        let named = std::iter::once(("parameters".to_string(), &whole.parameters))
            .chain(whole.slots.iter().enumerate().map(|(slot, values)| (format!("slot {slot}"), values)));
        for (what, values) in named {
            if let Some(place) = values.iter().position(|x| !x.is_finite()) {
                let found = format!("{} at index {place}", values[place]);
                return Err(self.mismatch(&format!("{what} after {STEPS} steps"), "finite".into(), found));
            }
        }
        if whole.parameters == before {
            let expected = format!("moved by {STEPS} steps");
            return Err(self.mismatch("parameters", expected, "what they were".into()));
        }
        let is_idle = |slot: &Vec<f32>| slot.iter().all(|&x| x == 0.0);
        if let Some(slot) = whole.slots.iter().position(is_idle) {
            let expected = format!("slots that are written to, {} of them", whole.slots.len());
            return Err(self.mismatch("slots", expected, format!("slot {slot} still 0 after {STEPS} steps")));
        }
        Ok(())
    }

    fn elements_are_alone(&self, whole: &Outcome, plain: Run) -> Result<()> {
        let every: Vec<usize> = (1..COUNT).collect();
        let cuts: [&[usize]; 8] =
            [&[], &[1], &[16, 32], &[5, 5, 6, 36], &[0, 31], &[COUNT - 1], &[33, COUNT], &every];
        for cuts in cuts {
            for (offset, backwards) in [(0, false), (1, false), (3, true)] {
                let again = self.run(Run { cuts, offset, backwards, ..plain });
                let pairs = std::iter::once((&again.parameters, &whole.parameters))
                    .chain(again.slots.iter().zip(&whole.slots));
                for (number, (found, expected)) in pairs.enumerate() {
                    let differs = |place: &usize| found[*place].to_bits() != expected[*place].to_bits();
                    let Some(place) = (0..COUNT).find(differs) else { continue };
                    let what = match number {
                        0 => format!("parameter {place} after {STEPS} steps"),
                        slot => format!("element {place} of slot {} after {STEPS} steps", slot - 1),
                    };
                    let how = if cuts.is_empty() { "not cut".into() } else { format!("cut at {cuts:?}") };
                    let order = if backwards { ", the last first" } else { "" };
                    let expected = format!("{:e}, as in one slice", expected[place]);
                    let found = format!("{:e} with slices {how}{order}", found[place]);
                    return Err(self.mismatch(&what, expected, found));
                }
            }
        }
        Ok(())
    }

    fn zeros_stay_finite(&self) -> Result<()> {
        let zeros = vec![0.0; COUNT * STEPS as usize];
        let run = Run {
            parameters: &zeros[..COUNT],
            gradients: &zeros,
            cuts: &[],
            offset: 0,
            backwards: false,
            rate: self.rate,
            momentum: None,
        };
        let outcome = self.run(run);
        let all = std::iter::once(&outcome.parameters).chain(&outcome.slots);
        match all.flatten().find(|x| !x.is_finite()) {
            Some(x) => {
                Err(self.mismatch("step", "finite, of zeros and a gradient of 0".into(), x.to_string()))
            }
            None => Ok(()),
        }
    }

    fn run(&self, run: Run) -> Outcome {
        let Run { offset, cuts, .. } = run;
        let shifted = |values: &[f32]| [&vec![0.0; offset], values].concat();
        let mut parameters = shifted(run.parameters);
        let mut slots = vec![shifted(&[0.0; COUNT]); self.rule.slots()];
        if let Some(slot) = self.rule.evaluated() {
            slots[slot].clone_from(&parameters);
        }
        let ends = cuts.iter().copied().chain([COUNT]);
        let mut parts: Vec<(usize, usize)> = [0].into_iter().chain(cuts.iter().copied()).zip(ends).collect();
        if run.backwards {
            parts.reverse();
        }
        for (step, gradients) in (1..).zip(run.gradients.chunks_exact(COUNT)) {
            let settings = StepSettings { momentum: run.momentum, ..StepSettings::new(step, run.rate) };
            let coefficients = self.rule.coefficients(settings);
            let mut gradients = shifted(gradients);
            for &(start, end) in &parts {
                let place = start + offset..end + offset;
                let mut slots: Vec<&mut [f32]> =
                    slots.iter_mut().map(|slot| &mut slot[place.clone()]).collect();
                let gradients = &mut gradients[place.clone()];
                self.rule.apply(&coefficients, &mut parameters[place.clone()], gradients, &mut slots);
            }
        }
        slots.iter_mut().for_each(|slot| _ = slot.drain(..offset));
        Outcome { parameters: parameters.split_off(offset), slots }
    }

    fn mismatch(&self, what: &str, expected: String, found: String) -> Error {
        mismatch(self.name, what, expected, found)
    }
}

fn mismatch(name: &str, what: &str, expected: String, found: String) -> Error {
    Error::Mismatch { what: format!("{what} of the update rule `{name}`"), expected, found }
}

/// A number in [-1, 1), for each index of a seed.
fn uniform(seed: u64, index: u64) -> f32 {
    let number = rng::mix(rng::key(seed, rng::Purpose::Test, index)) >> 40;
    number as f32 / (1 << 23) as f32 - 1.0
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|x| x.to_bits()).collect()
}
