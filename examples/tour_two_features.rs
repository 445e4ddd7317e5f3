//! Two features that rise together, without an intercept: a thousand steps of descent, the closed form, and why there is so
//! much between them. Change the rate, or divide the columns by their standard deviations.
//!
//!     cargo run --release --example tour_two_features

use fallline::Optimizer;
use fallline::minimise::Minimisation;

const X: [[f64; 2]; 5] = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0], [9.0, 10.0]];
const Y: [f64; 5] = [1.0, 3.0, 2.0, 4.0, 5.0];

/// Half the mean squared error at the weights w, and its gradient, Xᵀ(X w - y) / n.
fn loss(w: &[f64], gradient: &mut [f64]) -> f64 {
    gradient.fill(0.0);
    let mut sum = 0.0;
    for (x, y) in X.iter().zip(Y) {
        let off = x[0] * w[0] + x[1] * w[1] - y;
        sum += off * off / 10.0;
        gradient[0] += off * x[0] / 5.0;
        gradient[1] += off * x[1] / 5.0;
    }
    sum
}

fn main() -> fallline::Result<()> {
    let start = [0.0, 0.0];
    let path = Optimizer::sgd(0.01).minimise(&Minimisation::from(start).steps(8000), loss)?;
    println!("steps        w1       w2      loss   (closed form: -0.3, 0.75)");
    for step in [0, 10, 100, 1000, 3000, 6000, 8000] {
        let w = &path.points[step];
        println!("{step:5} {:9.4} {:8.4} {:9.5}", w[0], w[1], path.values[step]);
    }
    let near = |w: &[f64]| (w[0] + 0.3).abs() < 1e-3 && (w[1] - 0.75).abs() < 1e-3;
    let steps = path.points.iter().position(|w| near(w)).expect("8,000 steps are enough");
    println!("within a thousandth after {steps} steps");

    // The curvatures: the eigenvalues of XᵀX / n, of which trace and determinant are the sum and the product.
    let mean = |i: usize, j: usize| X.iter().map(|x| x[i] * x[j]).sum::<f64>() / 5.0;
    let (trace, determinant) = (mean(0, 0) + mean(1, 1), mean(0, 0) * mean(1, 1) - mean(0, 1).powi(2));
    let steep = trace / 2.0 + (trace * trace / 4.0 - determinant).sqrt();
    let flat = determinant / steep;
    println!("curvature {steep:.2} across the valley, {flat:.5} along it: condition {:.0}", steep / flat);

    for rule in ["lbfgs", "cg"] {
        let path = Optimizer::named(rule)?.minimise(&Minimisation::from(start).steps(50), loss)?;
        let iterations = path.points.iter().position(|w| near(w)).expect("a bowl is easy for these");
        println!("{rule}: {iterations} iterations");
    }

    let uphill = |w: &[f64], gradient: &mut [f64]| {
        let value = loss(w, gradient);
        gradient.iter_mut().for_each(|g| *g = -*g);
        value
    };
    let wrong = Optimizer::sgd(0.01).minimise(&Minimisation::from(start).steps(1000), uphill)?;
    println!("with the wrong sign: loss {:.1e} after 10 steps; it ended {:?}", wrong.values[10], wrong.ended);
    assert!((path.points[1000][0] + 0.1084).abs() < 1e-3 && wrong.ended.is_some());
    Ok(())
}
