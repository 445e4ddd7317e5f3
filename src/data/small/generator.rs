//! What all generators of samples share: their settings, and how samples are drawn.

use rand_distr::{Distribution, StandardNormal};

use super::drawn::{Drawn, DrawnTarget};
use crate::error::{Error, Result};
use crate::memory;
use crate::rng::{Purpose, Stream, stream};

/// The index of the first test sample, far from any training sample.
const FIRST_TEST: u64 = 1 << 32;

/// The index of the stream that constants are drawn from, which no sample has.
const CONSTANTS: u64 = u64::MAX;

/// A whole number that a generator takes: its default and its range. Where the range is one number there is no choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    pub default: usize,
    pub least: usize,
    pub most: usize,
}

impl Count {
    pub(super) const fn fixed(number: usize) -> Count {
        Count { default: number, least: number, most: number }
    }

    pub(super) const fn of(default: usize, [least, most]: [usize; 2]) -> Count {
        Count { default, least, most }
    }

    /// Whether there is a choice.
    pub fn is_open(self) -> bool {
        self.least < self.most
    }
}

/// What is predicted of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A number, `y`.
    Value,
    /// A class, `class`, of these names in alphabetical order; classes without names are called 0, 1 and so on.
    Classes(&'static [&'static str]),
}

/// A rule by which samples are drawn.
#[derive(Debug)]
pub struct Generator {
    /// The name in recipes.
    pub name: &'static str,
    /// What is drawn, in a line.
    pub summary: &'static str,
    /// Samples of each part where no number is asked for.
    pub samples: usize,
    /// The standard deviation of the noise where no other is asked for.
    pub noise: f64,
    /// Features of a sample.
    pub features: Count,
    /// The names of the features; none where they are x1, x2 and so on.
    pub names: &'static [&'static str],
    /// Classes; none of values.
    pub classes: Count,
    pub kind: Kind,
    /// Random numbers that all samples share, uniform in [0, 1).
    pub constants: fn(&Generated) -> usize,
    /// Draws a sample: fills the features, and returns the value, or the class as a number.
    pub draw: fn(&mut Draw, &mut [f64]) -> f64,
}

impl PartialEq for Generator {
    fn eq(&self, other: &Generator) -> bool {
        self.name == other.name
    }
}

/// A sample under way.
pub struct Draw<'a> {
    pub set: &'a Generated,
    /// Random numbers that all samples share.
    pub constants: &'a [f64],
    /// The class of this sample, where there are classes: they take turns.
    pub class: usize,
    pub stream: Stream,
}

impl Draw<'_> {
    /// Noise: a normal number of the standard deviation that was asked for.
    pub fn noise(&mut self) -> f64 {
        let normal: f64 = StandardNormal.sample(&mut self.stream);
        self.set.noise * normal
    }

    /// A number from a range, all alike.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * unit(&mut self.stream)
    }

    /// Moves a point by noise in each direction.
    pub fn blur(&mut self, point: &mut [f64]) {
        point.iter_mut().for_each(|coordinate| *coordinate += self.noise());
    }
}

/// A number in [0, 1) of 53 bits.
fn unit(stream: &mut Stream) -> f64 {
    use rand::Rng;
    (stream.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

/// Training or test samples: they come from different random streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Train,
    Test,
}

/// A generator with its settings.
///
/// ```
/// use fallline::data::small::{Generated, Part};
///
/// let moons = Generated { noise: 0.2, ..Generated::of("moons")? };
/// let samples = moons.draw(Part::Train, 500, 1)?.samples()?;
/// assert_eq!((samples.len(), samples.shape()), (500, [1, 1, 2]));
/// # Ok::<(), fallline::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Generated {
    pub generator: &'static Generator,
    /// The standard deviation of the noise, at least 0: on a value where values are predicted, on each coordinate where
    /// classes are.
    pub noise: f64,
    /// Features of a sample.
    pub features: usize,
    /// Classes; 0 of values.
    pub classes: usize,
}

impl Generated {
    /// A generator as it is by default.
    pub fn by(generator: &'static Generator) -> Generated {
        let (features, classes) = (generator.features.default, generator.classes.default);
        Generated { generator, noise: generator.noise, features, classes }
    }

    /// Draws samples. Sample i depends on the settings, the seed, the part and i alone: fewer of them are the first of
    /// more.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if a setting is outside its range, or if there are no samples, more than `u32::MAX`, or more
    /// than fit in memory.
    pub fn draw(&self, part: Part, samples: usize, seed: u64) -> Result<Drawn> {
        self.check(samples)?;
        let Generated { generator, features: width, classes, .. } = *self;
        let what = "generated samples";
        let mut features = memory::reserved::<f32>(what, samples.saturating_mul(width))?;
        let mut values = memory::reserved::<f32>(what, if classes == 0 { samples } else { 0 })?;
        let mut labels = memory::reserved::<u8>(what, if classes == 0 { 0 } else { samples })?;
        let mut shared = stream(seed, Purpose::Generated, CONSTANTS);
        let constants: Vec<f64> = (0..(generator.constants)(self)).map(|_| unit(&mut shared)).collect();
        let mut row = vec![0.0; width];
        let first = if part == Part::Train { 0 } else { FIRST_TEST };
        for index in 0..samples {
            let stream = stream(seed, Purpose::Generated, first + index as u64);
            let class = if classes == 0 { 0 } else { index % classes };
            let mut draw = Draw { set: self, constants: &constants, class, stream };
            let target = (generator.draw)(&mut draw, &mut row);
            features.extend(row.iter().map(|&number| number as f32));
            if classes == 0 {
                values.push(target as f32);
            } else {
                labels.push(target as u8);
            }
        }
        let target = match generator.kind {
            Kind::Value => DrawnTarget::Values(values),
            Kind::Classes(names) => {
                let names = names.iter().map(|name| name.to_string()).collect();
                DrawnTarget::Classes { labels, classes, names }
            }
        };
        Ok(Drawn { set: generator.name, names: self.feature_names(), features, target })
    }

    /// The names of the features.
    pub fn feature_names(&self) -> Vec<String> {
        match self.generator.names {
            [] => (1..=self.features).map(|number| format!("x{number}")).collect(),
            names => names.iter().map(|name| name.to_string()).collect(),
        }
    }

    /// Refuses settings that are outside their ranges, and more samples than there can be.
    fn check(&self, samples: usize) -> Result<()> {
        let name = self.generator.name;
        let refuse = |what: &str, expected: String, found: String| {
            Err(Error::Mismatch { what: format!("{what} of the set `{name}`"), expected, found })
        };
        if !(1..=u32::MAX as usize).contains(&samples) {
            return refuse("samples", format!("1 to {}", u32::MAX), samples.to_string());
        }
        // Beyond that, samples would leave the range of f32.
        if !(0.0..=MOST_NOISE).contains(&self.noise) {
            return refuse("noise", format!("0 to {MOST_NOISE:e}"), self.noise.to_string());
        }
        let counts = [
            ("features", self.generator.features, self.features),
            ("classes", self.generator.classes, self.classes),
        ];
        for (what, Count { least, most, .. }, number) in counts {
            if !(least..=most).contains(&number) {
                let expected = if least == most { least.to_string() } else { format!("{least} to {most}") };
                return refuse(what, expected, number.to_string());
            }
        }
        Ok(())
    }
}

/// The largest standard deviation of noise.
pub const MOST_NOISE: f64 = 1e9;

/// No constants.
pub(super) fn no_constants(_: &Generated) -> usize {
    0
}
