//! Recipes with transposed convolutions.

use super::*;
use crate::hyper::HyperValues;
use crate::kernels::image::Window;
use crate::model::Model;

const FLATTEN: &str = "type = 'flatten'";

/// The recipe with these layers before a dense one of ten units.
fn read(layers: &[&str]) -> Result<Recipe> {
    let mut text = "name = \"grown\"\n[data]\nset = \"digits\"\n[optimizer]\nname = \"sgd\"\n".to_string();
    for layer in layers.iter().chain(&["type = 'dense'\nunits = 10"]) {
        text += &format!("[[model.layers]]\n{layer}\n");
    }
    Recipe::parse(&text, "test")
}

fn with(keys: &str) -> Recipe {
    let recipe = read(&[&format!("type = 'conv-transpose'\nchannels = 3\n{keys}"), FLATTEN]).unwrap();
    assert_eq!(Recipe::parse(&recipe.to_toml(), "copy").unwrap(), recipe);
    recipe
}

fn settings(recipe: &Recipe) -> &HyperValues {
    recipe.model.layers[0].settings().unwrap().values()
}

fn refusal(layers: &[&str]) -> String {
    let recipe = match read(layers) {
        Ok(recipe) => recipe,
        Err(error) => return error.to_string(),
    };
    let counted = recipe.model.parameters([28, 28, 1]).unwrap_err().to_string();
    let built = Model::build(&recipe.model, [28, 28, 1], 10, 1).err().unwrap().to_string();
    assert_eq!(counted, built);
    built
}

#[test]
fn they_are_written_and_read() {
    let plain = with("kernel = 4");
    let expected = LayerConfig::convolution_transpose(3, 4, 1, Activation::IDENTITY);
    assert_eq!(plain.model.layers[0], expected);
    let all = with(
        "kernel = [4, 3]\nstride = [3, 2]\npadding = [1, 0, 2, 1]\noutput_padding = [2, 1]\ndilation = [1, 2]\n\
         activation = { type = 'elu', alpha = 0.5 }\nweight_init = { type = 'normal', deviation = 0.25 }\n\
         bias_init = { type = 'constant', value = 0.5 }",
    );
    let window = Window { padding: [[1, 0], [2, 1]], ..Window::rectangle([4, 3], [3, 2], [0; 2], [1, 2]) };
    let found = settings(&all);
    assert_eq!(
        (found.integer("channels"), found.window("window"), found.pair("output_padding")),
        (3, window, [2, 1])
    );
    assert_eq!((found.choice("bias"), found.init("bias_init")), (true, Init::Constant(0.5)));
    let table: toml::Table = all.to_toml().parse().unwrap();
    assert_eq!(table["model"]["layers"][0]["output_padding"].to_string(), "[2, 1]");
    let bare = with("kernel = 3\nstride = 2\noutput_padding = 1\nbias = false");
    let found = settings(&bare);
    assert_eq!((found.pair("output_padding"), found.choice("bias")), ([1, 1], false));
}

#[test]
fn shapes_parameters_and_names_are_pytorchs() {
    let recipe = read(&[
        "type = 'conv'\nchannels = 6\nkernel = 3\nstride = 2\npadding = 1\nactivation = 'relu'",
        "type = 'conv-transpose'\nchannels = 17\nkernel = 4\nstride = 2\npadding = 1\nactivation = 'tanh'",
        "type = 'conv-transpose'\nchannels = 5\nkernel = [1, 2]\nstride = 3\npadding = [1, 0, 0, 2]\noutput_padding = [2, 0]\n\
         activation = 'gelu'\nbias = false",
        FLATTEN,
    ])
    .unwrap();
    let model = Model::build(&recipe.model, [28, 28, 1], 10, 1).unwrap();
    let rows = model.summary();
    let shown: Vec<[&str; 2]> = rows.iter().map(|row| [row.kind.as_str(), row.output.as_str()]).collect();
    let expected = [
        ["conv 3x3 + relu", "14x14x6"],
        ["conv-transpose 4x4 + tanh", "28x28x17"],
        // 27 strides of 3, the window, 2 more, less the padding.
        ["conv-transpose 1x2", "83x81x5"],
        ["gelu", "83x81x5"],
        ["flatten", "33615"],
        ["dense", "10"],
    ];
    assert_eq!(shown, expected);
    assert_eq!(recipe.model.parameters([28, 28, 1]).unwrap(), model.parameters());
    assert_eq!(rows[1].parameters, 6 * 17 * 16 + 17);
    // Each pixel that comes in is spread once; three products.
    assert_eq!(rows[1].flops, 3.0 * 2.0 * 196.0 * (6 * 17 * 16) as f64);
    let tensors: Vec<(String, Vec<usize>)> =
        model.tensors().into_iter().map(|tensor| (tensor.name, tensor.shape)).collect();
    assert_eq!(
        tensors[2..5],
        [
            ("2.weight".to_string(), vec![6, 17, 4, 4]),
            ("2.bias".to_string(), vec![17]),
            ("4.weight".to_string(), vec![17, 5, 1, 2]),
        ]
    );
    // At the front there is no gradient of the input.
    let first = with("kernel = 2\nstride = 2");
    let rows = Model::build(&first.model, [28, 28, 1], 10, 1).unwrap().summary();
    assert_eq!((rows[0].output.as_str(), rows[0].flops), ("56x56x3", 2.0 * 2.0 * 784.0 * 12.0));
}

/// `torch.nn.init` counts the second dimension of a weight and its window as what goes in: that of a transposed
/// convolution is the channels that come out.
#[test]
fn initial_weights_are_drawn_with_pytorchs_fans() {
    let recipe = |init: &str| {
        let grown = format!("type = 'conv-transpose'\nchannels = 40\nkernel = 3\nweight_init = '{init}'");
        read(&["type = 'conv'\nchannels = 10\nkernel = 3\nstride = 3", &grown, FLATTEN]).unwrap()
    };
    let largest = |init: &str| {
        let model = Model::build(&recipe(init).model, [28, 28, 1], 10, 1).unwrap();
        model.tensors()[2].values.iter().fold(0.0f32, |most, x| most.max(x.abs()))
    };
    let [fan_in, fan_out] = [40.0f32 * 9.0, 10.0 * 9.0];
    let xavier = (6.0 / (fan_in + fan_out)).sqrt();
    let kaiming = 2f32.sqrt() * (3.0 / fan_in).sqrt();
    for (init, bound) in [("xavier-uniform", xavier), ("kaiming-uniform", kaiming)] {
        let largest = largest(init);
        assert!((0.98 * bound..=bound).contains(&largest), "{init}: {largest} of {bound}");
    }
    // The other way about the bound would be twice as large.
    assert!(largest("kaiming-uniform") < 0.6 * 2f32.sqrt() * (3.0 / fan_out).sqrt());
}

#[test]
fn a_saved_model_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let recipe = read(&[
        "type = 'conv-transpose'\nchannels = 20\nkernel = [3, 2]\nstride = 2\noutput_padding = [0, 1]\nbias_init = 'uniform'",
        "type = 'conv-transpose'\nchannels = 2\nkernel = 3\npadding = 'same'\nactivation = 'relu'",
        FLATTEN,
    ])
    .unwrap();
    let model = Model::build(&recipe.model, [6, 5, 3], 10, 3).unwrap();
    crate::model::saved::save(&path, &model, &recipe, [6, 5, 3], 10, ElementType::U8).unwrap();
    let back = crate::model::saved::load(&path).unwrap();
    assert_eq!((back.model.tensors(), back.model.storage()), (model.tensors(), model.storage()));
    assert_eq!(back.recipe, recipe);
}

#[test]
fn what_does_not_fit_is_refused() {
    let of = |keys: &str| refusal(&[&format!("type = 'conv-transpose'\n{keys}"), FLATTEN]);
    assert!(of("kernel = 3").contains("channels`: expected an integer from 1 to 65536"));
    assert!(of("channels = 3").contains("kernel`: expected an integer from 1 to 1024"));
    assert_eq!(
        of("channels = 3\nkernel = 3\noutput_padding = 1"),
        "test: `model.layers.0.output_padding`: expected less than `stride` (1) on each side, found 1"
    );
    assert!(
        of("channels = 3\nkernel = 3\nstride = [3, 2]\noutput_padding = 2")
            .ends_with("output_padding`: expected less than `stride` ([3, 2]) on each side, found 2")
    );
    assert!(
        of("channels = 3\nkernel = 3\nstride = 2\noutput_padding = -1").contains("from 0 to 1023, or [h")
    );
    assert!(
        of("channels = 3\nkernel = 3\nstride = 2\noutput_padding = [0, 1, 0]").ends_with("an array of 3")
    );
    assert!(of("channels = 4\nkernel = 3\ngroups = 2").contains("unknown key `model.layers.0.groups`"));
    assert_eq!(
        of("channels = 3\nkernel = 2\npadding = [0, 15]"),
        "layer 0 (conv-transpose): expected `padding` that leaves pixels of what kernel 2x2 and stride 1 make of an \
         image of 28x28x1, found [0, 15]"
    );
    assert!(
        of("channels = 1\nkernel = 1\nstride = 1024")
            .contains("expected at most 16777216 numbers in an image")
    );
    assert!(of("channels = 65536\nkernel = 17\npadding = 15").contains("expected at most 16777216 numbers"));
    assert_eq!(
        refusal(&[FLATTEN, "type = 'conv-transpose'\nchannels = 3\nkernel = 3", FLATTEN]),
        "layer 1 (conv-transpose): expected an image, found 784 features"
    );
    // Too many parameters, without an allocation of that size.
    let wide = "type = 'conv-transpose'\nchannels = 20000\nkernel = 3\npadding = 1";
    let many = read(&["type = 'max-pool'\nkernel = 28", wide, wide, FLATTEN]).unwrap();
    assert!(many.model.parameters([28, 28, 1]).unwrap_err().to_string().contains("at most 1073741824"));
    assert!(Model::build(&many.model, [28, 28, 1], 10, 1).is_err());
}
