//! Where a network branches: the gradient of an output is the sum of its readers' contributions. The last of
//! them, whose backward pass comes first, writes it; the others add to it, in the order of their passes.

use crate::model::{Frozen, Origin, PlacedLayer};

/// Which layers add to the gradients of outputs.
#[derive(Default)]
pub struct Merges {
    /// For each layer, for each of its inputs: whether the layer adds to that input's gradient.
    adds: Vec<[bool; 2]>,
    /// For each layer: whether its backward pass is that of any layer of a plain chain.
    plain: Vec<bool>,
    /// Columns of the widest gradient to which a layer of one input adds; 0 in a plain chain.
    pub columns: usize,
}

impl Merges {
    /// Those of a training that does not need the gradients of all outputs.
    pub fn new(layers: &[PlacedLayer], frozen: &Frozen) -> Merges {
        let mut written = vec![false; layers.len()];
        let mut merges = Merges { adds: vec![[false; 2]; layers.len()], ..Merges::default() };
        for (placed, adds) in layers.iter().zip(&mut merges.adds).rev() {
            for (input, adds) in placed.inputs.each().zip(adds) {
                if let Origin::Output(index) = input
                    && frozen.reaches(index)
                {
                    *adds = std::mem::replace(&mut written[index], true);
                    if *adds && placed.inputs.other.is_none() {
                        merges.columns = merges.columns.max(layers[index].layer.columns());
                    }
                }
            }
        }
        let is_plain = |(placed, adds): (&PlacedLayer, &[bool; 2])| placed.inputs.other.is_none() && !adds[0];
        merges.plain = layers.iter().zip(&merges.adds).map(is_plain).collect();
        merges
    }

    /// Whether a layer has one input, and writes its gradient or has none to write.
    pub fn is_plain(&self, index: usize) -> bool {
        self.plain[index]
    }

    /// Whether a layer adds to the gradient of each of its inputs.
    pub fn adds(&self, index: usize) -> [bool; 2] {
        self.adds[index]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Model, Recipe};

    /// A layer's module, its inputs, and whether it adds to their gradients.
    type Row = (String, Vec<Origin>, [bool; 2]);

    fn of(layers: &str) -> (Vec<Row>, Merges) {
        let text = format!(
            "name = 'a'\n[data]\nset = 'digits'\n[optimizer]\nname = 'sgd'\n[model]\nlayers = [\n{layers}\n\
             {{ type = 'flatten' }}, {{ type = 'dense', units = 10 }} ]\n"
        );
        let recipe = Recipe::parse(&text, "test").unwrap();
        let model = Model::build(&recipe.model, [28, 28, 1], 10, 1).unwrap();
        let merges = Merges::new(model.layers(), &Frozen::default());
        let row = |(index, placed): (usize, &PlacedLayer)| {
            (placed.module.clone(), placed.inputs.each().collect(), merges.adds(index))
        };
        (model.layers().iter().enumerate().map(row).collect(), merges)
    }

    const CONV: &str = "{ type = 'conv', channels = 4, kernel = 3, padding = 1, activation = 'relu' }";

    #[test]
    fn a_chain_adds_nothing() {
        let (layers, merges) = of(&format!("{CONV}, {CONV},"));
        assert_eq!(merges.columns, 0);
        for (index, (_, inputs, adds)) in layers.iter().enumerate() {
            let before = index.checked_sub(1).map_or(Origin::Data, Origin::Output);
            assert_eq!((&inputs[..], *adds), (&[before][..], [false; 2]));
            assert!(merges.is_plain(index));
        }
    }

    #[test]
    fn all_but_the_last_reader_add() {
        let block = format!("{{ type = 'residual', layers = [{CONV}, {{ type = 'squeeze-excite' }}] }}");
        let (layers, merges) = of(&format!("{CONV}, {block}, "));
        use Origin::{Data, Output};
        let row = |module: &str, inputs: &[Origin], adds| (module.to_string(), inputs.to_vec(), adds);
        let expected = [
            row("0", &[Data], [false; 2]),
            row("2.layers.0", &[Output(0)], [true, false]),
            row("2.layers.2.pool", &[Output(1)], [true, false]),
            row("2.layers.2.fc1", &[Output(2)], [false; 2]),
            row("2.layers.2.fc2", &[Output(3)], [false; 2]),
            row("2.layers.2", &[Output(1), Output(4)], [false; 2]),
            row("2", &[Output(5), Output(0)], [false; 2]),
            row("3", &[Output(6)], [false; 2]),
            row("4", &[Output(7)], [false; 2]),
        ];
        assert_eq!(layers, expected);
        assert_eq!(merges.columns, 28 * 28 * 16);
        let plain: Vec<bool> = (0..layers.len()).map(|index| merges.is_plain(index)).collect();
        assert_eq!(plain, [true, false, false, true, true, false, false, true, true]);
    }

    #[test]
    fn a_product_may_add_too() {
        // Three readers: the pool, the product with the gates, and the sum.
        let block = "{ type = 'residual', layers = [{ type = 'squeeze-excite' }] }";
        let (layers, _) = of(&format!("{CONV}, {block}, "));
        let adds: Vec<[bool; 2]> = layers[1..6].iter().map(|(_, _, adds)| *adds).collect();
        assert_eq!(adds, [[true, false], [false; 2], [false; 2], [true, false], [false; 2]]);
    }
}
