//! A line through points, by batches of all samples, of ten, and of one.

use super::case::{Case, Setting};
use super::figure::{Figure, Grid, Layer, Lines, Listing, Named, Picture, Plane, Side};
use super::record::{Finding, small};
use crate::data::batches;
use crate::data::small::{DrawnTarget, Generated, Part};
use crate::error::Result;
use crate::kernels::activation::Activation;
use crate::losses::Loss;
use crate::model::Model;
use crate::model::recipe::Optimizer;
use crate::optim::schedule::{Curve, Schedule};
use crate::train::Trainer;

pub static CASE: Case = Case {
    name: "line",
    title: "A line through 100 points",
    summary: "batch, mini-batch and stochastic descent beside the closed form",
    example: "tour_line",
    run,
};

/// The standard deviation of the noise around y = 2 x + 1.
const NOISE: f64 = 0.5;
const POINTS: usize = 100;
const SEED: u64 = 1;
const RATE: f64 = 0.05;
/// Epochs of the runs with a constant rate, and of those whose rate falls to nothing.
const EPOCHS: usize = 400;
const FALLING_EPOCHS: usize = 600;
/// The last epochs of a run with a constant rate, over which its distance from the closed form is averaged.
const LAST: usize = 100;
/// Epochs that are looked at first.
const FIRST: usize = 5;
/// How close to the closed form is close enough.
const CLOSE: f64 = 1e-3;
/// The batches: a name, and how many samples make a step.
const KINDS: [(&str, usize); 3] = [("batch", POINTS), ("mini-batch", 10), ("stochastic", 1)];

/// The points.
struct Data {
    x: Vec<f32>,
    y: Vec<f32>,
}

/// A run: w and b after each epoch, the start first.
type Course = Vec<[f64; 2]>;

fn run(_: &Setting) -> Result<Finding> {
    let data = points()?;
    let exact = closed_form(&data);
    let (mut constant, mut falling) = (Vec::new(), Vec::new());
    for (_, batch) in KINDS {
        constant.push(descend(&data, batch, EPOCHS, Schedule::constant())?);
        falling.push(descend(&data, batch, FALLING_EPOCHS, to_nothing())?);
    }
    let mut finding = Finding::default();
    let least = loss(&data, exact);
    finding.note("slope", exact[0]);
    finding.note("intercept", exact[1]);
    finding.note("least_loss", least);
    for (((name, _), constant), falling) in KINDS.iter().zip(&constant).zip(&falling) {
        let key = name.replace('-', "_");
        let last = constant.iter().rev().take(LAST).map(|&place| distance(place, exact));
        finding.note(format!("{key}_wandering"), last.sum::<f64>() / LAST as f64);
        finding.note(format!("{key}_excess_at_first"), loss(&data, constant[FIRST]) - least);
        finding.note(format!("{key}_falling_distance"), distance(end(falling), exact));
    }
    let within = constant[0].iter().position(|&place| distance(place, exact) < CLOSE);
    finding.note("batch_steps", within.map_or(f64::NAN, |step| step as f64));
    finding.text = text(&finding);
    finding.tables = vec![table(&data, exact, &constant, &falling)];
    finding.figures = vec![
        losses("losses", "The loss, epoch by epoch", &data, exact, &constant),
        fitted(&data, exact, &constant),
        losses("falling", "The same with a rate that falls", &data, exact, &falling),
        way(&data, exact, &constant),
    ];
    Ok(finding)
}

fn points() -> Result<Data> {
    let line = Generated { noise: NOISE, ..Generated::of("line")? };
    let drawn = line.draw(Part::Train, POINTS, SEED)?;
    let DrawnTarget::Values(y) = drawn.target else { unreachable!("the set has values") };
    Ok(Data { x: drawn.features, y })
}

/// The line with the least squares: the covariance of x and y over the variance of x, through both means.
fn closed_form(data: &Data) -> [f64; 2] {
    let mean =
        |values: &[f32]| values.iter().map(|&value| f64::from(value)).sum::<f64>() / values.len() as f64;
    let (x, y) = (mean(&data.x), mean(&data.y));
    let pairs = || data.x.iter().zip(&data.y).map(|(&a, &b)| (f64::from(a) - x, f64::from(b) - y));
    let slope = pairs().map(|(a, b)| a * b).sum::<f64>() / pairs().map(|(a, _)| a * a).sum::<f64>();
    [slope, y - slope * x]
}

/// The mean squared error of a line.
fn loss(data: &Data, [slope, intercept]: [f64; 2]) -> f64 {
    let off = |(&x, &y): (&f32, &f32)| (slope * f64::from(x) + intercept - f64::from(y)).powi(2);
    data.x.iter().zip(&data.y).map(off).sum::<f64>() / POINTS as f64
}

/// How far the worse of slope and intercept is from the closed form's.
fn distance(place: [f64; 2], exact: [f64; 2]) -> f64 {
    (place[0] - exact[0]).abs().max((place[1] - exact[1]).abs())
}

/// A rate that falls to nothing along half a cosine.
fn to_nothing() -> Schedule {
    Schedule::of(Curve::Cosine { end_factor: 0.0 })
}

fn trainer(batch: usize, epochs: usize, schedule: Schedule) -> Trainer {
    Trainer::new()
        .optimizer(Optimizer::sgd(RATE))
        .schedule(schedule)
        .batch(batch)
        .epochs(epochs)
        .seed(SEED)
        .threads(1)
}

/// A dense layer of one unit.
fn model() -> Result<Model> {
    Model::sequential(1).dense(1, Activation::IDENTITY).loss(Loss::MEAN_SQUARED_ERROR).build()
}

/// The steps of [`Trainer::fit`], one by one, so that the parameters after each epoch are seen.
fn descend(data: &Data, batch: usize, epochs: usize, schedule: Schedule) -> Result<Course> {
    let mut model = model()?;
    let mut course = vec![place(&model)];
    let trainer = trainer(batch, epochs, schedule).steps_per_epoch((POINTS / batch) as u64);
    let mut steps = trainer.steps(&mut model)?;
    let mut order = Vec::new();
    for epoch in 0..epochs {
        batches::order(POINTS, SEED, epoch as u64, true, &mut order);
        for chosen in batches::batches(&order, batch) {
            let of = |all: &[f32]| chosen.iter().map(|&index| all[index as usize]).collect::<Vec<f32>>();
            steps.step(&of(&data.x), &of(&data.y))?;
        }
        course.push(place(steps.model()));
    }
    Ok(course)
}

/// The slope and the intercept that a model has.
fn place(model: &Model) -> [f64; 2] {
    let tensors = model.tensors();
    [0, 1].map(|index| f64::from(tensors[index].values[0]))
}

fn end(course: &[[f64; 2]]) -> [f64; 2] {
    course.last().copied().unwrap_or([f64::NAN; 2])
}

fn text(found: &Finding) -> Vec<String> {
    let of = |name: &str| found.number(name);
    vec![
        format!(
            "{POINTS} points lie around y = 2 x + 1. The line with the least squares has a closed form: w = {:.4}, b = {:.4}. \
             Not 2 and 1 exactly, since the points are noisy: descent on these points should find the closed form's numbers, \
             not the true ones.",
            of("slope"),
            of("intercept")
        ),
        format!(
            "The three runs differ only in how many samples make a step: all {POINTS}, ten, or one. An epoch sees each sample \
             once, so it is one step of the first run and {POINTS} of the last. That is why the runs with small batches are far \
             ahead after {FIRST} epochs: the loss of the stochastic one is {:.4} above the least then, that of the batch run \
             {:.4}. The batch run goes straight on, and is within a thousandth of w and b after {:.0} steps, which are as many \
             epochs.",
            of("stochastic_excess_at_first"),
            of("batch_excess_at_first"),
            of("batch_steps")
        ),
        format!(
            "But a step on one sample goes where that sample wants to have the line, and with a constant rate it never stops \
             doing so. See how the loss curves of the small batches end on floors, the smaller the batch the higher: over the \
             last {LAST} epochs they are {:.4} (ten samples) and {:.4} (one) away from the closed form on average, and would be \
             for ever.",
            of("mini_batch_wandering"),
            of("stochastic_wandering")
        ),
        format!(
            "A rate that falls to nothing, here along half a cosine, takes that noise away: after {FALLING_EPOCHS} epochs all \
             three are within a thousandth (batch {:.1e}, mini-batch {:.1e}, stochastic {:.1e}). In practice one takes \
             mini-batches, which use the hardware nearly as well as the whole batch does and still make many steps, and lets \
             the rate fall.",
            of("batch_falling_distance"),
            of("mini_batch_falling_distance"),
            of("stochastic_falling_distance")
        ),
    ]
}

fn table(data: &Data, exact: [f64; 2], constant: &[Course], falling: &[Course]) -> Listing {
    let row = |name: String, place: [f64; 2]| {
        let ([w, b], off) = (place.map(|value| format!("{value:.4}")), distance(place, exact));
        vec![name, w, b, small(off), format!("{:.5}", loss(data, place))]
    };
    let mut rows = vec![row("closed form".into(), exact)];
    for (how, epochs, courses) in [("constant", EPOCHS, constant), ("falling", FALLING_EPOCHS, falling)] {
        for ((name, _), course) in KINDS.iter().zip(courses) {
            rows.push(row(format!("{name}, {how} rate, {epochs} epochs"), end(course)));
        }
    }
    let columns = ["way", "w", "b", "off by", "loss"].map(String::from).to_vec();
    Listing { caption: "Where each way ends".into(), columns, rows }
}

fn losses(name: &str, title: &str, data: &Data, exact: [f64; 2], courses: &[Course]) -> Figure {
    let least = loss(data, exact);
    let series = KINDS.iter().zip(courses).map(|((name, batch), course)| {
        let name = format!("{name} ({batch} in a step)");
        Named::course(&name, course.iter().map(|&place| loss(data, place) - least))
    });
    let (x, y) = (Side::linear("epoch"), Side::log("loss above the least"));
    let picture = Picture::Lines(Lines { x, y, series: series.collect() });
    Figure { name: name.into(), title: title.into(), picture }
}

fn fitted(data: &Data, exact: [f64; 2], constant: &[Course]) -> Figure {
    let line = |name: &str, [slope, intercept]: [f64; 2]| {
        Layer::Curve(Named::new(name, [-1.0, 1.0].map(|x| [x, slope * x + intercept])))
    };
    let points = data.x.iter().zip(&data.y).map(|(&x, &y)| [f64::from(x), f64::from(y)]);
    let layers = vec![
        Layer::Dots(Named::new("the points", points)),
        line("at the start", constant[0][0]),
        line(&format!("batch, after {FIRST} epochs"), constant[0][FIRST]),
        line(&format!("stochastic, after {FIRST} epochs"), constant[2][FIRST]),
        line("closed form", exact),
    ];
    let window = [[-1.0, 1.0], [-2.5, 4.5]];
    Figure { name: "fit".into(), title: "The fitted line".into(), picture: plane("x", "y", window, layers) }
}

fn way(data: &Data, exact: [f64; 2], constant: &[Course]) -> Figure {
    let window = [[-2.0, 2.8], [-0.3, 1.5]];
    let mut layers = vec![Layer::Contours(Grid::of(window, 80, |w, b| loss(data, [w, b])))];
    for ((name, _), course) in KINDS.iter().zip(constant) {
        layers.push(Layer::Path(Named::new(name, course.iter().copied())));
    }
    layers.push(Layer::Marks(Named::new("closed form", [exact])));
    let title = "The way of w and b, an epoch at a time".into();
    Figure { name: "way".into(), title, picture: plane("slope w", "intercept b", window, layers) }
}

fn plane(x_label: &str, y_label: &str, window: [[f64; 2]; 2], layers: Vec<Layer>) -> Picture {
    let [x_label, y_label] = [x_label, y_label].map(String::from);
    Picture::Plane(Plane { x_label, y_label, window, is_square: false, animated: false, layers })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Samples;

    #[test]
    fn all_ways_find_the_closed_form() {
        let found = run(&Setting { threads: 1 }).unwrap();
        for name in ["batch", "mini_batch", "stochastic"] {
            let distance = found.number(&format!("{name}_falling_distance"));
            assert!(distance < CLOSE, "{name}: {distance}");
        }
        assert!((50.0..EPOCHS as f64).contains(&found.number("batch_steps")));
        // What the text says: small batches are fast at first, and end on floors, the smaller the higher.
        let first = |name: &str| found.number(&format!("{name}_excess_at_first"));
        assert!(first("stochastic").max(first("mini_batch")) < 0.2 * first("batch"));
        let wandering = |name: &str| found.number(&format!("{name}_wandering"));
        assert!(wandering("batch") < CLOSE && wandering("mini_batch") > CLOSE);
        assert!(wandering("stochastic") > 3.0 * wandering("mini_batch"));
    }

    #[test]
    fn the_closed_form_solves_the_normal_equations() {
        let data = points().unwrap();
        let [slope, intercept] = closed_form(&data);
        let rest = |x: f32, y: f32| slope * f64::from(x) + intercept - f64::from(y);
        let pairs = || data.x.iter().zip(&data.y);
        for power in [0, 1] {
            assert!(pairs().map(|(&x, &y)| rest(x, y) * f64::from(x).powi(power)).sum::<f64>().abs() < 1e-9);
        }
    }

    #[test]
    fn the_steps_are_those_of_a_whole_training() {
        let data = points().unwrap();
        let samples = Samples::from_rows(data.x.clone(), 1).values(data.y.clone()).unwrap();
        for (_, batch) in KINDS {
            let mut whole = model().unwrap();
            trainer(batch, 20, to_nothing()).fit(&mut whole, &samples).unwrap();
            let alone = descend(&data, batch, 20, to_nothing()).unwrap();
            assert!(distance(place(&whole), end(&alone)) < 1e-6, "{batch}");
        }
    }
}
