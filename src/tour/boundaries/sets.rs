//! The points of this case: two moons, and two blobs that overlap.

use crate::data::small::{Drawn, DrawnTarget, Generated, Part};
use crate::data::{Samples, Targets};
use crate::error::Result;
use crate::tour::figure::{Layer, Named};

/// Points of a plane with one of two classes each.
#[derive(Clone)]
pub struct Points {
    pub places: Vec<[f32; 2]>,
    pub classes: Vec<u8>,
}

/// Points to train on, and others to test with.
pub struct Set {
    pub train: Points,
    pub test: Points,
}

const TRAIN: usize = 400;
const TEST: usize = 2000;
/// Centres of blobs are drawn by the seed; with this one they lie apart in both directions.
const SEED: u64 = 1;
/// How far the centres of the blobs are apart, in standard deviations of a blob. The best line errs for a point that is
/// more than half of it from its centre, in the direction of the other one.
pub const DISTANCE: f64 = 3.0;

/// Two half circles, each of which ends inside the other.
pub fn moons() -> Result<Set> {
    let set = Generated { noise: 0.15, ..Generated::of("moons")? };
    Ok(Set {
        train: points(set.draw(Part::Train, TRAIN, SEED)?),
        test: points(set.draw(Part::Test, TEST, SEED)?),
    })
}

/// Two round heaps that overlap, and their true centres; the unit is a standard deviation, and the origin lies between them.
pub fn blobs() -> Result<(Set, [[f64; 2]; 2])> {
    // Without noise every point is a centre.
    let still = Generated { noise: 0.0, classes: 2, ..Generated::of("blobs")? };
    let [one, other] = [0, 1].map(|class| points_of(&still, class));
    let (one, other) = (one?, other?);
    let apart = (0..2).map(|i| (one[i] - other[i]).powi(2)).sum::<f64>().sqrt();
    let unit = apart / DISTANCE;
    let middle = [0, 1].map(|i| (one[i] + other[i]) / 2.0);
    let set = Generated { noise: unit, ..still };
    let moved = |place: [f64; 2]| [0, 1].map(|i| (place[i] - middle[i]) / unit);
    let drawn = |part, count| -> Result<Points> {
        let mut points = points(set.draw(part, count, SEED)?);
        for place in &mut points.places {
            *place = moved(place.map(f64::from)).map(|x| x as f32);
        }
        Ok(points)
    };
    let set = Set { train: drawn(Part::Train, TRAIN)?, test: drawn(Part::Test, TEST)? };
    Ok((set, [moved(one), moved(other)]))
}

fn points_of(set: &Generated, index: usize) -> Result<[f64; 2]> {
    let places = points(set.draw(Part::Train, 2, SEED)?).places;
    Ok(places[index].map(f64::from))
}

fn points(drawn: Drawn) -> Points {
    let places = drawn.features.as_chunks::<2>().0.to_vec();
    let classes = match drawn.target {
        DrawnTarget::Classes { labels, .. } => labels,
        DrawnTarget::Values(_) => Vec::new(),
    };
    Points { places, classes }
}

impl Points {
    /// The points as samples to train on.
    pub fn samples(&self) -> Result<Samples> {
        Samples::floats(
            self.places.as_flattened().to_vec(),
            [1, 1, 2],
            Targets::Classes(self.classes.clone()),
            2,
        )
    }

    /// Those that are wanted.
    pub fn filter(&self, mut is_wanted: impl FnMut([f64; 2], u8) -> bool) -> Points {
        let pairs = self.places.iter().zip(&self.classes);
        let (places, classes) =
            pairs.filter(|(place, class)| is_wanted(place.map(f64::from), **class)).unzip();
        Points { places, classes }
    }

    /// The dots of each class.
    pub fn dots(&self, names: &[&str]) -> Vec<Layer> {
        let of_class = |class: usize| {
            let pairs =
                self.places.iter().zip(&self.classes).filter(move |(_, own)| usize::from(**own) == class);
            pairs.map(|(place, _)| place.map(f64::from))
        };
        names.iter().enumerate().map(|(class, name)| Layer::Dots(Named::new(name, of_class(class)))).collect()
    }
}
