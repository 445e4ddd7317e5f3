//! `fallline generate`

use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use serde::Serialize;

use super::output::Outputs;
use crate::data::text::Writing;
use crate::model::saved;
use crate::report::numbers::{self, thousands};
use crate::report::{json, terminal};
use crate::train::generate::{Generator, Sampling, prompt, vocabulary_of};

/// Tokens that are written where nothing is said.
const TOKENS: u32 = 500;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct GenerateArguments {
    /// A file of a model of text, which `fallline train --save` wrote.
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// What the text begins with; nothing is the beginning of a line.
    #[arg(long, value_name = "TEXT", default_value = "")]
    prompt: String,
    /// Tokens to write: characters, bytes or pieces, as the model was trained on.
    #[arg(long, value_name = "N", default_value_t = TOKENS)]
    tokens: u32,
    /// What the outputs are divided by: below 1 likely tokens become more likely; 0 always takes the most likely one.
    #[arg(long, value_name = "T", default_value_t = 1.0, allow_negative_numbers = true)]
    temperature: f64,
    /// Draw from the K most likely tokens only.
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..))]
    top_k: Option<u32>,
    /// Draw only from the most likely tokens that together have this probability.
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    top_p: Option<f64>,
    /// Another seed draws another text; the same one the same text.
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Write the text and what it was made with to this file as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  fallline train chars-transformer --data texts --save shakespeare.safetensors
  fallline generate --model shakespeare.safetensors --prompt 'ROMEO:' --tokens 300
  fallline generate --model shakespeare.safetensors --temperature 0.7 --top-k 20 --seed 7
  fallline generate --model names.safetensors --tokens 100";

/// The result of `generate` as JSON.
#[derive(Debug, Serialize)]
struct Generated {
    schema: &'static str,
    recipe: String,
    prompt: String,
    text: String,
    tokens: u32,
    temperature: f64,
    top_k: Option<u32>,
    top_p: Option<f64>,
    seed: u64,
    seconds: f64,
    tokens_per_second: f64,
}

pub fn run(arguments: GenerateArguments) -> anyhow::Result<()> {
    let outputs = Outputs::files(arguments.json.as_ref());
    outputs.check([&*arguments.model])?;
    let saved = saved::load(&arguments.model)?;
    let vocabulary = vocabulary_of(&saved.model)?;
    let GenerateArguments { temperature, top_k, top_p, seed, .. } = arguments;
    let sampling = Sampling { temperature, top_k: top_k.map(|most| most as usize), top_p, seed };
    let read = prompt(vocabulary, &arguments.prompt)?;
    let mut generator = Generator::new(&saved.model, sampling, &read)?;
    // Where there is no prompt, what the model reads is no part of the text.
    let shown = if arguments.prompt.is_empty() { &[][..] } else { &read };
    let mut writing = Writing::after(vocabulary, shown);
    let mut written = Writer { text: String::new(), rest: Vec::new() };
    written.add(arguments.prompt.as_bytes())?;
    let (begun, mut count) = (Instant::now(), 0);
    while count < arguments.tokens {
        written.add(&writing.add(generator.write()?))?;
        count += 1;
    }
    let seconds = begun.elapsed().as_secs_f64();
    written.add(&writing.end())?;
    written.end()?;
    let rate = f64::from(count) / seconds.max(f64::MIN_POSITIVE);
    let (all, time) = (thousands(count.into()), numbers::duration(seconds));
    super::shared::say("wrote", &format!("{all} tokens in {time}, {} a second", thousands(rate as u64)));
    if let Some(path) = &arguments.json {
        let record = Generated {
            schema: "fallline.generate/1",
            recipe: saved.recipe.name.clone(),
            prompt: arguments.prompt,
            text: written.text,
            tokens: count,
            temperature,
            top_k,
            top_p,
            seed,
            seconds,
            tokens_per_second: rate,
        };
        json::write(path, &record)?;
    }
    Ok(())
}

/// What is printed as it comes, in whole characters.
struct Writer {
    text: String,
    /// Bytes that may begin a character.
    rest: Vec<u8>,
}

impl Writer {
    fn add(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.rest.extend_from_slice(bytes);
        let whole = match std::str::from_utf8(&self.rest) {
            Ok(_) => self.rest.len(),
            // What is no character, and will be none.
            Err(error) if error.error_len().is_some() => self.rest.len(),
            Err(error) => error.valid_up_to(),
        };
        let piece: Vec<u8> = self.rest.drain(..whole).collect();
        self.print(&String::from_utf8_lossy(&piece))
    }

    fn print(&mut self, piece: &str) -> std::io::Result<()> {
        self.text.push_str(piece);
        let mut out = terminal::stdout();
        out.write_all(piece.as_bytes())?;
        out.flush()
    }

    fn end(&mut self) -> std::io::Result<()> {
        let rest: Vec<u8> = std::mem::take(&mut self.rest);
        let rest = String::from_utf8_lossy(&rest).into_owned();
        let end = if (self.text.clone() + &rest).ends_with('\n') { "" } else { "\n" };
        self.print(&rest)?;
        terminal::stdout().write_all(end.as_bytes())
    }
}
