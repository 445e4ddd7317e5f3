//! What a saved model gives for samples of one's own, as numbers in files: for comparing it with other programs.
//!
//!     cargo run --release --example outputs -- run MODEL INPUTS OUTPUTS [--bytes] [--softmax]
//!     cargo run --release --example outputs -- make RECIPE HEIGHTxWIDTHxCHANNELS CLASSES MODEL
//!
//! `run` reads samples one after the other, f32 (or with `--bytes` u8) as the model's data have them, and writes the outputs as
//! f32, both little-endian. `make` saves an untrained model of a recipe, built in or a file, with all its parameters away
//! from their initial values: statistics of a normalisation, too.

use std::fs;

use fallline::engine::model::{Model, NamedTensor, Recipe};
use fallline::{Error, Predictor, Result};

const USAGE: &str = "run MODEL INPUTS OUTPUTS [--bytes] [--softmax] | make RECIPE HxWxC CLASSES MODEL";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    let plain: Vec<&str> =
        arguments.iter().map(String::as_str).filter(|argument| !argument.starts_with("--")).collect();
    match plain[..] {
        ["run", model, inputs, outputs] => run([model, inputs, outputs], has("--bytes"), has("--softmax")),
        ["make", recipe, input, classes, model] => make(recipe, input, classes, model),
        _ => Err(wrong("arguments", USAGE, &plain.join(" "))),
    }
}

fn run([model, inputs, outputs]: [&str; 3], are_bytes: bool, softmax: bool) -> Result<()> {
    let mut predictor = Predictor::load(model)?;
    if softmax {
        predictor = predictor.with_softmax();
    }
    let bytes = fs::read(inputs).map_err(Error::io(inputs, "read"))?;
    let (width, each) = (predictor.model().input().iter().product::<usize>(), predictor.model().outputs());
    let numbers = if are_bytes { bytes.len() } else { bytes.len() / 4 };
    let mut y = vec![0.0; numbers / width * each];
    if are_bytes {
        predictor.predict(&bytes[..], &mut y)?;
    } else {
        let x: Vec<f32> = bytes.as_chunks().0.iter().map(|four| f32::from_le_bytes(*four)).collect();
        predictor.predict(&x[..], &mut y)?;
    }
    let y: Vec<u8> = y.into_iter().flat_map(f32::to_le_bytes).collect();
    fs::write(outputs, y).map_err(Error::io(outputs, "write"))
}

fn make(recipe: &str, input: &str, classes: &str, model: &str) -> Result<()> {
    let recipe = match fs::read_to_string(recipe) {
        Ok(text) => Recipe::parse(&text, recipe)?,
        Err(_) => Recipe::built_in(recipe)?,
    };
    let sides: Vec<usize> = input.split('x').filter_map(|side| side.parse().ok()).collect();
    let sides = sides.try_into().map_err(|_| wrong("input", "HEIGHTxWIDTHxCHANNELS", input))?;
    let classes: usize = classes.parse().map_err(|_| wrong("classes", "a number", classes))?;
    let mut made = Model::build(&recipe.model, sides, classes, 1)?;
    let mut tensors = made.tensors();
    tensors.iter_mut().enumerate().for_each(|(number, tensor)| stir(number, tensor));
    made.load_tensors(model.as_ref(), tensors)?;
    made.save(model)
}

/// Moves each number of a parameter by something between -0.1 and 0.1 that has no pattern; a variance stays above 0.
fn stir(number: usize, tensor: &mut NamedTensor) {
    let is_variance = tensor.name.ends_with(".running_var");
    for (place, value) in tensor.values.iter_mut().enumerate() {
        let noise = ((place * 7919 + number * 104_729) % 1013) as f32 / 5065.0 - 0.1;
        *value = if is_variance { value.abs() + 0.2 + noise } else { *value + noise };
    }
}

fn wrong(what: &str, expected: &str, found: &str) -> Error {
    Error::Mismatch { what: what.into(), expected: expected.into(), found: found.into() }
}
