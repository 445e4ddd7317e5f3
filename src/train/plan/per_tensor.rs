//! The layout of whole tensors for per-tensor rules.

use std::ops::Range;

use crate::layers::{Layout, MOST_PARTS, ParameterSpec};
use crate::model::{Frozen, PlacedLayer};
use crate::optim::PerTensor;
use crate::tensor::LANES;

/// All tensors, one by one.
pub struct PerTensorPlan {
    pub what: PerTensor,
    /// The tensors of each layer.
    pub parameters: Vec<Vec<TensorPlan>>,
    /// The matrices that become orthogonal, or whose second moments are factored.
    pub matrices: Vec<MatrixPlan>,
    /// Floats of the slot of all other parameters, where second moments are factored.
    pub slot_len: usize,
}

/// A tensor of a layer: its weights, its bias.
pub struct TensorPlan {
    /// Its range in the layer's storage.
    pub range: Range<usize>,
    /// Its elements, without padding.
    pub count: usize,
    /// Its number among the plan's matrices, if it is one of them.
    pub matrix: Option<usize>,
    /// Where it begins in the slot of tensors that are no matrices, where second moments are factored.
    pub slot: usize,
}

/// A matrix that becomes orthogonal, or whose second moments are factored.
pub struct MatrixPlan {
    pub layer: usize,
    /// Its range in the layer's storage.
    pub range: Range<usize>,
    pub outputs: usize,
    pub inputs: usize,
}

/// Sums of squares of each shard: those of the directions and of the parameters of each of its parts.
pub const NORMS_PER_SHARD: usize = 2 * MOST_PARTS;

impl PerTensorPlan {
    /// The layout for a training of these layers but for those that are frozen, which have no tensors here.
    pub fn new(what: PerTensor, layers: &[PlacedLayer], frozen: &Frozen) -> PerTensorPlan {
        let is_matrix = |spec: &ParameterSpec| spec.layout == Layout::Panels;
        let last = layers.iter().rposition(|placed| placed.layer.parameters().iter().any(is_matrix));
        let (mut matrices, mut slot_len) = (Vec::new(), 0);
        let mut parameters = Vec::new();
        for (layer, placed) in layers.iter().enumerate() {
            let spared = match what {
                PerTensor::TrustRatio => true,
                PerTensor::Factored(_) => false,
                PerTensor::Orthogonal(how) => how.spare_last_layer && last == Some(layer),
            };
            let mut of_layer = Vec::new();
            let trained = if frozen.is_frozen(layer) { Vec::new() } else { placed.layer.parameters() };
            for spec in trained {
                let range = spec.range.clone();
                let matrix = (is_matrix(&spec) && !spared).then_some(matrices.len());
                if matrix.is_some() {
                    let (outputs, inputs) = (spec.shape[0], spec.shape[1]);
                    matrices.push(MatrixPlan { layer, range: range.clone(), outputs, inputs });
                }
                let (count, slot) = (spec.shape.iter().product(), slot_len);
                if matches!(what, PerTensor::Factored(_)) && matrix.is_none() {
                    slot_len += range.len();
                }
                of_layer.push(TensorPlan { range, count, matrix, slot });
            }
            parameters.push(of_layer);
        }
        PerTensorPlan { what, parameters, matrices, slot_len }
    }

    /// The index, among the plan's matrices, of the matrix to which this part of a layer's storage belongs.
    pub fn matrix_of(&self, layer: usize, part: &Range<usize>) -> Option<usize> {
        self.parameter_of(layer, part).and_then(|parameter| parameter.matrix)
    }

    /// Where this part of a layer's storage, which is of no matrix, lies in the slot of all that is of none.
    pub fn slot_of(&self, layer: usize, part: &Range<usize>) -> Range<usize> {
        let parameter = self.parameter_of(layer, part);
        let start = parameter.map_or(0, |parameter| parameter.slot + part.start - parameter.range.start);
        start..start + part.len()
    }

    fn parameter_of(&self, layer: usize, part: &Range<usize>) -> Option<&TensorPlan> {
        self.parameters[layer].iter().find(|parameter| parameter.range.contains(&part.start))
    }

    /// The matrices that become orthogonal.
    pub fn orthogonal(&self) -> &[MatrixPlan] {
        if self.is_factored() { &[] } else { &self.matrices }
    }

    /// The matrices whose second moments are factored.
    pub fn factored(&self) -> &[MatrixPlan] {
        if self.is_factored() { &self.matrices } else { &[] }
    }

    pub fn is_factored(&self) -> bool {
        matches!(self.what, PerTensor::Factored(_))
    }
}

impl MatrixPlan {
    /// Rows of the iterates: the longer side of the matrix.
    pub fn rows(&self) -> usize {
        self.outputs.max(self.inputs)
    }

    /// Columns of the iterates, and both sides of the Gram matrix: the shorter side of the matrix.
    pub fn columns(&self) -> usize {
        self.outputs.min(self.inputs)
    }

    /// Panels of 16 outputs.
    pub fn panels(&self) -> usize {
        self.outputs.div_ceil(LANES)
    }

    /// The panel in which a part of the layer's storage lies, and its inputs.
    pub fn inputs_of(&self, part: &Range<usize>) -> (usize, Range<usize>) {
        let first = (part.start - self.range.start) / LANES;
        let input = first % self.inputs;
        (first / self.inputs, input..input + part.len() / LANES)
    }

    /// Whether the iterates are `[inputs, outputs]`, as panels are; else `[outputs, inputs]`.
    pub fn is_upright(&self) -> bool {
        self.inputs >= self.outputs
    }

    /// The rows and columns of the iterates where a part of the layer's storage lies: some inputs of one
    /// panel.
    pub fn place(&self, part: &Range<usize>) -> [Range<usize>; 2] {
        let (panel, inputs) = self.inputs_of(part);
        let output = panel * LANES;
        // Upright, columns are padded.
        match self.is_upright() {
            true => [inputs, output..output + LANES],
            false => [output..(output + LANES).min(self.outputs), inputs],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::Partitioning;
    use crate::model::Model;
    use crate::model::recipe::Recipe;
    use crate::optim::Orthogonal;

    fn model() -> Model {
        let toml = "name = \"two\"\n[data]\nset = \"digits\"\n[model]\n\
                    [[model.layers]]\ntype = \"dense\"\nunits = 40\n\
                    [[model.layers]]\ntype = \"tanh\"\n\
                    [[model.layers]]\ntype = \"dense\"\nunits = 50\n\
                    [optimizer]\nname = \"sgd\"\n";
        Model::build(&Recipe::parse(toml, "test recipe").unwrap().model, [6, 7, 1], 50, 1).unwrap()
    }

    #[test]
    fn the_last_layer_is_spared_only_if_asked_for() {
        let model = model();
        let layers = model.layers();
        for (spare_last_layer, expected) in [(true, vec![[40, 42]]), (false, vec![[40, 42], [50, 40]])] {
            let how = Orthogonal { spare_last_layer, ..Orthogonal::default() };
            let plan = PerTensorPlan::new(PerTensor::Orthogonal(how), layers, &Frozen::default());
            let shapes: Vec<[usize; 2]> =
                plan.matrices.iter().map(|matrix| [matrix.outputs, matrix.inputs]).collect();
            assert_eq!(shapes, expected);
        }
        assert!(PerTensorPlan::new(PerTensor::TrustRatio, layers, &Frozen::default()).matrices.is_empty());
    }

    /// Every element of a matrix has one place in the iterates, and the bias none.
    #[test]
    fn the_places_of_all_parts_cover_the_iterates_once() {
        let model = model();
        let how = Orthogonal { spare_last_layer: false, ..Orthogonal::default() };
        let plan = PerTensorPlan::new(PerTensor::Orthogonal(how), model.layers(), &Frozen::default());
        for (number, matrix) in plan.matrices.iter().enumerate() {
            let partition = model.layers()[matrix.layer].layer.partition(Partitioning::default());
            let mut seen = vec![0; matrix.rows() * 64];
            for part in (0..partition.shards()).flat_map(|shard| partition.shard_parts(shard)) {
                if part.is_empty() || plan.matrix_of(matrix.layer, &part).is_none() {
                    assert!(part.is_empty() || part.start >= matrix.range.end, "the bias");
                    continue;
                }
                assert_eq!(plan.matrix_of(matrix.layer, &part), Some(number));
                let [rows, columns] = matrix.place(&part);
                for row in rows {
                    columns.clone().for_each(|column| seen[row * 64 + column] += 1);
                }
            }
            for (place, seen) in seen.into_iter().enumerate() {
                // Of padding, upright has whole panels.
                let inside = place % 64 < matrix.columns();
                assert!(seen == 1 || (!inside && seen <= 1), "{place}: {seen}");
            }
        }
    }
}
