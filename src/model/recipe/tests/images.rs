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

fn windowed(name: &str, window: Window) -> LayerConfig {
    LayerConfig::named(name).unwrap().with("window", window).unwrap()
}

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
    let conv = recipe.model.layers[0].settings().unwrap().values();
    let expected = (3, Window::square(4, 2, 3, 2), false);
    assert_eq!((conv.integer("channels"), conv.window("window"), conv.choice("bias")), expected);
    // Places side by side without a stride.
    assert_eq!(recipe.model.layers[1], LayerConfig::max_pool(2));
    assert_eq!(recipe.model.layers[2], LayerConfig::average_pool(3).with("stride", 1).unwrap());
    let flat = parsed(&[CONV, POOL, FLATTEN]);
    assert_eq!(Recipe::parse(&flat.to_toml(), "copy").unwrap(), flat);
    let groups = |recipe: &Recipe| {
        let of = |layer: &LayerConfig| {
            layer.settings().filter(|_| layer.kind() == "conv").map(|conv| conv.values().integer("groups"))
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

/// Windows whose sides differ are read, and written as short as they can be.
#[test]
fn windows_may_have_sides_of_their_own() {
    let window = |keys: &str| {
        let recipe = parsed(&[&format!("type = 'conv'\nchannels = 2\n{keys}"), FLATTEN]);
        assert_eq!(Recipe::parse(&recipe.to_toml(), "copy").unwrap(), recipe);
        let table: toml::Table = recipe.to_toml().parse().unwrap();
        let written = &table["model"]["layers"][0];
        let written = ["kernel", "stride", "padding", "dilation"].map(|key| written[key].to_string());
        (recipe.model.layers[0].window().unwrap(), written.join(" "))
    };
    let (wide, text) = window("kernel = [3, 5]\nstride = [2, 1]\ndilation = [1, 2]\npadding = [1, 4]");
    assert_eq!(wide, Window::rectangle([3, 5], [2, 1], [1, 4], [1, 2]));
    assert_eq!(text, "[3, 5] [2, 1] [1, 4] [1, 2]");
    let (uneven, text) = window("kernel = [3, 3]\npadding = [1, 0, 2, 1]");
    assert_eq!(uneven, Window { padding: [[1, 0], [2, 1]], ..Window::plain(3, 1) });
    assert_eq!(text, "3 1 [1, 0, 2, 1] 1");
    // An odd number of pixels: one more below and to the right, as in PyTorch.
    let (same, text) = window("kernel = [2, 5]\ndilation = [3, 1]\npadding = 'same'");
    assert_eq!((same.padding, text.as_str()), ([[1, 2], [2, 2]], "[2, 5] 1 [1, 2, 2, 2] [3, 1]"));
    assert_eq!(window("kernel = 3\npadding = 'same'").1, "3 1 1 1");
    let pooled = parsed(&[
        "type = 'max-pool'\nkernel = [2, 3]",
        "type = 'average-pool'\nkernel = 3\nstride = 1\npadding = 'same'\ndilation = [1, 2]",
        FLATTEN,
    ]);
    assert_eq!(
        pooled.model.layers[0],
        windowed("max-pool", Window::rectangle([2, 3], [2, 3], [0; 2], [1; 2]))
    );
    assert_eq!(Recipe::parse(&pooled.to_toml(), "copy").unwrap(), pooled);
    // Pools without padding and dilation are written as ever.
    let table: toml::Table = pooled.to_toml().parse().unwrap();
    let keys: Vec<&String> = table["model"]["layers"][0].as_table().unwrap().keys().collect();
    assert_eq!(keys, ["type", "kernel", "stride"]);
    let model = Model::build(&pooled.model, [28, 28, 1], 10, 1).unwrap();
    let rows = model.summary();
    assert_eq!((rows[0].kind.as_str(), rows[0].output.as_str()), ("max-pool 2x3", "14x9x1"));
    assert_eq!((rows[1].kind.as_str(), rows[1].output.as_str()), ("average-pool 3x3", "14x9x1"));
}

#[test]
fn wrong_windows_are_refused() {
    let of = |layer: &str| refusal(&[layer, FLATTEN]);
    let conv = |keys: &str| of(&format!("type = 'conv'\nchannels = 2\n{keys}"));
    let expected =
        "`model.layers.0.kernel`: expected an integer from 1 to 1024, or [height, width] of such, found";
    for (value, found) in [
        ("[3, 5, 1]", "an array of 3"),
        ("[]", "an array of 0"),
        ("0", "0"),
        ("1.5", "the number 1.5"),
        ("'same'", "the text \"same\""),
    ] {
        assert!(conv(&format!("kernel = {value}")).ends_with(&format!("{expected} {found}")), "{value}");
    }
    let refused = conv("kernel = [3, 2000]");
    assert!(
        refused.ends_with(
            "`model.layers.0.kernel.1`: expected an integer from 1 to 1024, found the integer 2000"
        ),
        "{refused}"
    );
    assert!(conv("kernel = 3\npadding = [1, 2, 3]").ends_with(
        "padding`: expected an integer from 0 to 1024, [height, width] or [above, below, left, right] of such, \
         or \"same\", found an array of 3"
    ));
    assert!(conv("kernel = 3\npadding = 'valid'").ends_with("or \"same\", found the text \"valid\""));
    assert!(
        conv("kernel = 3\nstride = [1, 2]\npadding = 'same'")
            .ends_with("stride`: expected none with \"same\" padding but 1, found [1, 2]")
    );
    assert_eq!(
        conv("kernel = [3, 31]\npadding = [0, 0, 1, 0]"),
        "layer 0 (conv): expected `kernel` of at most 28x29 on an image of 28x28x1, padding [0, 0, 1, 0] and \
         dilation 1, found 3x31"
    );
    // A window of a pool that sees nothing has no largest number.
    for kind in ["max-pool", "average-pool"] {
        assert_eq!(
            of(&format!("type = '{kind}'\nkernel = [2, 3]\npadding = [0, 3]")),
            format!(
                "layer 0 ({kind}): expected `padding` with which every window of 2x3 sees a pixel of an image of \
                 28x28x1, found [0, 3]"
            )
        );
    }
    assert!(
        of("type = 'max-pool'\nkernel = 2\nstride = 1\ndilation = 30\npadding = 14")
            .contains("expected `padding`")
    );
}

const CONV_1D: &str = "type = 'conv-1d'\nchannels = 6\nkernel = 5";

/// Layers of sequences take images of one row, and data as they lie.
#[test]
fn sequences_are_images_of_one_row() {
    let recipe = parsed(&[
        &format!("{CONV_1D}\nstride = 2\npadding = [2, 0]\nactivation = 'relu'"),
        "type = 'max-pool-1d'\nkernel = 3\nstride = 2\npadding = 1",
        "type = 'conv-1d'\nchannels = 12\nkernel = 3\ngroups = 3\ndilation = 2\npadding = 'same'",
        "type = 'average-pool-1d'\nkernel = 2",
        "type = 'conv-1d'\nchannels = 12\nkernel = 3\ngroups = 12",
        "type = 'conv-1d'\nchannels = 8\nkernel = 1",
        FLATTEN,
    ]);
    assert_eq!(Recipe::parse(&recipe.to_toml(), "copy").unwrap(), recipe);
    let first = recipe.model.layers[0].window().unwrap();
    assert_eq!(first, Window { padding: [[0, 0], [2, 0]], ..Window::line(5, 2, 0, 1) });
    assert_eq!(recipe.model.layers[3], LayerConfig::average_pool_1d(2));
    // The pixels of an image, row after row, and the features of a row, are the same sequence here.
    for input in [[28, 28, 1], [1, 784, 1], [1, 1, 784]] {
        let model = Model::build(&recipe.model, input, 10, 1).unwrap();
        assert_eq!(recipe.model.parameters(input).unwrap(), model.parameters());
        let rows = model.summary();
        let shown: Vec<[&str; 2]> = rows.iter().map(|row| [row.kind.as_str(), row.output.as_str()]).collect();
        let expected = [
            ["conv 5 + relu", "1x391x6"],
            ["max-pool 3", "1x196x6"],
            ["conv 3 in 3 groups", "1x196x12"],
            ["average-pool 2", "1x98x12"],
            ["depthwise 3", "1x96x12"],
            ["conv 1", "1x96x8"],
            ["flatten", "768"],
            ["dense", "10"],
        ];
        assert_eq!(shown, expected);
        let shapes: Vec<Vec<usize>> = model.tensors().into_iter().map(|tensor| tensor.shape).collect();
        let weights: Vec<&[usize]> = shapes.iter().step_by(2).map(Vec::as_slice).collect();
        let expected: [&[usize]; 5] = [&[6, 1, 5], &[12, 2, 3], &[12, 1, 3], &[8, 12, 1], &[10, 768]];
        assert_eq!(weights, expected);
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let model = Model::build(&recipe.model, [28, 28, 1], 10, 3).unwrap();
    crate::model::saved::save(&path, &model, &recipe, [28, 28, 1], 10, ElementType::U8).unwrap();
    let back = crate::model::saved::load(&path).unwrap();
    assert_eq!((back.model.tensors(), back.model.storage()), (model.tensors(), model.storage()));
    // Of several channels.
    let channels = Model::build(&parsed(&[CONV_1D, FLATTEN]).model, [1, 50, 3], 10, 1).unwrap();
    assert_eq!(channels.summary()[0].output, "1x46x6");
}

/// As many zeros in front as the window reaches, written as such; more than a number of a recipe may be, if need be.
#[test]
fn causal_windows_are_read_and_written() {
    for (kernel, dilation, written) in [(5, 1, "\"causal\""), (3, 600, "\"causal\""), (1, 7, "0")] {
        let layer = format!(
            "type = 'conv-1d'\nchannels = 6\nkernel = {kernel}\ndilation = {dilation}\npadding = 'causal'"
        );
        let recipe = parsed(&[&layer, FLATTEN]);
        let window = recipe.model.layers[0].window().unwrap();
        assert_eq!(window, Window::line(kernel, 1, 0, dilation).causal());
        assert_eq!(Recipe::parse(&recipe.to_toml(), "copy").unwrap(), recipe);
        let table: toml::Table = recipe.to_toml().parse().unwrap();
        assert_eq!(table["model"]["layers"][0]["padding"].to_string(), written);
        let model = Model::build(&recipe.model, [1, 40, 3], 10, 1).unwrap();
        assert_eq!(model.summary()[0].output, "1x40x6");
    }
    let of = |layer: &str| refusal(&[layer, FLATTEN]);
    assert!(
        of(&format!("{CONV_1D}\nstride = 2\npadding = 'causal'"))
            .ends_with("stride`: expected none with \"causal\" padding but 1, found 2")
    );
    assert!(
        of("type = 'max-pool-1d'\nkernel = 2\nstride = 1\npadding = 'causal'").contains("or \"same\", found")
    );
}

#[test]
fn what_is_no_sequence_is_refused() {
    let of = |layer: &str| refusal(&[layer, FLATTEN]);
    assert_eq!(
        refusal(&[CONV, CONV_1D, FLATTEN]),
        "layer 1 (conv-1d): expected a sequence: an image of height 1, found an image of 24x24x6"
    );
    assert_eq!(
        refusal(&[FLATTEN, "type = 'max-pool-1d'\nkernel = 2"]),
        "layer 1 (max-pool-1d): expected a sequence, found 784 features"
    );
    assert_eq!(
        of("type = 'conv-1d'\nchannels = 6\nkernel = 789\npadding = [0, 4]"),
        "layer 0 (conv-1d): expected `kernel` from 1 to 788 on an image of 1x784x1, padding [0, 4] and dilation 1, \
         found 789"
    );
    assert!(
        of("type = 'conv-1d'\nchannels = 6\nkernel = [1, 3]")
            .ends_with("kernel`: expected an integer from 1 to 1024, found an array of 2")
    );
    assert!(of("type = 'average-pool-1d'\nkernel = 2\npadding = [1, 1, 1, 1]").ends_with(
        "padding`: expected an integer from 0 to 1024, [before, after] of such, or \"same\", found an array of 4"
    ));
    // What a program sets and a recipe cannot say.
    let window = Window { kernel: [2, 3], ..Window::line(3, 1, 0, 1) };
    let builder = Model::of_sequences(20, 1).layer(windowed("max-pool-1d", window)).flatten();
    assert!(builder.build().err().unwrap().to_string().contains("kernel"));
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
