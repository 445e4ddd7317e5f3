//! What there is to see on the paths.

use std::collections::BTreeSet;

use super::trials::{RATES, RULES, SEARCHING, STEPS, TOLERANCE, Trial, fastest, of};
use crate::optim::functions::{BEALE, HIMMELBLAU};

/// How far the valleys of the saddle have to be away for a path to linger.
const RIDGE: f64 = 0.5;
/// How near the floor of Rosenbrock's valley is.
const FLOOR: f64 = 0.1;

/// The paragraphs, of the trials on all functions in their order, and the height at which lion ends in the bowl with a rate
/// that falls.
pub fn text(all: &[Vec<Trial>], lion_falling: f64) -> Vec<String> {
    let [rosenbrock, beale, himmelblau, saddle, bowl] = all else { return Vec::new() };
    let elsewhere = elsewhere(himmelblau);
    vec![
        format!(
            "All {} rules go down five surfaces from the same points. Each rule was tried with {} rates from {} to {}, \
             with {STEPS} steps for each, and the best one was kept: a comparison at a single rate would only say whom the \
             rate suits. A path has arrived when its height above the lowest value is below {TOLERANCE} and stays so; a \
             path in a picture ends there. A ring is where it begins, and a line of equal height is crossed at a right \
             angle by plain descent with small steps.",
            RULES.len(),
            RATES.len(),
            RATES[0],
            RATES[RATES.len() - 1]
        ),
        format!(
            "The bowl is a hundred times as steep across as along. Plain descent (sgd) zig-zags: every step goes too far \
             across and too little along. Its rate may not reach 2 / 100, where steps across stop shrinking, so each step \
             along takes off {:.1} % of what is left: {}. Momentum adds up the small steps along: {}; it overshoots by {:.1} \
             and comes back. Adam divides each coordinate by the size of its own gradient, so its first step is as long \
             along as across, a diagonal, however steep the bowl is: {}. Lion steps by the sign alone: also a diagonal, \
             but no step is shorter than the rate, so it ends by going to and fro, {} above the lowest value. A rate \
             that falls to 0 mends that: {}.",
            100.0 * of(bowl, "sgd").rate,
            steps(bowl, "sgd"),
            steps(bowl, "momentum"),
            beyond(bowl),
            steps(bowl, "adam"),
            height(of(bowl, "lion").height),
            height(lion_falling)
        ),
        format!(
            "Rosenbrock's valley is bent, and its floor nearly flat. Plain descent is on the floor after {} steps; then it \
             takes time. It is still {} above the lowest value after {STEPS} steps. Momentum arrives after {}, Adam after \
             {}. L-BFGS learns the curvature from its own steps and needs {}, with {} evaluations in all, as some steps \
             try several lengths. Of all rules {} arrive. That adamw and muon do not is their weight decay, which draws \
             towards (0, 0): muon treats a point as the biases of a layer, which it leaves to adamw.",
            floor(rosenbrock),
            height(of(rosenbrock, "sgd").height),
            steps(rosenbrock, "momentum"),
            steps(rosenbrock, "adam"),
            steps(rosenbrock, "lbfgs"),
            of(rosenbrock, "lbfgs").arrival.map_or(0, |arrival| arrival.evaluations),
            arrived(rosenbrock)
        ),
        format!(
            "Beale's plain is flat in the middle and has walls at its corners, {:.0} times as high as the start. The start \
             is on the plain: {} rules arrive, plain descent after {}, nesterov after {}, Adam after {}. Himmelblau's \
             surface has four valleys, equally deep: {} of the {} rules end at ({:.1}, {:.1}), the minimum nearest to the start; \
             elsewhere end: {}. The case of many valleys goes on from here.",
            wall(),
            arrived(beale),
            steps(beale, "sgd"),
            steps(beale, "nesterov"),
            steps(beale, "adam"),
            RULES.len() - elsewhere.len(),
            RULES.len(),
            HIMMELBLAU.minima[2][0],
            HIMMELBLAU.minima[2][1],
            elsewhere.join(", ")
        ),
        format!(
            "On the saddle the start is almost on the ridge: y is 0.001, and on the ridge itself the slope leads to the \
             saddle point, where it ends. Plain descent goes there first. For {} of its {} it is less than {RIDGE} \
             beside the ridge: its distance from it grows by the same factor in each step, from next to nothing. Adam, which \
             divides by the size of the gradient, makes a large step of a small slope: it is away after {}, though it \
             swings about the minimum before it has arrived, after {}. All {} rules get away: saddles delay, they do not \
             hold.",
            lingering(saddle, "sgd"),
            steps(saddle, "sgd"),
            lingering(saddle, "adam") + 1,
            steps(saddle, "adam"),
            arrived(saddle)
        ),
        format!(
            "No rule is best everywhere. {} different rules need the fewest evaluations on the five surfaces, and {} \
             different ones among those that only take steps. {} of {} rules arrive on all five. The rate is half of \
             the choice: of the {} runs of a rule, L-BFGS arrives in {}, Adam in {}, plain descent in {}. Where the exact \
             gradient is cheap, as here, take L-BFGS or conjugate gradients (cg). A network's gradient \
             comes from a batch and is noisy, which their searches do not take: there momentum and Adam are the usual \
             first choice, each with the rate that was searched for.",
            capital(winners(all, |_| true).len()),
            winners(all, steps_only).len(),
            capital(everywhere(all)),
            RULES.len(),
            RATES.len() * all.len(),
            arriving(all, "lbfgs"),
            arriving(all, "adam"),
            arriving(all, "sgd")
        ),
    ]
}

fn steps(trials: &[Trial], rule: &str) -> String {
    match of(trials, rule).arrival {
        Some(arrival) => format!("{} steps", arrival.steps),
        None => format!("more than {STEPS} steps"),
    }
}

/// A number at the beginning of a sentence.
fn capital(number: usize) -> String {
    let words = ["None", "One", "Two", "Three", "Four", "Five"];
    words.get(number).map_or_else(|| number.to_string(), |word| (*word).to_string())
}

/// A height, in few digits.
pub fn height(height: f64) -> String {
    match height {
        height if !height.is_finite() => "–".into(),
        height if height >= 1.0 => format!("{height:.1}"),
        height if height >= 0.001 => format!("{height:.4}"),
        height if height > 1e-10 => format!("{height:.1e}"),
        _ => "0".into(),
    }
}

/// Whether a rule finds its steps without a search.
pub fn steps_only(rule: &str) -> bool {
    !SEARCHING.contains(&rule)
}

/// How many rules arrive.
pub fn arrived(trials: &[Trial]) -> usize {
    trials.iter().filter(|trial| trial.arrival.is_some()).count()
}

/// How many rules arrive on all functions.
pub fn everywhere(all: &[Vec<Trial>]) -> usize {
    (0..RULES.len()).filter(|&rule| all.iter().all(|trials| trials[rule].arrival.is_some())).count()
}

/// The rules among these that need the fewest evaluations on some function.
pub fn winners(all: &[Vec<Trial>], rules: impl Fn(&str) -> bool) -> BTreeSet<&'static str> {
    all.iter().filter_map(|trials| fastest(trials, &rules)).map(|(rule, _)| rule).collect()
}

/// How far momentum goes beyond the lowest point of the bowl, along it.
pub fn beyond(bowl: &[Trial]) -> f64 {
    of(bowl, "momentum").path.points.iter().map(|point| point[0]).fold(0.0, f64::max)
}

/// The steps after which a rule is still beside the ridge of the saddle.
pub fn lingering(saddle: &[Trial], rule: &str) -> usize {
    of(saddle, rule).path.points.iter().skip(1).take_while(|point| point[1].abs() < RIDGE).count()
}

/// The steps after which plain descent comes to the floor of Rosenbrock's valley, y = x².
pub fn floor(rosenbrock: &[Trial]) -> usize {
    let points = &of(rosenbrock, "sgd").path.points;
    points.iter().take_while(|point| (point[1] - point[0] * point[0]).abs() > FLOOR).count()
}

/// The highest corner of Beale's window, in heights of the start.
fn wall() -> f64 {
    let [[left, right], [low, high]] = BEALE.window;
    let height = |at: [f64; 2]| (BEALE.evaluate)(&at, &mut [0.0; 2]);
    let corners = [[left, low], [left, high], [right, low], [right, high]];
    corners.into_iter().map(height).fold(0.0, f64::max) / height(BEALE.start)
}

/// With how many rates a rule arrives, over all functions.
pub fn arriving(all: &[Vec<Trial>], rule: &str) -> usize {
    all.iter().map(|trials| of(trials, rule).arriving).sum()
}

/// The rules that do not end nearest to the one of Himmelblau's minima that is nearest to the start.
pub fn elsewhere(trials: &[Trial]) -> Vec<&'static str> {
    let nearest = |end: &[f64]| {
        let distance = |place: &usize| {
            let [x, y] = HIMMELBLAU.minima[*place];
            (x - end[0]).hypot(y - end[1])
        };
        (0..HIMMELBLAU.minima.len()).min_by(|a, b| distance(a).total_cmp(&distance(b)))
    };
    let at_start = nearest(&HIMMELBLAU.start);
    let others = trials.iter().filter(|trial| nearest(trial.path.end()) != at_start);
    others.map(|trial| trial.rule).collect()
}
