//! The pictures of the paths.

use super::trials::{FAMILIES, SHOWN, Trial, of};
use crate::optim::functions::{BOWL, Function};
use crate::tour::figure::{Figure, Grid, Layer, Named, Picture, Plane};

/// The points along each side of a grid of heights.
const POINTS: usize = 101;
/// The most points of a path, and the least distance between them, in parts of the window's width.
const MOST: usize = 300;
const APART: f64 = 0.003;
/// The rules of the picture that moves.
const MOVING: [&str; 4] = ["sgd", "momentum", "adam", "lion"];

/// The bowl with a few paths that move, and a picture of each function; last, all other rules on each.
pub fn figures(functions: &[&Function], all: &[Vec<Trial>]) -> Vec<Figure> {
    let mut figures = Vec::new();
    for (function, trials) in functions.iter().zip(all) {
        if function.name == BOWL.name {
            let paths = MOVING.map(|rule| path(of(trials, rule), first));
            figures.insert(0, plane("bowl-moving", "The bowl, step by step", function, &paths, true));
        }
        let paths = SHOWN.map(|rule| path(of(trials, rule), |points| thinned(points, function)));
        figures.push(plane(
            function.name,
            &format!("Paths on {}", called(function)),
            function,
            &paths,
            false,
        ));
    }
    for (function, trials) in functions.iter().zip(all) {
        let (first, rest) = function.name.split_at(1);
        for (number, (family, rules)) in FAMILIES.iter().enumerate() {
            let paths = rules.iter().map(|rule| path(of(trials, rule), |points| thinned(points, function)));
            let name = format!("{}-{}", function.name, number + 2);
            let title = format!("{}{rest}: {family}", first.to_uppercase());
            figures.push(plane(&name, &title, function, &paths.collect::<Vec<_>>(), false));
        }
    }
    figures
}

/// A function's name in texts.
pub fn called(function: &Function) -> &'static str {
    match function.name {
        "rosenbrock" => "Rosenbrock's valley",
        "beale" => "Beale's plain",
        "himmelblau" => "Himmelblau's four valleys",
        "saddle" => "the saddle",
        _ => "the bowl",
    }
}

/// The way of a trial until it arrives.
fn path(trial: &Trial, kept: impl Fn(&[[f64; 2]]) -> Vec<[f64; 2]>) -> Layer {
    let points: Vec<[f64; 2]> = trial.path.points.iter().map(|point| [point[0], point[1]]).collect();
    let steps = trial.arrival.map_or(points.len() - 1, |arrival| arrival.steps);
    Layer::Path(Named::new(trial.rule, kept(&points[..=steps])))
}

/// The first points, none left out: in a picture that moves each is a step.
fn first(points: &[[f64; 2]]) -> Vec<[f64; 2]> {
    points.iter().copied().take(MOST + 1).collect()
}

/// The first points that are seen apart, and the last one of all if there was room for those before.
fn thinned(points: &[[f64; 2]], function: &Function) -> Vec<[f64; 2]> {
    let [[left, right], _] = function.window;
    let mut kept: Vec<[f64; 2]> = Vec::new();
    for &[x, y] in points {
        if kept.len() == MOST {
            return kept;
        }
        if kept.last().is_none_or(|[a, b]| (a - x).hypot(b - y) >= APART * (right - left)) {
            kept.push([x, y]);
        }
    }
    kept.extend(points.last());
    kept
}

fn plane(name: &str, title: &str, function: &Function, paths: &[Layer], animated: bool) -> Figure {
    let heights = Grid::of(function.window, POINTS, |x, y| (function.evaluate)(&[x, y], &mut [0.0; 2]));
    let mut layers = vec![Layer::Contours(heights)];
    layers.extend_from_slice(paths);
    layers.push(Layer::Marks(Named::new("lowest point", function.minima.iter().copied())));
    let plane = Plane {
        x_label: "x".into(),
        y_label: "y".into(),
        window: function.window,
        is_square: true,
        animated,
        layers,
    };
    Figure { name: name.into(), title: title.into(), picture: Picture::Plane(plane) }
}
