//! Boundaries between classes: logistic regression, a support vector machine and a small network on two moons and on two
//! blobs; and k-means by descent beside Lloyd's algorithm, from several starts.
//!
//!     cargo run --release --example tour_boundaries

use fallline::data::small::{Generated, Part};
use fallline::settings::{KMeans, Linear, LinearKind};
use fallline::{Activation, Curve, Model, Optimizer, Samples, Schedule, Trainer};

/// Samples to train on, and others to test with.
fn samples(set: &Generated) -> fallline::Result<[Samples; 2]> {
    Ok([set.draw(Part::Train, 400, 1)?.samples()?, set.draw(Part::Test, 2000, 1)?.samples()?])
}

fn main() -> fallline::Result<()> {
    let moons = Generated { noise: 0.15, ..Generated::of("moons")? };
    let blobs = Generated { noise: 2.0, classes: 2, ..Generated::of("blobs")? };
    let falling = Schedule::of(Curve::Cosine { end_factor: 0.0 });

    println!("set    model     accuracy  from the exact weights");
    for (name, set) in [("moons", &moons), ("blobs", &blobs)] {
        let [train, test] = samples(set)?;
        let lines = [("logistic", LinearKind::Logistic), ("svm", LinearKind::Svm)];
        for (kind, fit) in lines.map(|(name, kind)| (name, Linear::new(kind, 2))) {
            let mut model = Model::linear(2, fit)?;
            let trainer = Trainer::new().optimizer(Optimizer::named("lbfgs")?).epochs(60);
            trainer.fit(&mut model, &train)?;
            let accuracy = 100.0 * trainer.evaluate(&model, &test)?.accuracy.unwrap_or_default();
            // By Newton's method in double precision. `squared: false` is the hinge itself, which has none.
            let distance =
                trainer.exact(&model, &train)?.and_then(|exact| exact.distance).unwrap_or(f64::NAN);
            println!("{name}  {kind:<8}  {accuracy:>6.1} %  {distance:.1e}");
        }
        let hidden = Model::sequential(2).dense(16, Activation::TANH).dense(16, Activation::TANH);
        let mut model = hidden.dense(2, Activation::IDENTITY).build()?;
        let trainer = Trainer::new().optimizer(Optimizer::adam(0.01)).schedule(falling.clone());
        let trainer = trainer.batch(40).epochs(100);
        trainer.fit(&mut model, &train)?;
        let accuracy = 100.0 * trainer.evaluate(&model, &test)?.accuracy.unwrap_or_default();
        println!("{name}  network   {accuracy:>6.1} %");
    }

    // Four clusters, of which the classes are not known: each seed draws other first centres.
    let four = Generated { classes: 4, noise: 1.2, ..Generated::of("blobs")? };
    let points = Samples::from_rows(four.draw(Part::Train, 400, 4)?.features, 2).without_targets()?;
    println!("\nseed  inertia by descent  by Lloyd's algorithm  centres apart");
    for seed in 1..=20 {
        let mut model = Model::k_means(2, KMeans::new(4))?;
        let trainer = Trainer::new().optimizer(Optimizer::sgd(0.5)).schedule(falling.clone());
        let trainer = trainer.batch(20).epochs(60).seed(seed);
        trainer.fit(&mut model, &points)?;
        let both = trainer.lloyd(&model, &points)?.expect("a k-means has Lloyd's algorithm beside it");
        let apart = both.sizes.iter().map(|cluster| cluster.distance).fold(0.0, f64::max);
        println!("{seed:>4}  {:>18.4}  {:>20.4}  {apart:>13.4}", both.inertia, both.lloyd);
    }
    Ok(())
}
