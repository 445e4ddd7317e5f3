use fallline::init::Init;
use fallline::kernels::activation::Activation;
use fallline::kernels::depthwise::{self, Depthwise};
use fallline::kernels::gemm::Finish;
use fallline::kernels::image::{Image, Patches, Window};
use fallline::layers::{Convolution, Dense, Layer, Pointwise};
use fallline::tensor::{Buffer, MatrixMut, MatrixRef, row_stride};

fn cpu() -> f64 {
    let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut t) };
    t.tv_sec as f64 + t.tv_nsec as f64 * 1e-9
}
fn best(mut f: impl FnMut()) -> f64 {
    f();
    let mut least = f64::INFINITY;
    for _ in 0..400 {
        let begin = cpu();
        for _ in 0..4 {
            f();
        }
        least = least.min((cpu() - begin) / 4.0);
    }
    least
}
fn ones(n: usize) -> Buffer<f32> {
    let mut b = Buffer::zeros(n);
    b.fill(0.5);
    b
}

#[test]
fn measure() {
    let team = fallline::team::Team::new(1).unwrap();
    let peak = (0..10)
        .map(|_| fallline::bench::peak::flops_per_second(&team, std::time::Duration::from_millis(50)))
        .fold(0.0, f64::max);
    println!("peak {:.0}", peak / 1e9);
    for ([h, w, c], k, s) in [
        ([28, 28, 32], 3, 1),
        ([14, 14, 64], 3, 1),
        ([14, 14, 64], 3, 2),
        ([14, 14, 64], 5, 1),
        ([7, 7, 128], 3, 1),
        ([14, 14, 64], 7, 1),
    ] {
        let window = Window { kernel: k, stride: s, padding: k / 2, dilation: 1 };
        let shape = Depthwise { input: Image::new(h, w, c), window };
        let (mut x, mut y) = (ones(shape.input.columns()), ones(shape.output().columns()));
        let (wt, mut dw) = (ones(shape.weights_len()), ones(shape.weights_len()));
        let flops = 2.0 * (y.len() * k * k) as f64;
        let f = best(|| depthwise::forward(&mut y, &x, &wt, None, shape, Finish::Relu));
        y.fill(0.5);
        let b = best(|| depthwise::input_gradient(&mut x, &y, &wt, shape));
        x.fill(0.5);
        let g = best(|| depthwise::weight_gradient(&mut dw, &y, &x, shape, false));
        let copy = best(|| {
            let n = y.len();
            y.copy_from_slice(&x[..n]);
        });
        println!(
            "{h}x{w}x{c} {k} {s}: us {:.1} {:.1} {:.1}; GFLOP/s {:.0} {:.0} {:.0}; of peak {:.2} {:.2} {:.2}; copy {:.1} us",
            f * 1e6,
            b * 1e6,
            g * 1e6,
            flops / f / 1e9,
            flops / b / 1e9,
            flops / g / 1e9,
            flops / f / peak,
            flops / b / peak,
            flops / g / peak,
            copy * 1e6
        );
    }
    for ([h, w, c], stride, o, rows) in [
        ([7, 7, 64], 1, 128, 16),
        ([7, 7, 128], 1, 128, 16),
        ([14, 14, 32], 1, 64, 8),
        ([3, 3, 64], 1, 64, 64),
        ([14, 14, 32], 2, 64, 8),
        ([28, 28, 16], 1, 32, 4),
    ] {
        let input = Image::new(h, w, c);
        let patch = Dense {
            inputs: c,
            outputs: o,
            bias: true,
            activation: Activation::Relu,
            weight_init: Init::Zeros,
            bias_init: Init::Zeros,
            input_gradient: true,
            whole_columns: false,
        };
        let any = Convolution {
            patches: Patches { input, window: Window::plain(1, stride) },
            patch: patch.clone(),
        };
        let pix = Pointwise { input, stride, patch };
        let mut line = format!("1x1 {h}x{w}x{c}->{o} /{stride} {rows} rows:");
        for layer in [&any as &dyn Layer, &pix] {
            let (xs, ys) = (row_stride(input.columns()), row_stride(layer.columns()));
            let (x, mut y, mut dy, mut dx) =
                (ones(rows * xs), ones(rows * ys), ones(rows * ys), ones(rows * xs));
            let (st, de, mut out, mut sc) = (
                ones(layer.storage_len()),
                ones(layer.derived_len()),
                ones(layer.storage_len()),
                ones(layer.scratch_len()),
            );
            let flops = layer.flops().forward * rows as f64;
            let columns = layer.columns();
            let f = best(|| {
                layer.forward(
                    MatrixMut::new(&mut y, rows, columns, ys),
                    MatrixRef::new(&x, rows, input.columns(), xs),
                    &st,
                    &de,
                    0..columns,
                    &mut sc,
                )
            });
            let b = best(|| {
                layer.backward(
                    Some(MatrixMut::new(&mut dx, rows, input.columns(), xs)),
                    MatrixMut::new(&mut dy, rows, columns, ys),
                    MatrixRef::new(&x, rows, input.columns(), xs),
                    MatrixRef::new(&y, rows, columns, ys),
                    &st,
                    &de,
                    &mut sc,
                )
            });
            let g = best(|| {
                layer.gradient_of_rows(
                    &mut out,
                    MatrixRef::new(&dy, rows, columns, ys),
                    MatrixRef::new(&x, rows, input.columns(), xs),
                    false,
                    &mut sc,
                )
            });
            line += &format!(
                " | {:.2} {:.2} {:.2} of peak",
                flops / f / peak,
                flops / b / peak,
                flops / g / peak
            );
        }
        println!("{line}");
    }
}
