//! Reduce on plateau: the one schedule that depends on how training goes.

use crate::Result;
use crate::checkpoint::{Archive, State};

/// Multiplies the rate by `factor` when the loss has not become better for more than `patience` epochs.
///
/// As `torch.optim.lr_scheduler.ReduceLROnPlateau` with mode `min`, without its `eps`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plateau {
    /// The factor of a reduction, in (0, 1).
    pub factor: f64,
    /// Epochs without a better loss before a reduction.
    pub patience: u64,
    /// By how much a loss must be lower to be better.
    pub threshold: f64,
    /// Whether the threshold is a part of the best loss, or a difference to it.
    pub relative: bool,
    /// Epochs after a reduction in which none is counted as bad.
    pub cooldown: u64,
    /// The rate never falls below this part of the first; in [0, 1].
    pub min_factor: f64,
}

impl Default for Plateau {
    /// PyTorch's settings, but for the patience, which there is 10: runs here are shorter.
    fn default() -> Self {
        Plateau { factor: 0.1, patience: 2, threshold: 1e-4, relative: true, cooldown: 0, min_factor: 0.0 }
    }
}

/// The state of a plateau schedule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlateauState {
    plateau: Plateau,
    best: f64,
    /// Epochs without a better loss so far.
    bad: u64,
    /// Epochs left in which none is counted.
    cooling: u64,
    factor: f64,
}

impl PlateauState {
    /// The state before the first epoch.
    pub fn new(plateau: Plateau) -> PlateauState {
        PlateauState { plateau, best: f64::INFINITY, bad: 0, cooling: 0, factor: 1.0 }
    }

    /// The factor of the rate now.
    pub fn factor(&self) -> f64 {
        self.factor
    }

    /// Takes the loss of an epoch. NaN is not better.
    pub fn observe(&mut self, loss: f64) {
        let Plateau { factor, patience, threshold, relative, cooldown, min_factor } = self.plateau;
        // The first loss is better than none; infinity times 0 would be NaN.
        let bound = match relative {
            _ if self.best == f64::INFINITY => f64::INFINITY,
            true => self.best * (1.0 - threshold),
            false => self.best - threshold,
        };
        if loss < bound {
            self.best = loss;
            self.bad = 0;
        } else {
            self.bad += 1;
        }
        if self.cooling > 0 {
            self.cooling -= 1;
            self.bad = 0;
        }
        if self.bad > patience {
            self.factor = (self.factor * factor).max(min_factor);
            self.cooling = cooldown;
            self.bad = 0;
        }
    }
}

impl State for PlateauState {
    fn visit(&mut self, archive: &mut Archive) -> Result<()> {
        archive.double("best", &mut self.best)?;
        archive.value("bad", &mut self.bad)?;
        archive.value("cooling", &mut self.cooling)?;
        archive.double("factor", &mut self.factor)
    }
}
