//! Recipes with layers in layers.

use super::*;
use crate::model::{Model, saved};

const START: &str = "name = 'a'\n[data]\nset = 'digits'\n[optimizer]\nname = 'sgd'\n";

const LAYERS: &str = "
[[model.layers]]
type = 'conv'
channels = 6
kernel = 5
activation = 'relu'

[[model.layers]]
type = 'residual'
activation = 'gelu'
layers = [
  { type = 'conv', channels = 8, kernel = 3, stride = 2, padding = 1, activation = 'relu' },
  { type = 'squeeze-excite', reduction = 4 },
]
shortcut = [{ type = 'conv', channels = 8, kernel = 1, stride = 2 }]

[[model.layers]]
type = 'squeeze-excite'

[[model.layers]]
type = 'residual'
[[model.layers.layers]]
type = 'residual'
layers = [{ type = 'conv', channels = 8, kernel = 3, padding = 1 }]

[[model.layers]]
type = 'global-average-pool'

[[model.layers]]
type = 'dense'
units = 10
";

fn with(settings: &[&str]) -> Result<Recipe> {
    let overrides: Vec<Override> = settings.iter().map(|setting| setting.parse().unwrap()).collect();
    Recipe::parse_with(&format!("{START}{LAYERS}"), "my.toml", &overrides)
}

fn built(recipe: &Recipe) -> Result<Model> {
    let counted = recipe.model.parameters([28, 28, 1]);
    let model = Model::build(&recipe.model, [28, 28, 1], 10, 1);
    match (&counted, &model) {
        (Ok(counted), Ok(model)) => assert_eq!(*counted, model.parameters()),
        (Err(counted), Err(built)) => assert_eq!(counted.to_string(), built.to_string()),
        _ => panic!("{counted:?}"),
    }
    model
}

fn refusal(settings: &[&str]) -> String {
    match with(settings) {
        Ok(recipe) => built(&recipe).err().unwrap().to_string(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn blocks_are_written_and_read() {
    let recipe = with(&[]).unwrap();
    assert_eq!(Recipe::parse(&recipe.to_toml(), "copy").unwrap(), recipe);
    let LayerConfig::Residual(block) = &recipe.model.layers[1] else { panic!() };
    assert_eq!((block.layers.len(), block.shortcut.len(), block.activation), (2, 1, Activation::GELU));
    assert_eq!(block.layers[1], LayerConfig::squeeze_excite(4));
    assert_eq!(recipe.model.layers[2], LayerConfig::squeeze_excite(16));
    let LayerConfig::Residual(outer) = &recipe.model.layers[3] else { panic!() };
    let LayerConfig::Residual(inner) = &outer.layers[0] else { panic!() };
    assert_eq!((inner.layers.len(), inner.shortcut.len(), inner.activation), (1, 0, Activation::IDENTITY));
    // Settings reach into them.
    let changed = with(&["model.layers.3.layers.0.layers.0.bias=false", "model.layers.1.activation=relu"]);
    let LayerConfig::Residual(outer) = &changed.as_ref().unwrap().model.layers[3] else { panic!() };
    let LayerConfig::Residual(inner) = &outer.layers[0] else { panic!() };
    assert!(!inner.layers[0].settings().unwrap().values().choice("bias"));
    assert_ne!(changed.unwrap(), recipe);
}

#[test]
fn layers_are_named_as_modules() {
    let model = built(&with(&[]).unwrap()).unwrap();
    let rows = model.summary();
    let rows: Vec<[&str; 3]> =
        rows.iter().map(|row| [&row.name, &row.kind, &row.output].map(String::as_str)).collect();
    let expected = [
        ["0", "conv 5x5 + relu", "24x24x6"],
        ["2.layers.0", "conv 3x3 + relu", "12x12x8"],
        ["2.layers.2.pool", "global-average-pool", "8"],
        ["2.layers.2.fc1", "dense + relu", "2"],
        ["2.layers.2.fc2", "dense + sigmoid", "8"],
        ["2.layers.2", "scale", "12x12x8"],
        ["2.shortcut.0", "conv 1x1", "12x12x8"],
        ["2", "add", "12x12x8"],
        ["2.activation", "gelu", "12x12x8"],
        ["3.pool", "global-average-pool", "8"],
        ["3.fc1", "dense + relu", "1"],
        ["3.fc2", "dense + sigmoid", "8"],
        ["3", "scale", "12x12x8"],
        ["4.layers.0.layers.0", "conv 3x3", "12x12x8"],
        ["4.layers.0", "add", "12x12x8"],
        ["4", "add", "12x12x8"],
        ["5", "global-average-pool", "8"],
        ["7", "dense", "10"],
    ];
    assert_eq!(rows, expected);
    let names: Vec<String> = model.tensors().into_iter().map(|tensor| tensor.name).collect();
    assert_eq!(
        names[6..10],
        ["2.layers.2.fc2.weight", "2.layers.2.fc2.bias", "2.shortcut.0.weight", "2.shortcut.0.bias"]
    );
}

#[test]
fn a_saved_network_of_blocks_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let recipe = with(&[]).unwrap();
    let model = built(&recipe).unwrap();
    saved::save(&path, &model, &recipe, [28, 28, 1], 10, ElementType::U8).unwrap();
    let back = saved::load(&path).unwrap();
    assert_eq!((back.model.tensors(), back.model.storage()), (model.tensors(), model.storage()));
}

#[test]
fn what_does_not_fit_is_refused_where_it_stands() {
    assert_eq!(
        refusal(&["model.layers.1.shortcut.0.channels=7"]),
        "layer 1 (residual): expected a `shortcut` that gives 12x12x8, as `layers` do, found 12x12x7"
    );
    assert_eq!(
        refusal(&["model.layers.1.shortcut=[]"]),
        "layer 1 (residual): expected a `shortcut` that gives 12x12x8, as `layers` do, \
         found none, and an input of 24x24x6"
    );
    assert_eq!(
        refusal(&["model.layers.1.layers.0.kernel=27"]),
        "layer 1 (residual, layers.0: conv): expected `kernel` from 1 to 26 on an image of 24x24x6, \
         padding 1 and dilation 1, found 27"
    );
    assert_eq!(
        refusal(&["model.layers.3.layers.0.layers.0.kernel=30"]),
        "layer 3 (residual, layers.0: residual, layers.0: conv): expected `kernel` from 1 to 14 on an image \
         of 12x12x8, padding 1 and dilation 1, found 30"
    );
    let flat = "model.layers.3.layers=[{type='flatten'}, {type='squeeze-excite'}]";
    assert_eq!(
        refusal(&[flat]),
        "layer 3 (residual, layers.1: squeeze-excite): expected an image, found 1152 features"
    );
}

#[test]
fn absurd_parameters_of_blocks_are_refused() {
    let wide = "{type='conv', channels=60000, kernel=1}";
    let recipe = with(&[
        "model.layers.0.kernel=28",
        &format!("model.layers.1.layers=[{wide}, {wide}]"),
        &format!("model.layers.1.shortcut=[{wide}]"),
        "model.layers.3.layers=[{type='relu'}]",
    ])
    .unwrap();
    assert!(recipe.model.parameters([28, 28, 1]).unwrap_err().to_string().contains("at most 1073741824"));
    let built = Model::build(&recipe.model, [28, 28, 1], 10, 1).err().unwrap().to_string();
    let expected = "layer 1 (residual, layers.1: conv 1x1): expected a model of at most";
    assert!(built.starts_with(expected), "{built}");
    // As many gates as there can be.
    let recipe = with(&[
        "model.layers.0.kernel=28",
        "model.layers.1.layers=[{type='conv', channels=65536, kernel=1}]",
        "model.layers.1.shortcut.0.channels=65536",
        "model.layers.2.reduction=1",
        "model.layers.3.layers=[{type='relu'}]",
    ])
    .unwrap();
    assert!(recipe.model.parameters([28, 28, 1]).is_err());
    let built = Model::build(&recipe.model, [28, 28, 1], 10, 1).err().unwrap().to_string();
    assert!(built.starts_with("layer 2 (dense + relu): expected a model of at most"), "{built}");
}

#[test]
fn keys_of_blocks_are_checked() {
    for (setting, message) in [
        ("model.layers.1.layers=[]", "`model.layers.1.layers`: expected at least one layer, found none"),
        ("model.layers.1.layers=3", "`model.layers.1.layers`: expected an array of at most 1000 tables"),
        (
            "model.layers.2.reduction=0",
            "`model.layers.2.reduction`: expected an integer from 1 to 65536, found 0",
        ),
        (
            "model.layers.2.reducton=1",
            "unknown key `model.layers.2.reducton`; did you mean `model.layers.2.reduction`?",
        ),
        ("model.layers.1.shortcuts=[]", "did you mean `model.layers.1.shortcut`?"),
        (
            "model.layers.1.layers.0.chanels=3",
            "unknown key `model.layers.1.layers.0.chanels`; did you mean `model.layers.1.layers.0.channels`?",
        ),
        ("model.layers.1.layers.1.type=squeeze", "unknown layer `squeeze`; did you mean `squeeze-excite`?"),
        ("model.layers.1.shortcut.0.units=3", "unknown key `model.layers.1.shortcut.0.units`"),
    ] {
        let refused = refusal(&[setting]);
        assert!(refused.starts_with("command line: ") && refused.contains(message), "{setting}: {refused}");
    }
    // Deeper than there is sense in, and more layers than a model may have.
    let inner = "{type='conv', channels=8, kernel=1}";
    let deep = (0..7).fold(inner.to_string(), |inner, _| format!("{{type='residual', layers=[{inner}]}}"));
    built(&with(&[&format!("model.layers.3.layers=[{deep}]")]).unwrap()).unwrap();
    let deeper = refusal(&[&format!("model.layers.3.layers=[{{type='residual', layers=[{deep}]}}]")]);
    assert!(deeper.ends_with("expected blocks in each other at most 8 deep, found another one"), "{deeper}");
    let many = vec![inner; 996].join(", ");
    let many = refusal(&[&format!("model.layers.3.layers=[{many}]")]);
    assert!(
        many.ends_with("expected at most 1000 layers, counted with those in blocks, found 1005"),
        "{many}"
    );
}
