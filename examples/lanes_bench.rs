use fallline::kernels::image::*;
use fallline::kernels::narrow::*;
use fallline::tensor::*;
fn cpu() -> f64 {
    let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut t) };
    t.tv_sec as f64 + t.tv_nsec as f64 * 1e-9
}
fn time(name: &str, flops: f64, mut f: impl FnMut()) {
    f();
    let mut best = f64::INFINITY;
    for _ in 0..30 {
        let t = cpu();
        let n = 10;
        for _ in 0..n {
            f()
        }
        best = best.min((cpu() - t) / n as f64);
    }
    println!("  {name:16} {:8.2} us a group, {:6.1} GFLOP/s", best * 1e6, flops / best / 1e9);
}
fn main() {
    use fallline::kernels::isa::Isa;
    use fallline::kernels::peak;
    time("peak", 24e7 * 16.0, || {
        std::hint::black_box(peak::multiply_adds(Isa::Avx512, peak::Precision::F32, 10_000_000));
    });
    for (name, image, kernel, outputs) in [
        ("lenet 1", Image::data([28, 28, 1]), 5, 6),
        ("lenet 2", Image::new(12, 12, 6), 5, 16),
        ("fast99 1", Image::data([28, 28, 1]), 5, 24),
        ("fast99 2", Image::new(12, 12, 24), 3, 32),
    ] {
        let n = Narrow {
            patches: Patches { input: image, window: Window::plain(kernel, 1) },
            outputs,
            pools: true,
        };
        println!("{name}");
        let out = n.output();
        let buf = |len: usize, m: f32| {
            let mut b = Buffer::<f32>::zeros(len);
            for (i, b) in b.iter_mut().enumerate() {
                *b = (i as f32 * m).sin()
            }
            b
        };
        let xs = buf(16 * row_stride(image.columns()), 0.37);
        let mut ys = buf(16 * row_stride(out.columns()), 0.37);
        let w = buf(out.pitch * n.patches.inputs(), 0.77);
        let mut dw = buf(w.len(), 0.77);
        let mut db = buf(out.pitch, 0.77);
        let mut dxs = buf(16 * row_stride(image.columns()), 0.37);
        let mut x = buf(n.input_len(), 0.3);
        let mut dx = buf(n.input_len(), 0.3);
        let mut dy = buf(n.output_len(), 0.3);
        let mut t = buf(n.output_len(), 0.3);
        let mut s = buf(n.input_gradient_scratch().max(n.weight_gradient_scratch()), 0.0);
        let flops = 2.0 * 16.0 * (out.pixels() * 4 * n.patches.inputs() * outputs) as f64;
        let xr = MatrixRef::new(&xs, 16, image.columns(), row_stride(image.columns()));
        time("gather x", 0.0, || n.gather_input(&mut x, xr));
        time("forward", flops, || {
            n.forward(
                MatrixMut::new(&mut ys, 16, out.columns(), row_stride(out.columns())),
                &mut t,
                &x,
                &w,
                None,
                true,
            )
        });
        let dyr = MatrixRef::new(&ys, 16, out.columns(), row_stride(out.columns()));
        time("gather dy", 0.0, || n.gather_gradient(&mut dy, dyr, &t));
        time("dx", flops, || n.input_gradient(&mut dx, &dy, &t, &w, &mut s));
        if image.pitch % 16 == 0 {
            time("scatter dx", 0.0, || {
                n.scatter_input(
                    MatrixMut::new(&mut dxs, 16, image.columns(), row_stride(image.columns())),
                    &dx,
                )
            });
        }
        time("dw", flops, || n.weight_gradient(&mut dw, &mut db, &dy, &t, &x, &mut s, false));
    }
}
