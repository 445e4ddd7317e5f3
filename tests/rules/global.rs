//! CMA-ES against generations of an independent implementation in f64, in `tests/golden/cma_es.json`, which
//! `scripts/golden/cma_es.py` made; and every update rule on functions of two numbers.

use crate::common::golden::{self, cases, count, numbers, text};
use crate::common::splitmix;
use fallline::engine::model::recipe::OPTIMIZERS;
use fallline::engine::optim::global::{CmaEs, CmaEsSettings, Covariance, Proposals};
use fallline::minimise::{BOWL, Ended, HIMMELBLAU, Minimisation, RASTRIGIN, SADDLE, bowl};
use fallline::{Curve, Optimizer, Schedule};
use serde_json::Value;

/// Of means, σ and C, relative to the largest of each. Sixty generations multiply the rounding of the eigenvalues.
const TOLERANCE: f64 = 1e-9;

/// The largest deviation of what a case shows; `change` may spoil the settings, the first σ and the normal numbers.
fn deviation(
    file: &Value,
    case: &Value,
    change: impl Fn(&mut CmaEsSettings, &mut f64, &mut Vec<f64>),
) -> f64 {
    let [parameters, population, points, generations] =
        ["parameters", "population", "points", "generations"].map(|key| count(&case[key]));
    let covariance = if case["diagonal"] == true { Covariance::Diagonal } else { Covariance::Full };
    let mut settings = CmaEsSettings { population, covariance, ..CmaEsSettings::default() };
    let mut sigma = case["sigma"].as_f64().unwrap();
    let seed = file["seed"].as_u64().unwrap();
    let unit = |u: f32| 3.0f64.sqrt() * f64::from(u);
    let mut normals: Vec<f64> =
        splitmix::uniform(seed, generations * points * parameters).into_iter().map(unit).collect();
    change(&mut settings, &mut sigma, &mut normals);
    let mut strategy = CmaEs::new(settings, sigma, parameters).unwrap();
    let start: Vec<f64> = (0..parameters).map(|i| if i % 2 == 0 { 3.0 } else { -2.0 }).collect();
    strategy.begin(&start, 0.0);
    let mut normals = normals.into_iter();
    let condition = file["condition"].as_f64().unwrap();
    let mut largest = 0.0f64;
    let mut shown = case["shown"].as_array().unwrap().iter().enumerate().peekable();
    for generation in 0..generations {
        let proposed = strategy.propose(|| normals.next().unwrap());
        assert!(settings.population != population || proposed.len() == points * parameters);
        let loss = |p: &[f64]| bowl(condition, p, &mut vec![0.0; p.len()]);
        let losses: Vec<f64> = proposed.chunks(parameters).map(loss).collect();
        strategy.tell(&losses);
        if let Some((at, _)) = shown.next_if(|(_, number)| count(number) == generation) {
            let triangle = (0..parameters).flat_map(|i| (0..=i).map(move |j| (i, j)));
            let covariance: Vec<f64> = triangle.map(|(i, j)| strategy.covariance(i, j)).collect();
            for (found, expected) in [
                (strategy.mean(), &case["means"][at]),
                (&[strategy.sigma()][..], &case["sigmas"][at]),
                (&covariance[..], &case["covariances"][at]),
            ] {
                let expected = numbers(expected);
                assert_eq!(found.len(), expected.len());
                let size = expected.iter().fold(0.0f64, |most, x| most.max(x.abs()));
                let off = found.iter().zip(&expected).map(|(x, y)| (x - y).abs()).fold(0.0, f64::max);
                largest = largest.max(off / size);
            }
        }
    }
    assert!(shown.next().is_none());
    largest
}

#[test]
fn cma_es_agrees_with_an_independent_implementation() {
    let file = golden::read("cma_es.json");
    assert_eq!(cases(&file).len(), 4);
    for case in cases(&file) {
        let (name, off) = (text(&case["name"]), deviation(&file, case, |_, _, _| ()));
        println!("{name}: {off:.1e}");
        assert!(off <= TOLERANCE, "{name}: {off:e}");
        // Another σ, other numbers or another kind of covariance are seen.
        let wrong = [
            deviation(&file, case, |_, sigma, _| *sigma *= 1.0 + 1e-6),
            deviation(&file, case, |_, _, normals| normals.iter_mut().for_each(|z| *z *= 1.0 + 1e-6)),
            deviation(&file, case, |settings, _, _| {
                settings.covariance = match settings.covariance {
                    Covariance::Full => Covariance::Diagonal,
                    Covariance::Diagonal => Covariance::Full,
                };
            }),
        ];
        assert!(wrong.iter().all(|off| *off > TOLERANCE), "{name}: {wrong:?}");
    }
}

/// Learning rates that suit two numbers, where the one for networks does not.
fn optimizer(name: &str) -> Optimizer {
    let optimizer = Optimizer::named(name).unwrap();
    match name {
        "sgd" | "momentum" | "nesterov" => optimizer.rate(0.005),
        "lbfgs" | "cg" | "annealing" | "genetic" | "cma-es" => optimizer,
        "radam" => optimizer.rate(0.02),
        "adadelta" => optimizer.rate(10.0),
        _ => optimizer.rate(0.05),
    }
}

#[test]
fn every_rule_goes_down_a_bowl_and_off_a_saddle() {
    for kind in &OPTIMIZERS {
        let optimizer = optimizer(kind.name);
        for function in [BOWL, SADDLE] {
            let start = [-1.5, 1.0];
            let run = Minimisation::from(start).steps(300);
            let path = optimizer.minimise(&run, function.evaluate).unwrap();
            let above = |value: f64| value - function.lowest;
            let (first, last) = (above(path.values[0]), above(path.value()));
            println!("{} on {}: {first:.3} to {last:.6}", kind.name, function.name);
            assert!(last < 0.2 * first, "{} on {}: {first} to {last}", kind.name, function.name);
            assert_eq!(path.points.len(), path.values.len());
            assert_eq!(path.points[0], start);
            for (point, value) in path.points.iter().zip(&path.values) {
                assert_eq!((function.evaluate)(point, &mut [0.0; 2]), *value, "{}", kind.name);
            }
            assert!(path.ended.is_some() || path.points.len() == 301, "{}", kind.name);
            assert_eq!(path, optimizer.minimise(&run, function.evaluate).unwrap(), "{}", kind.name);
        }
    }
}

/// The steps are those that the formulas say, and a schedule changes them.
#[test]
fn a_path_is_that_of_the_rule_and_its_schedule() {
    let run = Minimisation::from([4.0]).steps(3);
    let square = |p: &[f64], gradient: &mut [f64]| {
        gradient[0] = 2.0 * p[0];
        p[0] * p[0]
    };
    let path = Optimizer::sgd(0.25).minimise(&run, square).unwrap();
    assert_eq!(path.points, [[4.0], [2.0], [1.0], [0.5]]);
    assert_eq!((path.values, path.evaluations, path.ended), (vec![16.0, 4.0, 1.0, 0.25], 4, None));
    let halved = run.clone().schedule(Schedule::of(Curve::Exponential {
        every: fallline::settings::Length::Steps(1),
        gamma: Some(0.5),
    }));
    let path = Optimizer::sgd(0.25).minimise(&halved, square).unwrap();
    assert_eq!(path.points, [[4.0], [2.0], [1.5], [1.3125]]);
    // The wrong sign of the gradient goes up until nothing is finite.
    let wrong = |p: &[f64], gradient: &mut [f64]| {
        gradient[0] = -2.0 * p[0];
        p[0] * p[0]
    };
    let path = Optimizer::sgd(10.0).minimise(&run.clone().steps(200), wrong).unwrap();
    assert!(path.ended == Some(Ended::NotFinite) && path.points.len() < 200);
    let penalised = Optimizer::named("lbfgs").unwrap().with("weight_decay", 2.0).unwrap();
    let shifted = |p: &[f64], gradient: &mut [f64]| {
        gradient[0] = 2.0 * (p[0] - 1.0);
        (p[0] - 1.0) * (p[0] - 1.0)
    };
    // (p - 1)² + p² is lowest at 1/2.
    let path = penalised.minimise(&run, shifted).unwrap();
    assert!((path.end()[0] - 0.5).abs() < 1e-6 && (path.value() - 0.25).abs() < 1e-6, "{path:?}");
}

#[test]
fn what_cannot_be_minimised_is_refused() {
    let refused = |optimizer: Optimizer, run: Minimisation, expected: &str| {
        let error = optimizer.minimise(&run, HIMMELBLAU.evaluate).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    let named = |name| Optimizer::named(name).unwrap();
    let at = |start: &[f64]| Minimisation::from(start);
    refused(named("sgd"), at(&[]), "numbers of the start: expected at least one, all finite, found none");
    refused(named("cg"), at(&[1.0, f64::NAN]), "found NaN");
    refused(
        named("sgd").rate(-1.0),
        at(&[1.0, 1.0]),
        "optimizer sgd: `learning_rate`: expected a number of at least 0",
    );
    refused(named("genetic").rate(0.0), at(&[1.0, 1.0]), "expected a number above 0");
    refused(
        named("adam").with("beta1", 1.5).unwrap(),
        at(&[1.0, 1.0]),
        "`beta1`: expected a number in [0, 1)",
    );
    refused(
        named("genetic").with("elite", 40).unwrap(),
        at(&[1.0, 1.0]),
        "`elite`: expected below `population` (40), found 40",
    );
    let cosine = || Schedule::of(Curve::Cosine { end_factor: 0.0 });
    refused(
        named("cma-es"),
        at(&[1.0, 1.0]).schedule(cosine()),
        "`schedule`: expected `constant` with a rule whose",
    );
    refused(
        named("cma-es"),
        at(&[0.0; 1001]),
        "at most 1000 (with `covariance = \"diagonal\"` at most 100000)",
    );
    // A function that takes two numbers says of three that it is nowhere.
    let path = named("sgd").minimise(&at(&[1.0, 1.0, 1.0]), HIMMELBLAU.evaluate).unwrap();
    assert_eq!((path.ended, path.points.len()), (Some(Ended::NotFinite), 1));
    assert!(
        named("sgd").minimise(&at(&RASTRIGIN.start).steps(0), RASTRIGIN.evaluate).unwrap().points.len() == 1
    );
}
