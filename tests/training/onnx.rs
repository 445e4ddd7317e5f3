//! What ONNX files hold, read again without a runtime: `scripts/check_onnx.py` compares the numbers that onnxruntime gives.

use std::collections::{BTreeMap, BTreeSet};

use fallline::engine::kernels::image::Window;
use fallline::engine::model::{Model, Recipe};
use fallline::exchange::onnx::export::{DEFAULT_OPSET, OPSETS, OnnxOptions, export};
use fallline::exchange::onnx::proto::{DimensionValue, GraphProto, ModelProto, NodeProto, ValueInfoProto};
use fallline::extend::{Backward, Forward, Layer, LayerKind};
use fallline::{Activation, LayerConfig, Loss, ModelBuilder, Trainer};
use prost::Message;

use crate::common::runs;

/// The model as a file would have it, read again and checked.
#[track_caller]
fn exported(model: &Model, options: OnnxOptions) -> ModelProto {
    let recipe = Recipe::of_model(model.config().clone());
    let written = export(model, &recipe, options).unwrap();
    let read = ModelProto::decode(&written.encode_to_vec()[..]).unwrap();
    assert_eq!(read, written);
    let graph = read.graph.clone().unwrap();
    check_values(&graph);
    check_parameters(model, &graph);
    read
}

/// Each node reads what stands before it; no name stands for two things; nothing is left over.
#[track_caller]
fn check_values(graph: &GraphProto) {
    let mut known: BTreeSet<&str> = BTreeSet::new();
    let constants = graph.initializer.iter().map(|tensor| &*tensor.name);
    for name in constants.clone().chain(graph.input.iter().map(|input| &*input.name)) {
        assert!(known.insert(name), "{name} twice");
    }
    let mut read: BTreeSet<&str> = graph.output.iter().map(|output| &*output.name).collect();
    for NodeProto { name, input, output, attribute, .. } in &graph.node {
        for input in input.iter().filter(|input| !input.is_empty()) {
            assert!(known.contains(&**input), "{name} reads {input}, which is not there yet");
            read.insert(input);
        }
        assert!(output.iter().all(|output| known.insert(output)), "{name} gives {output:?} again");
        assert!(attribute.iter().all(|attribute| attribute.kind != 0), "{name}: {attribute:?}");
    }
    let names: BTreeSet<&str> = graph.node.iter().map(|node| &*node.name).collect();
    assert_eq!(names.len(), graph.node.len(), "names of nodes");
    for output in &graph.output {
        assert!(known.contains(&*output.name), "{} comes from nowhere", output.name);
    }
    let unread: Vec<&str> = constants.filter(|name| !read.contains(name)).collect();
    assert!(unread.is_empty(), "nothing reads {unread:?}");
    for tensor in &graph.initializer {
        let numbers: i64 = tensor.dims.iter().product();
        let each = match tensor.data_type {
            1 => 4,
            7 | 11 => 8,
            other => panic!("{}: type {other}", tensor.name),
        };
        assert_eq!(tensor.raw_data.len() as i64, numbers * each, "{}", tensor.name);
    }
}

/// All parameters of the model are there by their names, bit for bit.
#[track_caller]
fn check_parameters(model: &Model, graph: &GraphProto) {
    let known: BTreeMap<&str, _> = graph.initializer.iter().map(|tensor| (&*tensor.name, tensor)).collect();
    for tensor in model.tensors() {
        let found = known[&*tensor.name];
        let dims: Vec<usize> = found.dims.iter().map(|&size| size as usize).collect();
        let bytes: Vec<u8> = tensor.values.iter().flat_map(|value| value.to_le_bytes()).collect();
        assert_eq!((dims, &found.raw_data), (tensor.shape, &bytes), "{}", tensor.name);
    }
}

/// The sizes of an input or output; -1 is the number of samples.
fn sizes(info: &ValueInfoProto) -> Vec<i64> {
    let shape = info.r#type.clone().unwrap().tensor_type.unwrap().shape.unwrap();
    let size = |value: Option<DimensionValue>| match value {
        Some(DimensionValue::Size(size)) => size,
        Some(DimensionValue::Name(name)) => {
            assert_eq!(name, "batch");
            -1
        }
        None => panic!("a size that is not said"),
    };
    shape.dim.into_iter().map(|dimension| size(dimension.value)).collect()
}

/// The layer of a name with what must be set.
pub fn layer(name: &str) -> LayerConfig {
    let layer = LayerConfig::named(name).unwrap();
    let with = |layer: LayerConfig, key: &str, value: usize| layer.with(key, value).unwrap();
    match name {
        "dense" | "rnn" | "lstm" | "gru" | "position-dense" => with(layer, "units", 4),
        "conv" | "conv-transpose" => with(layer, "channels", 4).with("window", Window::plain(2, 1)).unwrap(),
        "conv-1d" => with(layer, "channels", 4).with("window", Window::line(2, 1, 0, 1)).unwrap(),
        "max-pool" | "average-pool" => layer.with("window", Window::plain(2, 2)).unwrap(),
        "max-pool-1d" | "average-pool-1d" => layer.with("window", Window::line(2, 2, 0, 1)).unwrap(),
        "group-norm" => with(layer, "groups", 2),
        "attention" | "transformer-block" => with(layer, "heads", 2),
        "cross-attention" | "decoder-block" => with(with(layer, "heads", 2), "source", 3),
        "squared-distances" => with(layer, "centres", 3),
        "embedding" => layer.with("categories", vec![5usize]).unwrap(),
        _ => layer,
    }
}

pub fn built(input: [usize; 3], layers: &[LayerConfig]) -> Model {
    // A loss wants features, or a sequence.
    let plain = layers.iter().fold(Model::of_images(input), |builder, layer| builder.layer(layer.clone()));
    let flat = plain.clone().layer(layer("flatten"));
    let build = |builder: ModelBuilder| builder.loss(Loss::MEAN_SQUARED_ERROR).build();
    build(plain).or_else(|_| build(flat)).unwrap()
}

#[test]
fn every_layer_becomes_a_sound_graph_at_every_version() {
    let pixels = || layer("position-dense");
    for kind in LayerKind::all().into_iter().filter(|kind| LayerKind::built_in(kind.name()).is_some()) {
        let own = || layer(kind.name());
        let models = match (kind.name(), kind.takes()) {
            ("tied-output", _) => {
                let table = layer("embedding").with("shared", true).unwrap().with("widths", vec![4usize]);
                vec![built([1, 1, 6], &[table.unwrap(), own()])]
            }
            (_, "features") => vec![built([1, 1, 4], &[own()])],
            (_, "a sequence") => vec![built([1, 6, 4], &[own()]), built([6, 4, 2], &[own()])],
            (_, "an image") if own().window().is_some() => vec![built([6, 6, 4], &[own()])],
            (_, "an image") => vec![built([6, 6, 4], &[own()]), built([1, 8, 4], &[pixels(), own()])],
            _ => vec![built([3, 2, 4], &[own()]), built([6, 6, 4], &[pixels(), own()])],
        };
        for model in &models {
            for opset in OPSETS {
                exported(model, OnnxOptions::new().opset(opset));
            }
        }
    }
}

#[test]
fn built_in_recipes_become_sound_graphs() {
    for name in Recipe::built_in_names() {
        let (recipe, data) = runs::small(&Recipe::built_in(name).unwrap(), 20, 10);
        let model = runs::build(&recipe, &data);
        let read = exported(&model, OnnxOptions::new());
        assert_eq!((read.ir_version, read.opset_import[0].version), (8, DEFAULT_OPSET), "{name}");
        let graph = read.graph.unwrap();
        assert_eq!((&*graph.input[0].name, &*graph.output[0].name), ("input", "output"), "{name}");
        let [input, output] = [&graph.input[0], &graph.output[0]].map(sizes);
        let numbers = |sizes: &[i64]| sizes[1..].iter().product::<i64>() as usize;
        assert_eq!(numbers(&input), model.input().iter().product::<usize>(), "{name}");
        assert_eq!(numbers(&output), model.outputs(), "{name}");
    }
}

#[test]
fn data_lie_as_pytorch_has_them() {
    let input = |model: &Model| {
        let graph = exported(model, OnnxOptions::new()).graph.unwrap();
        sizes(&graph.input[0])
    };
    assert_eq!(input(&built([28, 20, 3], &[layer("dense")])), [-1, 3, 28, 20]);
    assert_eq!(input(&built([1, 1, 7], &[layer("dense")])), [-1, 7]);
    assert_eq!(input(&built([1, 9, 2], &[layer("lstm")])), [-1, 9, 2]);
}

#[test]
fn the_metadata_are_those_of_a_model_file() {
    let model = Model::sequential(4).dense(3, Activation::IDENTITY).build().unwrap();
    let entries: BTreeMap<String, String> = exported(&model, OnnxOptions::new())
        .metadata_props
        .into_iter()
        .map(|entry| (entry.key, entry.value))
        .collect();
    let recipe = Recipe::parse(&entries["recipe"], "metadata").unwrap();
    assert_eq!((&recipe.model, &*entries["input"], &*entries["classes"]), (model.config(), "1x1x4", "3"));
    assert_eq!((&*entries["schema"], &*entries["preprocessing"]), ("fallline.model/1", "false"));
}

#[test]
fn what_cannot_be_written_is_refused() {
    let model = built([1, 1, 4], &[layer("dense")]);
    let recipe = Recipe::of_model(model.config().clone());
    for opset in [12, 22] {
        let refused = export(&model, &recipe, OnnxOptions::new().opset(opset)).unwrap_err().to_string();
        let expected =
            format!("version of ONNX operators (opset): expected an integer from 13 to 21, found {opset}");
        assert_eq!(refused, expected);
    }
}

static OWN: LayerKind = LayerKind::new("halved", |_, input| Box::new(Halved(input.features())));

#[derive(Debug)]
struct Halved(usize);

impl Layer for Halved {
    fn outputs(&self) -> usize {
        self.0
    }

    fn forward(&self, pass: Forward) {
        pass.by_row([self.0; 2], |y, x, _| y.iter_mut().zip(x).for_each(|(y, x)| *y = x / 2.0));
    }

    fn backward(&self, pass: Backward) {
        pass.by_row([self.0; 2], |dx, dy, _, _| dx.iter_mut().zip(dy).for_each(|(dx, dy)| *dx = dy / 2.0));
    }
}

#[test]
fn a_layer_of_a_programs_own_is_named() {
    let model = built([1, 1, 4], &[layer("dense"), LayerConfig::of(&OWN)]);
    let recipe = Recipe::of_model(model.config().clone());
    let refused = export(&model, &recipe, OnnxOptions::new()).unwrap_err().to_string();
    assert_eq!(
        refused,
        "layer 1 (halved): expected a layer that is built in, of which ONNX has the operators, found one of a program's own"
    );
}

/// Bytes and probabilities where the data and the classes of a trained model are those; a table's columns in its own units.
#[test]
fn preprocessing_is_part_of_the_graph() {
    let data = runs::digits(40, 10);
    let mut model = Model::of_images([28, 28, 1]).dense(10, Activation::IDENTITY).build().unwrap();
    Trainer::new().epochs(1).fit(&mut model, &data.train).unwrap();
    let graph = exported(&model, OnnxOptions::new().with_preprocessing()).graph.unwrap();
    let types = [&graph.input[0], &graph.output[0]]
        .map(|info| info.r#type.clone().unwrap().tensor_type.unwrap().elem_type);
    assert_eq!((types, &*graph.output[0].name), ([2, 1], "probabilities"));
    assert!(graph.node.iter().any(|node| node.op_type == "Softmax"));

    let (recipe, data) = runs::small(&Recipe::built_in("iris-mlp").unwrap(), 100, 20);
    let (_, model) = runs::trained(&recipe, &data, 1);
    let read = exported(&model, OnnxOptions::new().with_preprocessing());
    let entries: BTreeMap<_, _> =
        read.metadata_props.iter().map(|entry| (&*entry.key, &*entry.value)).collect();
    let names: Vec<String> = serde_json::from_str(entries["class_names"]).unwrap();
    let columns: Vec<String> = serde_json::from_str(entries["columns"]).unwrap();
    assert_eq!((names.len(), columns.len()), (3, 4));
    assert_eq!(sizes(&read.graph.unwrap().input[0]), [-1, 4]);
}
