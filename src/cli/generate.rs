//! `fallline generate`

use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use clap::Args;
use serde::Serialize;

use super::output::Outputs;
use super::signals::{self, Signal};
use crate::data::text::Writing;
use crate::model::saved;
use crate::report::numbers::{self, thousands};
use crate::report::progress::Line;
use crate::report::{json, terminal};
use crate::train::generate::{Generator, Sampling, prompt, vocabulary_of};

/// Tokens that are written where nothing is said.
const TOKENS: u32 = 500;

/// What is still done after the first signal.
const STOPPING: &str = "the text ends here";

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
    /// Tokens that were written: fewer than were asked for if a signal came.
    tokens: u32,
    temperature: f64,
    top_k: Option<u32>,
    top_p: Option<f64>,
    seed: u64,
    seconds: f64,
    tokens_per_second: f64,
    /// Tokens that were read first: those of the prompt, or the one that stands for the beginning of a line.
    prompt_tokens: usize,
    prompt_seconds: f64,
    prompt_tokens_per_second: f64,
    /// The signal that ended it early, if one did: "SIGINT".
    #[serde(skip_serializing_if = "Option::is_none")]
    signal: Option<&'static str>,
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
    let mut written = Writer::new(arguments.json.is_some());
    let stop = signals::listen(Line::without_bar(), STOPPING);
    written.add(arguments.prompt.as_bytes())?;
    let (begun, mut count) = (Instant::now(), 0);
    while count < arguments.tokens && !stop.flag().load(Relaxed) {
        written.add(&writing.add(generator.write()?))?;
        count += 1;
    }
    let seconds = begun.elapsed().as_secs_f64();
    written.add(&writing.end())?;
    written.end()?;
    let rate = |tokens: f64, seconds: f64| tokens / seconds.max(f64::MIN_POSITIVE);
    let prompt_seconds = generator.prompt_time().as_secs_f64();
    let rates = [(f64::from(count), seconds), (read.len() as f64, prompt_seconds)];
    let [tokens_per_second, prompt_tokens_per_second] = rates.map(|(tokens, seconds)| rate(tokens, seconds));
    let signal = stop.signal().filter(|_| count < arguments.tokens);
    let end = signal.map_or(String::new(), |signal| format!("; interrupted by {}", signal.text()));
    let of_prompt = match arguments.prompt.is_empty() {
        true => String::new(),
        false => format!(
            ", behind a prompt of {}",
            speed(read.len() as u64, prompt_seconds, prompt_tokens_per_second)
        ),
    };
    let written_speed = speed(count.into(), seconds, tokens_per_second);
    super::shared::say("wrote", &format!("{written_speed}{of_prompt}{end}"));
    if let Some(path) = &arguments.json {
        let record = Generated {
            schema: "fallline.generate/1",
            recipe: saved.recipe.name.clone(),
            prompt: arguments.prompt,
            text: written.kept.unwrap_or_default(),
            tokens: count,
            temperature,
            top_k,
            top_p,
            seed,
            seconds,
            tokens_per_second,
            prompt_tokens: read.len(),
            prompt_seconds,
            prompt_tokens_per_second,
            signal: signal.map(Signal::name),
        };
        json::write(path, &record)?;
    }
    Ok(())
}

/// How many tokens took how long: "300 tokens in 0.10 s, 3,000 a second".
fn speed(tokens: u64, seconds: f64, rate: f64) -> String {
    let noun = if tokens == 1 { "token" } else { "tokens" };
    let (all, time) = (thousands(tokens), numbers::duration(seconds));
    format!("{all} {noun} in {time}, {} a second", thousands(rate as u64))
}

/// What is printed as it comes, in whole characters.
struct Writer {
    /// All of it, if it is wanted at the end.
    kept: Option<String>,
    /// Bytes that may begin a character.
    rest: Vec<u8>,
    /// Whether what was printed last ends a line.
    ends_line: bool,
}

impl Writer {
    fn new(keeps: bool) -> Writer {
        Writer { kept: keeps.then(String::new), rest: Vec::new(), ends_line: false }
    }

    fn add(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.rest.extend_from_slice(bytes);
        let whole = without_begun(&self.rest);
        let piece: Vec<u8> = self.rest.drain(..whole).collect();
        self.print(&String::from_utf8_lossy(&piece))
    }

    fn print(&mut self, piece: &str) -> std::io::Result<()> {
        if piece.is_empty() {
            return Ok(());
        }
        if let Some(kept) = &mut self.kept {
            kept.push_str(piece);
        }
        self.ends_line = piece.ends_with('\n');
        let mut out = terminal::stdout();
        out.write_all(piece.as_bytes())?;
        out.flush()
    }

    fn end(&mut self) -> std::io::Result<()> {
        let rest = std::mem::take(&mut self.rest);
        self.print(&String::from_utf8_lossy(&rest))?;
        let end = if self.ends_line { "" } else { "\n" };
        terminal::stdout().write_all(end.as_bytes())
    }
}

/// The length of what can be printed: all bytes but those at the end that begin a character. What is no character, and will be
/// none, takes nothing with it.
fn without_begun(bytes: &[u8]) -> usize {
    let last = bytes.utf8_chunks().last().map_or(&[][..], |chunk| chunk.invalid());
    let is_begun = std::str::from_utf8(last).is_err_and(|error| error.error_len().is_none());
    bytes.len() - if is_begun { last.len() } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever the pieces are, they are the text that all bytes are at once.
    #[test]
    fn broken_characters_take_no_whole_ones_with_them() {
        let texts: [&[u8]; 6] = [
            "é日🦀!".as_bytes(),
            b"a\xc3\xe2\x82\xacb",
            b"\xe2\x82\xc3\xa9\xf0\x9f\xa6\x80",
            b"\xff\xc3\xa9\xe2\x82\nx",
            b"\x80\x80\xf0\x9f",
            b"\xf0\x9f\xa6\xe2\x82\xac\xed\xa0\x80z",
        ];
        for text in texts {
            for size in 1..=text.len() {
                let (mut rest, mut found) = (Vec::new(), String::new());
                for piece in text.chunks(size) {
                    rest.extend_from_slice(piece);
                    let whole: Vec<u8> = rest.drain(..without_begun(&rest)).collect();
                    found += &String::from_utf8_lossy(&whole);
                }
                found += &String::from_utf8_lossy(&rest);
                assert_eq!(found, String::from_utf8_lossy(text), "{text:?} in pieces of {size}");
            }
        }
        // A character that follows a broken one is held back until it is whole.
        assert_eq!([without_begun(b"\xff\xc3"), without_begun(b"\xff\xc3\xa9")], [1, 3]);
        assert_eq!([without_begun(b""), without_begun(b"\xe2\x82")], [0, 0]);
    }
}
