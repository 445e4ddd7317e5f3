//! Recipes with normalisations and dropout.

use std::path::Path;

use super::*;
use crate::model::Model;

/// A recipe with these layers before a dense one of ten units.
fn text(layers: &[&str]) -> String {
    let mut text = "name = \"norms\"\n[data]\nset = \"digits\"\n[optimizer]\nname = \"sgd\"\n".to_string();
    for layer in layers.iter().chain(&["type = 'dense'\nunits = 10"]) {
        text += &format!("[[model.layers]]\n{layer}\n");
    }
    text
}

const CONV: &str = "type = 'conv'\nchannels = 6\nkernel = 5\nbias = false";
const FLATTEN: &str = "type = 'flatten'";

fn refusal(layers: &[&str]) -> String {
    let recipe = match Recipe::parse(&text(layers), "test") {
        Ok(recipe) => recipe,
        Err(error) => return error.to_string(),
    };
    let counted = recipe.model.parameters([28, 28, 1]).unwrap_err().to_string();
    assert_eq!(counted, Model::build(&recipe.model, [28, 28, 1], 10, 1).err().unwrap().to_string());
    counted
}

#[test]
fn normalisations_are_written_and_read() {
    let layers = [
        CONV,
        "type = 'batch-norm'\nmomentum = 0.3\nepsilon = 1e-3\nactivation = { type = 'elu', alpha = 0.5 }",
        "type = 'group-norm'\ngroups = 3\nactivation = 'gelu'",
        "type = 'layer-norm'\nepsilon = 0.25",
        "type = 'dropout'\nrate = 0.125\nchannels = true",
        FLATTEN,
        "type = 'batch-norm'",
        "type = 'dropout'",
    ];
    let recipe = Recipe::parse(&text(&layers), "test").unwrap();
    assert_eq!(Recipe::parse(&recipe.to_toml(), "copy").unwrap(), recipe);
    let layer = |index: usize| recipe.model.layers[index].clone();
    assert_eq!(layer(6), LayerConfig::batch_norm());
    let values: Vec<String> = layer(6)
        .settings()
        .unwrap()
        .values()
        .iter()
        .map(|(own, value)| format!("{} {value}", own.key))
        .collect();
    assert_eq!(values, ["epsilon 1e-5", "activation identity", "momentum 0.1"]);
    assert_eq!(layer(7), LayerConfig::dropout(0.5));
    let model = Model::build(&recipe.model, [28, 28, 1], 10, 1).unwrap();
    let kinds: Vec<String> = model.summary().into_iter().map(|row| row.kind).collect();
    assert_eq!(kinds[1..4], ["batch-norm + elu", "group-norm", "gelu"]);
    // Running statistics are no parameters, but of the model.
    let features = 24 * 24 * 6;
    let trained = 6 * 25 + 12 + 12 + 2 * features + 2 * features + 10 * (features + 1);
    assert_eq!(model.parameters(), trained);
    assert_eq!(recipe.model.parameters([28, 28, 1]).unwrap(), trained);
    assert_eq!(model.summary().iter().map(|row| row.parameters).sum::<usize>(), trained);
    let tensors = model.tensors();
    let all: usize = tensors.iter().map(|tensor| tensor.values.len()).sum();
    assert_eq!(all, trained + 2 * 6 + 2 * features);
    assert_eq!(recipe.model.statistics([28, 28, 1]).unwrap(), all - trained);
    // As in PyTorch's `Sequential`, where activations are modules.
    let find = |name: &str| tensors.iter().find(|tensor| tensor.name == name).unwrap();
    assert_eq!((&find("1.running_var").shape[..], find("1.running_var").values[5]), (&[6][..], 1.0));
    assert_eq!(find("1.weight").values, [1.0; 6]);
    assert_eq!(find("5.weight").shape, [6, 24, 24]);
}

#[test]
fn what_does_not_fit_is_refused() {
    let of = |layer: &str| refusal(&[CONV, layer, FLATTEN]);
    assert_eq!(
        of("type = 'group-norm'\ngroups = 4"),
        "layer 1 (group-norm): expected `groups` that divide the 6 channels or features, found 4"
    );
    // At the front, data are features.
    assert!(refusal(&["type = 'group-norm'\ngroups = 5"]).contains("divide the 784 channels"));
    assert!(refusal(&["type = 'dropout'\nchannels = true"]).contains("behind a layer that gives an image"));
    assert_eq!(
        refusal(&[FLATTEN, "type = 'dropout'\nchannels = true"]),
        "layer 1 (dropout): expected an image, found 784 features"
    );
    for (layer, expected) in [
        ("type = 'dropout'\nrate = 1.0", "`model.layers.1.rate`: expected a number in [0, 1), found 1"),
        ("type = 'dropout'\nrate = -0.1", "rate`: expected a number in [0, 1)"),
        ("type = 'group-norm'", "groups`: expected an integer from 1"),
        ("type = 'group-norm'\ngroups = 0", "groups`: expected an integer from 1"),
        ("type = 'batch-norm'\nmomentum = 0.0", "momentum`: expected a number above 0 and at most 1"),
        ("type = 'batch-norm'\nepsilon = 0.0", "epsilon`: expected a number of at least 1.2e-38"),
        ("type = 'layer-norm'\nmomentum = 0.1", "momentum"),
        ("type = 'batch-nrom'", "batch-norm"),
    ] {
        let refused = of(layer);
        assert!(refused.contains(expected), "{refused}");
    }
}

/// What searches along lines needs one and the same function.
#[test]
fn searches_refuse_what_changes_in_training() {
    for layer in ["type = 'batch-norm'", "type = 'dropout'"] {
        for optimizer in ["lbfgs", "cg"] {
            let text =
                text(&[layer]).replace("'sgd'", optimizer).replace("\"sgd\"", &format!("\"{optimizer}\""));
            let refused = Recipe::parse(&text, "test").unwrap_err().to_string();
            assert!(
                refused.contains("`model.layers`: expected neither `batch-norm` nor `dropout`"),
                "{refused}"
            );
        }
    }
    let smooth = text(&["type = 'layer-norm'", "type = 'group-norm'\ngroups = 2"]).replace("sgd", "lbfgs");
    Recipe::parse(&smooth, "test").unwrap();
}

#[test]
fn a_saved_normalised_network_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let recipe =
        Recipe::parse(&text(&[CONV, "type = 'batch-norm'", "type = 'layer-norm'", FLATTEN]), "test").unwrap();
    let mut model = Model::build(&recipe.model, [28, 28, 1], 10, 3).unwrap();
    let mut tensors = model.tensors();
    for (number, tensor) in tensors.iter_mut().enumerate() {
        tensor.values.iter_mut().enumerate().for_each(|(index, x)| *x = (number * 10_000 + index) as f32);
    }
    model.load_tensors(Path::new("test"), tensors.clone()).unwrap();
    crate::model::saved::save(&path, &model, &recipe, [28, 28, 1], 10, ElementType::U8).unwrap();
    let back = crate::model::saved::load(&path).unwrap();
    assert_eq!(back.model.tensors(), tensors);
    assert_eq!(back.model.storage(), model.storage());
    // One that has lost its running statistics is not this model.
    tensors.retain(|tensor| tensor.name != "1.running_mean");
    let metadata = crate::model::checkpoint::load(&path).unwrap().1;
    crate::model::checkpoint::save(&path, &tensors, &metadata).unwrap();
    assert!(crate::model::saved::load(&path).err().unwrap().to_string().contains("numbers, as the layers"));
}
