//! The methods on functions whose minima are known.

use super::*;
use crate::optim::full_batch::settings::{Method, Settings};
use crate::optim::full_batch::{Ended, Formula, Objective};
use crate::optim::functions::{BOWL, Function, HIMMELBLAU, RASTRIGIN, ROSENBROCK};
use crate::optim::minimise::{Minimisation, Path, minimise};
use crate::optim::{FullBatch, Search, Sgd};

const LBFGS: Method = Method::Lbfgs { history_size: 10 };

fn annealing() -> AnnealingSettings {
    AnnealingSettings {
        initial_temperature: 10.0,
        final_temperature: 1e-4,
        steps: 200,
        ..AnnealingSettings::default()
    }
}

fn genetic() -> GeneticSettings {
    GeneticSettings::default()
}

fn cma_es() -> CmaEsSettings {
    CmaEsSettings { population: 40, ..CmaEsSettings::default() }
}

/// Each with its learning rate.
fn methods() -> [(&'static str, GlobalMethod, f64); 4] {
    let diagonal = CmaEsSettings { covariance: Covariance::Diagonal, ..cma_es() };
    [
        ("annealing", GlobalMethod::Annealing(annealing()), 2.0),
        ("genetic", GlobalMethod::Genetic(genetic()), 1.0),
        ("cma-es", GlobalMethod::CmaEs(cma_es()), 3.0),
        ("diagonal", GlobalMethod::CmaEs(diagonal), 3.0),
    ]
}

fn rule(method: GlobalMethod) -> FullBatch {
    FullBatch { spread: 2.0, ..FullBatch::global(method) }
}

fn path(rule: &FullBatch, rate: f64, function: &Function, start: [f64; 2], seed: u64) -> Path {
    minimise(rule, rate, &Minimisation::from(start).steps(60).seed(seed), function.evaluate).unwrap()
}

/// Starts all over Rastrigin's window.
fn starts() -> impl Iterator<Item = (u64, [f64; 2])> {
    (0..20).map(|turn| {
        let at = |factor: f64| 10.24 * ((turn + 1) as f64 * factor).fract() - 5.12;
        (turn, [at(0.618_034), at(0.754_878)])
    })
}

/// From how many of these starts the lowest valley of Rastrigin is found.
fn found(rule: &FullBatch, rate: f64) -> usize {
    let is_found = |&(seed, start): &(u64, [f64; 2])| path(rule, rate, &RASTRIGIN, start, seed).value() < 0.5;
    starts().filter(is_found).count()
}

#[test]
fn each_method_finds_the_bottom_of_a_bowl() {
    for (name, method, rate) in methods() {
        for seed in 0..3 {
            let path = path(&rule(method), rate, &BOWL, BOWL.start, seed);
            assert!(path.value() < 0.05 * path.values[0], "{name}: {}", path.value());
            assert!(path.values.is_sorted_by(|a, b| a >= b), "{name}: the best is not kept");
        }
    }
}

#[test]
fn each_method_finds_rastrigins_lowest_valley_more_often_than_descent() {
    let sgd = Sgd::default();
    let by_descent = starts()
        .filter(|(_, start)| {
            let run = Minimisation::from(*start).steps(2000);
            minimise(&sgd, 0.002, &run, RASTRIGIN.evaluate).unwrap().value() < 0.5
        })
        .count();
    for (name, method, rate) in methods() {
        let by_method = found(&rule(method), rate);
        assert!(by_method >= 10 && by_method > by_descent + 5, "{name}: {by_method}, {by_descent}");
    }
    // It is seen where a method has lost what makes it one: steps that are far too short, no mutation in a small
    // population of one place, no heat.
    let cold = AnnealingSettings { initial_temperature: 1e-6, final_temperature: 1e-6, ..annealing() };
    let lame = GeneticSettings { mutation_rate: 0.0, crossover_rate: 0.0, ..genetic() };
    for (name, method, rate) in [
        ("annealing without heat", GlobalMethod::Annealing(cold), 0.05),
        ("cma-es with short steps", GlobalMethod::CmaEs(cma_es()), 0.01),
    ] {
        assert!(found(&rule(method), rate) <= by_descent + 5, "{name}");
    }
    let lame = FullBatch { spread: 0.05, ..FullBatch::global(GlobalMethod::Genetic(lame)) };
    assert!(found(&lame, 0.3) <= by_descent + 5, "genetic without mutation");
}

#[test]
fn restarts_and_local_descent_find_more() {
    let descent = |restarts| FullBatch { restarts, spread: 3.0, ..FullBatch::new(LBFGS) };
    let [once, often] = [descent(0), descent(19)].map(|rule| {
        let value = |(seed, start): (u64, [f64; 2])| {
            let run = Minimisation::from(start).steps(200).seed(seed);
            let path = minimise(&rule, 1.0, &run, RASTRIGIN.evaluate).unwrap();
            assert!(path.values.is_sorted_by(|a, b| a >= b));
            path.value()
        };
        starts().map(value).sum::<f64>() / 20.0
    });
    assert!(often < 0.5 * once, "{once} {often}");

    // With descent beside it, a search of few proposals ends at the bottom of a valley.
    for (name, method, rate) in methods() {
        for local in [LBFGS, Method::ConjugateGradient { formula: Formula::PolakRibiere }] {
            let global = Global { method, local: Some(local), local_iterations: 20 };
            let with = FullBatch { search: Search::Global(global), ..rule(method) };
            let short = Minimisation::from(RASTRIGIN.start).steps(5).seed(3);
            let end = |rule: &FullBatch| minimise(rule, rate, &short, RASTRIGIN.evaluate).unwrap();
            let (with, without) = (end(&with), end(&rule(method)));
            let slope = |path: &Path| {
                let mut gradient = [0.0; 2];
                (RASTRIGIN.evaluate)(path.end(), &mut gradient);
                gradient.iter().fold(0.0f64, |most, g| most.max(g.abs()))
            };
            assert!(
                slope(&with) < 1e-2 && slope(&without) > 1e-2,
                "{name}: {} {}",
                slope(&with),
                slope(&without)
            );
            assert!(with.value() < without.value() && with.evaluations > without.evaluations, "{name}");
        }
    }
}

#[test]
fn a_seed_gives_the_same_path_and_another_seed_another() {
    for (name, method, rate) in methods() {
        let rule = FullBatch { restarts: 2, ..rule(method) };
        let of = |seed| path(&rule, rate, &HIMMELBLAU, HIMMELBLAU.start, seed);
        assert_eq!(of(5), of(5), "{name}");
        assert_ne!(of(5).points, of(6).points, "{name}");
    }
}

/// The counts agree with the calls that the objective saw, and the point that was taken is one of those.
#[test]
fn evaluations_are_counted_and_the_taken_one_is_named() {
    let descent = FullBatch { restarts: 3, ..FullBatch::new(LBFGS) };
    let all = methods().map(|(_, method, rate)| {
        let global = Global { method, local: Some(LBFGS), local_iterations: 3 };
        (FullBatch { search: Search::Global(global), restarts: 2, ..rule(method) }, rate)
    });
    for (rule, rate) in all.into_iter().chain([(descent, 1.0)]) {
        let mut search = Searcher::new(rule, rate, &ROSENBROCK.start, 20, 7).unwrap();
        let mut before = f64::INFINITY;
        let mut stayed = 0;
        for turn in 0..20 {
            let mut seen = Vec::new();
            let found = search
                .iterate(&mut |p, gradient| {
                    let loss = (ROSENBROCK.evaluate)(p, gradient);
                    seen.push((loss, p.to_vec()));
                    Ok(loss)
                })
                .unwrap();
            assert_eq!(found.evaluations, seen.len(), "{rule:?}");
            let searched = if turn == 0 { &seen[1..] } else { &seen };
            if found.taken > 0 {
                let (loss, point) = &searched[found.taken - 1];
                assert_eq!((*loss, &point[..]), (search.loss(), search.point()), "{rule:?}");
            } else {
                stayed += 1;
                assert!(turn == 0 || search.loss() == before);
            }
            let lowest = seen.iter().map(|(loss, _)| *loss).fold(before, f64::min);
            assert_eq!(lowest, search.loss(), "{rule:?}");
            let Searcher::Best(best) = &search else { panic!("{rule:?}") };
            let mut gradient = [0.0; 2];
            (ROSENBROCK.evaluate)(search.point(), &mut gradient);
            assert_eq!(best.gradient(), gradient);
            before = search.loss();
        }
        assert!(stayed < 20, "{rule:?} never moves");
    }
}

#[test]
fn each_ending_has_its_reason() {
    let ended = |rule: FullBatch, rate: f64, objective: &mut Objective| {
        let mut search = Searcher::new(rule, rate, &[1.0, 1.0], 400, 1).unwrap();
        (0..400).find_map(|turn| search.iterate(objective).unwrap().ended.map(|ended| (turn, ended)))
    };
    let bowl = |p: &[f64], gradient: &mut [f64]| Ok((BOWL.evaluate)(p, gradient));
    for (name, method, rate) in methods() {
        let not_finite = ended(rule(method), rate, &mut |_, _| Ok(f64::NAN));
        assert_eq!(not_finite, Some((0, Ended::NotFinite)), "{name}");
        // Only where it began is the loss finite: the search goes on, and keeps that point.
        let mut calls = 0;
        let mut lonely = |_: &[f64], gradient: &mut [f64]| {
            calls += 1;
            gradient.fill(0.0);
            Ok(if calls == 1 { 1.0 } else { f64::NAN })
        };
        let mut search = Searcher::new(rule(method), rate, &[1.0, 1.0], 5, 1).unwrap();
        for _ in 0..5 {
            search.iterate(&mut lonely).unwrap();
            assert_eq!((search.point(), search.loss()), (&[1.0, 1.0][..], 1.0), "{name}");
        }
    }
    let strategy = rule(GlobalMethod::CmaEs(cma_es()));
    assert_eq!(ended(strategy, 0.5, &mut bowl.clone()).map(|(_, ended)| ended), Some(Ended::Change));
    // The last restart has the reason.
    let descent = FullBatch { restarts: 4, ..FullBatch::new(LBFGS) };
    let (turn, reason) = ended(descent, 1.0, &mut bowl.clone()).unwrap();
    assert!(turn >= 4 && [Ended::Gradient, Ended::Change].contains(&reason), "{turn} {reason:?}");
    let alone = FullBatch { search: Search::Descent(Settings::new(LBFGS)), ..descent };
    assert_eq!(alone, descent);
}

#[test]
fn too_many_parameters_are_refused_with_what_would_do() {
    let new = |method, count: usize| {
        Searcher::new(rule(method), 1.0, &vec![0.0; count], 1, 1).map(drop).map_err(|error| error.to_string())
    };
    for (name, method, _) in methods() {
        let most = method.most_parameters();
        let error = new(method, most + 1).unwrap_err();
        let expected = format!("number of parameters for a global search: expected at most {most}");
        assert!(error.starts_with(&expected), "{name}: {error}");
        assert!(error.ends_with(&format!("found {}", most + 1)), "{name}: {error}");
        let hint = error.contains("with `covariance = \"diagonal\"` at most 100000");
        assert_eq!(hint, name == "cma-es", "{error}");
        new(method, 300).unwrap();
    }
}
