//! One cycle: the rate up and down again, the momentum down and up.

use std::f64::consts::PI;

/// One cycle: the rate rises from the highest one divided by `div_factor` in `pct_start` of the steps, then falls to
/// the first rate divided by `final_div_factor`, which the last step has. With three phases it goes
/// down to the first rate as fast as it went up, and then on to the last.
///
/// As `torch.optim.lr_scheduler.OneCycleLR`; Smith, Topin: Super-convergence (2017).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OneCycle {
    /// The part of the steps in which the rate rises, in [0, 1]; at most 0.5 with three phases.
    pub pct_start: f64,
    /// The highest rate over the first; at least 1.
    pub div_factor: f64,
    /// The first rate over the last; at least 1.
    pub final_div_factor: f64,
    pub anneal: Anneal,
    pub three_phase: bool,
    /// The momentum at the highest rate, and that at the first and the last; None if the momentum
    /// stays as it is.
    pub momentum: Option<[f64; 2]>,
}

/// The way from one value to the next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Anneal {
    /// Along half a wave of the cosine.
    Cos,
    Linear,
}

impl Default for OneCycle {
    /// The setting that PyTorch has by default.
    fn default() -> Self {
        OneCycle {
            pct_start: 0.3,
            div_factor: 25.0,
            final_div_factor: 1e4,
            anneal: Anneal::Cos,
            three_phase: false,
            momentum: Some([0.85, 0.95]),
        }
    }
}

impl OneCycle {
    /// The factor of step `step`, from 0, of `steps`.
    pub(super) fn factor(&self, step: u64, steps: u64) -> f64 {
        let first = 1.0 / self.div_factor;
        let last = first / self.final_div_factor;
        self.value(step, steps, [first, 1.0, first, last])
    }

    /// The momentum of step `step`, from 0, of `steps`.
    pub(super) fn momentum_at(&self, step: u64, steps: u64) -> Option<f64> {
        let [base, most] = self.momentum?;
        Some(self.value(step, steps, [most, base, most, most]))
    }

    /// The value on the way between these: at first, at the turn, at the end of the second of three
    /// phases, at last.
    fn value(&self, step: u64, steps: u64, [first, turn, back, last]: [f64; 4]) -> f64 {
        let (step, steps) = (step as f64, steps as f64);
        let rise = self.pct_start * steps - 1.0;
        let end = steps - 1.0;
        let phases = [(rise, first, turn), (2.0 * rise, turn, back), (end, back, last)];
        let two_phases = [(rise, first, turn), (end, turn, last)];
        let phases = if self.three_phase { &phases[..] } else { &two_phases };
        let mut start = 0.0;
        for &(end, from, to) in phases {
            if step <= end {
                // A phase may begin before step 0, but not end at its beginning and hold a step after it.
                let part = if end > start { (step - start) / (end - start) } else { 1.0 };
                return self.anneal.between(from, to, part);
            }
            start = end;
        }
        last
    }
}

impl Anneal {
    fn between(self, from: f64, to: f64, part: f64) -> f64 {
        match self {
            Anneal::Cos => to + (from - to) / 2.0 * (1.0 + (PI * part).cos()),
            Anneal::Linear => from + (to - from) * part,
        }
    }
}
