//! Checkpoints of a training, which are exported, and from which it goes on.

use std::fs;
use std::panic::resume_unwind;
use std::sync::OnceLock;
use std::thread;

use fallline::exchange::weights::{Style, optimizer};
use fallline::{Activation, Loss, Model, Optimizer, Samples, Trainer};

use crate::common::crafted::crafted;
use crate::harness::{Accepted, Input, Target};
use crate::random::Random;
use crate::{bytes, json, text};

pub static TARGET: Target = Target { name: "checkpoint", share: 1, seeds, spoil, read, memory };

/// What the parsers make of header and values, and the model.
fn memory(input: &[u8]) -> usize {
    100 * input.len() + (2 << 20)
}

fn samples() -> Samples {
    let x: Vec<f32> = (0..24).map(|number| (number * 7 % 11) as f32 / 11.0).collect();
    Samples::from_rows(x, 2).classes((0..12).map(|row| row % 3).collect::<Vec<u8>>()).unwrap()
}

/// A training of four epochs of three steps each, and its model.
fn training() -> (Trainer, Model) {
    let layers = Model::sequential(2).dense(4, Activation::TANH).dense(3, Activation::IDENTITY);
    let model = layers.loss(Loss::default()).build().unwrap();
    (Trainer::new().optimizer(Optimizer::adam(0.01)).batch(4).epochs(4).threads(1), model)
}

/// As `export` reads it; a training that goes on from what is accepted is no reading, and has threads of its own.
fn read(input: &Input) -> Result<Accepted, String> {
    let found = optimizer::checkpoint_at(input.path).map_err(|error| error.to_string())?;
    let checkpoint = found.ok_or("no checkpoint")?;
    let again = input.path.with_extension("again");
    optimizer::export_checkpoint(&checkpoint, &again, Style::Sequential)
        .map_err(|error| error.to_string())?;
    let (bytes, folder) = (input.bytes.to_vec(), input.path.with_extension("kept"));
    Ok(Box::new(move || {
        fs::remove_dir_all(&folder).ok();
        fs::create_dir(&folder).map_err(|error| error.to_string())?;
        fs::write(folder.join("checkpoint-6.safetensors"), bytes).map_err(|error| error.to_string())?;
        let gone_on = || {
            let (trainer, mut model) = training();
            trainer.resume(&folder).fit(&mut model, &samples())
        };
        let record =
            thread::scope(|scope| scope.spawn(gone_on).join()).unwrap_or_else(|panic| resume_unwind(panic));
        match record {
            // It may say that the training has ended.
            Ok(record) if record.epochs.len() <= 4 => Ok(()),
            Ok(record) => Err(format!("{} epochs of four", record.epochs.len())),
            // What an export leaves out may be wrong.
            Err(error) if error.to_string().chars().any(char::is_control) => Err(error.to_string()),
            Err(_) => Ok(()),
        }
    }))
}

/// Checkpoints at the beginning, within an epoch and at the end.
fn seeds() -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let (trainer, mut model) = training();
    let every = "1steps".parse().unwrap();
    let whole = trainer.clone().checkpoint(folder.path(), every);
    whole.fit(&mut model, &samples()).unwrap();
    let mut files: Vec<_> =
        fs::read_dir(folder.path()).unwrap().flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "safetensors"));
    files.sort();
    files.iter().map(|path| fs::read(path).unwrap()).collect()
}

fn words() -> &'static [String] {
    static WORDS: OnceLock<Vec<String>> = OnceLock::new();
    WORDS.get_or_init(|| {
        text::words(["session.steps session.epochs Slot Average Shown null adam sgd 1 7 12 NaN inf"])
    })
}

/// Spoilt as bytes, which the checksum tells; or in its values, or what it says of itself, with the right checksum.
fn spoil(random: &mut Random, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut file = random.pick(seeds).clone();
    if random.one_in(3) {
        bytes::spoil(random, &mut file, seeds);
        return file;
    }
    crafted(&file, |about, values| match random.below(4) {
        0 => text::spoil(random, about, words()),
        _ => json::spoil(random, values, words()),
    })
}
