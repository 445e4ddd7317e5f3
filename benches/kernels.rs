//! Every kernel alone, with its flops or bytes, so that the result reads as Gelem/s (GFLOP/s) or
//! GiB/s beside the machine's limit, which is printed first.
//!
//!     cargo bench --bench kernels [FILTER]

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fallline::engine::bench::peak;
use fallline::engine::kernels::activation::{self, Activation};
use fallline::engine::kernels::augmentation::elastic::{self, Axis};
use fallline::engine::kernels::augmentation::warp::{self, Affine, Field, Normalised};
use fallline::engine::kernels::convolution::convolve;
use fallline::engine::kernels::convolution::depthwise::{self, Depthwise};
use fallline::engine::kernels::elementwise::convert;
use fallline::engine::kernels::image::{Image, Patches, Window};
use fallline::engine::kernels::loss::{self, Rows};
use fallline::engine::kernels::products::gemm::{self, Epilogue};
use fallline::engine::kernels::products::panels;
use fallline::engine::kernels::simd::prefetch::PrefetchQueue;
use fallline::engine::kernels::simd::reduce;
use fallline::engine::losses::{Loss, Scores, Targets};
use fallline::engine::model::recipe::{OPTIMIZERS, Optimizer};
use fallline::engine::optim::StepSettings;
use fallline::engine::team::Team;
use fallline::engine::tensor::{Buffer, LANES, MatrixMut, MatrixRef, padded, row_stride};

/// Elements of the vectors: three of them fit the second-level cache.
const LEN: usize = 64 * 1024;

fn limits(_: &mut Criterion) {
    let team = Team::new(1).expect("one thread");
    let flops = peak::flops_per_second(&team, Duration::from_millis(200));
    println!("multiply-add peak of one core: {:.1} GFLOP/s", flops / 1e9);
}

fn ones(len: usize) -> Buffer<f32> {
    let mut buffer = Buffer::zeros(len);
    buffer.fill(0.5);
    buffer
}

/// Forward product, gradient of the weights, and the bias's, in flops.
fn products(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("products");
    for [rows, outputs, inputs] in
        [[8, 128, 784], [32, 128, 784], [128, 128, 784], [128, 512, 512], [64, 16, 128]]
    {
        let (x_stride, y_stride) = (row_stride(inputs), row_stride(outputs));
        let (x, weights) = (ones(rows * x_stride), ones(outputs * inputs));
        let (mut y, mut dw) = (ones(rows * y_stride), ones(outputs * inputs));
        let name = format!("{rows}x{outputs}x{inputs}");
        group.throughput(Throughput::Elements(2 * (rows * outputs * inputs) as u64));
        group.bench_function(BenchmarkId::new("product", &name), |bencher| {
            bencher.iter(|| {
                let y = MatrixMut::new(&mut y, rows, outputs, y_stride);
                gemm::product(y, MatrixRef::new(&x, rows, inputs, x_stride), &weights, None, Epilogue::Relu);
            });
        });
        group.bench_function(BenchmarkId::new("gradient", &name), |bencher| {
            bencher.iter(|| {
                let dy = MatrixRef::new(&y, rows, outputs, y_stride);
                gemm::gradient(
                    &mut dw,
                    dy,
                    MatrixRef::new(&x, rows, inputs, x_stride),
                    false,
                    &PrefetchQueue::default(),
                );
            });
        });
    }
    group.finish();
}

/// Forward, gradient of the input and of the kernels of one image, in flops.
fn depthwise(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("depthwise");
    for ([height, width, channels], kernel, stride) in [
        ([28, 28, 32], 3, 1),
        ([14, 14, 64], 3, 1),
        ([14, 14, 64], 3, 2),
        ([14, 14, 64], 5, 1),
        ([7, 7, 128], 3, 1),
    ] {
        let window = Window::square(kernel, stride, kernel / 2, 1);
        let shape = Depthwise { input: Image::new(height, width, channels), window };
        let (mut x, mut y) = (ones(shape.input.columns()), ones(shape.output().columns()));
        let (weights, mut dw) = (ones(shape.weights_len()), ones(shape.weights_len()));
        let name = format!("{height}x{width}x{channels} by {kernel}x{kernel}, stride {stride}");
        group.throughput(Throughput::Elements(2 * (y.len() * kernel * kernel) as u64));
        group.bench_function(BenchmarkId::new("forward", &name), |bencher| {
            bencher.iter(|| depthwise::forward(&mut y, &x, &weights, None, shape, Epilogue::Relu));
        });
        group.bench_function(BenchmarkId::new("input gradient", &name), |bencher| {
            bencher.iter(|| depthwise::input_gradient(&mut x, &y, &weights, shape));
        });
        group.bench_function(BenchmarkId::new("weight gradient", &name), |bencher| {
            bencher.iter(|| depthwise::weight_gradient(&mut dw, &y, &x, shape, false));
        });
    }
    group.finish();
}

/// The three products of convolutions of four samples, 3x3 pixels wide with padding, in flops.
fn convolutions(criterion: &mut Criterion) {
    const SAMPLES: usize = 4;
    let mut group = criterion.benchmark_group("convolutions");
    for [side, channels, outputs] in [[28, 32, 32], [14, 32, 64], [14, 64, 64], [7, 64, 128], [7, 128, 128]] {
        let window = Window::square(3, 1, 1, 1);
        let patches = Patches { input: Image::new(side, side, channels), window };
        // The gradient of the input is a convolution, too.
        let turned = Patches { input: Image::new(side, side, outputs), window };
        let (inputs, pixels) = (patches.inputs(), side * side);
        let (x_stride, y_stride) = (row_stride(pixels * channels), row_stride(pixels * outputs));
        let (mut x, mut y) = (ones(SAMPLES * x_stride), ones(SAMPLES * y_stride));
        let (weights, mut dw) = (ones(outputs * inputs), ones(outputs * inputs));
        let mut scratch = ones(patches.correlation_scratch().max(turned.correlation_scratch()));
        let name = format!("{side}x{side} {channels} to {outputs}");
        group.throughput(Throughput::Elements(2 * (SAMPLES * pixels * outputs * inputs) as u64));
        let mut run =
            |kind: &str, patches: &Patches, y: &mut [f32], x: &[f32], [y_stride, x_stride]: [usize; 2]| {
                // Rows may lie further apart than they are long.
                let columns = [y_stride, x_stride].map(|stride| stride / (LANES * pixels) * LANES * pixels);
                group.bench_function(BenchmarkId::new(kind, &name), |bencher| {
                    bencher.iter(|| {
                        for (y, x) in y.chunks_exact_mut(y_stride).zip(x.chunks_exact(x_stride)) {
                            let (y, x) = (&mut y[..columns[0]], &x[..columns[1]]);
                            convolve::correlate(y, x, patches, &weights, None, Epilogue::Plain, &mut scratch);
                        }
                    });
                });
            };
        run("forward", &patches, &mut y, &x, [y_stride, x_stride]);
        run("gradient of the input", &turned, &mut x, &y, [x_stride, y_stride]);
        group.bench_function(BenchmarkId::new("gradient of the weights", &name), |bencher| {
            let x = MatrixRef::new(&x, SAMPLES, pixels * channels, x_stride);
            let dy = MatrixRef::new(&y, SAMPLES, pixels * outputs, y_stride);
            bencher.iter(|| convolve::gradient(&mut dw, dy, x, &patches, false, &mut []));
        });
    }
    group.finish();
}

fn bytes(criterion: &mut Criterion, name: &str, bytes: usize, mut work: impl FnMut()) {
    let mut group = criterion.benchmark_group("bytes");
    group.throughput(Throughput::Bytes(bytes as u64));
    group.bench_function(name, |bencher| bencher.iter(&mut work));
    group.finish();
}

fn elementwise(criterion: &mut Criterion) {
    let (x, mut y) = (ones(LEN), ones(LEN));
    for activation in [
        Activation::RELU,
        Activation::leaky_relu(0.01),
        Activation::SIGMOID,
        Activation::TANH,
        Activation::GELU,
        Activation::SILU,
        Activation::SOFTPLUS,
        Activation::elu(1.0),
    ] {
        let name = activation.name();
        bytes(criterion, &format!("{name} forward"), 8 * LEN, || activation::forward(activation, &mut y, &x));
        bytes(criterion, &format!("{name} backward"), 12 * LEN, || {
            activation::backward_in_place(activation, &mut y, &x);
        });
    }
    let pixels = vec![7u8; LEN];
    bytes(criterion, "bytes to floats", 5 * LEN, || convert::bytes_to_floats(&mut y, &pixels, 0.1, 0.2));
    bytes(criterion, "scale and shift", 8 * LEN, || convert::scale_and_shift(&mut y, &x, 0.1, 0.2));
    bytes(criterion, "sum", 4 * LEN, || _ = black_box(reduce::sum_f64(&x)));
    bytes(criterion, "sum of squares", 4 * LEN, || _ = black_box(reduce::sum_of_squares(&x)));
    bytes(criterion, "largest magnitude", 4 * LEN, || _ = black_box(reduce::max_abs(&x)));
    bytes(criterion, "all finite", 4 * LEN, || _ = black_box(reduce::all_finite(&x)));
    let mut block = ones(256);
    bytes(criterion, "transpose 16 x 16", 2048, || panels::transpose_block(&mut block, &x[..256]));
    let mut sums = ones(128);
    bytes(criterion, "column sums", 4 * LEN, || {
        gemm::column_sums(&mut sums, MatrixRef::new(&x, 512, 128, 128), false)
    });
}

fn losses(criterion: &mut Criterion) {
    const ROWS: usize = 128;
    let rows = Rows { classes: 10, stride: 16 };
    let (logits, mut gradient) = (ones(16 * ROWS), ones(16 * ROWS));
    let (mut losses, mut correct, labels) = ([0.0; ROWS], [0; ROWS], [3; ROWS]);
    bytes(criterion, "softmax cross-entropy, 10 classes", 2 * 64 * ROWS, || {
        loss::softmax_cross_entropy(&mut gradient, &mut losses, &mut correct, &logits, &labels, rows, 0.1);
    });
    for loss in [
        Loss::cross_entropy()
            .with("label_smoothing", 0.1)
            .and_then(|loss| loss.with("class_weights", vec![0.5; 10]))
            .expect("cross-entropy has these"),
        Loss::focal(2.0),
        Loss::BINARY_CROSS_ENTROPY,
        Loss::MEAN_SQUARED_ERROR,
        Loss::MEAN_ABSOLUTE_ERROR,
        Loss::LOG_COSH,
        Loss::huber(1.0),
        Loss::hinge(1.0),
        Loss::KL_DIVERGENCE,
        Loss::POISSON,
    ] {
        let name = match loss.name() {
            "cross-entropy" => "cross-entropy, smoothed and weighted",
            name => name,
        };
        let loss = loss.function();
        bytes(criterion, &format!("{name}, 10 classes"), 2 * 64 * ROWS, || {
            let scores = Scores { losses: &mut losses, correct: &mut correct };
            loss.gradient(&mut gradient, scores, &logits, Targets::Classes(&labels), rows, 0.1);
        });
    }
    bytes(criterion, "softmax, 10 classes", 2 * 64 * ROWS, || loss::softmax(&mut gradient, &logits, rows));
}

/// Augmentation of one image of 28x28, in its pixels.
fn deformations(criterion: &mut Criterion) {
    const SIDE: usize = 28;
    const SIZE: [usize; 3] = [SIDE, SIDE, 1];
    let image = vec![100; SIDE * SIDE];
    let mut words = vec![0; warp::words_len([SIDE, SIDE])];
    let axis = Axis::new(SIDE, 6.0);
    let (noise, mut line) = (ones(elastic::noise_len(&axis, &axis)), ones(elastic::line_len(&axis)));
    let mut fields = ones(2 * SIDE * padded(SIDE));
    let mut out = ones(SIDE * SIDE);
    let mut group = criterion.benchmark_group("deform");
    group.throughput(Throughput::Elements((SIDE * SIDE) as u64));
    group.bench_function("pack", |bencher| bencher.iter(|| warp::pack(&mut words, &image, SIZE, 0)));
    group.bench_function("smooth", |bencher| {
        bencher.iter(|| elastic::smooth(&mut fields, &noise, &mut line, &axis, &axis));
    });
    let (x, y) = fields.split_at(SIDE * padded(SIDE));
    let map = Affine { x: [0.9, 0.1, 0.3], y: [-0.1, 1.05, 0.2] };
    let to = Normalised { scale: 1.0 / 255.0, shift: 0.0 };
    group.bench_function("sample", |bencher| {
        bencher.iter(|| warp::sample(&mut out, &words, SIZE, 0, &map, Some(Field { x, y }), to));
    });
    group.finish();
}

/// In the second-level cache; `--bench rules` has main memory.
fn updates(criterion: &mut Criterion) {
    const PARAMETERS: usize = LEN / 2;
    let settings = StepSettings::new(2, 1e-12);
    for kind in OPTIMIZERS.iter().filter(|kind| !kind.searches()) {
        let rule = Optimizer::of(kind).rule();
        // Its update is no single pass.
        if rule.per_tensor().is_some() {
            continue;
        }
        let (mut parameters, mut gradients) = (ones(PARAMETERS), ones(PARAMETERS));
        let mut slots: Vec<Buffer<f32>> = (0..rule.slots()).map(|_| ones(PARAMETERS)).collect();
        let mut slots: Vec<&mut [f32]> = slots.iter_mut().map(|slot| &mut slot[..]).collect();
        let moved = 4 * PARAMETERS * (3 + 2 * rule.slots());
        bytes(criterion, &format!("{}, {PARAMETERS} parameters", kind.name), moved, || {
            rule.update(&mut parameters, &mut gradients, &mut slots, settings);
        });
    }
}

criterion_group! {
    name = kernels;
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_millis(500)).warm_up_time(Duration::from_millis(100));
    targets = limits, products, convolutions, depthwise, elementwise, losses, deformations, updates
}
criterion_main!(kernels);
