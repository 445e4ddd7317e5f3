//! Recipes with layers of images.

use super::*;
use crate::kernels::image::Window;
use crate::model::Model;
use crate::tensor::padded;

/// A recipe with these layers before a dense one of ten units.
fn text(layers: &[&str]) -> String {
    let mut text = "name = \"images\"\n[data]\nset = \"digits\"\n[optimizer]\nname = \"sgd\"\n".to_string();
    for layer in layers.iter().chain(&["type = 'dense'\nunits = 10"]) {
        text += &format!("[[model.layers]]\n{layer}\n");
    }
    text
}

const CONV: &str = "type = 'conv'\nchannels = 6\nkernel = 5";
const POOL: &str = "type = 'max-pool'\nkernel = 2";
const FLATTEN: &str = "type = 'flatten'";

fn parsed(layers: &[&str]) -> Recipe {
    Recipe::parse(&text(layers), "test").unwrap()
}

fn refusal(layers: &[&str]) -> String {
    let recipe = match Recipe::parse(&text(layers), "test") {
        Ok(recipe) => recipe,
        Err(error) => return error.to_string(),
    };
    let counted = recipe.model.parameters([28, 28, 1]).unwrap_err().to_string();
    let built = Model::build(&recipe.model, [28, 28, 1], 10, 1).err().unwrap().to_string();
    assert_eq!(counted, built);
    built
}

#[test]
fn layers_of_images_are_written_and_read() {
    let everything = "type = 'conv'\nchannels = 3\nkernel = 4\nstride = 2\npadding = 3\ndilation = 2\n\
                      bias = false\nactivation = { type = 'elu', alpha = 0.5 }\n\
                      weight_init = { type = 'normal', deviation = 0.25 }";
    let average = "type = 'average-pool'\nkernel = 3\nstride = 1";
    let recipe = parsed(&[everything, POOL, average, "type = 'relu'", "type = 'global-average-pool'"]);
    assert_eq!(Recipe::parse(&recipe.to_toml(), "copy").unwrap(), recipe);
    let LayerConfig::Convolution(config) = &recipe.model.layers[0] else { panic!() };
    let window = Window { kernel: 4, stride: 2, padding: 3, dilation: 2 };
    assert_eq!((config.channels, config.window, config.bias), (3, window, false));
    // Places side by side without a stride.
    assert_eq!(recipe.model.layers[1], LayerConfig::MaxPool(Window::plain(2, 2)));
    assert_eq!(recipe.model.layers[2], LayerConfig::AveragePool(Window::plain(3, 1)));
    let flat = parsed(&[CONV, POOL, FLATTEN]);
    assert_eq!(Recipe::parse(&flat.to_toml(), "copy").unwrap(), flat);
    let groups = |recipe: &Recipe| {
        let of = |layer: &LayerConfig| match layer {
            LayerConfig::Convolution(config) => Some(config.groups),
            _ => None,
        };
        recipe.model.layers.iter().filter_map(of).collect::<Vec<_>>()
    };
    let grouped = parsed(&[CONV, &format!("{CONV}\ngroups = 3"), &format!("{CONV}\ngroups = 6"), FLATTEN]);
    assert_eq!(groups(&grouped), [1, 3, 6]);
    assert_eq!(Recipe::parse(&grouped.to_toml(), "copy").unwrap(), grouped);
}

/// Every group has weights for its own channels only, and a layer fit for it.
#[test]
fn groups_share_the_parameters_out() {
    let with = |groups: usize, channels: usize| {
        parsed(&[
            CONV,
            &format!("type = 'conv'\nchannels = {channels}\nkernel = 3\ngroups = {groups}"),
            FLATTEN,
        ])
    };
    for (groups, channels, kind) in [
        (1, 12, "conv 3x3"),
        (2, 12, "conv 3x3 in 2 groups"),
        (3, 12, "conv 3x3 in 3 groups"),
        (6, 6, "depthwise 3x3"),
        (6, 12, "depthwise 3x3"),
    ] {
        let recipe = with(groups, channels);
        let model = Model::build(&recipe.model, [28, 28, 1], 10, 1).unwrap();
        let row = &model.summary()[1];
        assert_eq!((row.kind.as_str(), row.output.as_str()), (kind, format!("22x22x{channels}").as_str()));
        assert_eq!(row.parameters, channels * (6 / groups * 9 + 1));
        assert_eq!(row.flops, 3.0 * 2.0 * 484.0 * (channels * 6 / groups * 9) as f64);
        assert_eq!(recipe.model.parameters([28, 28, 1]).unwrap(), model.parameters());
        assert_eq!(model.tensors()[2].shape, [channels, 6 / groups, 3, 3]);
        // Drawn with the inputs of one group, as in PyTorch: Xavier's bound.
        let bound = (6.0 / (6 / groups * 9 + channels * 9) as f32).sqrt();
        let largest = model.tensors()[2].values.iter().fold(0.0f32, |most, x| most.max(x.abs()));
        assert!((0.8 * bound..=bound).contains(&largest), "{largest} of {bound}");
    }
    let folder = tempfile::tempdir().unwrap();
    for groups in [2, 6] {
        let (recipe, path) = (with(groups, 12), folder.path().join("model.safetensors"));
        let model = Model::build(&recipe.model, [28, 28, 1], 10, 3).unwrap();
        crate::model::saved::save(&path, &model, &recipe, [28, 28, 1], 10, ElementType::U8).unwrap();
        let back = crate::model::saved::load(&path).unwrap();
        assert_eq!((back.model.tensors(), back.model.storage()), (model.tensors(), model.storage()));
    }
}

#[test]
fn shapes_and_parameters_follow_from_the_layers() {
    let recipe = parsed(&[
        "type = 'conv'\nchannels = 6\nkernel = 5\nactivation = 'relu'",
        POOL,
        "type = 'conv'\nchannels = 16\nkernel = 3\nstride = 2",
        FLATTEN,
    ]);
    let model = Model::build(&recipe.model, [28, 28, 1], 10, 1).unwrap();
    let rows = model.summary();
    let outputs: Vec<&str> = rows.iter().map(|row| row.output.as_str()).collect();
    assert_eq!(outputs, ["12x12x6", "5x5x16", "400", "10"]);
    // The pool is done by the convolution, but keeps its number.
    let names: Vec<[&str; 2]> = rows.iter().map(|row| [row.name.as_str(), row.kind.as_str()]).collect();
    assert_eq!(names[0], ["0", "conv 5x5 + relu + max-pool 2x2"]);
    assert_eq!(names[1], ["3", "conv 3x3"]);
    let parameters = 6 * 26 + 16 * (6 * 9 + 1) + 10 * 401;
    assert_eq!(recipe.model.parameters([28, 28, 1]).unwrap(), parameters);
    assert_eq!(model.parameters(), parameters);
    // 2 k n for each output pixel; the first layer has no gradient of its input.
    assert_eq!(rows[0].flops, 2.0 * 2.0 * 576.0 * 25.0 * 6.0);
    assert_eq!(rows[1].flops, 3.0 * 2.0 * 25.0 * 54.0 * 16.0);
    let columns: Vec<usize> = model.layers().iter().map(|placed| placed.layer.columns()).collect();
    assert_eq!(columns, [144 * 16, 25 * 16, 400, padded(10)]);
    // A pool of another window is a layer of its own.
    let apart = parsed(&[CONV, "type = 'max-pool'\nkernel = 3", FLATTEN]);
    let model = Model::build(&apart.model, [28, 28, 1], 10, 1).unwrap();
    let kinds: Vec<String> = model.summary().into_iter().map(|row| row.kind).collect();
    assert_eq!(kinds, ["conv 5x5", "max-pool 3x3", "flatten", "dense"]);
}

#[test]
fn what_does_not_fit_is_refused() {
    let of = |layer: &str| refusal(&[layer, FLATTEN]);
    assert_eq!(
        of("type = 'conv'\nchannels = 6\nkernel = 29"),
        "layer 0 (conv): expected `kernel` from 1 to 28 on an image of 28x28x1, found 29"
    );
    assert_eq!(
        refusal(&[CONV, POOL, "type = 'conv'\nchannels = 6\nkernel = 8\npadding = 1\ndilation = 2"]),
        "layer 2 (conv): expected `kernel` from 1 to 7 on an image of 12x12x6, padding 1 and dilation 2, \
         found 8"
    );
    assert!(of("type = 'max-pool'\nkernel = 29").starts_with("layer 0 (max-pool): expected `kernel` from"));
    assert_eq!(
        refusal(&[CONV]),
        "layer 1 (dense): expected features: a `flatten` or `global-average-pool` layer before it, \
         found an image of 24x24x6"
    );
    assert_eq!(refusal(&[FLATTEN, POOL]), "layer 1 (max-pool): expected an image, found 784 features");
    assert!(of("type = 'conv'\nchannels = 65536\nkernel = 1\npadding = 1024").contains("at most 16777216"));
    assert!(of("type = 'conv'\nchannels = 0\nkernel = 1").contains("channels`: expected an integer from 1"));
    assert!(of("type = 'conv'\nchannels = 1").contains("kernel`: expected an integer from 1 to 1024"));
    assert!(of("type = 'conv'\nchannels = 1\nkernel = 1\nstride = 0").contains("stride`: expected"));
    assert!(
        of("type = 'conv'\nchannels = 6\nkernel = 1\ngroups = 4")
            .ends_with("`model.layers.0.groups`: expected an integer that divides `channels` (6), found 4")
    );
    assert!(
        of("type = 'conv'\nchannels = 6\nkernel = 1\ngroups = 0").contains("groups`: expected an integer")
    );
    assert_eq!(
        refusal(&[CONV, "type = 'conv'\nchannels = 8\nkernel = 1\ngroups = 4", FLATTEN]),
        "layer 1 (conv): expected `groups` that divides the 6 channels that come in, found 4"
    );
    assert!(of("type = 'average-pool'\nkernel = 2\npadding = 1").contains("padding"));
    // Too many parameters, without an allocation of that size.
    let wide = "type = 'conv'\nchannels = 20000\nkernel = 3\npadding = 1";
    let shrink = "type = 'max-pool'\nkernel = 28";
    let many = Recipe::parse(&text(&[shrink, wide, wide, FLATTEN]), "test").unwrap();
    assert!(many.model.parameters([28, 28, 1]).unwrap_err().to_string().contains("at most 1073741824"));
    assert!(Model::build(&many.model, [28, 28, 1], 10, 1).is_err());
    // An image where scores should be.
    let mut bare = parsed(&[CONV]);
    bare.model.layers.pop();
    let refused = Model::build(&bare.model, [28, 28, 1], 10, 1).err().unwrap().to_string();
    assert!(refused.ends_with("expected 10 outputs, one for each class, found 24x24x6"), "{refused}");
}

#[test]
fn a_saved_network_of_images_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let recipe = parsed(&[CONV, POOL, FLATTEN]);
    let model = Model::build(&recipe.model, [28, 28, 1], 10, 3).unwrap();
    crate::model::saved::save(&path, &model, &recipe, [28, 28, 1], 10, ElementType::U8).unwrap();
    let back = crate::model::saved::load(&path).unwrap();
    assert_eq!(back.model.tensors(), model.tensors());
    assert_eq!(back.model.storage(), model.storage());
    assert_eq!(back.model.tensors()[0].shape, [6, 1, 5, 5]);
}
