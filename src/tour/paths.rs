//! The ways that all update rules go down the same slopes.

mod pictures;
mod trials;
mod words;

use self::trials::{Arrival, FUNCTIONS, RATES, RULES, SHOWN, STEPS, Trial};
use super::case::{Case, Setting};
use super::figure::Listing;
use super::record::Finding;
use crate::error::Result;
use crate::optim::functions::{BOWL, Function};

pub static CASE: Case = Case {
    name: "paths",
    title: "Every rule's path down five surfaces",
    summary: "all update rules on Rosenbrock, Beale, Himmelblau, a saddle and an ill-conditioned bowl",
    example: "tour_paths",
    run,
};

fn run(_: &Setting) -> Result<Finding> {
    let all = FUNCTIONS.iter().map(|function| trials::trials(function)).collect::<Result<Vec<_>>>()?;
    let lion = trials::falling("lion", &BOWL)?;
    let mut finding = Finding { text: words::text(&all, lion), ..Finding::default() };
    for (function, trials) in FUNCTIONS.iter().zip(&all) {
        // All others are in the tables.
        for trial in trials.iter().filter(|trial| SHOWN.contains(&trial.rule)) {
            let name = format!("{}_{}", function.name, trial.rule);
            finding.note(format!("{name}_rate"), trial.rate);
            finding.note(format!("{name}_height"), trial.height);
            // Not a number where it does not arrive.
            let steps = trial.arrival.map_or(f64::NAN, |arrival| arrival.steps as f64);
            finding.note(format!("{name}_steps"), steps);
        }
    }
    finding.note("saddle_sgd_lingers", words::lingering(&all[3], "sgd") as f64);
    finding.note("bowl_lion_falling_height", lion);
    finding.tables.push(winners(&all));
    finding.tables.extend(FUNCTIONS.iter().zip(&all).map(|(function, trials)| table(function, trials)));
    finding.figures = pictures::figures(&FUNCTIONS, &all);
    Ok(finding)
}

/// Who needs the fewest evaluations on each function.
fn winners(all: &[Vec<Trial>]) -> Listing {
    let cell = |fastest: Option<(&str, Arrival)>| match fastest {
        Some((rule, arrival)) => format!("{rule} ({})", arrival.evaluations),
        None => "–".into(),
    };
    let row = |(function, trials): (&&Function, &Vec<Trial>)| {
        let arrived = trials.iter().filter(|trial| trial.arrival.is_some()).count();
        vec![
            pictures::called(function).into(),
            format!("{arrived} of {}", RULES.len()),
            cell(trials::fastest(trials, |_| true)),
            cell(trials::fastest(trials, words::steps_only)),
        ]
    };
    let columns =
        ["surface", "rules that arrive", "fewest evaluations", "fewest of rules that only take steps"];
    Listing {
        caption: "The winners, with their evaluations".into(),
        columns: columns.map(String::from).to_vec(),
        rows: FUNCTIONS.iter().zip(all).map(row).collect(),
    }
}

/// All rules on a function.
fn table(function: &Function, trials: &[Trial]) -> Listing {
    let row = |trial: &Trial| {
        let count = |of: fn(&Arrival) -> usize| {
            trial.arrival.as_ref().map_or("–".into(), |arrival| of(arrival).to_string())
        };
        vec![
            trial.rule.into(),
            trial.rate.to_string(),
            count(|arrival| arrival.steps),
            count(|arrival| arrival.evaluations),
            words::height(trial.height),
            format!("{} of {}", trial.arriving, RATES.len()),
        ]
    };
    let columns = ["rule", "best rate", "steps", "evaluations", "height at the end", "rates that arrive"];
    Listing {
        caption: format!(
            "{}: {} from ({}, {}), at most {STEPS} steps",
            function.name, function.formula, function.start[0], function.start[1]
        ),
        columns: columns.map(String::from).to_vec(),
        rows: trials.iter().map(row).collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::trials::{FAMILIES, SEARCHING, of};
    use super::*;
    use crate::model::recipe::OPTIMIZERS;
    use crate::model::recipe::Optimizer;
    use crate::optim::functions::{BEALE, ROSENBROCK, SADDLE};
    use crate::optim::minimise::Minimisation;

    #[test]
    fn all_rules_are_tried_and_shown() {
        assert_eq!(OPTIMIZERS.each_ref().map(|kind| kind.name), RULES);
        let searching: Vec<&str> =
            OPTIMIZERS.iter().filter(|kind| kind.searches()).map(|kind| kind.name).collect();
        assert_eq!(searching, SEARCHING);
        let shown = SHOWN.iter().chain(FAMILIES.iter().flat_map(|(_, rules)| rules.iter()));
        assert_eq!(shown.clone().count(), RULES.len());
        assert_eq!(shown.collect::<BTreeSet<_>>(), RULES.iter().collect());
    }

    /// On the bowl, each coordinate of plain descent is a geometric series.
    #[test]
    fn descent_on_the_bowl_is_the_closed_form() {
        let trials = trials::trials(&BOWL).unwrap();
        let sgd = of(&trials, "sgd");
        let [x, y] = BOWL.start;
        let at = |steps: i32| [x * (1.0 - sgd.rate).powi(steps), y * (1.0 - 100.0 * sgd.rate).powi(steps)];
        let height = |steps: i32| {
            let [x, y] = at(steps);
            (x * x + 100.0 * y * y) / 2.0
        };
        let steps = (0..).find(|&steps| height(steps) <= trials::TOLERANCE).unwrap();
        assert!(sgd.arrival.unwrap().steps.abs_diff(steps as usize) <= 1, "{steps} {:?}", sgd.arrival);
        for steps in [1, 10, 100] {
            let (found, [x, y]) = (&sgd.path.points[steps as usize], at(steps));
            assert!((found[0] - x).abs() < 1e-4 && (found[1] - y).abs() < 1e-4, "{found:?}");
        }
    }

    /// Plain descent, written once more, in double precision.
    #[test]
    fn descent_is_the_formula() {
        for function in [&ROSENBROCK, &SADDLE] {
            let trial = trials::run("sgd", 1e-3, function, 500).unwrap();
            let mut at = function.start;
            for found in &trial.points {
                assert!((found[0] - at[0]).hypot(found[1] - at[1]) < 1e-3, "{found:?} {at:?}");
                let mut gradient = [0.0; 2];
                (function.evaluate)(&at, &mut gradient);
                at = [0, 1].map(|i| at[i] - 1e-3 * gradient[i]);
            }
        }
    }

    /// What keeps adamw and muon from the end of Rosenbrock's valley is their weight decay.
    #[test]
    fn decay_keeps_from_arriving() {
        let rosenbrock = trials::trials(&ROSENBROCK).unwrap();
        for rule in ["adamw", "muon"] {
            let trial = of(&rosenbrock, rule);
            assert_eq!(trial.arrival, None);
            let key = if rule == "muon" { "adam_weight_decay" } else { "weight_decay" };
            let ends = |decay: f64| {
                let optimizer = Optimizer::named(rule).unwrap().rate(1.8).with(key, decay).unwrap();
                let run = Minimisation::from(ROSENBROCK.start).steps(STEPS);
                optimizer.minimise(&run, ROSENBROCK.evaluate).unwrap().value()
            };
            assert!(ends(0.0) < trials::TOLERANCE && ends(0.01) > trials::TOLERANCE, "{rule}");
        }
        // Muon treats a point as biases, which follow adamw with a fifth of the rate.
        let muon = trials::run("muon", 1.0, &BEALE, 20).unwrap();
        let adamw = trials::run("adamw", 0.2, &BEALE, 20).unwrap();
        for (muon, adamw) in muon.points.iter().zip(&adamw.points) {
            assert!((muon[0] - adamw[0]).hypot(muon[1] - adamw[1]) < 1e-3, "{muon:?} {adamw:?}");
        }
    }

    #[test]
    fn what_the_text_says_of_the_bowl_is_so() {
        let trials = trials::trials(&BOWL).unwrap();
        let points = |rule| &of(&trials, rule).path.points;
        // Across the valley plain descent changes sides in each step; along it, it does not.
        assert!(points("sgd").windows(2).take(8).all(|pair| pair[0][1] * pair[1][1] < 0.0));
        assert!(points("sgd").iter().all(|point| point[0] < 1e-6));
        assert!(words::beyond(&trials) > 0.2);
        for rule in ["adam", "lion", "rmsprop"] {
            let [from, to] = [&points(rule)[0], &points(rule)[1]];
            let [dx, dy] = [to[0] - from[0], to[1] - from[1]];
            assert!((dx.abs() - dy.abs()).abs() < 1e-3 * dx.abs(), "{rule} {dx} {dy}");
        }
        let steps = |rule| of(&trials, rule).arrival.map(|arrival| arrival.steps);
        assert!(steps("sgd") > steps("momentum") && steps("sgd") > steps("adam"));
        assert_eq!(steps("lion"), None);
        assert!(steps("lbfgs").unwrap() < 10);
        assert!(trials::falling("lion", &BOWL).unwrap() < 0.1 * trials::TOLERANCE);
    }

    #[test]
    fn what_the_text_says_of_the_others_is_so() {
        let all: Vec<_> = FUNCTIONS.iter().map(|function| trials::trials(function).unwrap()).collect();
        let steps = |function: usize, rule| of(&all[function], rule).arrival.map(|arrival| arrival.steps);
        // In Rosenbrock's valley: descent does not arrive, momentum and Adam do, L-BFGS with the fewest steps of these.
        assert_eq!(steps(0, "sgd"), None);
        assert!(steps(0, "lbfgs") < steps(0, "momentum") && steps(0, "momentum") < steps(0, "adam"));
        assert!(of(&all[0], "lbfgs").arrival.unwrap().evaluations > steps(0, "lbfgs").unwrap() + 1);
        assert!(words::arrived(&all[0]) < RULES.len() / 2);
        let floor = words::floor(&all[0]);
        assert!(floor > 0 && floor < 20, "{floor}");
        // On the saddle, most of the time goes by where it is flat.
        let lingers = words::lingering(&all[3], "sgd");
        assert!(2 * lingers > steps(3, "sgd").unwrap() && lingers < steps(3, "sgd").unwrap());
        assert!(words::lingering(&all[3], "adam") < 3 && steps(3, "adam") > steps(3, "sgd"));
        assert_eq!(words::arrived(&all[3]), RULES.len());
        // No rule is best everywhere.
        assert!(words::winners(&all, |_| true).len() >= 3);
        assert!(words::winners(&all, words::steps_only).len() >= 3);
        assert!(words::everywhere(&all) < RULES.len());
        assert_eq!(
            words::everywhere(&all),
            RULES.iter().filter(|rule| (0..5).all(|f| steps(f, rule).is_some())).count()
        );
        let elsewhere = words::elsewhere(&all[2]);
        assert!(!elsewhere.is_empty() && elsewhere.len() < RULES.len() / 2, "{elsewhere:?}");
        // L-BFGS hardly depends on its rate, plain descent a lot.
        let arriving = |rule| words::arriving(&all, rule);
        assert!(arriving("lbfgs") > arriving("adam") && arriving("adam") > arriving("sgd"));
    }
}
