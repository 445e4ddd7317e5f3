//! The pictures of the valleys.

use super::methods::{Method, Outcome, RATE, Run, nearest};
use crate::error::Result;
use crate::model::recipe::Optimizer;
use crate::optim::functions::{Function, HIMMELBLAU, RASTRIGIN};
use crate::optim::minimise::Minimisation;
use crate::tour::figure::{Bars, Figure, Grid, Layer, Named, Picture, Plane, Side};

/// The points along each side of a picture's grid.
const POINTS: usize = 101;
/// Those of the areas, each of which is a descent of so many steps.
const AREA_POINTS: usize = 81;
const AREA_STEPS: usize = 100;
/// The most points of a path, and the distance that they have at least.
const MOST: usize = 300;
const APART: f64 = 0.03;

/// The points between Himmelblau's valleys at which the gradient is 0, too.
pub const SADDLES: [[f64; 2]; 4] =
    [[0.0867, 2.8843], [3.3852, 0.0739], [-3.0730, -0.0814], [-0.1280, -1.9537]];

/// How often each method finds the lowest valley.
pub fn counts(outcomes: &[Outcome]) -> Figure {
    let bars = Bars {
        x_label: "method".into(),
        y: Side::linear("starts that end in the lowest valley"),
        groups: outcomes.iter().map(|outcome| outcome.name.into()).collect(),
        series: vec![(
            "of 100".into(),
            outcomes.iter().map(|outcome| Some(outcome.found() as f64)).collect(),
        )],
    };
    let title = "Rastrigin: who finds the lowest valley".into();
    Figure { name: "rastrigin-found".into(), title, picture: Picture::Bars(bars) }
}

/// The starts, by whether descent from there finds the lowest valley.
pub fn starts(descent: &Outcome) -> Figure {
    let those = |name: &str, found: bool| {
        let runs = descent.runs.iter().filter(|run| run.found() == found);
        Layer::Dots(Named::new(name, runs.map(|run| run.start)))
    };
    let layers = vec![
        contours(&RASTRIGIN),
        those("start from which descent fails", false),
        those("start from which it finds the lowest", true),
        Layer::Marks(Named::new("lowest point", RASTRIGIN.minima.iter().copied())),
    ];
    plane("rastrigin-starts", "Rastrigin: where plain descent has to begin", &RASTRIGIN, layers)
}

/// The ways of these methods from the same start.
///
/// # Errors
/// Those of the methods.
pub fn ways(methods: &[&Method], number: usize) -> Result<Figure> {
    let mut layers = vec![contours(&RASTRIGIN)];
    for method in methods {
        let path = method.path(&RASTRIGIN, number, RASTRIGIN.start)?;
        layers.push(Layer::Path(Named::new(method.name, thinned(&path.points))));
    }
    layers.push(Layer::Marks(Named::new("lowest point", RASTRIGIN.minima.iter().copied())));
    Ok(plane("rastrigin-ways", "Rastrigin: four ways from one start", &RASTRIGIN, layers))
}

/// Which minimum descent goes to from everywhere, and where momentum has gone from the starts.
///
/// # Errors
/// None is expected.
pub fn basins(momentum: &Outcome) -> Result<Figure> {
    let mut layers = vec![Layer::Regions(areas()?)];
    for (place, [x, y]) in HIMMELBLAU.minima.iter().enumerate() {
        let here = |run: &&Run| nearest(&HIMMELBLAU, run.end) == place;
        let starts = momentum.runs.iter().filter(here).map(|run| run.start);
        layers.push(Layer::Dots(Named::new(&format!("start, momentum to ({x:.1}, {y:.1})"), starts)));
    }
    layers.push(Layer::Marks(Named::new("minimum", HIMMELBLAU.minima.iter().copied())));
    layers.push(Layer::Marks(Named::new("saddle", SADDLES)));
    Ok(plane("himmelblau-basins", "Himmelblau: areas of descent, dots of momentum", &HIMMELBLAU, layers))
}

/// The place of the minimum to which plain descent goes from each point.
///
/// # Errors
/// None is expected.
pub fn areas() -> Result<Grid> {
    let descent = Optimizer::sgd(RATE);
    let mut failed = None;
    let grid = Grid::of(HIMMELBLAU.window, AREA_POINTS, |x, y| {
        match descent.minimise(&Minimisation::from([x, y]).steps(AREA_STEPS), HIMMELBLAU.evaluate) {
            Ok(path) => nearest(&HIMMELBLAU, [path.end()[0], path.end()[1]]) as f64,
            Err(error) => {
                failed = Some(error);
                f64::NAN
            }
        }
    });
    failed.map_or(Ok(grid), Err)
}

fn contours(function: &Function) -> Layer {
    Layer::Contours(Grid::of(function.window, POINTS, |x, y| (function.evaluate)(&[x, y], &mut [0.0; 2])))
}

/// The first points that are not too near to the one before, and the last one.
fn thinned(points: &[Vec<f64>]) -> Vec<[f64; 2]> {
    let mut kept: Vec<[f64; 2]> = Vec::new();
    for point in points {
        let [x, y] = [point[0], point[1]];
        if kept.last().is_none_or(|[a, b]| (a - x).hypot(b - y) >= APART) {
            kept.push([x, y]);
        }
    }
    // Of a way with too many points, every so many-th is shown, which keeps where it wanders.
    let every = kept.len().div_ceil(MOST).max(1);
    let mut kept: Vec<[f64; 2]> = kept.into_iter().step_by(every).collect();
    kept.extend(points.last().map(|point| [point[0], point[1]]));
    kept
}

fn plane(name: &str, title: &str, function: &Function, layers: Vec<Layer>) -> Figure {
    let plane = Plane {
        x_label: "x".into(),
        y_label: "y".into(),
        window: function.window,
        is_square: true,
        animated: false,
        layers,
    };
    Figure { name: name.into(), title: title.into(), picture: Picture::Plane(plane) }
}
