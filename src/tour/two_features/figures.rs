//! The pictures and tables of the two features.

use super::super::figure::{Figure, Grid, Layer, Lines, Listing, Named, Picture, Plane, Side};
use super::super::record::small;
use super::problem::{Closed, X, Y, distance, loss, predicted};
use super::uphill::{TOO_LARGE, Uphill};
use crate::optim::minimise::Path;

/// Steps that are shown of runs that go up.
const SHOWN: usize = 30;

pub(super) fn steps(closed: &Closed, path: &Path) -> Listing {
    let row = |name: String, w: &[f64]| {
        let off = small(distance(w, closed.weights));
        vec![
            name,
            format!("{:.4}", w[0]),
            format!("{:.4}", w[1]),
            off,
            format!("{:.5}", loss(w, &mut [0.0; 2])),
        ]
    };
    let last = path.points.len() - 1;
    let mut rows: Vec<Vec<String>> =
        [0, 10, 100, 1000, 3000, 6000, last].map(|step| row(step.to_string(), &path.points[step])).to_vec();
    rows.push(row("closed form".into(), &closed.weights));
    let columns = ["steps", "w₁", "w₂", "off by", "loss"].map(String::from).to_vec();
    Listing { caption: "Descent from zero".into(), columns, rows }
}

pub(super) fn predictions(closed: &Closed, after: [f64; 2]) -> Listing {
    let row = |(x, y): (&[f64; 2], f64)| {
        let of = |w: [f64; 2]| format!("{:.3}", predicted(x, &w));
        vec![format!("{}, {}", x[0], x[1]), y.to_string(), of(after), of(closed.weights)]
    };
    let columns = ["x₁, x₂", "y", "after 1,000 steps", "closed form"].map(String::from).to_vec();
    Listing {
        caption: "What is predicted of each row".into(),
        columns,
        rows: X.iter().zip(Y).map(row).collect(),
    }
}

/// So many of the points of a path that a picture needs: all at first, then ever fewer, and the last.
fn thinned(path: &Path) -> Vec<[f64; 2]> {
    let last = path.points.len() - 1;
    let next = |step: &usize| (*step < last).then(|| (step + 1 + step / 20).min(last));
    std::iter::successors(Some(0), next).map(|step| [path.points[step][0], path.points[step][1]]).collect()
}

pub(super) fn valley(closed: &Closed, path: &Path, after: [f64; 2]) -> Figure {
    let window = [[-0.5, 0.5], [-0.1, 0.9]];
    let layers = vec![
        Layer::Contours(Grid::of(window, 120, |a, b| loss(&[a, b], &mut [0.0; 2]))),
        Layer::Path(Named::new("descent", thinned(path))),
        Layer::Marks(Named::new("after 1,000 steps", [after])),
        Layer::Marks(Named::new("closed form", [closed.weights])),
    ];
    let picture = plane(["weight w₁", "weight w₂"], window, true, layers);
    Figure { name: "valley".into(), title: "The valley, and the way along it".into(), picture }
}

pub(super) fn distances(closed: &Closed, path: &Path, lbfgs: &Path, conjugate: &Path) -> Figure {
    let of = |name: &str, path: &Path| {
        // A logarithmic scale has no place for the closed form itself.
        Named::course(name, path.points.iter().map(|point| distance(point, closed.weights).max(1e-9)))
    };
    let series =
        vec![of("gradient descent", path), of("L-BFGS", lbfgs), of("conjugate gradients", conjugate)];
    let (x, y) = (Side::linear("step"), Side::log("distance of w from the closed form"));
    let picture = Picture::Lines(Lines { x, y, series });
    Figure { name: "distance".into(), title: "How far there is to go".into(), picture }
}

pub(super) fn fit(closed: &Closed, after: [f64; 2]) -> Figure {
    let line = |w: [f64; 2]| X.iter().map(|x| [x[0], predicted(x, &w)]).collect::<Vec<_>>();
    let layers = vec![
        Layer::Curve(Named::new("after 1,000 steps", line(after))),
        Layer::Curve(Named::new("closed form", line(closed.weights))),
        Layer::Dots(Named::new("the rows", X.iter().zip(Y).map(|(x, y)| [x[0], y]))),
    ];
    let labels = ["first feature (the second is 1 more)", "y"];
    let picture = plane(labels, [[0.0, 10.0], [0.0, 6.0]], false, layers);
    Figure { name: "fit".into(), title: "What the two fits predict".into(), picture }
}

pub(super) fn wrong(path: &Path, uphill: &Uphill) -> Figure {
    let of = |name: &str, path: &Path| Named::course(name, path.values.iter().copied().take(SHOWN));
    let series = vec![
        of("the right sign", path),
        of("the wrong sign", &uphill.wrong),
        of(&format!("the right sign, the rate {TOO_LARGE}"), &uphill.too_large),
    ];
    let picture = Picture::Lines(Lines { x: Side::linear("step"), y: Side::log("loss"), series });
    Figure { name: "wrong-sign".into(), title: "Two ways to go up".into(), picture }
}

fn plane(labels: [&str; 2], window: [[f64; 2]; 2], is_square: bool, layers: Vec<Layer>) -> Picture {
    let [x_label, y_label] = labels.map(String::from);
    Picture::Plane(Plane { x_label, y_label, window, is_square, animated: false, layers })
}
