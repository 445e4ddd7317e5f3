//! How much of the multiply-add peak the real training loop reaches, per model, rule and batch size.
//!
//!     cargo bench --bench step -- [--data DIR] [--threads N] [--rounds N] [--probes] [FILTER]
//!
//! Cases run in turn, epoch by epoch, so that drift of the machine meets all alike. FILTER keeps the
//! cases whose name, such as `mnist-mlp/adam/64`, contains it.

use std::path::PathBuf;

use fallline::Result;
use fallline::bench::throughput::{Case, Sample};
use fallline::data::DataSet;
use fallline::model::{Model, Recipe, recipe::Override};
use fallline::probe::Table;
use fallline::team::Team;
use fallline::train::{dataset, machine};

/// Recipe, rule, batch sizes, samples of an epoch.
const CASES: &[(&str, &str, &[usize], usize)] = &[
    ("mnist-mlp", "adam", &[1], 6000),
    ("mnist-mlp", "sgd", &[1], 6000),
    ("mnist-mlp", "adam", &[16, 64, 256, 1024, 4096], 60_000),
    ("mnist-mlp", "momentum", &[16, 64, 256, 1024, 4096], 60_000),
    ("mnist-mlp-512", "adam", &[16, 64, 256, 1024, 4096], 16_384),
    ("mnist-mlp-2048", "adam", &[64, 256, 1024], 4096),
];

struct Options {
    data: Option<PathBuf>,
    threads: usize,
    rounds: usize,
    probes: bool,
    filter: String,
}

fn options() -> Options {
    let threads = machine::usable_cores();
    let mut options = Options { data: None, threads, rounds: 9, probes: false, filter: String::new() };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().unwrap_or_else(|| panic!("{argument} needs a value"));
        match argument.as_str() {
            "--data" => options.data = Some(value().into()),
            "--threads" => options.threads = value().parse().expect("a number of threads"),
            "--rounds" => options.rounds = value().parse().expect("a number of rounds"),
            "--probes" => options.probes = true,
            "--bench" => {}
            filter => options.filter = filter.into(),
        }
    }
    options
}

struct Prepared {
    name: String,
    recipe: Recipe,
    data: DataSet,
    model: Model,
}

fn prepare(
    name: &str,
    recipe: &str,
    rule: &str,
    batch: usize,
    samples: usize,
    options: &Options,
) -> Result<Prepared> {
    let count = |key: &str, value: usize| Override::new(key, value as i64);
    let overrides = [
        Override::new("optimizer.name", rule),
        Override::new("optimizer.learning_rate", 1e-5),
        count("train.batch", batch),
        count("data.train_samples", samples),
    ];
    let recipe = Recipe::load(recipe, &overrides)?;
    let data = dataset::load(&recipe.data, options.data.as_deref())?;
    let model = Model::build(&recipe.model, data.train.shape(), data.classes, 1)?;
    Ok(Prepared { name: name.into(), recipe, data, model })
}

fn main() -> Result<()> {
    let options = options();
    let team = Team::new(options.threads)?;
    let mut prepared = Vec::new();
    for &(recipe, rule, batches, samples) in CASES {
        for &batch in batches {
            let name = format!("{recipe}/{rule}/{batch}");
            if name.contains(&options.filter) {
                prepared.push(prepare(&name, recipe, rule, batch, samples, &options)?);
            }
        }
    }
    let mut results: Vec<(String, Vec<Sample>, Vec<Table>, usize)> = Vec::new();
    let mut cases = Vec::new();
    for Prepared { name, recipe, data, model } in &mut prepared {
        let steps = data.train.len().div_ceil(recipe.train.batch);
        results.push((name.clone(), Vec::new(), Vec::new(), steps));
        cases.push(Case::new(model, data, recipe, &team)?);
    }
    for round in 0..=options.rounds {
        for (case, (_, samples, ..)) in cases.iter_mut().zip(&mut results) {
            let sample = case.epoch()?;
            // The first round warms up.
            if round > 0 {
                samples.push(sample);
            }
        }
    }
    if options.probes {
        for (case, (_, _, tables, _)) in cases.iter_mut().zip(&mut results) {
            *tables = case.probed_epoch()?;
        }
    }
    println!("{} threads, medians of {} epochs", options.threads, options.rounds);
    println!("{:28} {:>12} {:>10} {:>8}", "case", "samples/s", "step us", "of peak");
    for (name, samples, tables, steps) in &results {
        let rate = median(samples.iter().map(|sample| sample.samples_per_second));
        let fraction = median(samples.iter().map(|sample| sample.fraction_of_peak));
        let batch: f64 = name.rsplit('/').next().and_then(|batch| batch.parse().ok()).unwrap_or(1.0);
        println!("{name:28} {rate:12.0} {:10.2} {fraction:8.3}", batch / rate * 1e6);
        for (worker, table) in tables.iter().enumerate() {
            let per_step = |seconds: f64| seconds * 1e6 / *steps as f64;
            println!("  worker {worker}: waiting {:.2} us a step", per_step(table.waiting.as_secs_f64()));
            for entry in &table.entries {
                let seconds = entry.time.as_secs_f64();
                let gflops = entry.flops as f64 / seconds / 1e9;
                let gigabytes = entry.bytes as f64 / seconds / 1e9;
                println!(
                    "    {:10} layer {}  {:9.2} us  {gflops:6.1} GFLOP/s  {gigabytes:6.1} GB/s",
                    entry.name,
                    entry.layer,
                    per_step(seconds)
                );
            }
        }
    }
    Ok(())
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 }
}
