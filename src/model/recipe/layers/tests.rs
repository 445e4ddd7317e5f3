//! What programs set of layers, and what documentation says of them.

use super::*;
use crate::Window;
use crate::init::Init;
use crate::kernels::activation::{self, Activation};
use crate::layers::LayerKind;
use crate::model::recipe::{ModelConfig, Recipe};

fn page() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/layers.md")).unwrap()
}

/// What the documentation says of activations is what the table says.
#[test]
fn the_documentation_has_every_activation() {
    let page = page();
    let has = |name: &str, formula: &str, parameter: &str, source: &str| {
        page.contains(&format!("| `{name}` | {formula} | {parameter} | {source} |"))
    };
    for entry in activation::ALL {
        let parameter = entry.parameter.map(|own| format!("`{}` ({})", own.key, own.default));
        let parameter = parameter.unwrap_or_default();
        assert!(
            has(entry.name, entry.formula, &parameter, entry.source),
            "docs/layers.md lacks {}",
            entry.name
        );
        assert!(!has(entry.name, "x + 1", &parameter, entry.source));
    }
}

/// The same of all other layers.
#[test]
fn the_documentation_has_every_layer_of_the_table() {
    let page = page();
    let is_activation = |kind: &LayerKind| activation::ALL.iter().any(|entry| entry.name == kind.name());
    let mut lacking = Vec::new();
    for name in LayerKind::all().into_iter().filter(|kind| !is_activation(kind)).map(LayerKind::name) {
        // Another test may have registered some.
        let Some(kind) = LayerKind::built_in(name) else { continue };
        lacking.extend(Some(kind.documented()).filter(|row| !page.contains(row)));
    }
    assert!(lacking.is_empty(), "docs/layers.md lacks\n{}", lacking.join("\n"));
    let dense = LayerKind::named("dense").unwrap().documented();
    assert!(!page.contains(&dense.replace("1048576", "1048577")));
}

fn set(name: &str, settings: &[(&str, crate::HyperValue)]) -> LayerConfig {
    let with = |layer: LayerConfig, (key, value): &(&str, crate::HyperValue)| layer.with(key, value.clone());
    settings.iter().try_fold(LayerConfig::named(name).unwrap(), with).unwrap()
}

/// Whatever order keys are set in, a layer is the same, and reads back so.
#[test]
fn a_program_sets_what_a_recipe_says() {
    let window = Window::rectangle([3, 5], [2, 1], [1, 2], [1, 1]);
    let settings = [
        ("channels", 6.into()),
        ("window", window.into()),
        ("activation", Activation::elu(0.5).into()),
        ("bias_init", Init::Constant(0.5).into()),
        ("groups", 1.into()),
    ];
    let mut backwards = settings.clone();
    backwards.reverse();
    let layer = set("conv", &settings);
    assert_eq!(set("conv", &backwards), layer);
    let written = layer_table(&layer);
    let text = "type = \"conv\"\nchannels = 6\nkernel = [3, 5]\nstride = [2, 1]\npadding = [1, 2]\n\
                dilation = 1\ngroups = 1\nbias = true\n";
    let expected: toml::Table = text.parse().unwrap();
    for (key, value) in expected {
        assert_eq!(written[&key], value, "{key}");
    }
    let keys: Vec<&str> = written.keys().map(String::as_str).collect();
    let order = "type channels kernel stride padding dilation groups activation weight_init bias bias_init";
    assert_eq!(keys.join(" "), order);
    let layers = vec![layer, LayerConfig::flatten(), LayerConfig::dense(10, Activation::IDENTITY)];
    let recipe = Recipe::of_model(ModelConfig::of_layers(layers, crate::Loss::default()));
    assert_eq!(Recipe::parse(&recipe.to_toml(), "copy").unwrap(), recipe);
}

/// Weights that nobody set follow the activation, whichever is set first.
#[test]
fn initial_weights_follow_the_activation_unless_they_are_set() {
    let init = |layer: &LayerConfig| layer.settings().unwrap().values().init("weight_init");
    let relu = LayerConfig::named("dense").unwrap().with("activation", Activation::RELU).unwrap();
    assert_eq!(init(&relu), Init::before(Activation::RELU));
    assert_ne!(init(&relu), Init::before(Activation::TANH));
    let tanh = relu.with("activation", Activation::TANH).unwrap();
    assert_eq!(init(&tanh), Init::before(Activation::TANH));
    let drawn = tanh.with("weight_init", Init::LecunNormal).unwrap();
    assert_eq!(init(&drawn.with("activation", Activation::RELU).unwrap()), Init::LecunNormal);
}

#[test]
fn parts_of_a_window_are_set_by_their_keys() {
    let window = |layer: LayerConfig| layer.window().unwrap();
    let conv = LayerConfig::convolution(2, 3, Activation::RELU);
    assert_eq!(window(conv.clone().with("padding", 1).unwrap()), Window::square(3, 1, 1, 1));
    assert_eq!(window(conv.with("dilation", 2).unwrap()), Window::square(3, 1, 0, 2));
    let pool = LayerConfig::max_pool(3);
    assert_eq!(window(pool.clone()), Window::plain(3, 3));
    assert_eq!(window(pool.with("stride", 1).unwrap()), Window::plain(3, 1));
    let line = LayerConfig::convolution_1d(2, 5, Activation::RELU);
    assert_eq!(window(line.with("padding", 2).unwrap()), Window::line(5, 1, 2, 1));
}

#[test]
fn what_a_layer_has_not_is_refused() {
    let refused = |layer: crate::Result<LayerConfig>| layer.unwrap_err().to_string();
    let dense = || LayerConfig::dense(3, Activation::RELU);
    assert!(refused(dense().with("unit", 3)).ends_with("did you mean `units`?"));
    assert_eq!(
        refused(dense().with("units", 0.5)),
        "layer: `units`: expected an integer from 1 to 1048576, found 0.5"
    );
    assert_eq!(
        refused(dense().with("activation", true)),
        "layer: `activation`: expected an activation, found true"
    );
    let pool = || LayerConfig::max_pool(2);
    let line = refused(pool().with("window", Window::line(2, 2, 0, 1)));
    assert_eq!(
        line,
        "layer: `window`: expected a window over images, each side of an integer from 1 to 1024, found 2"
    );
    assert!(
        refused(pool().with("padding", 0.5))
            .contains("`padding`: expected an integer, or all of it as `window`")
    );
    let early = LayerConfig::named("max-pool").unwrap().with("stride", 2);
    assert_eq!(refused(early), "layer: `kernel`: expected one before `stride`, found nothing");
    let block = || LayerConfig::residual(vec![dense()], Activation::IDENTITY);
    assert!(refused(block().with("units", 3)).contains("known: activation"));
    let LayerConfig::Residual(block) = block().with("activation", Activation::RELU).unwrap() else {
        panic!()
    };
    assert_eq!(block.activation, Activation::RELU);
}
