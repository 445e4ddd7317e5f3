//! Recipes, as files.

use std::sync::OnceLock;

use fallline::engine::model::Recipe;
use fallline::engine::model::recipe::{DATA_SETS, SCHEDULES, optimizer_names};

use crate::bytes;
use crate::harness::{Accepted, Input, Target};
use crate::random::Random;
use crate::text;

pub static TARGET: Target = Target { name: "recipe", share: 1, seeds, spoil, read, memory };

/// What the parser makes of a text, entry by entry, and what the recipe keeps of it.
fn memory(input: &[u8]) -> usize {
    400 * input.len() + (1 << 20)
}

fn read(input: &Input) -> Result<Accepted, String> {
    let path = input.path.to_str().unwrap();
    let recipe = Recipe::load(path, &[]).map_err(|error| error.to_string())?;
    Ok(Box::new(move || reads_back(&recipe)))
}

/// That a recipe is written as one that is read as the same.
pub fn reads_back(recipe: &Recipe) -> Result<(), String> {
    let text = recipe.to_toml();
    match Recipe::parse(&text, "copy") {
        Ok(mut again) => {
            // The folder that a recipe was found in is no part of its text.
            if let (Some(table), Some(own)) = (&mut again.data.table, &recipe.data.table) {
                table.folder.clone_from(&own.folder);
            }
            if let (Some(text), Some(own)) = (&mut again.data.text, &recipe.data.text) {
                text.folder.clone_from(&own.folder);
            }
            if again == *recipe { Ok(()) } else { Err(format!("another recipe is read back from {text}")) }
        }
        Err(error) => Err(format!("it cannot be read back: {error}")),
    }
}

/// A recipe with every section, and layers of every kind.
const WIDE: &str = include_str!("../seeds/wide.toml");

/// What the documentation says of recipes, where all keys and names stand.
const DOCUMENTS: [&str; 6] = [
    include_str!("../../../README.md"),
    include_str!("../../../docs/augmentation.md"),
    include_str!("../../../docs/layers.md"),
    include_str!("../../../docs/losses.md"),
    include_str!("../../../docs/schedules.md"),
    include_str!("../../../docs/training.md"),
];

pub fn texts() -> Vec<String> {
    let built_in = Recipe::built_in_names().into_iter().flat_map(|name| {
        let recipe = Recipe::built_in(name).unwrap();
        [Recipe::built_in_text(name).unwrap().to_string(), recipe.to_toml()]
    });
    built_in.chain([WIDE.to_string()]).collect()
}

fn seeds() -> Vec<Vec<u8>> {
    texts().into_iter().map(String::into_bytes).collect()
}

/// The keys and names that recipes know.
pub fn words() -> &'static [String] {
    static WORDS: OnceLock<Vec<String>> = OnceLock::new();
    WORDS.get_or_init(|| {
        // In the documentation, code stands between ticks, in blocks too.
        let code = DOCUMENTS.iter().flat_map(|text| text.split('`').skip(1).step_by(2));
        let texts = texts();
        let names = optimizer_names().chain(SCHEDULES).chain(DATA_SETS);
        let mut all: Vec<&str> = texts.iter().map(String::as_str).collect();
        code.chain(names).for_each(|text| all.push(text));
        text::words(all)
    })
}

fn spoil(random: &mut Random, seeds: &[Vec<u8>]) -> Vec<u8> {
    let seed = random.pick(seeds);
    let Ok(text) = std::str::from_utf8(seed) else { return seed.clone() };
    let mut text = text.to_string();
    // Without comments, so that changes hit what is read.
    if random.one_in(2) {
        text = text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n");
    }
    text::spoil(random, &mut text, words());
    let mut bytes = text.into_bytes();
    if random.one_in(8) {
        bytes::spoil(random, &mut bytes, seeds);
    }
    bytes
}
