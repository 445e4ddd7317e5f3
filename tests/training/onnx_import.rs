//! Models from ONNX files: those of PyTorch's exporters, with PyTorch's outputs, and files that are spoiled.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fallline::Predictor;
use fallline::engine::model::Recipe;
use fallline::exchange::onnx::import::{Imported, OnnxFile, Wishes};
use fallline::exchange::onnx::proto::{
    AttributeProto, AttributeType, DataType, Dimension, DimensionValue, GraphProto, ModelProto, NodeProto,
    OperatorSetIdProto, StringStringEntryProto, TensorProto, TensorShapeProto, TensorType, TypeProto,
    ValueInfoProto,
};
use fallline::exchange::weights::{Options, import_tensors};
use prost::Message;

use crate::common::golden::{cases, numbers, read, text};

/// A file of these bytes, imported by its graph.
fn imported(bytes: &[u8], wishes: &Wishes) -> Result<Imported, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    std::fs::write(&path, bytes).unwrap();
    let result = OnnxFile::open(&path).and_then(|file| file.by_graph(wishes));
    result.map_err(|error| error.to_string())
}

/// The largest deviation of a model's outputs from these.
fn deviation(imported: Imported, input: &[f32], expected: &[f64]) -> f64 {
    let predictor = Predictor::new(imported.model).unwrap();
    let mut outputs = vec![0.0; expected.len()];
    predictor.predict(input, &mut outputs).unwrap();
    outputs.iter().zip(expected).map(|(&a, &b)| (f64::from(a) - b).abs()).fold(0.0, f64::max)
}

#[test]
fn files_of_pytorch_give_its_outputs() {
    let golden = read("onnx.json");
    for case in cases(&golden) {
        let name = text(&case["name"]);
        let bytes = STANDARD.decode(text(&case["file"])).unwrap();
        let model = imported(&bytes, &Wishes::default()).unwrap_or_else(|error| panic!("{name}: {error}"));
        let input: Vec<f32> = numbers(&case["input"]).iter().map(|&value| value as f32).collect();
        let expected = numbers(&case["outputs"]);
        let largest = expected.iter().fold(1.0f64, |largest, value| largest.max(value.abs()));
        let found = deviation(model, &input, &expected);
        assert!(found <= 1e-5 * largest, "{name}: {found:e}");
    }
    assert!(cases(&golden).len() >= 30);
}

fn value(name: &str, sizes: &[Option<i64>]) -> ValueInfoProto {
    let size = |size: &Option<i64>| Dimension {
        value: Some(size.map_or(DimensionValue::Name("batch".into()), DimensionValue::Size)),
    };
    let shape = TensorShapeProto { dim: sizes.iter().map(size).collect() };
    let tensor = TensorType { elem_type: DataType::Float as i32, shape: Some(shape) };
    let kind = TypeProto { tensor_type: Some(tensor) };
    ValueInfoProto { name: name.into(), r#type: Some(kind), ..ValueInfoProto::default() }
}

fn tensor(name: &str, dims: &[i64], values: &[f32]) -> TensorProto {
    TensorProto {
        name: name.into(),
        dims: dims.to_vec(),
        data_type: DataType::Float as i32,
        float_data: values.to_vec(),
        ..TensorProto::default()
    }
}

fn node(operator: &str, input: &[&str], output: &str) -> NodeProto {
    NodeProto {
        op_type: operator.into(),
        name: format!("/{operator}/{output}"),
        input: input.iter().map(|name| name.to_string()).collect(),
        output: vec![output.into()],
        ..NodeProto::default()
    }
}

/// y = w relu(x) + b of two features.
fn small() -> ModelProto {
    let graph = GraphProto {
        node: vec![
            node("Relu", &["x"], "h"),
            node("MatMul", &["h", "w"], "m"),
            node("Add", &["m", "b"], "y"),
        ],
        initializer: vec![tensor("w", &[2, 1], &[2.0, -1.0]), tensor("b", &[1], &[0.5])],
        input: vec![value("x", &[None, Some(2)])],
        output: vec![value("y", &[None, Some(1)])],
        ..GraphProto::default()
    };
    let opset = OperatorSetIdProto { domain: String::new(), version: 17 };
    ModelProto { ir_version: 8, graph: Some(graph), opset_import: vec![opset], ..ModelProto::default() }
}

/// What is said of the small model once it is spoiled.
fn refusal(spoil: impl FnOnce(&mut ModelProto)) -> String {
    let mut model = small();
    spoil(&mut model);
    let error = imported(&model.encode_to_vec(), &Wishes::default()).err().expect("a refusal");
    error.split_once("model.onnx: ").expect("the path").1.to_string()
}

fn graph(model: &mut ModelProto) -> &mut GraphProto {
    model.graph.as_mut().unwrap()
}

#[test]
fn a_small_graph_is_a_model_in_any_order_and_form() {
    let expected = [2.0 * 3.0 + 0.5, -2.0 + 0.5];
    let input = [3.0, -1.0, -1.0, 2.0];
    let check = |model: ModelProto| {
        let imported = imported(&model.encode_to_vec(), &Wishes::default()).unwrap();
        assert_eq!(
            imported.notes,
            ["loss: mean-squared-error, for there is one output; `--loss` says another"]
        );
        assert_eq!(deviation(imported, &input, &expected), 0.0);
    };
    check(small());
    let mut reversed = small();
    graph(&mut reversed).node.reverse();
    check(reversed);
    // Constants among the inputs, as older files list them, and as nodes.
    let mut listed = small();
    graph(&mut listed).input.push(value("w", &[Some(2), Some(1)]));
    check(listed);
    let mut constant = small();
    let weight = graph(&mut constant).initializer.remove(0);
    let attribute = AttributeProto {
        name: "value".into(),
        t: Some(weight),
        kind: AttributeType::Tensor as i32,
        ..AttributeProto::default()
    };
    graph(&mut constant).node.push(NodeProto { attribute: vec![attribute], ..node("Constant", &[], "w") });
    check(constant);
    // What the output does not follow from may be anything.
    let mut unread = small();
    graph(&mut unread).node.push(node("Nonsense", &["x"], "z"));
    check(unread);
}

#[test]
fn all_nodes_that_do_not_fit_are_listed() {
    let said = refusal(|model| {
        let nodes = &mut graph(model).node;
        nodes[0].op_type = "Sin".into();
        nodes[2].output = vec!["s".into()];
        nodes.push(node("Attention", &["s"], "t"));
        nodes.push(NodeProto { domain: "com.example".into(), ..node("Relu", &["t"], "y") });
    });
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].ends_with("found 3 that do not:"), "{said}");
    assert!(lines[1].starts_with("  /Relu/h (Sin): no layer of fallline"), "{said}");
    assert!(lines[2].starts_with("  /Attention/t (Attention): it is part of attention"), "{said}");
    assert!(lines[3].ends_with("(Relu): it is no operator of ONNX itself, but one of com.example"), "{said}");
    let clipped = refusal(|model| {
        let bound = |name, value| tensor(name, &[], &[value]);
        graph(model).initializer.extend([bound("low", 0.0), bound("high", 6.0)]);
        graph(model).node[0] = node("Clip", &["x", "low", "high"], "h");
    });
    assert!(
        clipped.ends_with("/Clip/h (Clip): no activation of fallline has the bounds 0 and 6"),
        "{clipped}"
    );
    // The product is read before and behind the sum: its weights would be there twice.
    let twice = refusal(|model| {
        let nodes = &mut graph(model).node;
        nodes[2].output = vec!["s".into()];
        nodes.push(node("Add", &["m", "s"], "y"));
    });
    assert!(twice.contains("two branches read it that do not meet"), "{twice}");
}

/// What is expected, and how a model is spoiled.
type Case = (&'static str, fn(&mut ModelProto));

#[test]
fn damage_is_refused_with_its_place() {
    let cases: [Case; 14] = [
        ("tensor w: expected 3 values, as its shape says, found 2", |m| {
            graph(m).initializer[0].dims = vec![3, 1]
        }),
        ("tensor w: expected sizes of at least 0, found [-2, 1]", |m| graph(m).initializer[0].dims[0] = -2),
        ("tensor w: expected a shape that can be held in memory", |m| {
            graph(m).initializer[0].dims = vec![1 << 62, 1 << 62];
        }),
        ("tensor w: expected its values within the file", |m| graph(m).initializer[0].data_location = 1),
        ("graph: expected values that a node gives, found w from none", |m| {
            graph(m).initializer.remove(0);
        }),
        ("graph: expected nodes that do not read each other in a circle, found", |m| {
            graph(m).node[0].input = vec!["m".into()];
        }),
        ("graph: expected one of outputs, found none", |m| graph(m).output.clear()),
        ("graph: expected one of inputs, found 2: x, z", |m| {
            graph(m).input.push(value("z", &[None, Some(1)]));
        }),
        ("graph: expected one of inputs, found none", |m| graph(m).input.clear()),
        ("graph: expected each value once, found h twice", |m| graph(m).node[1].output = vec!["h".into()]),
        ("opset_import: expected operators of ONNX of version 7 or later, found none", |m| {
            m.opset_import.clear();
        }),
        ("file: expected a model of ONNX, found none: it has no graph", |m| m.graph = None),
        ("input x: expected sizes of all dimensions but the batch", |m| {
            graph(m).input[0] = value("x", &[None, None]);
        }),
        ("input x: expected sizes of at least 1, found -4", |m| {
            graph(m).input[0] = value("x", &[None, Some(-4)]);
        }),
    ];
    for (expected, spoil) in cases {
        let said = refusal(spoil);
        assert!(said.starts_with(expected), "{said}");
    }
    let not_finite = refusal(|model| graph(model).initializer[1].float_data = vec![f32::NAN]);
    assert!(not_finite.contains("expected finite numbers, found NaN"), "{not_finite}");
}

#[test]
fn bytes_that_are_no_file_are_refused() {
    let whole = small().encode_to_vec();
    let wishes = Wishes::default();
    for length in 0..whole.len() {
        let said = imported(&whole[..length], &wishes).err().expect("a part of the file is none");
        assert!(said.contains("model.onnx: "), "{length}: {said}");
    }
    for place in 0..whole.len() {
        for bit in 0..8 {
            let mut spoilt = whole.clone();
            spoilt[place] ^= 1 << bit;
            // Taken or refused, but no panic.
            drop(imported(&spoilt, &wishes));
        }
    }
    assert!(OnnxFile::open(Path::new("/nowhere/model.onnx")).is_err());
}

/// A graph of a few bytes that would fill the memory.
#[test]
fn constants_that_grow_are_refused() {
    let said = refusal(|model| {
        let graph = graph(model);
        graph.initializer.push(tensor("c0", &[2], &[1.0, 2.0]));
        for step in 0..60 {
            let [before, after] = [step, step + 1].map(|step| format!("c{step}"));
            graph.node.push(node("Concat", &[&before, &before], &after));
        }
        graph.node.push(node("MatMul", &["x", "c60"], "more"));
        graph.output = vec![value("more", &[None, Some(1)])];
    });
    assert!(said.contains("numbers to be made of constants"), "{said}");
}

/// The model of digits with the parameters of a file, by their names.
fn by_recipe(change: impl FnOnce(&mut Vec<TensorProto>)) -> Result<(), String> {
    let recipe = Recipe::built_in("mnist-mlp").unwrap();
    let model = fallline::Model::build(&recipe.model, [28, 28, 1], 10, 3).unwrap();
    let dims = |shape: &[usize]| shape.iter().map(|&size| size as i64).collect::<Vec<i64>>();
    let of_model = model.tensors();
    let mut tensors: Vec<TensorProto> =
        of_model.iter().map(|own| tensor(&own.name, &dims(&own.shape), &own.values)).collect();
    change(&mut tensors);
    let graph = GraphProto {
        initializer: tensors,
        input: vec![value("x", &[None, Some(1), Some(28), Some(28)])],
        ..GraphProto::default()
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    std::fs::write(&path, ModelProto { graph: Some(graph), ..ModelProto::default() }.encode_to_vec())
        .unwrap();
    let file = OnnxFile::open(&path).unwrap();
    assert_eq!(file.input().unwrap(), [28, 28, 1]);
    let mut taken = fallline::Model::build(&recipe.model, [28, 28, 1], 10, 4).unwrap();
    let options = Options { renames: vec!["first=0".parse().unwrap()], ..Options::default() };
    let tensors = file.tensors().unwrap();
    import_tensors(&path, tensors, &mut taken, &options).map_err(|error| error.to_string())?;
    assert!(taken.tensors() == of_model, "the parameters are those of the file");
    Ok(())
}

#[test]
fn parameters_are_taken_by_their_names() {
    by_recipe(|tensors| tensors[0].name = "first.weight".into()).unwrap();
    let made = tensor("onnx::MatMul_12", &[2], &[1.0, 2.0]);
    by_recipe(|tensors| {
        tensors[0].name = "first.weight".into();
        tensors.push(made);
    })
    .unwrap();
    let said = by_recipe(|tensors| {
        tensors[0].name = "first.weight".into();
        tensors[1].name = "other".into();
        let last = tensors.last_mut().unwrap();
        (last.dims, last.float_data) = (vec![11], vec![0.0; 11]);
    });
    let said = said.err().unwrap();
    assert!(said.contains("another shape: ") && said.contains("[11] for "), "{said}");
    assert!(said.contains("superfluous: other") && said.contains("missing: 0.bias"), "{said}");
    assert!(by_recipe(|_| {}).err().unwrap().contains("first"));
}

/// What fallline itself writes into a file says all of the model.
#[test]
fn a_file_with_a_recipe_is_the_model_that_it_describes() {
    let recipe = Recipe::built_in("mnist-mlp").unwrap();
    let model = fallline::Model::build(&recipe.model, [28, 28, 1], 10, 3).unwrap();
    let dims = |shape: &[usize]| shape.iter().map(|&size| size as i64).collect::<Vec<i64>>();
    let tensors = model.tensors();
    let initializer = tensors.iter().map(|own| tensor(&own.name, &dims(&own.shape), &own.values));
    let more = tensor("0.weight/onnx", &[1], &[0.0]);
    let graph = GraphProto { initializer: initializer.chain([more]).collect(), ..GraphProto::default() };
    let entry = |key: &str, value: &str| StringStringEntryProto { key: key.into(), value: value.into() };
    let metadata_props = vec![
        entry("schema", "fallline.model/1"),
        entry("recipe", &recipe.to_toml()),
        entry("input", "28x28x1"),
        entry("classes", "10"),
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    let own = ModelProto { graph: Some(graph), metadata_props, ..ModelProto::default() };
    std::fs::write(&path, own.encode_to_vec()).unwrap();
    let file = OnnxFile::open(&path).unwrap();
    assert!(file.has_recipe());
    assert_eq!(file.contents().tensors.len(), tensors.len() + 1);
    let wishes = Wishes { settings: vec!["data.mean=0.25".parse().unwrap()], ..Wishes::default() };
    let imported = file.by_own_recipe(&wishes).unwrap();
    assert_eq!(imported.model.tensors(), tensors);
    assert_eq!(imported.recipe.data.mean, 0.25);
}
