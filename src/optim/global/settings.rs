//! The settings of global methods.

use crate::optim::full_batch::settings::Method;

/// A global method, and the descent beside it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Global {
    pub method: GlobalMethod,
    /// The descent that begins at the best point of each iteration; its result is kept if it is the best so far, and the
    /// method goes on from its own points.
    pub local: Option<Method>,
    /// The most iterations of each such descent.
    pub local_iterations: usize,
}

/// A method that proposes points and goes by the losses there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum GlobalMethod {
    Annealing(AnnealingSettings),
    Genetic(GeneticSettings),
    CmaEs(CmaEsSettings),
}

impl GlobalMethod {
    /// The most parameters that it may have.
    pub fn most_parameters(&self) -> usize {
        match self {
            GlobalMethod::CmaEs(CmaEsSettings { covariance: Covariance::Full, .. }) => 1_000,
            _ => 100_000,
        }
    }

    /// What the learning rate is to it.
    pub fn rate_is(&self) -> &'static str {
        match self {
            GlobalMethod::Annealing(_) => {
                "the standard deviation of a step in each parameter, at the first temperature"
            }
            GlobalMethod::Genetic(_) => "the standard deviation of a mutation",
            GlobalMethod::CmaEs(_) => "the first σ",
        }
    }
}

/// How a temperature T falls from the first, T₀, to the last, T₁; t goes from 0 in the first iteration to 1 in the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cooling {
    /// T₀ (T₁ / T₀)ᵗ: by the same factor in each iteration.
    Exponential,
    /// T₀ + (T₁ - T₀) t.
    Linear,
}

impl Cooling {
    /// The names, in their order.
    pub const NAMES: [&str; 2] = ["exponential", "linear"];

    pub fn named(name: &str) -> Option<Cooling> {
        let all = [Cooling::Exponential, Cooling::Linear];
        Cooling::NAMES.iter().position(|known| *known == name).map(|place| all[place])
    }
}

/// The settings of [`Annealing`](super::Annealing).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AnnealingSettings {
    /// Above 0, in units of the loss.
    pub initial_temperature: f64,
    /// Above 0.
    pub final_temperature: f64,
    pub cooling: Cooling,
    /// Points that are proposed in an iteration, all at one temperature; at least 1.
    pub steps: usize,
    /// Whether the length of a step falls with the root of the temperature.
    pub shrink: bool,
}

impl Default for AnnealingSettings {
    fn default() -> Self {
        AnnealingSettings {
            initial_temperature: 0.1,
            final_temperature: 1e-4,
            cooling: Cooling::Exponential,
            steps: 100,
            shrink: true,
        }
    }
}

/// The settings of [`Genetic`](super::Genetic).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GeneticSettings {
    /// At least 2.
    pub population: usize,
    /// How many are drawn for each parent, of which the best is taken; from 1 to the population.
    pub tournament: usize,
    /// The part of children that have two parents; others are a copy of one.
    pub crossover_rate: f64,
    /// α of the crossover: how far beyond its parents a child may lie, in parts of their distance; at least 0.
    pub blend: f64,
    /// The part of a child's numbers that are changed.
    pub mutation_rate: f64,
    /// The best so many stay; less than the population.
    pub elite: usize,
    /// The end is reached when no parameter differs by more within the population; at least 0.
    pub tolerance_change: f64,
}

impl Default for GeneticSettings {
    fn default() -> Self {
        GeneticSettings {
            population: 40,
            tournament: 3,
            crossover_rate: 0.9,
            blend: 0.5,
            mutation_rate: 0.1,
            elite: 2,
            tolerance_change: 1e-9,
        }
    }
}

/// The covariance of the points that [`CmaEs`](super::CmaEs) draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Covariance {
    /// Any: n² numbers, and now and then their eigenvalues.
    Full,
    /// Of independent parameters: n numbers. Ros, Hansen: A simple modification in CMA-ES achieving linear time and space
    /// complexity (2008).
    Diagonal,
}

impl Covariance {
    /// The names, in their order.
    pub const NAMES: [&str; 2] = ["full", "diagonal"];

    pub fn named(name: &str) -> Option<Covariance> {
        let all = [Covariance::Full, Covariance::Diagonal];
        Covariance::NAMES.iter().position(|known| *known == name).map(|place| all[place])
    }
}

/// The settings of [`CmaEs`](super::CmaEs).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CmaEsSettings {
    /// λ, at least 4; 0 is 4 + ⌊3 ln n⌋.
    pub population: usize,
    pub covariance: Covariance,
    /// The end is reached when no parameter's standard deviation is larger; at least 0.
    pub tolerance_change: f64,
}

impl Default for CmaEsSettings {
    fn default() -> Self {
        CmaEsSettings { population: 0, covariance: Covariance::Full, tolerance_change: 1e-9 }
    }
}
