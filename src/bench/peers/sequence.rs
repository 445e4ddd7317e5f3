//! Layers of sequences as a peer gets them. Its samples are `[samples, positions, channels]` there, as PyTorch's recurrent
//! layers have them with `batch_first`.

use super::modules::{Attention, Block, Module, Recurrent, activated};
use crate::hyper::{HyperValue, HyperValues};
use crate::kernels::activation::Activation;
use crate::layers::{LayerSettings, Shape};

/// Layers that see their input as positions, whether it is an image or not.
const KINDS: [&str; 14] = [
    "rows",
    "position-embedding",
    "sinusoidal-positions",
    "position-dense",
    "tied-output",
    "rms-norm",
    "attention",
    "transformer-block",
    "cross-attention",
    "decoder-block",
    "rnn",
    "lstm",
    "gru",
    "last-position",
];

/// The base of the angles of a block's rotary positions.
const ROTARY_BASE: f32 = 10_000.0;

/// Whether the layer makes positions of its input, or needs them.
pub(super) fn has_positions(layer: &LayerSettings) -> bool {
    let kind = layer.kind().name();
    KINDS.contains(&kind)
        || is_of_codes(layer)
        || (kind == "layer-norm" && layer.values().choice("by_position"))
}

/// Whether the layer reads codes and gives a sequence.
pub(super) fn is_of_codes(layer: &LayerSettings) -> bool {
    matches!(layer.embedded(), Some((_, true)))
}

/// Whether the layer makes positions itself of what comes in: of an image, or of codes. Any other takes pixels as positions.
pub(super) fn makes_positions(layer: &LayerSettings) -> bool {
    is_of_codes(layer) || layer.kind().name() == "rows"
}

/// Adds the modules of a layer whose input is taken as positions.
///
/// # Errors
/// The reason, if a peer does not have the layer.
pub(super) fn add(
    modules: &mut Vec<Module>,
    layer: &LayerSettings,
    index: usize,
    input: Shape,
) -> Result<(), String> {
    let mut function = Activation::IDENTITY;
    let (kind, values, channels) = (layer.kind().name(), layer.values(), input.channels());
    let positions = input.image().map_or(1, |image| image.pixels());
    // A layer of a block, a decoder's or an encoder's, that acts on a part has a source.
    if matches!(values.get("source"), Some(HyperValue::Integer(source)) if *source > 0) {
        return Err(format!("the peers have no layers of a source and a target, as layer {index} is one"));
    }
    let drops_weights = match kind {
        "attention" => values.number("dropout") > 0.0,
        "transformer-block" => values.number("attention_dropout") > 0.0,
        _ => false,
    };
    if drops_weights {
        return Err(format!("the peers have no dropout of the weights of attention, as layer {index} has"));
    }
    let is_recurrent = ["rnn", "lstm", "gru"].contains(&kind);
    if is_recurrent && (values.integer("layers") > 1 || values.name_of("initial") != "zeros") {
        return Err(format!(
            "the peers have recurrent layers one by one, from a state of zeros, unlike layer {index}"
        ));
    }
    let module = match kind {
        "embedding" => embedding(layer, index)?,
        "rows" => Module::Rows,
        "position-embedding" => Module::PositionEmbedding { positions, channels },
        "sinusoidal-positions" => Module::SinusoidalPositions { positions, channels },
        "position-dense" => {
            function = values.activation("activation");
            let (outputs, bias) = (values.integer("units"), values.choice("bias"));
            Module::PositionDense { inputs: channels, outputs, bias }
        }
        "tied-output" => {
            return Err(format!(
                "the peers have no output layer with the weights of an embedding, as layer {index} is"
            ));
        }
        "layer-norm" if values.choice("by_position") => {
            Module::PositionNorm { norm: "layer", channels, epsilon: values.number("epsilon") }
        }
        "rms-norm" => Module::PositionNorm { norm: "rms", channels, epsilon: values.number("epsilon") },
        "attention" => Module::Attention(attention(values, channels)),
        "transformer-block" => Module::TransformerBlock(block(values, channels)),
        "rnn" | "lstm" | "gru" => Module::Recurrent(recurrent(kind, values, channels)),
        "dropout" if !values.choice("channels") => Module::Dropout { rate: values.number("rate") },
        "last-position" => Module::LastPosition,
        "global-average-pool" => {
            modules.push(Module::MeanPosition);
            Module::Flatten
        }
        "flatten" => Module::FlattenPositions,
        _ => activated(layer.as_activation().ok_or_else(|| {
            format!("the peers have no {kind} behind layers of positions, as layer {index} is one")
        })?),
    };
    modules.push(module);
    if function != Activation::IDENTITY {
        modules.push(activated(function));
    }
    Ok(())
}

fn embedding(layer: &LayerSettings, index: usize) -> Result<Module, String> {
    match layer.embedded() {
        Some((tables, true)) if index == 0 && tables.len() == 1 => {
            let [categories, width] = tables[0];
            Ok(Module::Embedding { categories, width })
        }
        _ => {
            Err(format!("the peers have no embedding but one of codes at the front, as layer {index} is not"))
        }
    }
}

fn recurrent(cell: &'static str, values: &HyperValues, inputs: usize) -> Recurrent {
    Recurrent {
        cell,
        inputs,
        units: values.integer("units"),
        bidirectional: values.choice("bidirectional"),
        returns: values.name_of("returns"),
        nonlinearity: (cell == "rnn").then(|| values.name_of("nonlinearity")),
    }
}

fn attention(values: &HyperValues, channels: usize) -> Attention {
    let width = match values.integer("head_width") {
        0 => channels / values.integer("heads"),
        width => width,
    };
    let base = values.choice("rotary").then(|| values.single("rotary_base"));
    of_heads(values, channels, width, base)
}

fn of_heads(values: &HyperValues, channels: usize, width: usize, rotary_base: Option<f32>) -> Attention {
    let [heads, kv_heads] = ["heads", "kv_heads"].map(|key| values.integer(key));
    let [causal, bias] = ["causal", "bias"].map(|key| values.choice(key));
    let kv_heads = if kv_heads == 0 { heads } else { kv_heads };
    Attention { channels, heads, kv_heads, width, causal, rotary_base, bias }
}

fn block(values: &HyperValues, channels: usize) -> Block {
    let width = channels / values.integer("heads");
    let base = values.choice("rotary").then_some(ROTARY_BASE);
    let function = values.name_of("function");
    let hidden = match values.integer("hidden") {
        0 if function == "swiglu" => (8 * channels).div_ceil(3),
        0 => 4 * channels,
        hidden => hidden,
    };
    Block {
        attention: of_heads(values, channels, width, base),
        hidden,
        function,
        norm: values.name_of("norm"),
        normalise: values.name_of("normalise"),
        dropout: values.number("dropout"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::network::Network;
    use crate::model::{Model, Recipe};
    use serde_json::{Value, json};

    fn recipe(layers: &str) -> Recipe {
        let text = format!(
            "name = \"x\"\ndata = {{ set = \"digits\" }}\nmodel = {{ layers = [{layers}] }}\n\
             optimizer = {{ name = \"adam\" }}\n"
        );
        Recipe::parse(&text, "test").unwrap()
    }

    fn of(layers: &str, input: [usize; 3]) -> Result<Network, String> {
        Network::of(&recipe(layers).model.layers, input).map(|network| network.expect("it has positions"))
    }

    fn told(layers: &str, input: [usize; 3]) -> Value {
        serde_json::to_value(of(layers, input).unwrap()).unwrap()
    }

    const DENSE: &str = "{ type = \"dense\", units = 10 }";
    const EMBEDDING: &str = "{ type = \"embedding\", shared = true, categories = 50, widths = 12 }";
    const OUTPUT: &str = "{ type = \"position-dense\", units = 50 }";

    #[test]
    fn a_transformer_is_told_block_by_block() {
        let layers = format!(
            "{EMBEDDING}, {{ type = \"position-embedding\" }}, \
             {{ type = \"transformer-block\", heads = 3, bias = false }}, \
             {{ type = \"transformer-block\", heads = 2, kv_heads = 1, causal = false, rotary = true, norm = \"rms\", \
             function = \"swiglu\", normalise = \"after\", dropout = 0.25 }}, \
             {{ type = \"layer-norm\", by_position = true }}, {OUTPUT}"
        );
        let network = told(&layers, [1, 1, 20]);
        assert_eq!((&network["input"], &network["positions_from"]), (&json!([1, 1, 20]), &Value::Null));
        let modules = network["modules"].as_array().unwrap();
        assert_eq!(modules[0], json!({ "type": "embedding", "categories": 50, "width": 12 }));
        assert_eq!(modules[1], json!({ "type": "position-embedding", "positions": 20, "channels": 12 }));
        let first = json!({
            "type": "transformer-block", "channels": 12, "heads": 3, "kv_heads": 3, "width": 4, "causal": true,
            "rotary_base": null, "bias": false, "hidden": 48, "function": "gelu", "norm": "layer",
            "normalise": "before", "dropout": 0.0,
        });
        assert_eq!(modules[2], first);
        let second = &modules[3];
        assert_eq!(
            (&second["kv_heads"], &second["width"], &second["hidden"]),
            (&1.into(), &6.into(), &32.into())
        );
        assert_eq!((&second["rotary_base"], &second["norm"]), (&json!(10_000.0), &"rms".into()));
        assert_eq!((&modules[4]["type"], &modules[4]["norm"]), (&"position-norm".into(), &"layer".into()));
        assert_eq!(
            modules[5],
            json!({ "type": "position-dense", "inputs": 12, "outputs": 50, "bias": true })
        );
        assert_eq!(modules.len(), 6);
    }

    #[test]
    fn images_become_positions() {
        let rows = told(
            &format!(
                "{{ type = \"rows\" }}, {{ type = \"lstm\", units = 8 }}, \
             {{ type = \"gru\", units = 6, returns = \"last\" }}, {{ type = \"dropout\", rate = 0.1 }}, {DENSE}"
            ),
            [28, 28, 1],
        );
        let modules = rows["modules"].as_array().unwrap();
        assert_eq!((&rows["positions_from"], &modules[0]), (&Value::Null, &json!({ "type": "rows" })));
        assert_eq!((&modules[1]["cell"], &modules[1]["inputs"]), (&"lstm".into(), &28.into()));
        assert_eq!((&modules[2]["inputs"], &modules[2]["returns"]), (&8.into(), &"last".into()));
        assert_eq!(modules[3], json!({ "type": "dropout", "rate": 0.1 }));
        assert_eq!(modules[4]["inputs"], 6);
        let patches = "{ type = \"conv\", channels = 8, kernel = 4, stride = 4, activation = \"relu\" }, \
                       { type = \"attention\", heads = 2 }, { type = \"global-average-pool\" }";
        let patches = told(&format!("{patches}, {DENSE}"), [28, 28, 1]);
        let types: Vec<&Value> =
            patches["modules"].as_array().unwrap().iter().map(|module| &module["type"]).collect();
        assert_eq!(types, ["conv", "activation", "attention", "mean-position", "flatten", "dense"]);
        assert_eq!(patches["positions_from"], 2);
        assert_eq!(
            told(&format!("{{ type = \"gru\", units = 4, returns = \"last\" }}, {DENSE}"), [28, 28, 1])["positions_from"],
            0
        );
    }

    /// Modules are numbered as the parameters of a saved model are, those of a pool behind positions too.
    #[test]
    fn modules_are_numbered_as_saved_models_are() {
        let layers = format!(
            "{{ type = \"rows\" }}, {{ type = \"position-dense\", units = 6, activation = \"tanh\" }}, \
             {{ type = \"rnn\", units = 4 }}, {{ type = \"global-average-pool\" }}, {DENSE}"
        );
        let network = of(&layers, [28, 28, 1]).unwrap();
        let json = serde_json::to_value(&network).unwrap();
        let model = Model::build(&recipe(&layers).model, [28, 28, 1], 10, 1).unwrap();
        let numbers = model.tensors().into_iter().map(|tensor| {
            let (number, name) = tensor.name.split_once('.').unwrap();
            (number.parse::<usize>().unwrap(), name.to_string())
        });
        let mut kinds: Vec<String> = numbers
            .map(|(number, name)| format!("{} {name}", json["modules"][number]["type"].as_str().unwrap()))
            .collect();
        kinds.sort();
        let expected = [
            "dense bias",
            "dense weight",
            "position-dense bias",
            "position-dense weight",
            "recurrent bias_hh_l0",
            "recurrent bias_ih_l0",
            "recurrent weight_hh_l0",
            "recurrent weight_ih_l0",
        ];
        assert_eq!(kinds, expected);
    }

    #[test]
    fn what_cannot_be_told_is_named() {
        let refused = |layers: &str| of(layers, [28, 28, 1]).unwrap_err();
        let behind = refused(&format!(
            "{{ type = \"rows\" }}, {{ type = \"batch-norm\" }}, {{ type = \"flatten\" }}, {DENSE}"
        ));
        assert_eq!(behind, "the peers have no batch-norm behind layers of positions, as layer 1 is one");
        let permuted = refused(&format!(
            "{{ type = \"permute\" }}, {{ type = \"gru\", units = 4, returns = \"last\" }}, {DENSE}"
        ));
        assert_eq!(permuted, "the peers have no permute, as layer 0 is");
        for layer in [
            "{ type = \"decoder-block\", heads = 2, source = 9 }",
            "{ type = \"cross-attention\", heads = 2, source = 9 }",
            "{ type = \"transformer-block\", heads = 2, source = 9, part = \"source\" }",
            "{ type = \"rms-norm\", source = 9, part = \"target\" }",
        ] {
            let parts =
                refused(&format!("{{ type = \"rows\" }}, {layer}, {{ type = \"flatten\" }}, {DENSE}"));
            assert_eq!(parts, "the peers have no layers of a source and a target, as layer 1 is one");
        }
        let tables = "{ type = \"embedding\", categories = [5, 4], widths = 3 }";
        let tables = Network::of(&recipe(&format!("{tables}, {DENSE}")).model.layers, [1, 1, 7]).unwrap_err();
        assert_eq!(
            tables,
            "the peers begin with images or with codes of one table, and layer 0 is embedding"
        );
    }
}
