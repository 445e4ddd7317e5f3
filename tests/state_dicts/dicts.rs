//! The state dicts of the golden file, as files.

use std::collections::BTreeMap;
use std::path::Path;

use half::{bf16, f16};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::Value;

use crate::common::golden::{self, integers, numbers, text};
use crate::common::golden_network;
use fallline::engine::model::{Model, NamedTensor, Recipe};

/// A tensor as it lies in a file.
pub struct Raw {
    pub name: String,
    pub kind: Dtype,
    pub shape: Vec<usize>,
    pub bytes: Vec<u8>,
}

/// The tensors of a case, with its counts of batches.
pub fn tensors(case: &Value) -> Vec<NamedTensor> {
    let tensor = |tensor: &Value| NamedTensor {
        name: text(&tensor["name"]).into(),
        shape: integers(&tensor["shape"]).iter().map(|&size| size as usize).collect(),
        values: numbers(&tensor["values"]).iter().map(|&value| value as f32).collect(),
    };
    case["tensors"].as_array().unwrap().iter().map(tensor).collect()
}

/// The values as numbers of this type.
pub fn bytes(values: &[f32], kind: Dtype) -> Vec<u8> {
    let each = values.iter().copied();
    match kind {
        Dtype::F32 => each.flat_map(f32::to_le_bytes).collect(),
        Dtype::F64 => each.flat_map(|value| f64::from(value).to_le_bytes()).collect(),
        Dtype::F16 => each.flat_map(|value| f16::from_f32(value).to_le_bytes()).collect(),
        Dtype::BF16 => each.flat_map(|value| bf16::from_f32(value).to_le_bytes()).collect(),
        other => panic!("no numbers of {other:?} are written here"),
    }
}

/// A case as a file has it, with numbers of this type, and the counts of its normalisations by batch.
pub fn raw(case: &Value, kind: Dtype) -> Vec<Raw> {
    let tensor = |NamedTensor { name, shape, values }| Raw { name, kind, shape, bytes: bytes(&values, kind) };
    let count = |name: &Value| Raw {
        name: text(name).into(),
        kind: Dtype::I64,
        shape: Vec::new(),
        bytes: 17i64.to_le_bytes().to_vec(),
    };
    let counts = case["counts"].as_array().unwrap();
    tensors(case).into_iter().map(tensor).chain(counts.iter().map(count)).collect()
}

fn view(raw: &Raw) -> (String, TensorView<'_>) {
    (raw.name.clone(), TensorView::new(raw.kind, raw.shape.clone(), &raw.bytes).expect("a tensor"))
}

pub fn write(path: &Path, tensors: &[Raw]) {
    let views: Vec<_> = tensors.iter().map(view).collect();
    std::fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

/// Names, shapes and values of a file of f32 numbers.
pub fn read(path: &Path) -> BTreeMap<String, (Vec<usize>, Vec<f32>)> {
    let (tensors, metadata) = fallline::engine::model::checkpoint::load(path).unwrap();
    assert_eq!(metadata.get("format").map(String::as_str), Some("pt"));
    tensors.into_iter().map(|tensor| (tensor.name, (tensor.shape, tensor.values))).collect()
}

/// The recipe of a case.
pub fn recipe(case: &Value) -> Recipe {
    let layers = toml::Value::try_from(case["layers"].clone()).unwrap();
    golden_network::recipe(&format!("layers = {layers}"), "name = \"sgd\"\nlearning_rate = 0.1", 4)
}

/// Height, width and channels of an input of a case.
pub fn input(case: &Value) -> [usize; 3] {
    let input: Vec<usize> = integers(&case["input"]).iter().map(|&size| size as usize).collect();
    input.try_into().unwrap()
}

/// The model of a case, with other weights.
pub fn model(case: &Value) -> Model {
    Model::of_config(&recipe(case).model, input(case), 5).unwrap()
}

/// The case of this name.
pub fn case<'a>(file: &'a Value, name: &str) -> &'a Value {
    golden::cases(file).iter().find(|case| text(&case["name"]) == name).expect("a case of this name")
}
