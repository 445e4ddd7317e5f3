//! One rate after the other on a line through nine points, whose loss is a bowl of known curvatures.

use super::words::short;
use crate::data::Samples;
use crate::error::{Error, Result};
use crate::linear::{Linear, LinearKind};
use crate::model::Model;
use crate::model::recipe::Optimizer;
use crate::tour::figure::{Figure, Grid, Layer, Lines, Listing, Named, Picture, Plane, Side};
use crate::tour::record::Finding;
use crate::train::Trainer;

/// The points lie exactly on y = x + 2, at x = -4, -3, … 4: the least loss is 0.
const SLOPE: f64 = 1.0;
const INTERCEPT: f64 = 2.0;
const REACH: i32 = 4;

/// Each rate with a name.
const RATES: [(&str, f64); 4] =
    [("too small", 0.005), ("right", 0.13), ("swinging", 0.148), ("diverging", 0.155)];
const STEPS: usize = 60;
/// A rate with which the numbers soon are too large for the machine.
const FAR_TOO_LARGE: f64 = 0.5;
const MANY_STEPS: usize = 200;
/// The rates that are tried from the least to the largest, each for so many steps.
const SWEEP: [f64; 2] = [0.001, 0.2];
const SWEPT: usize = 80;
const SWEEP_STEPS: usize = 30;

/// The curvatures of the loss along w and b: twice the mean of x², and twice that of 1. The mean of x is 0, so that
/// neither direction disturbs the other.
fn curvatures() -> [f64; 2] {
    let squares: f64 = (-REACH..=REACH).map(|x| f64::from(x * x)).sum();
    [2.0 * squares / f64::from(2 * REACH + 1), 2.0]
}

/// The mean squared error of a line.
fn loss([slope, intercept]: [f64; 2]) -> f64 {
    let [steep, flat] = curvatures();
    (steep * (slope - SLOPE).powi(2) + flat * (intercept - INTERCEPT).powi(2)) / 2.0
}

fn points() -> [Vec<f32>; 2] {
    let x: Vec<f32> = (-REACH..=REACH).map(|x| x as f32).collect();
    let y = x.iter().map(|x| SLOPE as f32 * x + INTERCEPT as f32).collect();
    [x, y]
}

/// A line that begins at w = 0, b = 0.
fn model() -> Result<Model> {
    Model::linear(1, Linear::new(LinearKind::Linear, 1))
}

/// Where w and b are after each step of plain descent with all points, the start first.
fn descend(rate: f64, steps: usize) -> Result<Vec<[f64; 2]>> {
    let mut model = model()?;
    let [x, y] = points();
    let mut places = vec![place(&model)];
    let trainer = Trainer::new().optimizer(Optimizer::sgd(rate)).batch(x.len()).threads(1);
    let mut stepper = trainer.steps(&mut model)?;
    for _ in 0..steps {
        stepper.step(&x, &y)?;
        places.push(place(stepper.model()));
    }
    Ok(places)
}

fn place(model: &Model) -> [f64; 2] {
    let tensors = model.tensors();
    [0, 1].map(|index| f64::from(tensors[index].values[0]))
}

/// What a whole training with this rate says of itself: that it has diverged, and how.
fn told(rate: f64, epochs: usize) -> Result<String> {
    let [x, y] = points();
    let samples = Samples::from_rows(x, 1).values(y)?;
    let trainer =
        Trainer::new().optimizer(Optimizer::sgd(rate)).batch(samples.len()).epochs(epochs).threads(1);
    match trainer.fit(&mut model()?, &samples) {
        Err(error @ Error::Diverged { .. }) => Ok(error.to_string()),
        Err(error) => Err(error),
        Ok(record) => Ok(record.diverged.map_or("finished".into(), |how| {
            format!(
                "diverged: {} was {:.3e}, after {:.3} in the first step",
                how.what,
                how.value,
                how.first.unwrap_or(f64::NAN)
            )
        })),
    }
}

pub(super) fn add(finding: &mut Finding) -> Result<()> {
    let [steep, flat] = curvatures();
    let (limit, best) = (2.0 / steep, 2.0 / (steep + flat));
    finding.note("curvature_steep", steep);
    finding.note("curvature_flat", flat);
    finding.note("rate_limit", limit);
    finding.note("rate_best", best);
    let mut courses = Vec::new();
    for (name, rate) in RATES {
        let course = descend(rate, STEPS)?;
        finding.note(format!("loss_{}", name.replace(' ', "_")), loss(course[STEPS]));
        courses.push(course);
    }
    let swept = sweep()?;
    let lowest = swept.iter().min_by(|a, b| a[1].total_cmp(&b[1])).copied().unwrap_or([f64::NAN; 2]);
    finding.note("rate_lowest_of_sweep", lowest[0]);
    let sayings = [told(RATES[3].1, STEPS)?, told(FAR_TOO_LARGE, MANY_STEPS)?];
    let text = text(finding, &sayings);
    finding.text.extend(text);
    finding.tables.push(table(&courses));
    finding.figures.extend([losses(&courses), sweep_figure(&swept, limit), ways(&courses)]);
    Ok(())
}

/// The loss after some steps, rate by rate.
fn sweep() -> Result<Vec<[f64; 2]>> {
    let [low, high] = SWEEP;
    let rate = |index: usize| low * (high / low).powf(index as f64 / (SWEPT - 1) as f64);
    let swept =
        |rate: f64| -> Result<[f64; 2]> { Ok([rate, loss(descend(rate, SWEEP_STEPS)?[SWEEP_STEPS])]) };
    (0..SWEPT).map(rate).map(swept).collect()
}

fn text(found: &Finding, sayings: &[String; 2]) -> [String; 3] {
    let of = |name: &str| found.number(name);
    let [small, right, swinging, diverging] = RATES.map(|(_, rate)| short(rate));
    [
        format!(
            "A line through nine points has two numbers, w and b, and its loss is a bowl: {:.1} curved along w, {:.1} along b. \
             A step multiplies the distance from the lowest point by 1 - rate × curvature, in each direction by its own. With \
             {small} the flat direction hardly moves. With {right} both shrink fast. With {swinging} the steep direction is \
             multiplied by almost -1: w jumps from one side of the valley to the other, and comes down slowly. With \
             {diverging} the factor is beyond -1, and every jump is wider than the last.",
            of("curvature_steep"),
            of("curvature_flat"),
        ),
        format!(
            "So there is a limit, 2 over the largest curvature: here {:.4}. The best rate, 2 over the sum of the largest and the \
             smallest, is {:.4}; just behind it the loss rises like a wall. In the picture over all rates the way from the left \
             is long and gentle and the end is a cliff: a rate three times too small costs time, one a little too large costs \
             everything. That is why one looks for the cliff and stays well to its left.",
            of("rate_limit"),
            of("rate_best"),
        ),
        format!(
            "fallline says so itself. The run with {diverging} ends with “{}”. A training with {} ends as soon as a number is no \
             longer finite: “{}”. On real networks nobody knows the curvatures; `fallline search --method range-test` looks for \
             the cliff.",
            sayings[0],
            short(FAR_TOO_LARGE),
            sayings[1]
        ),
    ]
}

fn table(courses: &[Vec<[f64; 2]>]) -> Listing {
    let [steep, flat] = curvatures();
    let row = |((name, rate), course): ((&str, f64), &Vec<[f64; 2]>)| {
        let factor = |curvature: f64| format!("{:.3}", 1.0 - rate * curvature);
        let [w, b] = course[STEPS];
        let numbers = [format!("{w:.3}"), format!("{b:.3}"), format!("{:.2e}", loss(course[STEPS]))];
        [vec![format!("{name}: {}", short(rate)), factor(steep), factor(flat)], numbers.to_vec()].concat()
    };
    let columns = ["rate", "factor of w", "factor of b", "w", "b", "loss"].map(String::from).to_vec();
    let caption = format!("Four rates after {STEPS} steps; w = {SLOPE}, b = {INTERCEPT} is the lowest point");
    Listing { caption, columns, rows: RATES.into_iter().zip(courses).map(row).collect() }
}

fn named((name, rate): (&str, f64)) -> String {
    format!("{name}: {}", short(rate))
}

fn losses(courses: &[Vec<[f64; 2]>]) -> Figure {
    let series = RATES.into_iter().zip(courses);
    let series = series.map(|(rate, course)| Named::course(&named(rate), course.iter().map(|&at| loss(at))));
    let lines = Lines { x: Side::linear("step"), y: Side::log("loss"), series: series.collect() };
    Figure {
        name: "sizes".into(),
        title: "The loss with four learning rates".into(),
        picture: Picture::Lines(lines),
    }
}

fn sweep_figure(swept: &[[f64; 2]], limit: f64) -> Figure {
    let span = swept.iter().map(|point| point[1]);
    let [low, high] = [span.clone().fold(f64::INFINITY, f64::min), span.fold(0.0, f64::max)];
    let start = loss([0.0; 2]);
    let series = vec![
        Named::new(&format!("loss after {SWEEP_STEPS} steps"), swept.iter().copied()),
        Named::new("loss at the start", SWEEP.map(|rate| [rate, start])),
        Named::new("2 over the largest curvature", [[limit, low], [limit, high]]),
    ];
    let lines = Lines { x: Side::log("learning rate"), y: Side::log("loss"), series };
    Figure {
        name: "sweep".into(),
        title: "The loss over the learning rate".into(),
        picture: Picture::Lines(lines),
    }
}

fn ways(courses: &[Vec<[f64; 2]>]) -> Figure {
    let window = [[-1.0, 3.0], [-0.5, 4.5]];
    let mut layers = vec![Layer::Contours(Grid::of(window, 60, |w, b| loss([w, b])))];
    for (rate, course) in RATES.into_iter().zip(courses) {
        layers.push(Layer::Path(Named::new(&named(rate), course.iter().copied())));
    }
    layers.push(Layer::Marks(Named::new("lowest point", [[SLOPE, INTERCEPT]])));
    let (x_label, y_label) = ("slope w".into(), "intercept b".into());
    let plane = Plane { x_label, y_label, window, is_square: false, animated: false, layers };
    Figure { name: "ways".into(), title: "The ways of w and b".into(), picture: Picture::Plane(plane) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_multiplies_the_distances_by_its_factors() {
        let [steep, flat] = curvatures();
        assert!((steep - 40.0 / 3.0).abs() < 1e-12 && flat == 2.0);
        for (_, rate) in RATES {
            for (step, [w, b]) in descend(rate, STEPS).unwrap().into_iter().enumerate() {
                let after = |start: f64, curvature: f64| start * (1.0 - rate * curvature).powi(step as i32);
                let (of_w, of_b) = (SLOPE + after(-SLOPE, steep), INTERCEPT + after(-INTERCEPT, flat));
                let slack = 1e-4 * (of_w.abs() + 1.0);
                assert!(
                    (w - of_w).abs() < slack && (b - of_b).abs() < slack,
                    "{rate} {step}: {w} {of_w}, {b} {of_b}"
                );
            }
        }
    }

    #[test]
    fn the_loss_is_that_of_the_points() {
        let [x, y] = points();
        let [slope, intercept] = [0.25, -1.5];
        let off = x.iter().zip(&y).map(|(&x, &y)| (slope * f64::from(x) + intercept - f64::from(y)).powi(2));
        assert!((off.sum::<f64>() / x.len() as f64 - loss([slope, intercept])).abs() < 1e-9);
    }

    #[test]
    fn the_rates_are_what_their_names_say() {
        let mut found = Finding::default();
        add(&mut found).unwrap();
        let [small, right, swinging, diverging] =
            ["too_small", "right", "swinging", "diverging"].map(|name| found.number(&format!("loss_{name}")));
        let start = loss([0.0; 2]);
        assert!(
            right < 1e-3 * swinging
                && swinging < start
                && right < 1e-3 * small
                && small < start
                && diverging > 10.0 * start
        );
        assert!((found.number("rate_lowest_of_sweep") / found.number("rate_best") - 1.0).abs() < 0.1);
        assert!(told(RATES[1].1, STEPS).unwrap() == "finished");
        assert!(told(RATES[3].1, STEPS).unwrap().starts_with("diverged: the mean training loss"));
        assert!(told(FAR_TOO_LARGE, MANY_STEPS).unwrap().starts_with("training diverged"));
    }
}
