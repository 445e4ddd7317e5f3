//! Profiles that are measured: that their numbers agree with each other, with the model, and with the machine.

#[path = "../common/mod.rs"]
pub mod common;

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};

use crate::common::observer::Recorder;
use crate::common::program::succeeds;
use fallline::data::{DataSet, source};
use fallline::engine::bench::profile::check::check;
use fallline::engine::bench::profile::record::Site;
use fallline::engine::bench::profile::{self, Length, ProfileRecord, Request, TraceEvent};
use fallline::engine::model::{Model, Recipe};
use fallline::engine::probe::Probes;
use fallline::engine::team::{Team, clock};
use fallline::engine::train::{Session, dataset};

/// A dot above its roof is a fault in the counting. A machine that others use may be slower while a roof is measured
/// than while steps run: hence a margin, and more tries. What is counted wrongly is above in all of them.
const ABOVE: f64 = 1.25;
const TRIES: usize = 6;

/// Tests that measure take turns: each has the machine for itself.
static ALONE: Mutex<()> = Mutex::new(());

/// Layers of all kinds; the first has nothing to do on the way back.
const LAYERS: &str = r#"model.layers=[
    { type = "conv", channels = 16, kernel = 3, padding = 1, bias = false },
    { type = "batch-norm", activation = "relu" },
    { type = "conv", channels = 16, kernel = 3, padding = 1, groups = 16, activation = "relu" },
    { type = "max-pool", kernel = 2 },
    { type = "residual", layers = [
        { type = "conv", channels = 16, kernel = 1 },
        { type = "group-norm", groups = 4 },
        { type = "squeeze-excite" } ] },
    { type = "conv", channels = 24, kernel = 3, stride = 2, activation = "silu" },
    { type = "conv", channels = 24, kernel = 3, groups = 2 },
    { type = "average-pool", kernel = 2 },
    { type = "flatten" },
    { type = "dense", units = 64 },
    { type = "layer-norm", activation = "relu" },
    { type = "dropout", rate = 0.1 },
    { type = "dense", units = 10, weight_norm = true } ]"#;

fn request(settings: &[&str], length: Length) -> Request {
    let overrides: Vec<_> = settings.iter().map(|setting| setting.parse().unwrap()).collect();
    Request {
        recipe: Recipe::load("digits-mlp", &overrides).unwrap(),
        threads: 2,
        length,
        layer: None,
        predict: false,
        trace: false,
        counters: false,
        command: "fallline profile digits-mlp".into(),
    }
}

fn data(request: &Request) -> DataSet {
    dataset::load(&request.recipe.data, None).unwrap()
}

fn measured(request: &Request) -> (ProfileRecord, Vec<TraceEvent>) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (record, events) =
        profile::measure(request, &data(request), &AtomicBool::new(false), &mut |_| ()).unwrap();
    assert_eq!(check(&record), Ok(()));
    let covered: f64 = record.sites.iter().map(|site| site.seconds_per_step).sum();
    let ratio = (covered + record.uncovered) / record.step_seconds;
    assert!((ratio - 1.0).abs() < 1e-6, "{ratio}");
    for site in &record.sites {
        assert_eq!(site.worker_seconds.len(), request.threads);
    }
    assert!(record.sites.is_sorted_by(|a, b| a.saving >= b.saving));
    assert!(!record.timeline.is_empty());
    for event in &record.timeline {
        assert!(event.worker < request.threads && event.start >= 0.0 && event.seconds >= 0.0, "{event:?}");
    }
    (record, events)
}

/// Call sites that are above their roofs.
fn above(record: &ProfileRecord) -> BTreeSet<(Option<String>, String)> {
    let is_above = |site: &&Site| site.fraction_of_roof.is_some_and(|fraction| fraction > ABOVE);
    record.sites.iter().filter(is_above).map(|site| (site.layer.clone(), site.operation.clone())).collect()
}

#[test]
fn nothing_is_above_its_roof_each_time() {
    let ways: [(&[&str], bool, usize); 4] = [
        (&["train.batch=1000", "optimizer.name=lamb"], false, 2),
        (&[LAYERS, "train.batch=32"], false, 1),
        (&[LAYERS, "train.batch=32"], true, 2),
        (&["optimizer.name=muon"], false, 2),
    ];
    for (settings, predict, threads) in ways {
        let request = Request { predict, threads, ..request(settings, Length::Seconds(0.1)) };
        let mut always = above(&measured(&request).0);
        for _ in 1..TRIES {
            if !always.is_empty() {
                always = &always & &above(&measured(&request).0);
            }
        }
        assert!(always.is_empty(), "{settings:?} on {threads}, predict {predict}: {always:?}");
    }
    // A roof that is too low by a miscount is noticed.
    let mut record = measured(&request(&[], Length::Seconds(0.1))).0;
    let site = record.sites.iter_mut().find(|site| site.fraction_of_roof.is_some()).unwrap();
    site.fraction_of_roof = Some(1.1 * ABOVE);
    let wrong = (site.layer.clone(), site.operation.clone());
    assert!(above(&record).contains(&wrong));
}

#[test]
fn a_training_has_all_its_parts() {
    let (record, events) = measured(&request(&["train.batch=64"], Length::Steps(4..16)));
    // The turns of probed and plain steps.
    assert!(record.steps >= 4 && record.steps < 12, "{}", record.steps);
    assert!(record.plain_step_seconds > 0.0 && events.is_empty());
    let settings = &record.settings;
    assert_eq!((settings.mode.as_str(), settings.batch, settings.threads), ("train", 64, 2));
    let nominal: f64 = record.sites.iter().map(|site| site.nominal_flops).sum();
    let expected = settings.flops_per_sample * settings.batch as f64;
    assert!((nominal / expected - 1.0).abs() < 1e-9, "{nominal}, {expected}");
    for operation in ["gather", "forward", "loss", "input-gradient", "weight-gradient", "update", "barrier"] {
        assert!(record.sites.iter().any(|site| site.operation == operation), "{operation}");
    }
    assert!(record.roofs.flops_per_second > 0.0 && record.roofs.levels.len() > 1);
}

#[test]
fn inference_has_its_forward_pass_alone() {
    let request = Request { predict: true, ..request(&["train.batch=100"], Length::Seconds(0.1)) };
    let (record, _) = measured(&request);
    let mut operations: Vec<&str> = record.sites.iter().map(|site| site.operation.as_str()).collect();
    operations.sort_unstable();
    operations.dedup();
    assert_eq!(operations, ["barrier", "forward", "gather", "predict"]);
    let nominal: f64 = record.sites.iter().map(|site| site.nominal_flops).sum();
    assert!((nominal / record.settings.flops_per_sample / 100.0 - 1.0).abs() < 1e-9);
    assert_eq!(record.settings.mode, "predict");
}

#[test]
fn whatever_can_be_trained_can_be_profiled() {
    let ways: [&[&str]; 5] = [
        &["optimizer.name=lbfgs", "train.batch=all", "data.train_samples=200"],
        &["optimizer.name=muon", "augment.rotation=5", "average.method=\"ema\""],
        &["gradient.clip_norm=1", "stop.gradient_norm=100", "stop.steps=1"],
        &["data.validation=100", "train.accumulate=2"],
        &["optimizer.name=lamb", "model.loss=\"hinge\""],
    ];
    for settings in ways {
        let (record, _) = measured(&request(settings, Length::Seconds(0.1)));
        assert!(record.steps > 0, "{settings:?}");
    }
}

#[test]
fn a_trace_holds_the_calls_of_the_steps_and_the_layer_that_was_asked_for() {
    let all = Request { trace: true, ..request(&[], Length::Steps(3..9)) };
    let (record, events) = measured(&all);
    let calls: f64 = record.sites.iter().map(|site| site.calls).sum();
    assert_eq!(events.len() as f64, (calls * record.steps as f64).round());
    assert!(events.iter().all(|event| (3..9).contains(&event.step) && event.worker < 2));
    let first = Request { layer: Some("0".into()), ..all.clone() };
    let (_, events) = measured(&first);
    assert!(!events.is_empty() && events.iter().all(|event| event.layer.as_deref() == Some("0")));
}

#[test]
fn what_cannot_be_measured_is_said() {
    let fails = |request: &Request, stop: bool| {
        profile::measure(request, &data(request), &AtomicBool::new(stop), &mut |_| ())
            .unwrap_err()
            .to_string()
    };
    let few = || Length::Steps(0..2);
    let layer = Request { layer: Some("7".into()), ..request(&[], few()) };
    let message = fails(&layer, false);
    assert!(message.contains("--layer") && message.contains('7'), "{message}");
    let large = fails(&request(&["train.batch=1000000"], few()), false);
    assert!(large.contains("at most") && large.contains("1000000"), "{large}");
    let interrupted = fails(&request(&[], Length::Steps(100..200)), true);
    assert!(interrupted.contains("interruption"), "{interrupted}");
}

/// A profile of a network that is frozen in part has the step that is left.
#[test]
fn what_is_frozen_has_no_gradient_to_measure() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    let layers_of = |more: &[&str]| {
        let profile =
            ["profile", "digits-mlp", "--batch=64", "--threads=1", "--seconds=0.05", "--json=p.json"];
        succeeds(folder.path(), &[&profile[..], more].concat());
        let record: ProfileRecord =
            serde_json::from_slice(&std::fs::read(folder.path().join("p.json")).unwrap()).unwrap();
        assert_eq!(check(&record), Ok(()));
        let gradients = record.sites.into_iter().filter(|site| site.operation == "weight-gradient");
        let layers: BTreeSet<String> = gradients.filter_map(|site| site.layer).collect();
        (layers, record.settings.flops_per_sample)
    };
    let (whole, part) = (layers_of(&[]), layers_of(&["--set=train.freeze=all-but-last"]));
    assert_eq!(whole.0, ["0", "2"].map(String::from).into());
    assert_eq!(part.0, ["2"].map(String::from).into());
    // 784 x 128 and 128 x 10: forward, and the gradients of weights; nobody wants that of an input.
    assert_eq!(part.1, 2.0 * (784.0 * 128.0 + 2.0 * 128.0 * 10.0));
    assert!(part.1 < whole.1);
}

/// A program of its own gets the same record.
#[test]
fn a_session_gives_a_profile() {
    let recipe = Recipe::load("digits-mlp", &["train.batch=50".parse().unwrap()]).unwrap();
    let data = source::generate_digits([500, 10], 1).unwrap();
    let mut model = Model::build(&recipe.model, [28, 28, 1], 10, 1).unwrap();
    let team = Team::new(2).unwrap();
    let roofs = profile::measure_roofs(&team, &mut |_| ());
    let mut session = Session::new(&mut model, &data.train, &recipe, &team).unwrap();
    let mut probes = Probes::new(clock::ticks);
    probes.most_calls = 10_000;
    for _ in 0..2 {
        session.probed_epoch(&AtomicBool::new(false), &mut Recorder::default(), Some(&mut probes)).unwrap();
    }
    let record = profile::of_session(&session, &probes, roofs);
    assert_eq!(check(&record), Ok(()));
    assert_eq!((record.steps, record.settings.batch), (20, 50));
    assert!(record.sites.iter().any(|site| site.operation == "weight-gradient"));
}
