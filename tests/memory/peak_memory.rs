//! The memory promise of the README: the data's bytes, three times the parameters and the optimizer's
//! slots, the activations of a block, and 40 MB.

#[path = "../common/mod.rs"]
pub mod common;

use crate::common::runs::run;
use fallline::data::source;
use fallline::engine::model::{Model, Recipe};

const SLACK: usize = 40 << 20;

/// The most memory this process has had resident, in bytes, where Linux tells.
fn peak() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<usize>().ok()? * 1024)
}

#[test]
fn training_stays_within_the_promise() {
    let Some(before) = peak() else {
        eprintln!("\n*** SKIPPED: this system does not tell a process's peak memory ***\n");
        return;
    };
    let recipe = Recipe::load(
        "mnist-mlp-512",
        &["train.epochs=1".parse().unwrap(), "data.set=digits".parse().unwrap()],
    );
    let recipe = recipe.unwrap();
    let data = source::generate_digits([60_000, 10_000], 1).unwrap();
    let mut model = Model::build(&recipe.model, data.train.shape(), data.classes, 1).unwrap();
    run(&mut model, &data, &recipe, 2).unwrap();

    let data_bytes = 70_000 * (784 + 1);
    let slots = 1; // Nesterov's momentum
    let parameters = size_of_val(model.storage());
    // Outputs and gradients of a block of 256 rows, and each worker's input.
    let activations = 256 * (2 * (512 + 512 + 16) + 2 * 784) * size_of::<f32>();
    let promised = data_bytes + (3 + slots) * parameters + activations + SLACK;
    let peak = peak().unwrap();
    println!("peak {} KiB, promised {} KiB, before {} KiB", peak >> 10, promised >> 10, before >> 10);
    assert!(peak <= promised, "{peak} bytes resident, {promised} promised");
    // The check can fail: without the data's bytes in it, the promise would be broken.
    assert!(peak > promised - data_bytes - SLACK, "the peak was not measured");
}
