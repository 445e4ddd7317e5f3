//! The update of ten million parameters by every rule that works element by element, on one thread and on all, as bytes that it must
//! move: the parameters and the slots in and out, the gradients in. The triad of the same length is
//! what main memory gives to a loop that does nothing else.
//!
//!     cargo bench --bench rules [FILTER]

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fallline::engine::kernels::simd::stream;
use fallline::engine::model::recipe::{OPTIMIZERS, Optimizer};
use fallline::engine::optim::{Coefficients, Rule, StepSettings};
use fallline::engine::tensor::Buffer;
use fallline::engine::train::machine;

const LEN: usize = 10_000_000;

fn halves() -> Buffer<f32> {
    let mut buffer = Buffer::zeros(LEN);
    buffer.fill(0.5);
    buffer
}

/// One run of parameters with its gradients and slots.
struct Share<'a> {
    parameters: &'a mut [f32],
    gradients: &'a mut [f32],
    slots: Vec<&'a mut [f32]>,
}

fn shares<'a>(
    parameters: &'a mut [f32],
    gradients: &'a mut [f32],
    slots: &'a mut [Buffer<f32>],
    threads: usize,
) -> Vec<Share<'a>> {
    let len = LEN.div_ceil(threads);
    let mut slots: Vec<_> = slots.iter_mut().map(|slot| slot.chunks_mut(len)).collect();
    let pairs = parameters.chunks_mut(len).zip(gradients.chunks_mut(len));
    pairs
        .map(|(parameters, gradients)| {
            let slots =
                slots.iter_mut().map(|slot| slot.next().expect("as long as the parameters")).collect();
            Share { parameters, gradients, slots }
        })
        .collect()
}

/// Starting threads takes some 20 µs of several thousand.
fn update(rule: &dyn Rule, coefficients: &Coefficients, shares: &mut [Share]) {
    let one = |share: &mut Share| {
        rule.apply(coefficients, share.parameters, share.gradients, &mut share.slots);
    };
    match shares {
        [share] => one(share),
        shares => std::thread::scope(|scope| {
            shares.iter_mut().for_each(|share| _ = scope.spawn(move || one(share)));
        }),
    }
}

fn triad(a: &mut [f32], b: &[f32], c: &[f32], threads: usize) {
    let len = LEN.div_ceil(threads);
    std::thread::scope(|scope| {
        for ((a, b), c) in a.chunks_mut(len).zip(b.chunks(len)).zip(c.chunks(len)) {
            scope.spawn(move || stream::triad(a, b, c, 3.0, 1));
        }
    });
}

fn rules(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("rules");
    let all = machine::usable_cores();
    for threads in if all > 1 { vec![1, all] } else { vec![1] } {
        let (mut a, b, c) = (halves(), halves(), halves());
        group.throughput(Throughput::Bytes(12 * LEN as u64));
        group.bench_function(BenchmarkId::new("triad", threads), |bencher| {
            bencher.iter(|| triad(&mut a, &b, &c, threads));
        });
        for kind in OPTIMIZERS.iter().filter(|kind| !kind.searches()) {
            let rule = Optimizer::of(kind).rule();
            // Its update is no single pass.
            if rule.per_tensor().is_some() {
                continue;
            }
            // So small a rate that parameters stay what they are, however often they are updated.
            let settings = StepSettings::new(2, 1e-12);
            let coefficients = rule.coefficients(settings);
            let (mut parameters, mut gradients) = (halves(), halves());
            let mut slots: Vec<Buffer<f32>> = (0..rule.slots()).map(|_| halves()).collect();
            let mut shares = shares(&mut parameters, &mut gradients, &mut slots, threads);
            group.throughput(Throughput::Bytes((4 * LEN * (3 + 2 * rule.slots())) as u64));
            group.bench_function(BenchmarkId::new(kind.name, threads), |bencher| {
                bencher.iter(|| update(rule.as_ref(), &coefficients, &mut shares));
            });
        }
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(1)).warm_up_time(Duration::from_millis(200));
    targets = rules
}
criterion_main!(benches);
