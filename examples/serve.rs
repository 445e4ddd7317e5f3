//! A saved model in a server: loaded once, shared by threads, one sample a call or many.
//!
//!     cargo run --release --example serve

use std::thread;
use std::time::Instant;

use fallline::data::generate_digits;
use fallline::{Activation, Model, Normalisation, Predictor, Trainer};

const THREADS: usize = 2;
const CLASSES: usize = 10;

fn main() -> fallline::Result<()> {
    // A model to serve: digits of 28 x 28 bytes, which it sees divided by 255, also where they come as floats.
    let data = generate_digits([5_000, 1_000], 1)?;
    let mut model = Model::of_images([28, 28, 1])
        .dense(128, Activation::RELU)
        .dense(CLASSES, Activation::IDENTITY)
        .build()?;
    let normalisation = Normalisation { scale: Some(255.0), ..Normalisation::default() };
    Trainer::new().epochs(3).normalise(normalisation).fit(&mut model, &data.train)?;
    let path = std::env::temp_dir().join(format!("serve-{}.safetensors", std::process::id()));
    model.save(&path)?;
    let loaded = Predictor::load(&path);
    let _ = std::fs::remove_file(&path); // a real model would stay; this one has been read
    let predictor = &loaded?.with_softmax().with_threads(THREADS)?;
    let images: Vec<&[u8]> = (0..data.test.len()).filter_map(|i| data.test.row_bytes(i)).collect();

    // One image a call, on several threads; nothing is allocated after the first call of each.
    let serve = || {
        let mut probabilities = [0.0; CLASSES];
        let call = |image: &&[u8]| {
            let begun = Instant::now();
            predictor.predict(*image, &mut probabilities).map(|()| begun.elapsed().as_secs_f64())
        };
        images.iter().map(call).collect::<fallline::Result<Vec<f64>>>()
    };
    let served: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(serve)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    let mut seconds = served.into_iter().collect::<fallline::Result<Vec<_>>>()?.concat();
    seconds.sort_by(f64::total_cmp);
    let part = |part: f64| 1e6 * seconds[(part * (seconds.len() - 1) as f64) as usize];
    println!("one image: median {:.1} us, 99th percentile {:.1} us", part(0.5), part(0.99));

    // All at once, as floats of the same range.
    let many: Vec<f32> = images.concat().into_iter().map(f32::from).collect();
    let mut probabilities = vec![0.0; images.len() * CLASSES];
    let begun = Instant::now();
    predictor.predict(&many, &mut probabilities)?;
    println!(
        "many: {:.0} images/s on {THREADS} threads",
        images.len() as f64 / begun.elapsed().as_secs_f64()
    );
    Ok(())
}
