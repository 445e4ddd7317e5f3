//! CMA-ES: a normal distribution of points whose mean and covariance follow the better ones.

use rand_distr::{Distribution, StandardNormal};

use super::covariance::Shape;
use super::proposals::{Proposals, USE, ranked, zeros};
use super::settings::{CmaEsSettings, Covariance};
use crate::checkpoint::{Archive, State};
use crate::optim::full_batch::vector::{add_scaled, dot};
use crate::rng::Stream;
use crate::{Result, memory};

/// The step size grows by at most this power of e in a generation.
const MOST_GROWTH: f64 = 1.0;

/// The evolution strategy (μ/μ_w, λ) with the adaptation of its covariance C and of its step size σ:
/// λ points m + σ √C z, z standard normal, of which the μ best move the mean m.
///
/// Hansen: The CMA evolution strategy, a tutorial (2016), with its default parameters and no negative weights. √C is the
/// symmetric root, which no choice of eigenvectors changes. With a diagonal C, c₁ and c_μ are (n + 2) / 3 times as large:
/// Ros, Hansen: A simple modification in CMA-ES achieving linear time and space complexity (2008).
#[derive(Debug)]
pub struct CmaEs {
    settings: CmaEsSettings,
    rates: Rates,
    /// The first σ.
    first_deviation: f64,
    sigma: f64,
    /// m, \[n\].
    mean: Vec<f64>,
    /// C and its root.
    shape: Shape,
    /// The path of the step size, p_σ, \[n\].
    path: Vec<f64>,
    /// The path of the covariance, p_c, \[n\].
    covariance_path: Vec<f64>,
    generation: i32,
    /// The normal numbers z of each point, `[λ · n]`.
    normals: Vec<f64>,
    /// Their steps y = √C z, `[λ · n]`.
    steps: Vec<f64>,
    /// `[λ · n]`
    points: Vec<f64>,
    /// The places of the points, the best first: `[λ]`.
    ranks: Vec<usize>,
    /// Weighted means of z and y, \[n\].
    means: [Vec<f64>; 2],
}

/// What follows from n and λ alone: table 1 of the tutorial.
#[derive(Debug)]
struct Rates {
    /// w, of the μ best.
    weights: Vec<f64>,
    /// μ_eff.
    mass: f64,
    /// c_σ, d_σ.
    sigma: f64,
    damping: f64,
    /// c_c, c₁, c_μ.
    path: f64,
    one: f64,
    mu: f64,
    /// The mean length of a standard normal vector.
    length: f64,
    /// Generations after which the root of C is brought up to date.
    every: i32,
}

impl Rates {
    fn new(count: usize, population: usize, covariance: Covariance) -> Rates {
        let n = count as f64;
        let half = (population as f64 + 1.0) / 2.0;
        let raw = (1..=population / 2).map(|i| half.ln() - (i as f64).ln());
        let sum: f64 = raw.clone().sum();
        let weights: Vec<f64> = raw.map(|weight| weight / sum).collect();
        let mass = 1.0 / weights.iter().map(|weight| weight * weight).sum::<f64>();
        let sigma = (mass + 2.0) / (n + mass + 5.0);
        let more = if covariance == Covariance::Diagonal { (n + 2.0) / 3.0 } else { 1.0 };
        let one = (more * 2.0 / ((n + 1.3).powi(2) + mass)).min(1.0);
        let mu = more * 2.0 * (0.25 + mass + 1.0 / mass - 2.0) / ((n + 2.0).powi(2) + mass);
        let mu = mu.min(1.0 - one);
        Rates {
            mass,
            sigma,
            damping: 1.0 + 2.0 * (((mass - 1.0) / (n + 1.0)).sqrt() - 1.0).max(0.0) + sigma,
            path: (4.0 + mass / n) / (n + 4.0 + 2.0 * mass / n),
            one,
            mu,
            length: n.sqrt() * (1.0 - 1.0 / (4.0 * n) + 1.0 / (21.0 * n * n)),
            every: ((1.0 / ((one + mu) * n * 10.0)).floor() as i32).max(1),
            weights,
        }
    }
}

impl CmaEs {
    /// A strategy for `count` parameters, at least 1, with this first σ.
    ///
    /// # Errors
    /// If the machine has less memory free.
    pub fn new(settings: CmaEsSettings, sigma: f64, count: usize) -> Result<CmaEs> {
        let population = match settings.population {
            0 => 4 + (3.0 * (count as f64).ln()).floor() as usize,
            population => population,
        };
        Ok(CmaEs {
            settings,
            rates: Rates::new(count, population, settings.covariance),
            first_deviation: sigma,
            sigma,
            mean: zeros(1, count)?,
            shape: Shape::new(settings.covariance, count)?,
            path: zeros(1, count)?,
            covariance_path: zeros(1, count)?,
            generation: 0,
            normals: zeros(population, count)?,
            steps: zeros(population, count)?,
            points: zeros(population, count)?,
            ranks: memory::filled(USE, 0, population)?,
            means: [zeros(1, count)?, zeros(1, count)?],
        })
    }

    /// The mean of the distribution, m, \[n\].
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// The step size σ.
    pub fn sigma(&self) -> f64 {
        self.sigma
    }

    /// The covariance C of two parameters.
    pub fn covariance(&self, i: usize, j: usize) -> f64 {
        self.shape.covariance(i, j)
    }

    /// The next points of these standard normal numbers, point after point: `[λ · n]`.
    pub fn propose(&mut self, mut normal: impl FnMut() -> f64) -> &[f64] {
        self.normals.iter_mut().for_each(|z| *z = normal());
        let count = self.mean.len();
        let rows = self.normals.chunks_exact(count).zip(self.steps.chunks_exact_mut(count));
        for ((z, y), x) in rows.zip(self.points.chunks_exact_mut(count)) {
            self.shape.scale(z, y);
            x.copy_from_slice(&self.mean);
            add_scaled(x, self.sigma, y);
        }
        &self.points
    }
}

impl Proposals for CmaEs {
    fn begin(&mut self, start: &[f64], _loss: f64) {
        self.mean.copy_from_slice(start);
        (self.sigma, self.generation) = (self.first_deviation, 0);
        self.shape.reset();
        self.path.fill(0.0);
        self.covariance_path.fill(0.0);
    }

    fn ask(&mut self, stream: &mut Stream) -> &[f64] {
        self.propose(|| StandardNormal.sample(stream))
    }

    fn tell(&mut self, losses: &[f64]) {
        let (rates, count) = (&self.rates, self.mean.len());
        let row = |rank: usize| rank * count..(rank + 1) * count;
        ranked(&mut self.ranks, losses);
        let [z_mean, y_mean] = &mut self.means;
        z_mean.fill(0.0);
        y_mean.fill(0.0);
        for (&rank, &weight) in self.ranks.iter().zip(&rates.weights) {
            add_scaled(z_mean, weight, &self.normals[row(rank)]);
            add_scaled(y_mean, weight, &self.steps[row(rank)]);
        }
        add_scaled(&mut self.mean, self.sigma, y_mean);
        // C^(-1/2) of the mean of y is that of z, because both come from one root.
        let keep = 1.0 - rates.sigma;
        self.path.iter_mut().for_each(|p| *p *= keep);
        add_scaled(&mut self.path, (rates.sigma * (2.0 - rates.sigma) * rates.mass).sqrt(), z_mean);
        let length = dot(&self.path, &self.path).sqrt();
        self.generation += 1;
        let grown = (1.0 - keep.powi(self.generation.saturating_mul(2))).sqrt();
        let is_short = length / grown < (1.4 + 2.0 / (count as f64 + 1.0)) * rates.length;
        let keep = 1.0 - rates.path;
        self.covariance_path.iter_mut().for_each(|p| *p *= keep);
        if is_short {
            add_scaled(
                &mut self.covariance_path,
                (rates.path * (2.0 - rates.path) * rates.mass).sqrt(),
                y_mean,
            );
        }
        let lost = if is_short { 0.0 } else { rates.one * rates.path * (2.0 - rates.path) };
        self.shape.shrink(1.0 + lost - rates.one - rates.mu);
        self.shape.add(rates.one, &self.covariance_path);
        for (&rank, &weight) in self.ranks.iter().zip(&rates.weights) {
            self.shape.add(rates.mu * weight, &self.steps[row(rank)]);
        }
        self.sigma *= ((rates.sigma / rates.damping) * (length / rates.length - 1.0)).min(MOST_GROWTH).exp();
        if self.generation % rates.every == 0 {
            self.shape.update_root();
        }
    }

    fn deviation(&self) -> f64 {
        self.sigma
    }

    /// Also where σ has grown beyond all bounds, as on a plain that goes on falling.
    fn is_converged(&self) -> bool {
        let widest = self.sigma * self.shape.widest();
        !widest.is_finite() || widest <= self.settings.tolerance_change
    }
}

impl State for CmaEs {
    fn visit(&mut self, archive: &mut Archive) -> Result<()> {
        archive.double("sigma", &mut self.sigma)?;
        archive.numbers("mean", &mut self.mean)?;
        archive.state("shape", &mut self.shape)?;
        archive.numbers("path", &mut self.path)?;
        archive.numbers("covariance_path", &mut self.covariance_path)?;
        archive.value("generation", &mut self.generation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};

    /// The numbers of the tutorial's table 1 for n = 10, computed by hand.
    #[test]
    fn the_rates_are_those_of_the_tutorial() {
        let rates = Rates::new(10, 10, Covariance::Full);
        assert_eq!(rates.weights.len(), 5);
        assert!((rates.weights.iter().sum::<f64>() - 1.0).abs() < 1e-15);
        assert!((rates.weights[0] - 0.456_272_6).abs() < 1e-6, "{}", rates.weights[0]);
        assert!((rates.mass - 3.167_299_28).abs() < 1e-6, "{}", rates.mass);
        assert!((rates.sigma - 5.167_299_28 / 18.167_299_28).abs() < 1e-8);
        assert!((rates.path - 4.316_729_928 / 14.633_459_856).abs() < 1e-8);
        assert!((rates.one - 2.0 / (127.69 + 3.167_299_28)).abs() < 1e-8);
        assert!(rates.every >= 1 && rates.damping == 1.0 + rates.sigma);
    }

    /// On an ill-conditioned bowl, C comes to be in proportion to the inverse of the Hessian.
    #[test]
    fn the_covariance_becomes_that_of_the_bowl() {
        let hessian = [1.0, 100.0];
        for covariance in [Covariance::Full, Covariance::Diagonal] {
            let settings = CmaEsSettings { covariance, ..CmaEsSettings::default() };
            let mut strategy = CmaEs::new(settings, 0.5, 2).unwrap();
            strategy.begin(&[3.0, -2.0], 0.0);
            let mut stream = stream(2, Purpose::Test, 2);
            let mut generations = 0;
            while !strategy.is_converged() {
                let points = strategy.ask(&mut stream);
                let loss = |p: &[f64]| p.iter().zip(hessian).map(|(x, h)| h * x * x).sum::<f64>();
                let losses: Vec<f64> = points.chunks(2).map(loss).collect();
                strategy.tell(&losses);
                generations += 1;
                assert!(generations < 400, "{covariance:?}: {}", strategy.sigma);
            }
            let ratio = strategy.covariance(0, 0) / strategy.covariance(1, 1);
            assert!((10.0..2000.0).contains(&ratio), "{covariance:?}: {ratio}");
            assert!(strategy.mean().iter().all(|x| x.abs() < 1e-7), "{:?}", strategy.mean());
        }
    }
}
