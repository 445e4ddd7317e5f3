//! A training loop of one's own: the program makes each batch, looks at what each step came to, changes the learning
//! rate, tries the model now and then, and stops when it is content.
//!
//!     cargo run --release --example own_loop

use fallline::{Activation, Model, Optimizer, Samples, Trainer};

const BATCH: usize = 64;
const MOST_STEPS: u64 = 3000;

/// Points of a square, and the one of three spirals that each lies on; `seed` is where they begin.
fn points(seed: usize, count: usize) -> (Vec<f32>, Vec<u8>) {
    let (mut x, mut classes) = (Vec::new(), Vec::new());
    for i in seed..seed + count {
        let (class, along) = (i % 3, (i * 7919 % 1009) as f32 / 1009.0);
        let angle = 4.0 * along + class as f32 * std::f32::consts::TAU / 3.0;
        x.extend([along * angle.cos(), along * angle.sin()]);
        classes.push(class as u8);
    }
    (x, classes)
}

fn main() -> fallline::Result<()> {
    let (x, classes) = points(1_000_000, 600);
    let test = Samples::from_rows(x, 2).classes(classes)?;

    let mut model = Model::sequential(2)
        .dense(64, Activation::RELU)
        .dense(64, Activation::RELU)
        .dense(3, Activation::IDENTITY)
        .build()?;
    let mut steps = Trainer::new().optimizer(Optimizer::adam(0.01)).batch(BATCH).steps(&mut model)?;
    while steps.steps() < MOST_STEPS {
        // From anywhere: a file, a socket, a simulation. A batch may be smaller than the trainer's.
        let (x, classes) = points(steps.steps() as usize * BATCH, BATCH);
        let record = steps.step(&x, &classes)?;
        if record.step % 100 == 0 {
            let seen = steps.evaluate(&test)?;
            println!(
                "step {:4}: loss {:.4}, gradient {:.4}, rate {:.4}, test loss {:.4}",
                record.step,
                record.loss,
                record.gradient_norm,
                steps.learning_rate(),
                seen.loss
            );
            if seen.loss < 0.02 {
                break;
            }
            steps.set_learning_rate(0.9 * steps.learning_rate())?;
        }
    }
    let steps_done = steps.steps();
    println!("{steps_done} steps were enough");
    assert!(steps_done < MOST_STEPS);
    Ok(())
}
