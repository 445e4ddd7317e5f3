//! The lowest of many valleys: how often descent, descent that is shaken, and global search find it, from 100 starts.

mod methods;
mod pictures;
mod words;

use self::methods::{Method, Outcome};
use super::case::{Case, Setting};
use super::figure::Listing;
use super::record::Finding;
use crate::error::Result;
use crate::optim::functions::{Function, HIMMELBLAU, RASTRIGIN};

pub static CASE: Case = Case {
    name: "valleys",
    title: "Many valleys: who finds the lowest",
    summary: "descent, momentum, noise, restarts, annealing and more from 100 starts on Rastrigin and Himmelblau",
    example: "tour_valleys",
    run,
};

fn run(_: &Setting) -> Result<Finding> {
    let methods = methods::methods()?;
    let outcomes = |function: &Function| {
        methods.iter().map(|method| methods::outcome(method, function)).collect::<Result<Vec<Outcome>>>()
    };
    let (rastrigin, himmelblau) = (outcomes(&RASTRIGIN)?, outcomes(&HIMMELBLAU)?);
    let mut finding = Finding { text: words::text(&rastrigin, &himmelblau), ..Finding::default() };
    for (function, outcomes) in [(&RASTRIGIN, &rastrigin), (&HIMMELBLAU, &himmelblau)] {
        for outcome in outcomes {
            let name = format!("{}_{}", function.name, key(outcome.name));
            finding.note(format!("{name}_found"), outcome.found() as f64);
            finding.note(format!("{name}_evaluations"), outcome.evaluations());
            finding.note(format!("{name}_value"), outcome.value());
        }
    }
    finding.note("himmelblau_moved_by_momentum", words::moved(&himmelblau) as f64);
    finding.tables =
        vec![found(&RASTRIGIN, &rastrigin), found(&HIMMELBLAU, &himmelblau), shares(&himmelblau)];
    // Four that go different ways.
    let shown: Vec<&Method> = [0, 1, 2, 4].map(|place| &methods[place]).to_vec();
    finding.figures = vec![
        pictures::counts(&rastrigin),
        pictures::ways(&shown, methods::STARTS)?,
        pictures::starts(&rastrigin[0]),
        pictures::basins(&himmelblau[1])?,
    ];
    Ok(finding)
}

/// A method's name in those of numbers.
fn key(name: &str) -> String {
    name.to_lowercase().replace(", ", "_").replace([' ', '-'], "_")
}

/// How often each method found the lowest value, and at what price.
fn found(function: &Function, outcomes: &[Outcome]) -> Listing {
    let row = |outcome: &Outcome| {
        let evaluations = format!("{:.0}", outcome.evaluations());
        vec![outcome.name.into(), outcome.found().to_string(), evaluations, words::value(outcome.value())]
    };
    Listing {
        caption: format!("The function {}: {} runs of each method", function.name, methods::STARTS),
        columns: ["method", "found the lowest", "evaluations, mean", "value above the lowest, mean"]
            .map(String::from)
            .to_vec(),
        rows: outcomes.iter().map(row).collect(),
    }
}

/// Which of the minima, all of them lowest, each method's runs ended at.
fn shares(outcomes: &[Outcome]) -> Listing {
    let row = |outcome: &Outcome| {
        let shares = outcome.shares(&HIMMELBLAU).into_iter().map(|share| share.to_string());
        std::iter::once(outcome.name.to_string()).chain(shares).collect()
    };
    let minima = HIMMELBLAU.minima.iter().map(|[x, y]| format!("({x:.2}, {y:.2})"));
    Listing {
        caption: "Himmelblau: how many runs ended at each minimum".into(),
        columns: std::iter::once("method".to_string()).chain(minima).collect(),
        rows: outcomes.iter().map(row).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tour::figure::{Layer, Picture};

    fn outcomes(function: &Function) -> Vec<Outcome> {
        methods::methods().unwrap().iter().map(|method| methods::outcome(method, function).unwrap()).collect()
    }

    /// Plain descent in double precision, written once more.
    fn descended(function: &Function, mut at: [f64; 2]) -> [f64; 2] {
        for _ in 0..methods::BUDGET {
            let mut gradient = [0.0; 2];
            (function.evaluate)(&at, &mut gradient);
            at = [0, 1].map(|i| at[i] - methods::RATE * gradient[i]);
        }
        at
    }

    #[test]
    fn a_value_tells_the_valley() {
        // Rastrigin's second valley, by Newton's method from (1, 0): 2 x + 20 π sin 2π x = 0.
        let tau = std::f64::consts::TAU;
        let x = (0..20).fold(1.0f64, |x, _| {
            x - (2.0 * x + 10.0 * tau * (tau * x).sin()) / (2.0 + 10.0 * tau * tau * (tau * x).cos())
        });
        let second = (RASTRIGIN.evaluate)(&[x, 0.0], &mut [0.0; 2]);
        assert!(second > methods::NEAR && second < 1.0, "{second}");
        // Between Himmelblau's valleys the ways are over saddles: the gradient is 0, the Hessian's determinant negative.
        for [x, y] in pictures::SADDLES {
            let mut gradient = [0.0; 2];
            let value = (HIMMELBLAU.evaluate)(&[x, y], &mut gradient);
            assert!(value > methods::NEAR && gradient.iter().all(|g| g.abs() < 0.02), "{value} {gradient:?}");
            let [xx, yy, xy] = [12.0 * x * x + 4.0 * y - 42.0, 12.0 * y * y + 4.0 * x - 26.0, 4.0 * (x + y)];
            assert!(xx * yy - xy * xy < 0.0);
        }
    }

    #[test]
    fn descent_ends_where_it_does_in_double_precision() {
        for function in [&RASTRIGIN, &HIMMELBLAU] {
            let outcome = methods::outcome(&methods::methods().unwrap()[0], function).unwrap();
            for run in &outcome.runs {
                let [x, y] = descended(function, run.start);
                assert!((run.end[0] - x).hypot(run.end[1] - y) < 1e-3, "{:?}", run.start);
            }
        }
    }

    #[test]
    fn what_the_text_says_of_rastrigin_is_so() {
        let outcomes = outcomes(&RASTRIGIN);
        let found: Vec<usize> = outcomes.iter().map(Outcome::found).collect();
        let &[descent, momentum, noise, restarts, annealing, genetic, cma_es, then, each] = &found[..] else {
            panic!("{found:?}");
        };
        // Descent and momentum hardly ever; noise seldom, though it ends much lower; all others mostly.
        assert!(descent < 10 && momentum < 10 && noise < 20 && noise > descent, "{found:?}");
        assert!(
            [restarts, annealing, genetic, cma_es, then, each].iter().all(|&count| count > 60),
            "{found:?}"
        );
        let value: Vec<f64> = outcomes.iter().map(Outcome::value).collect();
        assert!(value[1] < value[0] && value[2] < 0.5 * value[0], "{value:?}");
        // What descends in the end is at the very bottom of its valley.
        assert!(value[7] < value[4], "{value:?}");
        assert!(outcomes[8].evaluations() < 0.7 * outcomes[4].evaluations());
        // Descent has to begin in the valley itself, which is half way to the next ones on each side.
        let starts = outcomes[0].runs.iter().filter(|run| run.found()).flat_map(|run| run.start);
        assert!(starts.into_iter().all(|x| x.abs() < 0.51));
        for outcome in &outcomes {
            let evaluations = outcome.evaluations();
            assert!(evaluations < 1.2 * methods::BUDGET as f64, "{} {evaluations}", outcome.name);
        }
    }

    #[test]
    fn what_the_text_says_of_himmelblau_is_so() {
        let outcomes = outcomes(&HIMMELBLAU);
        for outcome in &outcomes {
            assert_eq!(outcome.found(), methods::STARTS, "{}", outcome.name);
            assert_eq!(outcome.shares(&HIMMELBLAU).iter().sum::<usize>(), methods::STARTS);
            assert!(outcome.shares(&HIMMELBLAU).iter().all(|&share| share > 0), "{}", outcome.name);
        }
        let steps = outcomes[0].reached();
        assert!(steps[steps.len() - 1] >= 2 * steps[steps.len() / 2], "{steps:?}");
        assert!(words::most(&outcomes[0]) < 40 && words::most(&outcomes[6]) > 50);
        let moved = words::moved(&outcomes);
        assert!(moved > 10 && moved < methods::STARTS, "{moved}");
    }

    #[test]
    fn areas_are_where_descent_goes() {
        let figure =
            pictures::basins(&methods::outcome(&methods::methods().unwrap()[1], &HIMMELBLAU).unwrap());
        let Picture::Plane(plane) = figure.unwrap().picture else { panic!("a plane") };
        let Layer::Regions(areas) = &plane.layers[0] else { panic!("areas") };
        let agree = |start: &[f64; 2]| {
            let near = [0, 1].map(|i| {
                let [low, high] = HIMMELBLAU.window[i];
                ((start[i] - low) / (high - low) * (areas.columns - 1) as f64).round() as usize
            });
            let end = methods::nearest(&HIMMELBLAU, descended(&HIMMELBLAU, *start));
            areas.values[near[1] * areas.columns + near[0]] == end as f64
        };
        // Next to a border, the nearest point of the grid may be on its other side.
        let count = methods::starts(&HIMMELBLAU).iter().filter(|start| agree(start)).count();
        assert!(count >= 90, "{count}");
        assert!(HIMMELBLAU.minima.iter().all(agree));
    }
}
