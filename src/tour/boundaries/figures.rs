//! The pictures of this case.

use super::clusters::Clusters;
use super::lines::{Line, Views};
use super::sets::{Points, Set};
use crate::error::Result;
use crate::model::Model;
use crate::tour::figure::{Figure, Grid, Layer, Lines, Named, Picture, Plane, Side};
use crate::train::Predictor;

/// Points along each side of a grid.
const GRID: usize = 80;
const MOONS: [[f64; 2]; 2] = [[-1.6, 2.6], [-1.2, 1.7]];
const BLOBS: [[f64; 2]; 2] = [[-5.0, 5.0], [-4.0, 4.0]];
const MOON_NAMES: [&str; 2] = ["lower moon", "upper moon"];
const BLOB_NAMES: [&str; 2] = ["class 0", "class 1"];

fn plane(name: &str, title: &str, window: [[f64; 2]; 2], layers: Vec<Layer>) -> Figure {
    let [x_label, y_label] = ["x₁", "x₂"].map(String::from);
    let picture =
        Picture::Plane(Plane { x_label, y_label, window, is_square: true, animated: false, layers });
    Figure { name: name.into(), title: title.into(), picture }
}

/// The class on each side of a line.
fn sides(line: &Line, window: [[f64; 2]; 2]) -> Layer {
    Layer::Regions(Grid::of(window, GRID, |x, y| f64::from(u8::from(line.at([x, y]) > 0.0))))
}

/// Two moons, cut by a line.
pub fn moons_by_lines(points: &Points, logistic: &Line, hinge: &Line) -> Figure {
    let mut layers = vec![sides(logistic, MOONS)];
    layers.extend(points.dots(&MOON_NAMES));
    layers.push(logistic.curve("logistic regression", 0.0));
    layers.push(hinge.curve("support vector machine", 0.0));
    plane("moons", "Two moons: no line parts them", MOONS, layers)
}

/// Two moons, parted by a network.
pub fn moons_by_network(points: &Points, model: Model) -> Result<Figure> {
    let mut places = Vec::new();
    let mut grid = Grid::of(MOONS, GRID, |x, y| {
        places.extend([x as f32, y as f32]);
        0.0
    });
    let mut outputs = vec![0.0; places.len()];
    Predictor::new(model)?.predict(&places, &mut outputs)?;
    for (value, [one, other]) in grid.values.iter_mut().zip(outputs.as_chunks::<2>().0) {
        *value = f64::from(u8::from(other > one));
    }
    let mut layers = vec![Layer::Regions(grid)];
    layers.extend(points.dots(&MOON_NAMES));
    Ok(plane("moons-network", "Two moons, parted by a small network", MOONS, layers))
}

/// Both lines between the blobs, and the margin of the machine.
pub fn blobs(set: &Set, views: &Views) -> Figure {
    let hinge = &views.hinge.line;
    let mut layers = vec![sides(&views.logistic.line, BLOBS)];
    layers.extend(set.train.dots(&BLOB_NAMES));
    layers.push(views.logistic.line.curve("logistic regression", 0.0));
    layers.push(hinge.curve("support vector machine", 0.0));
    layers.push(hinge.curve("its margin, class 0", -1.0));
    layers.push(hinge.curve("its margin, class 1", 1.0));
    layers.push(views.best.curve("the best line there is", 0.0));
    plane("blobs", "Two blobs, and three lines between them", BLOBS, layers)
}

/// What a sample costs by how far on the right side it lies.
pub fn losses() -> Figure {
    let course = |name: &str, loss: fn(f64) -> f64| {
        Named::new(name, (0..=120).map(|step| f64::from(step) / 20.0 - 3.0).map(|at| [at, loss(at)]))
    };
    let series = vec![
        course("logistic: ln(1 + e⁻ᵐ)", |margin| (-margin).exp().ln_1p()),
        course("hinge: max(0, 1 - m)", |margin| (1.0 - margin).max(0.0)),
        course("a mistake", |margin| f64::from(u8::from(margin < 0.0))),
    ];
    let x = Side::linear("m, how far on the right side of the line");
    let picture = Picture::Lines(Lines { x, y: Side::linear("loss"), series });
    Figure { name: "losses".into(), title: "Two losses of one sample".into(), picture }
}

fn cluster_window(points: &Points) -> [[f64; 2]; 2] {
    [0, 1].map(|side| {
        let along = || points.places.iter().map(|place| f64::from(place[side]));
        [along().fold(f64::INFINITY, f64::min) - 1.0, along().fold(f64::NEG_INFINITY, f64::max) + 1.0]
    })
}

/// The nearest of some centres.
fn nearest(centres: &[[f64; 2]], window: [[f64; 2]; 2]) -> Layer {
    Layer::Regions(Grid::of(window, GRID, |x, y| {
        let far = |index: &usize| (centres[*index][0] - x).hypot(centres[*index][1] - y);
        (0..centres.len()).min_by(|a, b| far(a).total_cmp(&far(b))).map_or(0.0, |index| index as f64)
    }))
}

/// The ends of both ways, from a good start and from a bad one.
pub fn clusters(found: &Clusters) -> [Figure; 2] {
    let window = cluster_window(&found.points);
    let picture = |name: &str, title: &str, pair: &super::clusters::Pair| {
        let points = found.points.places.iter().map(|place| place.map(f64::from));
        let layers = vec![
            nearest(&pair.lloyd.places(), window),
            Layer::Dots(Named::new("the points", points)),
            Layer::Marks(Named::new("first centres", pair.lloyd.first())),
            Layer::Marks(Named::new("centres by descent", pair.descent.places())),
            Layer::Marks(Named::new("centres by Lloyd's algorithm", pair.lloyd.places())),
        ];
        plane(name, title, window, layers)
    };
    [
        picture("clusters", "Four clusters, from a good start", &found.good),
        picture("clusters-bad", "The same points, from a bad start", &found.bad),
    ]
}

/// The inertia of all four runs.
pub fn inertia(found: &Clusters) -> Figure {
    let runs = [
        ("Lloyd, good start", &found.good.lloyd),
        ("descent, good start", &found.good.descent),
        ("Lloyd, bad start", &found.bad.lloyd),
        ("descent, bad start", &found.bad.descent),
    ];
    // Most of it happens early.
    let series = runs.map(|(name, run)| Named::course(name, run.course.iter().copied().take(31)));
    let (x, y) = (Side::linear("passes over the points"), Side::log("inertia"));
    let picture = Picture::Lines(Lines { x, y, series: series.to_vec() });
    Figure { name: "inertia".into(), title: "The inertia, pass by pass".into(), picture }
}
