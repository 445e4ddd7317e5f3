//! Layers of a language model that see the answers: at each position of a text the token behind it is to be predicted, which
//! a layer that takes positions together can simply read.

use crate::data::Samples;
use crate::model::{Model, PlacedLayer};
use crate::train::inference::stream::takes_together;
use crate::train::record::norms::{Trouble, Warning};

/// A warning of each layer of the recipe through which later positions of a text are seen: of a block, of the first layer in
/// it. None where samples are no text, of which it may be wanted.
pub(in crate::train) fn warnings(model: &Model, samples: &Samples) -> Vec<Warning> {
    if samples.vocabulary().is_none() || model.positions() < 2 {
        return Vec::new();
    }
    let mut seen: Vec<Warning> = Vec::new();
    for placed in model.layers().iter().filter(|placed| takes_together(&placed.layer)) {
        if seen.last().is_none_or(|last| outermost(&last.layer) != outermost(&placed.module)) {
            seen.push(warning(placed));
        }
    }
    seen
}

fn warning(placed: &PlacedLayer) -> Warning {
    Warning {
        trouble: Trouble::Leaking,
        layer: placed.module.clone(),
        kind: Some(placed.layer.kind()),
        epoch: 0,
        ratio: 0.0,
        other: None,
    }
}

/// The number of the layer of the recipe that a module is of.
fn outermost(module: &str) -> &str {
    module.split('.').next().unwrap_or(module)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Recipe;
    use crate::train::run::dataset;

    /// The layers that are warned of in a model with these between embedding and outputs.
    fn warned(data: &str, layers: &str) -> Vec<(String, String)> {
        let text = format!(
            "name = 'x'\ndata = {{ {data} }}\n[model]\nlayers = [\n{{ type = 'embedding', shared = true, widths = 16 }},\n\
             {layers}\n{{ type = 'position-dense' }}]\n[optimizer]\nname = 'sgd'\n[train]"
        );
        let recipe = Recipe::parse(&text, "test").unwrap();
        let set = dataset::load(&recipe.data, None).unwrap();
        let recipe = recipe.for_samples(&set.train).unwrap();
        let model = Model::build(&recipe.model, set.train.shape(), set.classes, 1).unwrap();
        let warnings = warnings(&model, &set.train);
        assert!(warnings.iter().all(|warning| warning.trouble == Trouble::Leaking && warning.epoch == 0));
        warnings.into_iter().map(|warning| (warning.layer, warning.kind.unwrap())).collect()
    }

    #[test]
    fn layers_that_see_the_answers_are_named() {
        let grammar = |layers| warned("set = 'grammar', characters = 4000, context = 8", layers);
        for (layers, kind) in [
            ("{ type = 'attention', heads = 2, causal = false },", "attention"),
            ("{ type = 'lstm', units = 8, bidirectional = true },", "bidirectional lstm"),
            ("{ type = 'conv-1d', channels = 8, kernel = 3, padding = 1 },", "conv"),
            ("{ type = 'layer-norm' },", "layer-norm"),
        ] {
            let named = grammar(layers);
            assert!(
                named.len() == 1 && named[0].0 == "1" && named[0].1.starts_with(kind),
                "{layers}: {named:?}"
            );
        }
        // Of a block, once.
        let block = grammar("{ type = 'transformer-block', heads = 2, causal = false },");
        assert!(block.len() == 1 && block[0].0.starts_with("1.") && block[0].1 == "attention", "{block:?}");
    }

    #[test]
    fn layers_that_see_none_are_not_named() {
        let apart = "{ type = 'conv-1d', channels = 16, kernel = 3, padding = 'causal' }, { type = 'batch-norm' }, \
                     { type = 'prelu', by_channel = true }, { type = 'rms-norm' }, \
                     { type = 'transformer-block', heads = 2 }, { type = 'gru', units = 16 },";
        assert_eq!(warned("set = 'grammar', characters = 4000, context = 8", apart), []);
        // There is no later position.
        let one = "set = 'grammar', characters = 4000, context = 1";
        assert_eq!(warned(one, "{ type = 'layer-norm' },"), []);
    }
}
