//! Ways to forecast the twelve months after those that are known. Each is given the known months alone.

use crate::data::Samples;
use crate::error::Result;
use crate::kernels::activation::Activation;
use crate::losses::Loss;
use crate::model::Model;
use crate::model::recipe::Optimizer;
use crate::train::{Predictor, Trainer};

/// Months of a season, and of a forecast.
pub(super) const SEASON: usize = 12;
/// Yearly growths that a model reads: a year and a month, so that it sees the month that it predicts as it was a year
/// ago, and the one before that.
pub(super) const WINDOW: usize = SEASON + 1;

/// Iterations of L-BFGS for the linear model: more than it needs to come to its end.
const ITERATIONS: usize = 300;
/// Units of the network's hidden layer, epochs, and networks whose mean is the forecast: a single small one depends on
/// its seed.
const HIDDEN: usize = 16;
const EPOCHS: usize = 60;
const NETWORKS: u64 = 5;

/// The ways to forecast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Last,
    Seasonal,
    Growth,
    Linear,
    Network,
}

impl Method {
    pub(super) const ALL: [Method; 5] =
        [Method::Last, Method::Seasonal, Method::Growth, Method::Linear, Method::Network];

    /// Its name in pictures and tables.
    pub(super) fn title(self) -> &'static str {
        match self {
            Method::Last => "last value",
            Method::Seasonal => "last year",
            Method::Growth => "last year and growth",
            Method::Linear => "linear",
            Method::Network => "network",
        }
    }

    /// Its name in the names of numbers.
    pub(super) fn key(self) -> &'static str {
        match self {
            Method::Last => "last_value",
            Method::Seasonal => "seasonal_naive",
            Method::Growth => "growth_naive",
            Method::Linear => "linear",
            Method::Network => "network",
        }
    }

    /// Learns from the known months what there is to learn.
    pub(super) fn fit(self, known: &[f64]) -> Result<Forecaster> {
        let models = match self {
            Method::Last | Method::Seasonal | Method::Growth => Vec::new(),
            Method::Linear => vec![linear()?],
            Method::Network => (1..=NETWORKS).map(network).collect::<Result<_>>()?,
        };
        let mut forecaster = Forecaster { method: self, mean: 0.0, deviation: 1.0, predictors: Vec::new() };
        if models.is_empty() {
            return Ok(forecaster);
        }
        let growth = growths(known);
        (forecaster.mean, forecaster.deviation) = moments(&growth);
        let samples = forecaster.samples(&growth)?;
        for (mut model, seed) in models.into_iter().zip(1..) {
            self.trainer()?.seed(seed).fit(&mut model, &samples)?;
            forecaster.predictors.push(Predictor::new(model)?);
        }
        Ok(forecaster)
    }

    fn trainer(self) -> Result<Trainer> {
        let trainer = Trainer::new().threads(1);
        Ok(match self {
            // Least squares: a bowl without other minima, of few parameters, to whose bottom a search along lines gets.
            Method::Linear => trainer.optimizer(Optimizer::named("lbfgs")?).epochs(ITERATIONS),
            _ => trainer.optimizer(Optimizer::adam(0.01)).batch(16).epochs(EPOCHS),
        })
    }
}

/// A linear autoregression: each of the next twelve growths is a weighted sum of those in the window.
fn linear() -> Result<Model> {
    Model::sequential(WINDOW).dense(SEASON, Activation::IDENTITY).loss(Loss::MEAN_SQUARED_ERROR).build()
}

fn network(seed: u64) -> Result<Model> {
    Model::sequential(WINDOW)
        .dense(HIDDEN, Activation::TANH)
        .dense(SEASON, Activation::IDENTITY)
        .loss(Loss::MEAN_SQUARED_ERROR)
        .seed(seed)
        .build()
}

/// By how much each month's logarithm is above that of the same month of the year before: from the thirteenth month on.
pub(super) fn growths(known: &[f64]) -> Vec<f64> {
    known.iter().zip(&known[SEASON..]).map(|(before, now)| (now / before).ln()).collect()
}

fn moments(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (squares / count).sqrt())
}

/// A way to forecast, with what it has learnt.
pub(super) struct Forecaster {
    method: Method,
    /// Mean and deviation of the growths that it has learnt from.
    mean: f64,
    deviation: f64,
    predictors: Vec<Predictor>,
}

impl Forecaster {
    /// Every window of growths with the twelve growths after it.
    fn samples(&self, growth: &[f64]) -> Result<Samples> {
        let standard: Vec<f32> = growth.iter().map(|&value| self.standard(value)).collect();
        let (mut x, mut y) = (Vec::new(), Vec::new());
        for part in standard.windows(WINDOW + SEASON) {
            x.extend(&part[..WINDOW]);
            y.extend(&part[WINDOW..]);
        }
        Samples::from_rows(x, WINDOW).values(y)
    }

    fn standard(&self, growth: f64) -> f32 {
        ((growth - self.mean) / self.deviation) as f32
    }

    /// The twelve months after the known ones.
    pub(super) fn forecast(&self, known: &[f64]) -> Result<[f64; SEASON]> {
        let last = known[known.len() - 1];
        let year: [f64; SEASON] = std::array::from_fn(|month| known[known.len() - SEASON + month]);
        Ok(match self.method {
            Method::Last => [last; SEASON],
            Method::Seasonal => year,
            Method::Growth => {
                let growth = last / known[known.len() - 1 - SEASON];
                year.map(|month| month * growth)
            }
            Method::Linear | Method::Network => {
                let growth = self.growth(known)?;
                std::array::from_fn(|month| year[month] * growth[month].exp())
            }
        })
    }

    /// The models' mean of the next twelve growths.
    fn growth(&self, known: &[f64]) -> Result<[f64; SEASON]> {
        let growth = growths(known);
        let window: Vec<f32> =
            growth[growth.len() - WINDOW..].iter().map(|&value| self.standard(value)).collect();
        let mut sum = [0.0; SEASON];
        for predictor in &self.predictors {
            let mut outputs = [0.0f32; SEASON];
            predictor.predict(&window, &mut outputs)?;
            sum.iter_mut().zip(outputs).for_each(|(sum, output)| *sum += f64::from(output));
        }
        Ok(sum.map(|sum| sum / self.predictors.len() as f64 * self.deviation + self.mean))
    }
}
