//! Saved models (safetensors).

use std::path::Path;
use std::sync::OnceLock;

use fallline::data::idx::ElementType;
use fallline::engine::model::saved::{self, SavedModel};
use fallline::engine::model::{Model, Recipe};
use serde_json::{Value, json};

use super::recipe;
use crate::bytes;
use crate::harness::{Accepted, Input, Target};
use crate::random::Random;
use crate::text;

pub static TARGET: Target = Target { name: "model", share: 1, seeds, spoil, read, memory };

/// Bytes before the header: its length as a little-endian u64.
const LENGTH: usize = 8;

/// What the parsers make of header and recipe, and the model, whose layers lie in whole vectors and units.
fn memory(input: &[u8]) -> usize {
    400 * input.len() + (2 << 20)
}

fn read(input: &Input) -> Result<Accepted, String> {
    let saved = saved::load(input.path).map_err(|error| error.to_string())?;
    let again = input.path.with_extension("again");
    Ok(Box::new(move || {
        let tensors = saved.model.tensors();
        if let Some(tensor) =
            tensors.iter().find(|tensor| tensor.values.iter().any(|value| !value.is_finite()))
        {
            return Err(format!("numbers that are none in {}", tensor.name));
        }
        save(&again, &saved).map_err(|error| error.to_string())?;
        match saved::load(&again) {
            Ok(loaded) if loaded.model.tensors() == tensors && loaded.recipe == saved.recipe => Ok(()),
            Ok(_) => Err("another model is read back".into()),
            Err(error) => Err(format!("it cannot be read back: {error}")),
        }
    }))
}

fn save(path: &Path, saved: &SavedModel) -> fallline::Result<()> {
    let element_type = saved.element_type.unwrap_or(ElementType::U8);
    saved::save(path, &saved.model, &saved.recipe, saved.input, saved.classes, element_type)
}

/// Small networks for samples of this height, width and channels: their layers.
const NETWORKS: [([usize; 3], &str); 6] = [
    (
        [2, 2, 1],
        "[[model.layers]]\ntype = 'dense'\nunits = 3\nactivation = 'relu'\n[[model.layers]]\ntype = 'dense'\nunits = 2\n",
    ),
    ([1, 1, 3], "[[model.layers]]\ntype = 'dense'\nunits = 2\nweight_norm = true\n"),
    (
        [4, 3, 2],
        "[[model.layers]]\ntype = 'conv'\nchannels = 2\nkernel = 2\n[[model.layers]]\ntype = 'batch-norm'\n\
         [[model.layers]]\ntype = 'flatten'\n[[model.layers]]\ntype = 'dense'\nunits = 2\n",
    ),
    (
        [3, 3, 2],
        "[[model.layers]]\ntype = 'residual'\nlayers = [{ type = 'conv', channels = 2, kernel = 3, padding = 1, groups = 2 }, \
         { type = 'squeeze-excite', reduction = 1 }, { type = 'group-norm', groups = 1 }]\n\
         [[model.layers]]\ntype = 'global-average-pool'\n[[model.layers]]\ntype = 'layer-norm'\n",
    ),
    (
        [1, 7, 2],
        "[[model.layers]]\ntype = 'conv-1d'\nchannels = 3\nkernel = 2\npadding = [1, 0]\n\
         [[model.layers]]\ntype = 'max-pool-1d'\nkernel = 3\nstride = 2\npadding = 1\n\
         [[model.layers]]\ntype = 'flatten'\n[[model.layers]]\ntype = 'dense'\nunits = 2\n",
    ),
    (
        [2, 3, 2],
        "[[model.layers]]\ntype = 'conv-transpose'\nchannels = 2\nkernel = [2, 1]\nstride = 2\noutput_padding = [0, 1]\n\
         [[model.layers]]\ntype = 'global-average-pool'\n",
    ),
];

fn seeds() -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model");
    let mut seeds = Vec::new();
    for (input, layers) in NETWORKS {
        let text =
            format!("name = 'a'\n[data]\nset = 'folder'\n[model]\n{layers}[optimizer]\nname = 'sgd'\n");
        let recipe = Recipe::parse(&text, "seed").unwrap();
        let model = Model::build(&recipe.model, input, 2, 1).unwrap();
        let element_type = Some(ElementType::U8);
        save(&path, &SavedModel { model, recipe, input, classes: 2, element_type }).unwrap();
        let file = std::fs::read(&path).unwrap();
        seeds.extend(["F64", "F16", "BF16"].map(|dtype| of_type(&file, dtype)));
        seeds.push(file);
    }
    seeds
}

/// The header and the bytes of the tensors, if the header is JSON.
fn parts(file: &[u8]) -> Option<(Value, &[u8])> {
    let length = u64::from_le_bytes(file.get(..LENGTH)?.try_into().ok()?);
    let (header, tensors) = file[LENGTH..].split_at_checked(usize::try_from(length).ok()?)?;
    Some((serde_json::from_slice(header).ok()?, tensors))
}

fn joined(header: &str, tensors: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), tensors].concat()
}

/// The same tensors, of f32, as those of another type; and the count that PyTorch keeps beside running
/// statistics.
fn of_type(file: &[u8], dtype: &str) -> Vec<u8> {
    let (mut header, tensors) = parts(file).unwrap();
    let entries = header.as_object_mut().unwrap();
    let (mut bytes, mut counts) = (Vec::new(), Vec::new());
    for (name, entry) in entries.iter_mut().filter(|(name, _)| *name != "__metadata__") {
        let [start, end] = [0, 1].map(|side| entry["data_offsets"][side].as_u64().unwrap() as usize);
        let begin = bytes.len();
        for value in tensors[start..end].as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)) {
            match dtype {
                "F64" => bytes.extend(f64::from(value).to_le_bytes()),
                "F16" => bytes.extend(half::f16::from_f32(value).to_le_bytes()),
                _ => bytes.extend(half::bf16::from_f32(value).to_le_bytes()),
            }
        }
        entry["dtype"] = json!(dtype);
        entry["data_offsets"] = json!([begin, bytes.len()]);
        counts.extend(name.strip_suffix("running_var").map(|layer| format!("{layer}num_batches_tracked")));
    }
    for name in counts {
        let begin = bytes.len();
        bytes.extend(7u64.to_le_bytes());
        let entry = json!({ "dtype": "I64", "shape": [], "data_offsets": [begin, bytes.len()] });
        entries.insert(name, entry);
    }
    joined(&header.to_string(), &bytes)
}

fn words() -> &'static [String] {
    static WORDS: OnceLock<Vec<String>> = OnceLock::new();
    WORDS.get_or_init(|| {
        let names = [
            "__metadata__ dtype shape data_offsets F64 F32 F16 BF16 I64 I8 U8 BOOL F8_E4M3 C64 0.weight 0.bias",
            "2.weight 1.running_mean 1.running_var 1.num_batches_tracked recipe input classes schema element scale",
            "0.weight_g 0.weight_v 0.0.weight 28x28x1 1x1x1 4096x4096x1 16777216x1x1 0x1x1 2x2 10 1048576",
            "fallline.model/1 fallline.model/2",
        ];
        text::words(names)
    })
}

/// A file spoilt as bytes, in its header, in the recipe within it, or all of these in agreement with each
/// other.
fn spoil(random: &mut Random, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut file = random.pick(seeds).clone();
    let (Some((mut header, tensors)), false) = (parts(&file), random.one_in(5)) else {
        bytes::spoil(random, &mut file, seeds);
        return file;
    };
    let mut tensors = tensors.to_vec();
    match random.below(5) {
        0 => crate::json::spoil(random, &mut header, words()),
        1 => metadata(random, &mut header),
        2 => {
            metadata(random, &mut header);
            crate::json::spoil(random, &mut header, words());
        }
        3 => reshape(random, &mut header, &mut tensors),
        _ => bytes::spoil(random, &mut tensors, seeds),
    }
    let mut text = header.to_string();
    if random.one_in(8) {
        text::spoil(random, &mut text, words());
    }
    if random.one_in(16) {
        text.push_str(&" ".repeat(random.below(9000)));
    }
    let mut file = joined(&text, &tensors);
    if random.one_in(16) {
        bytes::number(random, &mut file, 0);
    }
    file
}

/// Spoils the recipe and what else the metadata say.
fn metadata(random: &mut Random, header: &mut Value) {
    let Some(entries) = header.get_mut("__metadata__").and_then(Value::as_object_mut) else { return };
    let count = entries.len();
    for (index, value) in entries.values_mut().enumerate() {
        let Some(text) = value.as_str() else { continue };
        // The recipe is far longer than the rest.
        if text.len() > 100 && random.one_in(2) {
            let mut text = text.to_string();
            text::spoil(random, &mut text, recipe::words());
            *value = text.into();
        } else if text.len() <= 100 && random.one_in(count + index) {
            *value = random.pick(words()).clone().into();
        }
    }
}

/// Another shape for each tensor, with the bytes that it takes.
fn reshape(random: &mut Random, header: &mut Value, tensors: &mut Vec<u8>) {
    let Some(entries) = header.as_object_mut() else { return };
    let mut end = 0;
    for (_, entry) in entries.iter_mut().filter(|(name, _)| *name != "__metadata__") {
        if let Some(shape) = entry["shape"].as_array_mut().filter(|shape| !shape.is_empty()) {
            let at = random.below(shape.len());
            shape[at] = json!(random.below(9));
        }
        let shape = entry["shape"].as_array().into_iter().flatten();
        let count = shape.fold(1, |product, size| product * size.as_u64().unwrap_or(0).min(64));
        let bytes = match entry["dtype"].as_str() {
            Some("F64" | "I64") => 8,
            Some("F16" | "BF16") => 2,
            _ => 4,
        };
        entry["data_offsets"] = json!([end, end + count * bytes]);
        end += count * bytes;
    }
    tensors.resize((end as usize).min(bytes::LONGEST), 0x3c);
}
