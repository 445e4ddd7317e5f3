use fallline::*;
use std::path::Path;
use std::sync::atomic::AtomicBool;
struct Quiet;
impl train::Observer for Quiet {}
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let threads: usize = a[1].parse().unwrap();
    let name = &a[2];
    let batch: usize = a[3].parse().unwrap();
    let epochs: usize = a[4].parse().unwrap();
    let mut recipe = model::Recipe::built_in(name).unwrap();
    recipe.train.batch = batch;
    let data = data::load("mnist", Some(Path::new("../shared/datasets"))).unwrap();
    let team = team::Team::new(threads).unwrap();
    let mut model =
        model::Model::build(&recipe.model, data.train.shape(), data.classes, recipe.train.seed).unwrap();
    let stop = AtomicBool::new(false);
    let peak = 250e9 * threads as f64;
    {
        let mut s = train::Session::new(&mut model, &data.train, &recipe, &team).unwrap();
        for _ in 0..epochs {
            let r = s.epoch(&stop, &mut Quiet).unwrap();
            println!("{:.5} {:.4} {:.0} samples/s", r.train_loss, r.train_accuracy, r.samples_per_second);
        }
        let mut p = vec![];
        let r = s.probed_epoch(&stop, &mut Quiet, Some(&mut p)).unwrap();
        let steps = (60000 + batch - 1) / batch;
        println!("probed {:.0}", r.samples_per_second);
        for (w, t) in p.iter().enumerate() {
            println!(
                "worker {w}: waiting {:.1} us/step over {} barriers",
                t.waiting.as_secs_f64() * 1e6 / steps as f64,
                t.barriers
            );
            for e in &t.entries {
                println!(
                    "  {:10} {} {:8.2} us/step {:6.1} GF calls {}",
                    e.name,
                    e.layer,
                    e.time.as_secs_f64() * 1e6 / steps as f64,
                    e.flops as f64 / e.time.as_secs_f64() / 1e9,
                    e.calls
                );
            }
        }
    }
    let e = train::evaluate(&model, &data.test, &recipe.data, &team).unwrap();
    println!("test {:?} frac of nominal 250: {:.3}", e, 0.0 * peak);
    let f = model.train_flops_per_sample();
    println!("flops/sample {f}");
}
