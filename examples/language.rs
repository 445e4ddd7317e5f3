//! A language model of one's own text: characters become tokens, a small Transformer learns which one comes next, and new text
//! is drawn from it.
//!
//!     cargo run --release --example language

use std::sync::Arc;

use fallline::data::{Features, Targets, Tokens};
use fallline::generate::{Generator, Sampling, Vocabulary, prompt};
use fallline::{LayerConfig, Model, Optimizer, Samples, Trainer};

/// Characters that the model sees at once.
const CONTEXT: usize = 32;

fn main() -> fallline::Result<()> {
    let text = (1..=400).map(|n| format!("{n} and {n} is {}.\n", 2 * n)).collect::<String>();
    let vocabulary = Vocabulary::characters(&[&text], false)?;
    let tokens = vocabulary.encode(&text)?;

    // A sample begins at every character; the target at each position is the character behind it.
    let count = tokens.len() - CONTEXT;
    let inputs = tokens[..tokens.len() - 1].iter().map(|&token| token as u8).collect();
    let targets =
        Tokens { ids: tokens[1..].to_vec(), positions: CONTEXT, step: 1, vocabulary: vocabulary.len() };
    let samples = Samples::windows(Features::Bytes(inputs), CONTEXT, 1, Targets::Tokens(targets), count)?
        .with_vocabulary(Arc::new(vocabulary.clone()));

    let mut model = Model::sequential(CONTEXT)
        .layer(LayerConfig::embedding(&[[vocabulary.len(), 48]]).with("shared", true)?)
        .layer(LayerConfig::named("transformer-block")?.with("heads", 4)?.with("rotary", true)?)
        .layer(LayerConfig::named("transformer-block")?.with("heads", 4)?.with("rotary", true)?)
        .layer(LayerConfig::named("position-dense")?.with("units", vocabulary.len())?)
        .build()?;
    let trainer = Trainer::new().optimizer(Optimizer::adam(0.003)).batch(64).epochs(2);
    let record = trainer.fit(&mut model, &samples)?;
    let last = &record.epochs[record.epochs.len() - 1];
    println!("loss {:.3} nats a character after {} epochs", last.train_loss, last.epoch);

    let sampling = Sampling { temperature: 0.5, ..Sampling::default() };
    let mut generator = Generator::new(&model, sampling, &prompt(&vocabulary, "7 and ")?)?;
    let written = (0..60).map(|_| generator.write()).collect::<Result<Vec<u32>, _>>()?;
    println!("7 and {}", vocabulary.decode(&written));
    assert!(last.train_loss < 1.0);
    Ok(())
}
