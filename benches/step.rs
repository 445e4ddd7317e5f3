//! Whole training steps: gather, forward, loss, backward, gradient, update. Elements are flops of the
//! model, so that the result reads as Gelem/s (GFLOP/s) beside the machine's limit, printed first.
//!
//!     cargo bench --bench step [FILTER]
//!
//! On generated digits; `fallline bench` measures the same on any data, in turn and with intervals.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fallline::engine::bench::peak;
use fallline::engine::bench::plan::{BenchPlan, Choice, PlannedCase};
use fallline::engine::bench::throughput::Case;
use fallline::engine::team::Team;
use fallline::engine::train::machine::usable_cores;

fn steps(criterion: &mut Criterion) {
    let threads = usable_cores();
    let team = Team::new(threads).expect("as many threads as cores");
    let flops = peak::flops_per_second(&team, Duration::from_millis(200));
    println!("multiply-add peak of {threads} threads: {:.1} GFLOP/s", flops / 1e9);
    let choice = Choice {
        recipes: vec!["digits-mlp".into()],
        optimizers: ["sgd", "momentum", "adam"].map(String::from).to_vec(),
        batches: vec![1, 16, 64, 256, 1024],
        threads: vec![threads],
        time: Duration::from_secs(1),
        peers: Vec::new(),
    };
    let mut plan = BenchPlan::new(&choice, None).expect("digits can be generated");
    let mut group = criterion.benchmark_group("step");
    for PlannedCase { recipe, model, data, .. } in &mut plan.cases {
        let batch = recipe.train.batch;
        group.throughput(Throughput::Elements((model.train_flops_per_sample() * batch as f64) as u64));
        let id = BenchmarkId::new(recipe.optimizer.name(), batch);
        let mut case = Case::new(model, &plan.data[*data].train, recipe, &team).expect("memory for a case");
        case.steps(1).expect("a finite loss");
        group.bench_function(id, |bencher| {
            bencher.iter_custom(|steps| case.steps(steps).expect("a finite loss"));
        });
    }
    group.finish();
}

fn configuration() -> Criterion {
    Criterion::default()
        .sample_size(30)
        .measurement_time(Duration::from_secs(1))
        .warm_up_time(Duration::from_millis(300))
}

criterion_group! { name = all; config = configuration(); targets = steps }
criterion_main!(all);
