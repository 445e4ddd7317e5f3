//! A genetic algorithm on real numbers: the better points of a generation are the parents of the next.

use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};

use super::proposals::{Proposals, USE, ranked, zeros};
use super::settings::GeneticSettings;
use crate::checkpoint::{Archive, State};
use crate::rng::Stream;
use crate::{Result, memory};

/// Generations of points. Each parent is the best of a few that are drawn; a child has, for each of its numbers, one that
/// is drawn evenly from between its parents' and α of their distance beyond (BLX-α); some of its numbers are changed by a
/// normal amount; the best points stay.
///
/// Eshelman, Schaffer: Real-coded genetic algorithms and interval-schemata (1993) for the crossover; Goldberg, Deb: A
/// comparative analysis of selection schemes used in genetic algorithms (1991) for the tournament.
#[derive(Debug)]
pub struct Genetic {
    settings: GeneticSettings,
    /// The standard deviation of a mutation.
    deviation: f64,
    /// That of the first population about its first point.
    spread: f64,
    count: usize,
    /// `[population · n]`
    points: Vec<f64>,
    /// `[population]`
    losses: Vec<f64>,
    /// The places of points, the best first: `[population]`.
    ranks: Vec<usize>,
    /// The next generation, its elite last: `[population · n]`.
    children: Vec<f64>,
    next_losses: Vec<f64>,
    /// Whether the first population has been told its losses.
    has_population: bool,
}

impl Genetic {
    /// Generations of points of `count` numbers with mutations of this standard deviation, the first of which lie about
    /// their start with the standard deviation `spread`.
    ///
    /// # Errors
    /// If the machine has less memory free.
    pub fn new(settings: GeneticSettings, deviation: f64, spread: f64, count: usize) -> Result<Genetic> {
        let size = settings.population;
        Ok(Genetic {
            settings,
            deviation,
            spread,
            count,
            points: zeros(size, count)?,
            losses: memory::filled(USE, f64::INFINITY, size)?,
            ranks: memory::filled(USE, 0, size)?,
            children: zeros(size, count)?,
            next_losses: memory::filled(USE, f64::INFINITY, size)?,
            has_population: false,
        })
    }

    /// The points that are born in a generation.
    fn births(&self) -> usize {
        self.settings.population - self.settings.elite
    }

    fn parent(&self, stream: &mut Stream) -> usize {
        let draws = (0..self.settings.tournament).map(|_| stream.random_range(0..self.settings.population));
        draws.fold(usize::MAX, |best, place| {
            if best == usize::MAX || self.losses[place] < self.losses[best] { place } else { best }
        })
    }

    fn bear(&mut self, child: usize, stream: &mut Stream) {
        let GeneticSettings { crossover_rate, blend, mutation_rate, .. } = self.settings;
        let has_two = stream.random::<f64>() < crossover_rate;
        let (mother, father) = (self.parent(stream), self.parent(stream));
        for i in 0..self.count {
            let mut gene = self.points[mother * self.count + i];
            if has_two {
                let other = self.points[father * self.count + i];
                let (low, distance) = (gene.min(other), (gene - other).abs());
                gene = low + distance * (stream.random::<f64>() * (1.0 + 2.0 * blend) - blend);
            }
            if stream.random::<f64>() < mutation_rate {
                let normal: f64 = StandardNormal.sample(stream);
                gene += self.deviation * normal;
            }
            self.children[child * self.count + i] = gene;
        }
    }
}

impl Proposals for Genetic {
    fn begin(&mut self, start: &[f64], loss: f64) {
        self.has_population = false;
        self.points[..self.count].copy_from_slice(start);
        self.losses[0] = loss;
    }

    fn ask(&mut self, stream: &mut Stream) -> &[f64] {
        if !self.has_population {
            let (start, others) = self.points.split_at_mut(self.count);
            for (place, to) in others.iter_mut().enumerate() {
                let normal: f64 = StandardNormal.sample(stream);
                *to = start[place % self.count] + self.spread * normal;
            }
            return others;
        }
        for child in 0..self.births() {
            self.bear(child, stream);
        }
        &self.children[..self.births() * self.count]
    }

    fn tell(&mut self, losses: &[f64]) {
        if self.has_population {
            let births = self.births();
            self.next_losses[..births].copy_from_slice(losses);
            for (place, &rank) in self.ranks[..self.settings.elite].iter().enumerate() {
                let to = (births + place) * self.count;
                let best = &self.points[rank * self.count..(rank + 1) * self.count];
                self.children[to..to + self.count].copy_from_slice(best);
                self.next_losses[births + place] = self.losses[rank];
            }
            std::mem::swap(&mut self.points, &mut self.children);
            std::mem::swap(&mut self.losses, &mut self.next_losses);
        } else {
            self.losses[1..].copy_from_slice(losses);
            self.has_population = true;
        }
        ranked(&mut self.ranks, &self.losses);
    }

    fn deviation(&self) -> f64 {
        self.deviation
    }

    fn is_converged(&self) -> bool {
        let tolerance = self.settings.tolerance_change;
        let (first, others) = self.points.split_at(self.count);
        let differs = |(place, x): (usize, &f64)| (x - first[place % self.count]).abs() > tolerance / 2.0;
        self.has_population && !others.iter().enumerate().any(differs)
    }
}

impl State for Genetic {
    fn visit(&mut self, archive: &mut Archive) -> Result<()> {
        archive.numbers("points", &mut self.points)?;
        archive.numbers("losses", &mut self.losses)?;
        archive.value("has_population", &mut self.has_population)?;
        if self.has_population {
            ranked(&mut self.ranks, &self.losses);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};

    fn told(settings: GeneticSettings, deviation: f64, generations: usize) -> Genetic {
        let mut genetic = Genetic::new(settings, deviation, 2.0, 3).unwrap();
        let mut stream = stream(1, Purpose::Test, 1);
        genetic.begin(&[1.0, -2.0, 0.5], 5.25);
        for _ in 0..generations {
            let losses: Vec<f64> =
                genetic.ask(&mut stream).chunks(3).map(|p| p.iter().map(|x| x * x).sum()).collect();
            genetic.tell(&losses);
        }
        genetic
    }

    #[test]
    fn losses_stay_with_their_points_and_the_best_stays() {
        let settings = GeneticSettings { population: 9, ..GeneticSettings::default() };
        let mut best = f64::INFINITY;
        for generations in 1..12 {
            let genetic = told(settings, 0.1, generations);
            for (point, loss) in genetic.points.chunks(3).zip(&genetic.losses) {
                assert_eq!(point.iter().map(|x| x * x).sum::<f64>(), *loss, "{generations}");
            }
            let lowest = genetic.losses[genetic.ranks[0]];
            assert!(genetic.losses.iter().all(|loss| *loss >= lowest) && lowest <= best, "{generations}");
            best = lowest;
        }
        assert!(best < 4.0, "{best}");
    }

    /// Without mutation and beyond its parents a child is nowhere else than between them.
    #[test]
    fn children_lie_where_their_parents_and_the_blend_say() {
        let settings = GeneticSettings {
            population: 40,
            crossover_rate: 1.0,
            blend: 0.0,
            mutation_rate: 0.0,
            elite: 0,
            ..GeneticSettings::default()
        };
        let reach = |settings: GeneticSettings, deviation: f64, generations: usize| {
            let genetic = told(settings, deviation, generations);
            let column = |i: usize| genetic.points.iter().skip(i).step_by(3).copied();
            [0, 1, 2].map(|i| [column(i).fold(f64::MAX, f64::min), column(i).fold(f64::MIN, f64::max)])
        };
        let first = reach(settings, 1.0, 1);
        let inside = |inner: [[f64; 2]; 3]| {
            inner.iter().zip(first).all(|(inner, first)| inner[0] >= first[0] && inner[1] <= first[1])
        };
        assert!(inside(reach(settings, 1.0, 2)));
        // Copies of single parents are points of the generation before.
        let copies = GeneticSettings { crossover_rate: 0.0, ..settings };
        let (before, after) = (told(copies, 1.0, 1), told(copies, 1.0, 2));
        assert!(after.points.chunks(3).all(|point| before.points.chunks(3).any(|parent| parent == point)));
        // And it is seen where it is otherwise.
        assert!(!inside(reach(GeneticSettings { blend: 4.0, tournament: 1, ..settings }, 1.0, 2)));
        assert!(!inside(reach(GeneticSettings { mutation_rate: 1.0, ..settings }, 30.0, 2)));
    }

    #[test]
    fn a_population_of_equals_has_converged() {
        let settings = GeneticSettings { mutation_rate: 0.0, ..GeneticSettings::default() };
        assert!(!told(settings, 0.1, 3).is_converged());
        let copies = GeneticSettings { crossover_rate: 0.0, ..settings };
        assert!(told(copies, 0.1, 40).is_converged());
        assert!(!told(GeneticSettings { mutation_rate: 0.5, ..copies }, 0.1, 40).is_converged());
    }
}
