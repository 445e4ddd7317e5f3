//! Models in ONNX files, imported by their graph or by the recipe in them.

use std::fs;

use fallline::engine::model::Recipe;
use fallline::exchange::onnx::export::{OnnxOptions, export};
use fallline::exchange::onnx::import::{OnnxFile, Wishes};
use fallline::exchange::onnx::proto::{DimensionValue, GraphProto, ModelProto, NodeProto};
use fallline::{LayerConfig, Loss, Model};
use prost::Message;

use crate::bytes::{self, EDGES};
use crate::harness::{Accepted, Input, Target};
use crate::random::Random;

pub static TARGET: Target = Target { name: "onnx", share: 1, seeds, spoil, read, memory };

/// What the parser makes of the parts of a file, and what its nodes make of its constants.
fn memory(input: &[u8]) -> usize {
    400 * input.len() + (64 << 20)
}

/// The error lists what does not fit line by line: the longest of them.
fn longest(error: fallline::Error) -> String {
    let text = error.to_string();
    text.lines().max_by_key(|line| line.len()).unwrap_or_default().to_string()
}

fn read(input: &Input) -> Result<Accepted, String> {
    let file = OnnxFile::open(input.path).map_err(longest)?;
    file.contents();
    let wishes = Wishes::default();
    let imported = if file.has_recipe() { file.by_own_recipe(&wishes) } else { file.by_graph(&wishes) };
    let imported = imported.map_err(longest)?;
    let again = input.path.with_extension("again");
    Ok(Box::new(move || {
        imported.save(&again).map_err(|error| error.to_string())?;
        match Model::load(&again) {
            Ok(model) if model.tensors() == imported.model.tensors() => Ok(()),
            Ok(_) => Err("another model is read back".into()),
            Err(error) => Err(format!("it cannot be read back: {error}")),
        }
    }))
}

fn layer(name: &str, key: &str, value: usize) -> LayerConfig {
    LayerConfig::named(name).unwrap().with(key, value).unwrap()
}

/// Small networks with and without their recipe.
fn seeds() -> Vec<Vec<u8>> {
    let plain = |name: &str| LayerConfig::named(name).unwrap();
    let networks = [
        ([1, 1, 3], vec![layer("dense", "units", 4), plain("relu"), layer("dense", "units", 2)]),
        ([1, 5, 3], vec![layer("lstm", "units", 2), plain("last-position"), layer("dense", "units", 2)]),
        ([1, 4, 4], vec![layer("position-dense", "units", 4), plain("layer-norm"), plain("flatten")]),
        ([3, 3, 2], vec![plain("global-average-pool"), plain("batch-norm"), layer("dense", "units", 2)]),
    ];
    let mut seeds = Vec::new();
    for (input, layers) in networks {
        let builder = layers.into_iter().fold(Model::of_images(input), |builder, layer| builder.layer(layer));
        let model = builder.loss(Loss::MEAN_SQUARED_ERROR).build().unwrap();
        let recipe = Recipe::of_model(model.config().clone());
        let mut file = export(&model, &recipe, OnnxOptions::new()).unwrap();
        seeds.push(file.encode_to_vec());
        file.metadata_props.clear();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.onnx");
        fs::write(&path, file.encode_to_vec()).unwrap();
        // What does not come back without its recipe is no seed.
        if OnnxFile::open(&path).unwrap().by_graph(&Wishes::default()).is_ok() {
            seeds.push(file.encode_to_vec());
        }
    }
    seeds
}

/// Spoilt as bytes, or in a few of its nodes and tensors.
fn spoil(random: &mut Random, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut file = random.pick(seeds).clone();
    let decoded = ModelProto::decode(&file[..]);
    let (Ok(mut model), false) = (decoded, random.one_in(3)) else {
        bytes::spoil(random, &mut file, seeds);
        return file;
    };
    if let Some(graph) = &mut model.graph {
        for _ in 0..random.few(4) {
            change(random, graph);
        }
    }
    let mut file = model.encode_to_vec();
    file.truncate(bytes::LONGEST);
    file
}

const OPERATORS: [&str; 30] = [
    "Add",
    "Sub",
    "Mul",
    "Div",
    "MatMul",
    "Gemm",
    "Conv",
    "ConvTranspose",
    "Relu",
    "Concat",
    "Split",
    "Reshape",
    "Transpose",
    "Squeeze",
    "Unsqueeze",
    "Flatten",
    "Gather",
    "Slice",
    "Shape",
    "Cast",
    "Softmax",
    "LSTM",
    "GRU",
    "BatchNormalization",
    "GroupNormalization",
    "LayerNormalization",
    "MaxPool",
    "ReduceMean",
    "Expand",
    "Clip",
];

fn edge(random: &mut Random) -> i64 {
    match random.below(3) {
        0 => random.below(6) as i64 - 2,
        1 => *random.pick(&EDGES) as i64,
        _ => -(*random.pick(&EDGES) as i64 >> 1),
    }
}

fn change(random: &mut Random, graph: &mut GraphProto) {
    if graph.node.is_empty() || graph.initializer.is_empty() {
        return;
    }
    let (node, tensor) = (random.below(graph.node.len()), random.below(graph.initializer.len()));
    match random.below(9) {
        0 => graph.node[node].op_type = random.pick(&OPERATORS).to_string(),
        1 => drop(graph.node.remove(node)),
        2 => {
            let dims = &mut graph.initializer[tensor].dims;
            match dims.len() {
                0 => dims.push(edge(random)),
                len => dims[random.below(len)] = edge(random),
            }
        }
        3 => {
            let raw = &mut graph.initializer[tensor].raw_data;
            let len = random.below(raw.len() + 9);
            raw.resize(len, 0x3c);
        }
        4 => graph.initializer[tensor].data_type = random.below(18) as i32,
        5 => {
            let names: Vec<String> = graph.node.iter().flat_map(|node| node.output.clone()).collect();
            let inputs = &mut graph.node[node].input;
            if let (false, false) = (inputs.is_empty(), names.is_empty()) {
                let at = random.below(inputs.len());
                inputs[at] = random.pick(&names).clone();
            }
        }
        6 => attribute(random, &mut graph.node[node]),
        7 => size(random, graph),
        _ => doubled(random, graph, tensor),
    }
}

/// Another number in an attribute.
fn attribute(random: &mut Random, node: &mut NodeProto) {
    if node.attribute.is_empty() {
        return;
    }
    let at = random.below(node.attribute.len());
    let found = &mut node.attribute[at];
    if let Some(value) = &mut found.i {
        *value = edge(random);
    }
    found.ints.iter_mut().for_each(|value| *value = edge(random));
    if let Some(value) = &mut found.f {
        *value = *random.pick(&[f32::NAN, f32::INFINITY, -1.0, 0.0, 1e-30, 1e30]);
    }
}

/// Another size of the input.
fn size(random: &mut Random, graph: &mut GraphProto) {
    let kind = graph.input.first_mut().and_then(|input| input.r#type.as_mut());
    let shape = kind.and_then(|kind| kind.tensor_type.as_mut()).and_then(|tensor| tensor.shape.as_mut());
    if let Some(shape) = shape.filter(|shape| !shape.dim.is_empty()) {
        let at = random.below(shape.dim.len());
        shape.dim[at].value = Some(DimensionValue::Size(edge(random)));
    }
}

/// A constant that is put beside itself again and again, and takes the place of itself.
fn doubled(random: &mut Random, graph: &mut GraphProto, tensor: usize) {
    let name = graph.initializer[tensor].name.clone();
    let count = random.below(50);
    let of = |step: usize| if step == 0 { name.clone() } else { format!("{name}/{step}") };
    for node in &mut graph.node {
        node.input.iter_mut().filter(|input| **input == name).for_each(|input| *input = of(count));
    }
    for step in 0..count {
        let (input, output) = (vec![of(step), of(step)], vec![of(step + 1)]);
        graph.node.push(NodeProto { op_type: "Concat".into(), input, output, ..NodeProto::default() });
    }
}
