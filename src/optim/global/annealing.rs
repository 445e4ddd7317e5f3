//! Simulated annealing: a walk that also goes up, the less often the lower the temperature.

use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};

use super::proposals::{Proposals, zeros};
use super::settings::{AnnealingSettings, Cooling};
use crate::Result;
use crate::checkpoint::{Archive, State};
use crate::rng::Stream;

/// A walk of Gaussian steps in all parameters at once. A step that changes the loss by Δ is taken with the probability
/// min(1, e^(-Δ / T)) at the temperature T, which falls from iteration to iteration.
///
/// Kirkpatrick, Gelatt, Vecchi: Optimization by simulated annealing (1983), with the rule of Metropolis et al.: Equation
/// of state calculations by fast computing machines (1953). That steps shrink with the root of T is Boltzmann annealing,
/// as Szu, Hartley: Fast simulated annealing (1987) call it.
#[derive(Debug)]
pub struct Annealing {
    settings: AnnealingSettings,
    /// The standard deviation of a step at the first temperature.
    deviation: f64,
    /// Over which the temperature falls.
    iterations: usize,
    iteration: usize,
    /// Where the walk is, \[n\].
    current: Vec<f64>,
    loss: f64,
    /// The point that was proposed, \[n\].
    proposal: Vec<f64>,
    /// By how much more the loss may be there.
    allowance: f64,
}

impl Annealing {
    /// A walk of `count` parameters with steps of this standard deviation, whose temperature falls over so many
    /// iterations.
    ///
    /// # Errors
    /// If the machine has less memory free.
    pub fn new(
        settings: AnnealingSettings,
        deviation: f64,
        count: usize,
        iterations: usize,
    ) -> Result<Annealing> {
        let (current, proposal) = (zeros(1, count)?, zeros(1, count)?);
        let allowance = f64::NEG_INFINITY;
        let loss = f64::INFINITY;
        Ok(Annealing { settings, deviation, iterations, iteration: 0, current, loss, proposal, allowance })
    }

    /// The temperature of the iteration under way.
    pub fn temperature(&self) -> f64 {
        let AnnealingSettings { initial_temperature: first, final_temperature: last, cooling, .. } =
            self.settings;
        let part = (self.iteration as f64 / self.iterations.saturating_sub(1).max(1) as f64).min(1.0);
        match cooling {
            Cooling::Exponential => first * (last / first).powf(part),
            Cooling::Linear => first + (last - first) * part,
        }
    }
}

impl Proposals for Annealing {
    fn begin(&mut self, start: &[f64], loss: f64) {
        self.current.copy_from_slice(start);
        (self.loss, self.iteration) = (loss, 0);
    }

    fn rounds(&self) -> usize {
        self.settings.steps
    }

    fn ask(&mut self, stream: &mut Stream) -> &[f64] {
        let deviation = self.deviation();
        for (to, from) in self.proposal.iter_mut().zip(&self.current) {
            let normal: f64 = StandardNormal.sample(stream);
            *to = from + deviation * normal;
        }
        // The step is taken if a number of (0, 1] is at most e^(-Δ / T).
        let part = 1.0 - stream.random::<f64>();
        self.allowance = -self.temperature() * part.ln();
        &self.proposal
    }

    fn tell(&mut self, losses: &[f64]) {
        if losses[0] - self.loss <= self.allowance {
            std::mem::swap(&mut self.current, &mut self.proposal);
            self.loss = losses[0];
        }
    }

    fn end_iteration(&mut self) {
        self.iteration += 1;
    }

    fn deviation(&self) -> f64 {
        let part =
            if self.settings.shrink { self.temperature() / self.settings.initial_temperature } else { 1.0 };
        self.deviation * part.sqrt()
    }
}

impl State for Annealing {
    fn visit(&mut self, archive: &mut Archive) -> Result<()> {
        archive.value("iteration", &mut self.iteration)?;
        archive.numbers("current", &mut self.current)?;
        archive.double("loss", &mut self.loss)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};

    fn walk(settings: AnnealingSettings) -> Annealing {
        let mut walk = Annealing::new(settings, 0.5, 1, 5).unwrap();
        walk.begin(&[0.0], 0.0);
        walk
    }

    #[test]
    fn temperatures_fall_from_the_first_to_the_last_and_stay_there() {
        for (cooling, middle) in [(Cooling::Exponential, 0.4), (Cooling::Linear, 2.02)] {
            let settings = AnnealingSettings {
                initial_temperature: 4.0,
                final_temperature: 0.04,
                cooling,
                ..AnnealingSettings::default()
            };
            let mut walk = walk(settings);
            let mut seen = Vec::new();
            for _ in 0..7 {
                seen.push(walk.temperature());
                let shrunk = 0.5 * (walk.temperature() / 4.0).sqrt();
                assert!((walk.deviation() - shrunk).abs() < 1e-15);
                walk.end_iteration();
            }
            let off = [0, 2, 4, 6].map(|at| (seen[at] - [4.0, middle, 0.04, 0.04][at / 2]).abs());
            assert!(off.iter().all(|off| *off < 1e-12), "{seen:?}");
        }
        let settings = AnnealingSettings { shrink: false, ..AnnealingSettings::default() };
        let mut walk = walk(settings);
        walk.end_iteration();
        assert_eq!(walk.deviation(), 0.5);
    }

    /// By the rule of Metropolis, a walk on a loss that has two values is at the upper one e^(-Δ / T) times as often.
    #[test]
    fn steps_up_are_taken_as_often_as_the_temperature_says() {
        let settings = AnnealingSettings {
            initial_temperature: 2.0,
            final_temperature: 2.0,
            shrink: false,
            ..AnnealingSettings::default()
        };
        let mut walk = walk(settings);
        let mut stream = stream(1, Purpose::Test, 0);
        let tries = 40_000;
        let mut taken = 0;
        for _ in 0..tries {
            walk.begin(&[0.0], 0.0);
            walk.ask(&mut stream);
            walk.tell(&[1.0]);
            taken += i32::from(walk.loss == 1.0);
        }
        let part = f64::from(taken) / f64::from(tries);
        assert!((part - (-0.5f64).exp()).abs() < 0.01, "{part}");
        // Down always, and to an infinite loss never.
        for (loss, expected) in [(-1.0, -1.0), (0.0, 0.0), (f64::INFINITY, 0.0)] {
            for _ in 0..100 {
                walk.begin(&[0.0], 0.0);
                let point = walk.ask(&mut stream)[0];
                walk.tell(&[loss]);
                assert_eq!(walk.loss, expected);
                assert_eq!(walk.current[0] == point, loss <= 0.0);
            }
        }
    }
}
