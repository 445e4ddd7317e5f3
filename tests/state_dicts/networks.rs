//! What becomes of state dicts in the library.

use std::path::Path;

use half::{bf16, f16};
use safetensors::Dtype;
use serde_json::Value;

use crate::common::compare::close;
use crate::common::golden::{self, count, numbers, text};
use crate::common::splitmix::{self, INPUTS};
use crate::dicts::{self, Raw};
use fallline::data::{Samples, Targets};
use fallline::engine::model::Model;
use fallline::engine::team::Team;
use fallline::engine::train;
use fallline::exchange::weights::{How, Options, Pairing, Style, export, import};

/// Of the largest output, or of 1.
const TOLERANCE: f64 = 1e-5;

const FILE: &str = "state_dicts.json";

/// The options with which a case is imported.
fn options(case: &Value) -> Options {
    let renames = case["map"].as_array().unwrap().iter().map(|rename| text(rename).parse().unwrap());
    Options {
        renames: renames.collect(),
        by_order: case["by_order"].as_bool().unwrap(),
        ..Options::default()
    }
}

fn imported(path: &Path, case: &Value) -> (Model, Pairing) {
    let mut model = dicts::model(case);
    let pairing = import(path, &mut model, &options(case)).unwrap_or_else(|error| panic!("{error}"));
    (model, pairing)
}

/// The outputs of a model of a case for its samples.
fn outputs(file: &Value, case: &Value, model: &Model) -> Vec<f32> {
    let (input, samples) = (dicts::input(case), count(&file["samples"]));
    let values = splitmix::uniform(INPUTS, samples * input.iter().product::<usize>());
    let classes = count(&file["classes"]);
    let labels = splitmix::labels(samples, classes as u64);
    let samples = Samples::floats(values, input, Targets::Classes(labels), classes).unwrap();
    train::outputs(model, &samples, &dicts::recipe(case).data, &Team::new(2).unwrap()).unwrap()
}

#[test]
fn networks_of_pytorch_give_its_outputs_and_go_back() {
    let (folder, file) = (tempfile::tempdir().unwrap(), golden::read(FILE));
    let [there, back] = ["there", "back"].map(|name| folder.path().join(name));
    assert_eq!(golden::cases(&file).len(), 8);
    for case in golden::cases(&file) {
        let name = &case["name"];
        dicts::write(&there, &dicts::raw(case, Dtype::F32));
        let (model, pairing) = imported(&there, case);
        let (found, expected) = (outputs(&file, case, &model), numbers(&case["outputs"]));
        assert!(close(&found, &expected, TOLERANCE), "{name}: {found:?} and {expected:?}");
        let other = outputs(&file, case, &dicts::model(case));
        assert!(!close(&other, &expected, 100.0 * TOLERANCE), "{name}: any weights would do");

        // Each tensor goes back with its very bits, under the name that it came with where that is a module's.
        let style = if text(&case["style"]) == "torch" { Style::Torch } else { Style::Sequential };
        let exported = export(&back, &model, style).unwrap();
        let written = dicts::read(&back);
        let given = dicts::tensors(case);
        assert_eq!((written.len(), exported.len()), (given.len(), given.len()), "{name}");
        for tensor in given {
            let pair = pairing.pairs.iter().find(|pair| pair.from == tensor.name).unwrap();
            let to = &exported.iter().find(|exported| exported.from == pair.to).unwrap().to;
            if style == Style::Torch {
                assert_eq!(*to, tensor.name, "{name}");
            }
            assert_eq!(written[to], (tensor.shape, tensor.values), "{name}: {to}");
        }
    }
}

#[test]
fn tensors_are_paired_as_cases_say() {
    let (folder, file) = (tempfile::tempdir().unwrap(), golden::read(FILE));
    let path = folder.path().join("m");
    for (name, expected) in [
        ("convolutions with normalisation by batch", [How::Name].as_slice()),
        ("residual blocks", &[How::Name, How::Torch]),
        ("stack of gru", &[How::Map]),
        ("encoder, normalised before", &[How::Map]),
        ("by order, of a parallel module", &[How::Order]),
    ] {
        let case = dicts::case(&file, name);
        dicts::write(&path, &dicts::raw(case, Dtype::F32));
        let mut found: Vec<How> = imported(&path, case).1.pairs.iter().map(|pair| pair.how).collect();
        found.dedup();
        found.sort_by_key(|how| how.text());
        found.dedup();
        let mut expected = expected.to_vec();
        expected.sort_by_key(|how| how.text());
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn numbers_of_other_types_become_the_nearest() {
    let (folder, file) = (tempfile::tempdir().unwrap(), golden::read(FILE));
    let path = folder.path().join("m");
    let case = dicts::case(&file, "residual blocks");
    type Round = fn(f32) -> f32;
    let kinds: [(Dtype, Round); 3] = [
        (Dtype::F64, |value| value),
        (Dtype::F16, |value| f16::from_f32(value).to_f32()),
        (Dtype::BF16, |value| bf16::from_f32(value).to_f32()),
    ];
    for (kind, round) in kinds {
        dicts::write(&path, &dicts::raw(case, kind));
        let (model, pairing) = imported(&path, case);
        let own = model.tensors();
        for given in dicts::tensors(case) {
            let pair = pairing.pairs.iter().find(|pair| pair.from == given.name).unwrap();
            assert_eq!(pair.kind, kind.to_string());
            let tensor = own.iter().find(|tensor| tensor.name == pair.to).unwrap();
            let expected: Vec<f32> = given.values.iter().map(|&value| round(value)).collect();
            assert_eq!(tensor.values, expected, "{kind:?}: {}", pair.to);
        }
    }
}

#[test]
fn what_does_not_fit_is_refused_with_all_of_it() {
    let (folder, file) = (tempfile::tempdir().unwrap(), golden::read(FILE));
    let path = folder.path().join("m.safetensors");
    let case = dicts::case(&file, "convolutions with normalisation by batch");
    let refusal = |change: &dyn Fn(&mut Vec<Raw>)| {
        let mut tensors = dicts::raw(case, Dtype::F32);
        change(&mut tensors);
        dicts::write(&path, &tensors);
        import(&path, &mut dicts::model(case), &Options::default()).unwrap_err().to_string()
    };
    let error = refusal(&|tensors| {
        tensors.retain(|tensor| tensor.name != "1.bias");
        let wide = tensors.iter_mut().find(|tensor| tensor.name == "5.weight").unwrap();
        wide.shape.reverse();
        let extra = |name: &str, kind, bytes| Raw { name: name.into(), kind, shape: vec![1], bytes };
        tensors.push(extra("ids", Dtype::I64, vec![0; 8]));
        tensors.push(extra("7.weight", Dtype::F32, vec![0; 4]));
    });
    for line in [
        "m.safetensors: tensors: expected one for each parameter of the model, of its shape, found 4 that do not fit",
        "\n  missing: 1.bias [6]",
        "\n  another shape: 5.weight [96, 3] for 5.weight [3, 96]",
        "\n  superfluous: ids [1]",
        "\n  superfluous: 7.weight [1]",
    ] {
        assert!(error.contains(line), "{line} is not in {error}");
    }
    let error = refusal(&|tensors| {
        let tensor = tensors.iter_mut().find(|tensor| tensor.name == "1.bias").unwrap();
        (tensor.kind, tensor.bytes) = (Dtype::I32, vec![0; 24]);
    });
    assert!(error.contains("another type: 1.bias of I32 for 1.bias"), "{error}");
    let error = refusal(&|tensors| {
        let tensor = tensors.iter_mut().find(|tensor| tensor.name == "1.running_var").unwrap();
        tensor.bytes[..4].copy_from_slice(&(-1.0f32).to_le_bytes());
    });
    assert!(error.contains("tensor 1.running_var: expected variances of at least 0, found -1"), "{error}");
    let error = refusal(&|tensors| {
        let tensor = tensors.iter_mut().find(|tensor| tensor.name == "0.weight").unwrap();
        tensor.bytes[4..8].copy_from_slice(&f32::NAN.to_le_bytes());
    });
    assert!(error.contains("tensor 0.weight: expected finite numbers, found NaN at index 1"), "{error}");
}

#[test]
fn a_part_of_a_file_can_be_taken() {
    let (folder, file) = (tempfile::tempdir().unwrap(), golden::read(FILE));
    let path = folder.path().join("m");
    let case = dicts::case(&file, "convolutions with normalisation by batch");
    let mut tensors = dicts::raw(case, Dtype::F32);
    tensors.iter_mut().for_each(|tensor| tensor.name = format!("net.body.{}", tensor.name));
    let extra = |name: &str| Raw { name: name.into(), kind: Dtype::I64, shape: vec![1], bytes: vec![0; 8] };
    tensors.extend(["net.body.ids", "net.head.ids", "steps"].map(extra));
    dicts::write(&path, &tensors);
    let options = Options {
        prefix: Some("net.body".into()),
        ignored: vec!["ids".parse().unwrap()],
        ..Options::default()
    };
    let mut model = dicts::model(case);
    let pairing = import(&path, &mut model, &options).unwrap();
    assert_eq!((&*pairing.ignored, pairing.outside), (&["net.body.ids".to_string()][..], 2));
    assert!(pairing.pairs.iter().all(|pair| pair.how == How::Prefix && pair.from.starts_with("net.body.")));
    let found = outputs(&file, case, &model);
    assert!(close(&found, &numbers(&case["outputs"]), TOLERANCE));
}
