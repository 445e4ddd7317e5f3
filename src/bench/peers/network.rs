//! A network of images or of sequences as a peer gets it: PyTorch's modules, one after the other.

use serde::Serialize;

use super::modules::{Module, Sides, activated};
use super::sequence;
use crate::kernels::activation::Activation;
use crate::kernels::image::{Image, Window};
use crate::layers::{Incoming, LayerSettings, Shape};
use crate::model::recipe::LayerConfig;

/// A network that begins with images, or with codes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Network {
    /// Height, width and channels of a sample.
    pub input: [usize; 3],
    /// Whether samples are sequences, of height 1, and windows those of PyTorch for sequences.
    pub one_dimensional: bool,
    /// The number of the first module that takes pixels of an image as positions, `[samples, positions, channels]`; absent
    /// if there is none, or a module makes positions itself, of codes or of rows.
    pub positions_from: Option<usize>,
    /// The modules as they stand in a `Sequential`, so that their numbers name the parameters in saved models.
    pub modules: Vec<Module>,
}

impl Network {
    /// The network of these layers; `None` if they know nothing of images or sequences.
    ///
    /// # Errors
    /// The reason, if a peer does not have a layer.
    pub fn of(layers: &[LayerConfig], input: [usize; 3]) -> Result<Option<Network>, String> {
        if layers.iter().all(is_plain) {
            return Ok(None);
        }
        let windows: Vec<Window> = layers.iter().filter_map(LayerConfig::window).collect();
        let one_dimensional = windows.iter().any(|window| window.one_dimensional);
        if windows.iter().any(|window| window.one_dimensional != one_dimensional) {
            return Err("the peers have layers of images or of sequences, and here are both".into());
        }
        let mut network = Network { input, one_dimensional, positions_from: None, modules: Vec::new() };
        let mut incoming = Incoming { shape: Shape::Image(Image::data(input)), is_data: true };
        let mut are_positions = false;
        for (index, layer) in layers.iter().enumerate() {
            let settings = layer.settings().ok_or_else(|| none_of(layer.kind(), index))?;
            let taken = layer.takes(index, incoming).map_err(|error| error.to_string())?;
            let shape = layer.output(index, incoming).map_err(|error| error.to_string())?;
            if index == 0 {
                network.input = begins(settings, taken, input)?;
            }
            are_positions = network.add(settings, index, taken, are_positions)? && shape.image().is_some();
            incoming = Incoming { shape, is_data: false };
        }
        Ok(Some(network))
    }

    /// Adds a layer; `are_positions` says whether what comes in is a sequence already. Returns whether what comes out is
    /// one, if it is no features.
    fn add(
        &mut self,
        layer: &LayerSettings,
        index: usize,
        input: Shape,
        are_positions: bool,
    ) -> Result<bool, String> {
        if !are_positions && !sequence::has_positions(layer) {
            add(&mut self.modules, layer, index, input)?;
            return Ok(false);
        }
        if !are_positions && input.image().is_some() && !sequence::makes_positions(layer) {
            self.positions_from = Some(self.modules.len());
        }
        sequence::add(&mut self.modules, layer, index, input)?;
        Ok(true)
    }

    /// Whether some module works on images of two dimensions, whose layout in memory could be another.
    pub fn has_images(&self) -> bool {
        let is_of_images = |module: &Module| match module {
            Module::Conv { .. } | Module::ConvTranspose { .. } | Module::MaxPool(_) => true,
            Module::AveragePool(_) | Module::GlobalAveragePool => true,
            Module::BatchNorm { image, .. } => *image,
            _ => false,
        };
        !self.one_dimensional && self.modules.iter().any(is_of_images)
    }
}

/// The shape of a sample as the first layer takes it, if a peer can begin with it.
fn begins(layer: &LayerSettings, taken: Shape, input: [usize; 3]) -> Result<[usize; 3], String> {
    match taken.image() {
        Some(image) => Ok([image.height, image.width, image.channels]),
        None if sequence::is_of_codes(layer) => Ok(input),
        // PyTorch's dense layers and these take images in different orders.
        None => {
            let kind = layer.kind().name();
            Err(format!("the peers begin with images or with codes of one table, and layer 0 is {kind}"))
        }
    }
}

/// Whether a layer is one of a network that knows nothing of images.
fn is_plain(layer: &LayerConfig) -> bool {
    let is_activation = |settings: &LayerSettings| settings.as_activation().is_some();
    layer.kind() == "dense" || layer.settings().is_some_and(is_activation)
}

fn none_of(kind: &str, index: usize) -> String {
    format!("the peers have no {kind}, as layer {index} is")
}

fn add(modules: &mut Vec<Module>, layer: &LayerSettings, index: usize, input: Shape) -> Result<(), String> {
    let mut function = Activation::IDENTITY;
    let (kind, values, inputs) = (layer.kind().name(), layer.values(), input.channels());
    let module = match kind {
        "conv" | "conv-1d" => {
            function = values.activation("activation");
            let [outputs, groups] = ["channels", "groups"].map(|key| values.integer(key));
            let (window, bias) = (Sides::of(values.window("window")), values.choice("bias"));
            Module::Conv { inputs, outputs, window, groups, bias }
        }
        "conv-transpose" => {
            function = values.activation("activation");
            let (outputs, output_padding) = (values.integer("channels"), values.pair("output_padding"));
            let (window, bias) = (Sides::of(values.window("window")), values.choice("bias"));
            Module::ConvTranspose { inputs, outputs, window, output_padding, bias }
        }
        "dense" if values.choice("weight_norm") => {
            return Err(format!("the peers have no weight normalisation, as layer {index} has"));
        }
        "dense" => {
            function = values.activation("activation");
            let (outputs, bias) = (values.integer("units"), values.choice("bias"));
            Module::Dense { inputs: input.features(), outputs, bias }
        }
        "max-pool" | "max-pool-1d" => Module::MaxPool(Sides::of(values.window("window"))),
        "average-pool" | "average-pool-1d" if values.window("window").is_dilated() => {
            return Err(format!("the peers have no {kind} with dilation, as layer {index} has"));
        }
        "average-pool" | "average-pool-1d" => Module::AveragePool(Sides::of(values.window("window"))),
        "global-average-pool" => {
            modules.push(Module::GlobalAveragePool);
            Module::Flatten
        }
        "flatten" => Module::Flatten,
        "dropout" if !values.choice("channels") => Module::Dropout { rate: values.number("rate") },
        "batch-norm" => {
            function = values.activation("activation");
            let [epsilon, momentum] = ["epsilon", "momentum"].map(|key| values.number(key));
            let image = input.image().is_some();
            Module::BatchNorm { features: inputs, image, epsilon, momentum }
        }
        _ => activated(layer.as_activation().ok_or_else(|| none_of(kind, index))?),
    };
    modules.push(module);
    if function != Activation::IDENTITY {
        modules.push(activated(function));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Model, Recipe};

    fn recipe(layers: &str) -> Recipe {
        let text = format!(
            "name = \"x\"\ndata = {{ set = \"digits\" }}\nmodel = {{ layers = [{layers}] }}\n\
             optimizer = {{ name = \"sgd\" }}\n"
        );
        Recipe::parse(&text, "test").unwrap()
    }

    fn of(layers: &str) -> Result<Option<Network>, String> {
        Network::of(&recipe(layers).model.layers, [28, 28, 1])
    }

    const DENSE: &str = "{ type = \"dense\", units = 10 }";

    #[test]
    fn modules_are_numbered_as_saved_models_are() {
        let layers = format!(
            "{{ type = \"conv\", channels = 4, kernel = 3, activation = \"relu\" }}, \
             {{ type = \"max-pool\", kernel = 2 }}, \
             {{ type = \"conv\", channels = 8, kernel = 3, groups = 2, activation = \"gelu\" }}, \
             {{ type = \"average-pool\", kernel = 2, stride = 1 }}, {{ type = \"elu\", alpha = 0.5 }}, \
             {{ type = \"conv-transpose\", channels = 5, kernel = 3, stride = 2, padding = [1, 0, 0, 2], \
             output_padding = [0, 1], activation = \"tanh\" }}, \
             {{ type = \"global-average-pool\" }}, {DENSE}, {{ type = \"batch-norm\" }}"
        );
        let network = of(&layers).unwrap().unwrap();
        let model = Model::build(&recipe(&layers).model, [28, 28, 1], 10, 1).unwrap();
        for tensor in model.tensors() {
            let (number, name) = tensor.name.split_once('.').unwrap();
            let (inputs, outputs) = match network.modules[number.parse::<usize>().unwrap()] {
                Module::Conv { inputs, outputs, groups, .. } => (inputs / groups, outputs),
                // PyTorch's weight is [in, out, height, width], and the bias still one of the outputs.
                Module::ConvTranspose { inputs, outputs, .. } if name == "weight" => (outputs, inputs),
                Module::ConvTranspose { inputs, outputs, .. } | Module::Dense { inputs, outputs, .. } => {
                    (inputs, outputs)
                }
                Module::BatchNorm { features, image: false, .. } => {
                    assert_eq!(tensor.shape, [features]);
                    continue;
                }
                ref other => panic!("{other:?} has no {name}"),
            };
            let expected = if name == "weight" { vec![outputs, inputs] } else { vec![outputs] };
            assert_eq!(tensor.shape[..expected.len()], expected);
        }
        assert_eq!(model.tensors().len(), 8 + 4);
        let json = serde_json::to_value(&network).unwrap();
        assert_eq!((&json["modules"][0]["type"], &json["modules"][3]["groups"]), (&"conv".into(), &2.into()));
        assert_eq!(json["modules"][6]["parameter"], 0.5);
        let transposed = &json["modules"][7];
        assert_eq!((&transposed["type"], &transposed["inputs"]), (&"conv-transpose".into(), &8.into()));
        assert_eq!(transposed["padding"], serde_json::json!([[1, 0], [0, 2]]));
        assert_eq!(transposed["output_padding"], serde_json::json!([0, 1]));
        assert_eq!(json["modules"][9]["type"], "global-average-pool");
    }

    #[test]
    fn windows_are_told_side_by_side() {
        let layers = "{ type = \"conv\", channels = 4, kernel = [3, 5], stride = [1, 2], padding = [1, 0, 2, 3] }, \
                      { type = \"max-pool\", kernel = 2, padding = 1, dilation = [2, 1] }, { type = \"flatten\" }";
        let network = of(&format!("{layers}, {DENSE}")).unwrap().unwrap();
        let json = serde_json::to_value(&network).unwrap();
        let [conv, pool] = [&json["modules"][0], &json["modules"][1]];
        assert_eq!(conv["kernel"], serde_json::json!([3, 5]));
        assert_eq!(conv["stride"], serde_json::json!([1, 2]));
        assert_eq!(conv["padding"], serde_json::json!([[1, 0], [2, 3]]));
        assert_eq!((&pool["type"], &pool["dilation"]), (&"max-pool".into(), &serde_json::json!([2, 1])));
        assert!(!network.one_dimensional);
        let line = "{ type = \"conv-1d\", channels = 4, kernel = 5, padding = 2 }";
        let network = of(&format!("{line}, {{ type = \"flatten\" }}, {DENSE}")).unwrap().unwrap();
        let json = serde_json::to_value(&network).unwrap();
        assert_eq!((network.input, network.one_dimensional), ([1, 784, 1], true));
        assert_eq!(json["modules"][0]["kernel"], serde_json::json!([5]));
        assert_eq!(json["modules"][0]["padding"], serde_json::json!([[2, 2]]));
        let both =
            format!("{line}, {{ type = \"max-pool\", kernel = [1, 2] }}, {{ type = \"flatten\" }}, {DENSE}");
        assert!(of(&both).unwrap_err().contains("layers of images or of sequences, and here are both"));
        let apart = "{ type = \"average-pool\", kernel = 2, dilation = 2 }, { type = \"flatten\" }";
        assert!(
            of(&format!("{apart}, {DENSE}"))
                .unwrap_err()
                .contains("no average-pool with dilation, as layer 0")
        );
    }

    #[test]
    fn what_cannot_be_told_is_named() {
        assert_eq!(of(DENSE), Ok(None));
        let pool = "{ type = \"max-pool\", kernel = 2 }, { type = \"flatten\" }";
        let refused = of(&format!("{{ type = \"relu\" }}, {DENSE}"));
        assert_eq!(refused, Ok(None), "no image is in it");
        let normed = format!("{pool}, {{ type = \"dense\", units = 10, weight_norm = true }}");
        assert!(of(&normed).unwrap_err().contains("no weight normalisation, as layer 2 has"));
        let gates = "{ type = \"max-pool\", kernel = 2 }, { type = \"squeeze-excite\", reduction = 1 }, \
                     { type = \"global-average-pool\" }";
        assert!(of(gates).unwrap_err().contains("no squeeze-excite, as layer 1 is"));
        let mut first = recipe(&format!("{{ type = \"relu\" }}, {DENSE}")).model.layers;
        first.insert(1, LayerConfig::flatten());
        assert!(Network::of(&first, [28, 28, 1]).unwrap_err().contains("layer 0 is relu"));
    }
}
