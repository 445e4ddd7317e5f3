//! What optimizers keep, from PyTorch and to it: `tests/golden/optimizer_state.json`, which
//! `scripts/golden/optimizer_state.py` made.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::common::golden::{self, count, integers, text};
use crate::common::golden_network;
use crate::common::program::{fails, succeeds};
use crate::common::splitmix::{self, INPUTS};
use crate::dicts;
use fallline::engine::model::{Frozen, Model, NamedTensor, Recipe, checkpoint};
use fallline::exchange::weights::{Options, optimizer};
use fallline::record::OptimizerState;
use fallline::{Error, Optimizer, Trainer};

/// Of parameters, and of what the optimizer keeps.
const TOLERANCE: f64 = 1e-6;

/// The same of squares, which are small, by the largest of them.
const OF_LARGEST: f64 = 1e-5;

fn recipe(file: &Value, case: &Value) -> Recipe {
    let table = toml::Value::try_from(case["optimizer"].clone()).unwrap();
    let lines: Vec<String> =
        table.as_table().unwrap().iter().map(|(key, value)| format!("{key} = {value}")).collect();
    let layers = toml::Value::try_from(file["layers"].clone()).unwrap();
    golden_network::recipe(&format!("layers = {layers}"), &lines.join("\n"), count(&file["batch"]))
}

/// Tensors as the file has them.
fn tensors(list: &Value) -> Vec<NamedTensor> {
    dicts::tensors(&json!({ "tensors": list }))
}

/// A network with these parameters.
fn model(file: &Value, case: &Value, parameters: Vec<NamedTensor>) -> Model {
    let input: Vec<usize> = integers(&file["input"]).iter().map(|&size| size as usize).collect();
    let mut model = Model::of_config(&recipe(file, case).model, input.try_into().unwrap(), 1).unwrap();
    model.load_tensors(Path::new("golden"), parameters).unwrap();
    model
}

/// The parameters before the first step.
fn begin(case: &Value) -> Vec<NamedTensor> {
    let mut tensors = tensors(&case["middle"]);
    for (place, tensor) in tensors.iter_mut().enumerate() {
        let (module, outputs) = (place as u64 / 2, tensor.shape[0]);
        tensor.values = match tensor.shape.len() {
            1 => splitmix::biases(module, outputs),
            _ => splitmix::weights(module, outputs, tensor.shape[1..].iter().product()),
        };
    }
    tensors
}

/// Steps on so many batches from this one on, from a state if there is one; the state then.
fn steps(
    file: &Value,
    case: &Value,
    model: &mut Model,
    first: usize,
    state: Option<&OptimizerState>,
) -> OptimizerState {
    let (batch, many) = (count(&file["batch"]), count(&file["steps"]));
    let width: usize = model.input().iter().product();
    let all = 2 * many * batch;
    let (x, y) =
        (splitmix::uniform(INPUTS, all * width), splitmix::labels(all, count(&file["classes"]) as u64));
    let trainer = Trainer::from_recipe(&recipe(file, case)).threads(2);
    let mut stepper = trainer.steps(model).unwrap();
    state.map_or(Ok(()), |state| stepper.set_optimizer_state(state)).unwrap();
    for number in first..first + many {
        let rows = number * batch..(number + 1) * batch;
        stepper.step(&x[rows.start * width..rows.end * width], &y[rows]).unwrap();
    }
    stepper.optimizer_state().unwrap()
}

/// The largest difference, and by what is largest.
fn deviation(found: &[NamedTensor], expected: &[NamedTensor]) -> (f64, f64) {
    assert_eq!(found.len(), expected.len());
    let (mut worst, mut largest) = (0.0f64, 0.0f64);
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found.shape, expected.shape, "{}", expected.name);
        assert!(expected.name.starts_with(&found.name), "{} and {}", found.name, expected.name);
        for (found, expected) in found.values.iter().zip(&expected.values) {
            worst = worst.max(f64::from((found - expected).abs()));
            largest = largest.max(f64::from(expected.abs()));
        }
    }
    (worst, worst / largest)
}

/// A state dict with what the optimizer of a case has kept, as scripts/pt_to_safetensors.py writes it.
fn written(path: &Path, case: &Value, steps: usize) {
    let mut all = tensors(&case["middle"]);
    for slot in case["state"].as_array().unwrap() {
        let kept = tensors(slot);
        all.extend(
            kept.into_iter()
                .map(|tensor| NamedTensor { name: format!("optimizer.state.{}", tensor.name), ..tensor }),
        );
    }
    let about = json!({ "step": steps }).to_string();
    checkpoint::save(path, &all, &[("optimizer".to_string(), about)].into()).unwrap();
}

fn read(path: &Path, model: &Model, optimizer: &Optimizer) -> Result<OptimizerState, Error> {
    optimizer::read(path, model, &Frozen::default(), optimizer, &Options::default())
}

#[test]
fn trainings_of_pytorch_go_on_and_go_back() {
    let (folder, file) = (tempfile::tempdir().unwrap(), golden::read("optimizer_state.json"));
    let path = folder.path().join("m");
    assert_eq!(golden::cases(&file).len(), 5);
    for case in golden::cases(&file) {
        let (name, many) = (text(&case["name"]), count(&file["steps"]));
        // PyTorch's first steps are this crate's.
        let mut own = model(&file, case, begin(case));
        let kept = steps(&file, case, &mut own, 0, None);
        assert_eq!(kept.steps, many as u64);
        let (worst, _) = deviation(&own.tensors(), &tensors(&case["middle"]));
        assert!(worst <= TOLERANCE, "{name}: {worst:e}");
        let slots = case["state"].as_array().unwrap();
        assert_eq!(kept.slots.len(), slots.len(), "{name}");
        for (found, expected) in kept.slots.iter().zip(slots) {
            let (worst, of_largest) = deviation(found, &tensors(expected));
            assert!(worst <= TOLERANCE && of_largest <= OF_LARGEST, "{name}: {worst:e}, {of_largest:e}");
        }

        // This crate goes on where PyTorch was.
        written(&path, case, many);
        let mut later = model(&file, case, tensors(&case["middle"]));
        let optimizer = recipe(&file, case).optimizer;
        let state = read(&path, &later, &optimizer).unwrap();
        assert_eq!(state.steps, many as u64);
        let after = steps(&file, case, &mut later, many, Some(&state));
        assert_eq!(after.steps, 2 * many as u64);
        let (worst, _) = deviation(&later.tensors(), &tensors(&case["end"]));
        assert!(worst <= TOLERANCE, "{name}: {worst:e}");
        // Without what it had kept it would be elsewhere, and with other steps where these count.
        let mut cold = model(&file, case, tensors(&case["middle"]));
        steps(&file, case, &mut cold, many, None);
        assert!(deviation(&cold.tensors(), &tensors(&case["end"])).0 > 100.0 * TOLERANCE, "{name}");
        if slots.len() > 1 {
            let mut early = model(&file, case, tensors(&case["middle"]));
            steps(&file, case, &mut early, many, Some(&OptimizerState { steps: 0, ..state }));
            assert!(deviation(&early.tensors(), &tensors(&case["end"])).0 > 100.0 * TOLERANCE, "{name}");
        }
    }
}

#[test]
fn states_that_do_not_fit_are_refused() {
    let (folder, file) = (tempfile::tempdir().unwrap(), golden::read("optimizer_state.json"));
    let path = folder.path().join("m");
    let case = dicts::case(&file, "adam");
    let model = || model(&file, case, tensors(&case["middle"]));
    let optimizer = recipe(&file, case).optimizer;
    let refusal = |metadata: &[(&str, &str)], change: &dyn Fn(&mut Vec<NamedTensor>)| {
        written(&path, case, 5);
        let (mut all, _) = checkpoint::load(&path).unwrap();
        change(&mut all);
        let metadata = metadata.iter().map(|(key, text)| (key.to_string(), text.to_string())).collect();
        checkpoint::save(&path, &all, &metadata).unwrap();
        read(&path, &model(), &optimizer).unwrap_err().to_string()
    };
    let steps = [("optimizer", "{\"step\":5}")];
    for metadata in
        [&[][..], &[("optimizer", "{}")], &[("optimizer", "x")], &[("optimizer", "{\"step\":-1}")]]
    {
        assert!(refusal(metadata, &|_| {}).contains("metadata `optimizer`: expected"), "{metadata:?}");
    }
    let error = refusal(&steps, &|all| all.retain(|tensor| !tensor.name.ends_with("_avg")));
    assert!(error.contains("expected optimizer.state.NAME.exp_avg for each trained parameter"), "{error}");
    let error =
        refusal(&steps, &|all| all.retain(|tensor| tensor.name != "optimizer.state.0.bias.exp_avg_sq"));
    assert!(error.contains("missing: 0.bias [3]"), "{error}");
    // `train` has no options that would help.
    assert!(error.contains("found 1 that do not fit:\n") && !error.contains("--"), "{error}");
    let error = refusal(&steps, &|all| {
        let square =
            all.iter_mut().find(|tensor| tensor.name == "optimizer.state.0.bias.exp_avg_sq").unwrap();
        square.values[1] = -1.0;
    });
    assert!(
        error.contains("0.bias.exp_avg_sq: expected finite numbers of at least 0, found -1 at index 1"),
        "{error}"
    );
    written(&path, case, 5);
    let lion = fallline::Optimizer::named("lion").unwrap();
    let error = read(&path, &model(), &lion).unwrap_err().to_string();
    assert!(
        error.ends_with("expected adam, amsgrad, adamw, sgd, momentum or nesterov, found lion"),
        "{error}"
    );

    let state = read(&path, &model(), &optimizer).unwrap();
    let mut other = model();
    let trainer = Trainer::from_recipe(&recipe(&file, dicts::case(&file, "momentum")));
    let mut stepper = trainer.steps(&mut other).unwrap();
    let error = stepper.set_optimizer_state(&state).unwrap_err().to_string();
    assert_eq!(error, "slots of the optimizer: expected 1, found 2");
    let many = OptimizerState { steps: u64::MAX, slots: state.slots[..1].to_vec(), path: None };
    let error = stepper.set_optimizer_state(&many).unwrap_err().to_string();
    assert!(error.starts_with("steps of the optimizer: expected at most"), "{error}");
}

/// The tensors of an optimizer in a file, with what is said of it.
pub fn kept(path: &Path) -> (Vec<NamedTensor>, Value) {
    let (mut tensors, metadata) = checkpoint::load(path).unwrap();
    tensors.retain(|tensor| tensor.name.starts_with("optimizer.state."));
    (tensors, serde_json::from_str(&metadata["optimizer"]).unwrap())
}

#[test]
fn a_checkpoint_goes_to_pytorch_and_a_training_begins_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let few = [
        "train",
        "digits-mlp",
        "--set=data.train_samples=50",
        "--set=data.test_samples=20",
        "--batch=9",
        "--quiet",
    ];
    let with = |more: &[&'static str]| [&few[..], more].concat();
    succeeds(path, &with(&["--epochs=2", "--checkpoint=first", "--keep=9", "--save=first.safetensors"]));
    let printed = succeeds(path, &["export", "first", "--pytorch=state.safetensors"]);
    assert!(printed.ends_with("wrote state.safetensors\n"), "{printed}");
    let (tensors, about) = kept(&path.join("state.safetensors"));
    assert_eq!((tensors.len(), about["step"].as_u64()), (8, Some(12)));
    assert_eq!((&about["lr"], &about["betas"]), (&json!(0.001), &json!([0.9, 0.999])));
    assert!(tensors.iter().all(|tensor| tensor.values.iter().any(|&value| value != 0.0)));
    // Its parameters are those that the training has saved.
    succeeds(path, &["export", "first.safetensors", "--pytorch=parameters.safetensors", "-q"]);
    let parameters = dicts::read(&path.join("parameters.safetensors"));
    let all = dicts::read(&path.join("state.safetensors"));
    assert!(parameters.iter().all(|(name, tensor)| all[name] == *tensor));

    let init = ["--epochs=2", "--checkpoint=second", "--keep=9", "--init-optimizer=state.safetensors"];
    succeeds(path, &with(&init));
    let of_second = |step: &str| {
        let from = format!("second/checkpoint-{step}.safetensors");
        succeeds(path, &["export", &from, "--pytorch=again.safetensors", "--quiet"]);
        kept(&path.join("again.safetensors"))
    };
    assert_eq!(of_second("0"), (tensors.clone(), about), "before the first step");
    assert_eq!(of_second("12").1["step"], json!(24));
    // It is kept that the steps count on.
    succeeds(path, &["train", "--resume=second", "--epochs=4"]);
    let (later, about) = kept_of(path, "second");
    assert_eq!(about["step"], json!(36));
    assert_ne!(later, tensors);

    let refused = |more: &[&'static str], message: &str| fails(path, &with(more), message);
    refused(
        &["--init-optimizer=first.safetensors"],
        "metadata `optimizer`: expected the state of an optimizer",
    );
    refused(&["--init-optimizer=state.safetensors", "--optimizer=lion"], "expected adam, amsgrad, adamw");
    refused(
        &["--init-optimizer=state.safetensors", "--optimizer=momentum"],
        "optimizer.state.NAME.momentum_buffer",
    );
    refused(&["--init-optimizer=state.safetensors", "--save=state.safetensors"], "which is read");
    fails(path, &["export", "first", "--pytorch=first/checkpoint-12.safetensors"], "which is read");
    fs::create_dir(path.join("empty")).unwrap();
    fails(path, &["export", "empty", "--pytorch=x"], "expected a checkpoint, or a folder with some");
    fails(path, &["export", "none", "--pytorch=x"], "none: cannot open");
    let checkpoint = path.join("second/checkpoint-0.safetensors");
    let bytes = fs::read(path.join("first/checkpoint-12.safetensors")).unwrap();
    fs::write(&checkpoint, &bytes[..bytes.len() - 1]).unwrap();
    fails(path, &["export", "second/checkpoint-0.safetensors", "--pytorch=x"], "file: expected the checksum");
}

fn kept_of(folder: &Path, checkpoints: &str) -> (Vec<NamedTensor>, Value) {
    succeeds(folder, &["export", checkpoints, "--pytorch=newest.safetensors", "--quiet"]);
    kept(&folder.join("newest.safetensors"))
}
