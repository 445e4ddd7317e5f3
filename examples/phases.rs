//! Where the time of a training step goes: microseconds a step of each kernel of each layer, for
//! each worker; before them, what its arithmetic alone would take at the multiply-add peak, measured
//! just then. `scripts/phases_table.py` makes a table of several cases.
//!
//!     cargo run --release --example phases -- [RECIPE] [OPTIMIZER] [BATCH] [THREADS] [ISA]
//!
//! ISA is "baseline", "AVX2" or "AVX-512": the best that the CPU has, unless it is given.

use std::time::{Duration, Instant};

use fallline::engine::bench::peak;
use fallline::engine::bench::plan::{BenchPlan, Choice};
use fallline::engine::bench::throughput::Case;
use fallline::engine::kernels::simd::isa::{Isa, force};
use fallline::engine::probe::Operation;
use fallline::engine::team::{Team, clock};
use fallline::engine::train::machine::usable_cores;
use fallline::{Error, Result};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |index: usize, default: &str| {
        arguments.get(index).map_or(default.to_string(), |argument| argument.clone())
    };
    let number = |index: usize, key: &str, default: usize| {
        let text = argument(index, &default.to_string());
        text.parse().ok().filter(|&number: &usize| number > 0).ok_or(Error::Setting {
            place: "command line".into(),
            key: key.into(),
            expected: "a whole number above 0".into(),
            found: text,
        })
    };
    let threads = number(3, "THREADS", usable_cores())?;
    if let Some(name) = arguments.get(4) {
        let found = Isa::available().into_iter().find(|isa| isa.name().eq_ignore_ascii_case(name));
        force(found.ok_or_else(|| Error::Setting {
            place: "command line".into(),
            key: "ISA".into(),
            expected: Isa::available().iter().map(|isa| isa.name()).collect::<Vec<_>>().join(", "),
            found: name.clone(),
        })?);
    }
    let choice = Choice {
        recipes: vec![argument(0, "digits-mlp").into()],
        optimizers: vec![argument(1, "adam")],
        batches: vec![number(2, "BATCH", 64)?],
        threads: vec![threads],
        time: Duration::from_secs(1),
        peers: Vec::new(),
    };
    let mut plan = BenchPlan::new(&choice, None)?;
    let planned = &mut plan.cases[0];
    let samples = &plan.data[planned.data].train;
    let steps = samples.len().div_ceil(planned.recipe.train.batch);
    let team = Team::new(threads)?;
    let flops = planned.model.train_flops_per_sample() * samples.len() as f64 / steps as f64;
    let mut case = Case::new(&mut planned.model, samples, &planned.recipe, &team)?;
    case.run(Duration::from_millis(500))?;
    let peak = peak::flops_per_second(&team, Duration::from_millis(50));
    let start = Instant::now();
    let tables = case.probed_epoch()?;
    let step = start.elapsed().as_secs_f64() / steps as f64;
    println!(
        "step {:.2} us, arithmetic {:.2} us at {:.1} GFLOP/s",
        step * 1e6,
        flops / peak * 1e6,
        peak / 1e9
    );
    let tick = clock::seconds_per_tick();
    for (worker, table) in tables.iter().enumerate() {
        let per_step = |ticks: u64| ticks as f64 * tick * 1e6 / steps as f64;
        println!("worker {worker}: waiting {:.2} us a step", per_step(table.waiting()));
        for site in table.sites.iter().filter(|site| site.operation != Operation::Barrier) {
            let seconds = site.ticks as f64 * tick;
            let bytes: u64 = site.streams.iter().map(|stream| stream.bytes).sum();
            println!(
                "  {:15} layer {}  {:9.2} us  {:6.1} GFLOP/s  {:6.1} GB/s",
                site.operation.name(),
                site.layer.map_or("-".into(), |layer| layer.to_string()),
                per_step(site.ticks),
                site.flops as f64 / seconds / 1e9,
                bytes as f64 / seconds / 1e9,
            );
        }
    }
    Ok(())
}
