//! The check finds each fault that a layer may have.

mod sequences;

use super::*;
use crate::hyper::HyperValues;
use crate::init::Init;
use crate::kernels::activation::{self, Activation};
use crate::kernels::image::Image;
use crate::layers::{
    Backward, Derivation, Derived, Forward, LayerKind, MOST_PARTS, ParameterSpec, Partitioning, Reader,
    RowsGradient, Sharding,
};
use std::ops::Range;

/// A weight for each feature, with a fault.
#[derive(Debug)]
struct Weighted {
    features: usize,
    fault: &'static str,
    /// Whether shards own whole columns.
    whole: bool,
}

impl Weighted {
    fn new(features: usize, fault: &'static str) -> Weighted {
        Weighted { features, fault, whole: false }
    }
}

/// A shard for each vector of weights.
impl Sharding for Weighted {
    fn shards(&self) -> usize {
        padded(self.features) / LANES - usize::from(self.fault == "shards")
    }

    fn shard_parts(&self, shard: usize) -> [Range<usize>; MOST_PARTS] {
        [shard * LANES..(shard + 1) * LANES, 0..0, 0..0]
    }

    fn finish_gradient(&self, _: usize, out: &mut [f32], _: &Reader) {
        let factor = if self.fault == "cuts" && self.whole { 2.0 } else { 1.0 };
        out.iter_mut().for_each(|out| *out *= factor);
    }
}

impl Derived for Weighted {
    fn derived_len(&self) -> usize {
        1
    }

    fn forward_derived_len(&self) -> usize {
        1
    }

    fn derive_forward(&self, derived: &mut [f32], _: &[f32]) {
        derived[0] = 1.0;
    }

    fn derive(&self, shard: usize, from: &Derivation) {
        if shard == 0 {
            (from.derived)(0..1)[0] = 2.0;
        }
    }
}

impl Layer for Weighted {
    fn kind(&self) -> String {
        "weighted".into()
    }

    fn outputs(&self) -> usize {
        self.features + usize::from(self.fault == "outputs")
    }

    fn parameters(&self) -> Vec<ParameterSpec> {
        let end = if self.fault == "storage" { 1 } else { padded(self.features) };
        vec![ParameterSpec {
            name: "weight",
            shape: vec![self.features],
            range: 0..end,
            layout: Layout::Plain,
            init: Some(Init::Constant(1.0)),
        }]
    }

    fn fixed(&self) -> Vec<ParameterSpec> {
        let start = padded(self.features) + if self.fault == "fixed" { 16 } else { 0 };
        let spec = ParameterSpec {
            name: "fixed",
            shape: vec![1],
            range: start..start + 16,
            layout: Layout::Plain,
            init: Some(Init::Constant(1.0)),
        };
        if self.fault.contains("fixed") { vec![spec] } else { Vec::new() }
    }

    fn scratch_len(&self) -> usize {
        1
    }

    fn splits_features(&self) -> bool {
        self.fault == "columns"
    }

    fn sharding(&self) -> Option<&dyn Sharding> {
        ["shards", "cuts", "in shards"].contains(&self.fault).then_some(self as &dyn Sharding)
    }

    fn partition(&self, wanted: Partitioning) -> Option<Box<dyn Sharding>> {
        let cut = Weighted { whole: wanted.whole_columns, ..*self };
        self.sharding().map(|_| Box::new(cut) as Box<dyn Sharding>)
    }

    fn derived(&self) -> Option<&dyn Derived> {
        (self.fault == "derived").then_some(self as &dyn Derived)
    }

    fn forward(&self, Forward { mut y, x, storage, scratch, .. }: Forward) {
        // The columns that are asked for are not looked at, which is a fault where it says that they are.
        let (features, rows) = (self.features.min(y.columns()), x.rows());
        for row in 0..rows {
            let (y, padding) = y.row(row).split_at_mut(features);
            for ((y, x), w) in y.iter_mut().zip(x.row(row)).zip(storage) {
                *y = x * w;
            }
            match self.fault {
                "memory" => y[0] += if scratch[0] > 0.0 { 1.0 } else { 0.0 },
                "rows" => y[0] += rows as f32,
                "infinite" => y[1] = f32::INFINITY,
                _ => {}
            }
            if self.fault != "padding" {
                padding.fill(0.0);
            }
        }
    }

    fn backward(&self, Backward { dx, dy, storage, .. }: Backward) {
        let Some(mut dx) = dx else { return };
        for row in 0..dx.rows() {
            for ((dx, dy), w) in dx.row(row).iter_mut().zip(dy.as_ref().row(row)).zip(storage) {
                *dx = if self.fault == "input gradient" { *dy } else { dy * w };
            }
        }
    }

    fn gradient(&self, RowsGradient { out, dy, x, accumulate, .. }: RowsGradient) {
        if !accumulate || self.fault == "accumulation" {
            out.fill(if self.fault == "gradient of padding" { 1.0 } else { 0.0 });
        }
        let factor = if self.fault == "weight gradient" { 1.01 } else { 1.0 };
        for row in 0..dy.rows() {
            for ((dw, dy), x) in out.iter_mut().zip(dy.row(row)).zip(x.row(row)) {
                *dw += factor * dy * x;
            }
        }
    }
}

fn faulty(kind: &'static LayerKind, input: Shape) -> String {
    let result = check_layer(&LayerConfig::of(kind), input);
    result.err().map_or("nothing".into(), |error| error.to_string())
}

macro_rules! kinds {
    ($($name:ident $fault:literal $features:literal $word:literal,)*) => {$(
        #[test]
        fn $name() {
            static KIND: LayerKind = LayerKind::new(concat!("weighted-", stringify!($features)), |_, input| {
                Box::new(Weighted::new(input.features(), $fault))
            });
            let found = faulty(&KIND, Shape::Features($features));
            assert!(found.contains($word), "{found}");
        }
    )*};
}

kinds! {
    a_right_layer_passes "" 10 "nothing",
    a_wrong_shape_is_found "outputs" 11 "output of the layer: expected 11, as its kind says",
    a_right_layer_with_a_fixed_number_passes "right fixed" 12 "nothing",
    what_is_fixed_elsewhere_is_found "fixed" 13 "parameter 1, \"fixed\": expected storage from 16 on, of at least 16 floats",
    short_storage_is_found "storage" 20 "parameter 0, \"weight\": expected storage from 0 on, of at least 32 floats",
    padding_that_is_not_zero_is_found "padding" 9 "output, row 0, column 9: expected 0, which pads, found NaN",
    infinities_are_found "infinite" 8 "output, row 0, column 1: expected a finite number, found inf",
    old_memory_is_found "memory" 7 "with other numbers in memory, float 0",
    other_rows_are_found "rows" 6 "with each row by itself, float 0",
    sums_that_start_anew_are_found "accumulation" 5 "gradient of the parameters with each row by itself",
    wrong_gradients_of_the_input_are_found "input gradient" 4 "gradient of the input, row 0, column 0: expected about",
    wrong_gradients_of_parameters_are_found "weight gradient" 3 "gradient of \"weight\", float",
    a_right_layer_in_shards_passes "in shards" 33 "nothing",
    parameters_in_no_shard_are_found "shards" 34 "each float of storage in one of them: the next from 32 on, found 48..48",
    results_that_depend_on_the_shards_are_found "cuts" 35 "gradient of the parameters with shards cut in another way",
    columns_that_are_not_those_asked_for_are_found "columns" 21 "output in columns 16..32 alone, float 0",
    two_ways_to_derive_that_differ_are_found "derived" 2 "what is derived for the forward pass alone, float 0",
    gradients_of_padding_are_found "gradient of padding" 1 "gradient of the parameters, float 1 of storage: expected 0, which pads",
}

/// The layers of the table pass, on features and on images.
#[test]
fn built_in_layers_pass() {
    let image = Shape::Image(Image::new(3, 4, 6));
    let named = ["prelu", "glu", "swiglu", "dropout"];
    let activations = activation::ALL.iter().map(|entry| entry.name).filter(|name| *name != "identity");
    for name in named.into_iter().chain(activations) {
        for input in [Shape::Features(6), Shape::Features(34), image] {
            let layer = LayerConfig::named(name).unwrap();
            check_layer(&layer, input).unwrap_or_else(|error| panic!("{name} on {input}: {error}"));
        }
    }
    let others = [
        LayerConfig::named("prelu").unwrap().with("by_channel", true).unwrap(),
        LayerConfig::named("prelu").unwrap().with("slope", -0.5f32).unwrap(),
        LayerConfig::named("glu").unwrap().with("gate", "gelu").unwrap(),
        LayerConfig::named("glu").unwrap().with("gate", "relu").unwrap(),
        LayerConfig::named("glu").unwrap().with("gate", "identity").unwrap(),
    ];
    for layer in others {
        for input in [Shape::Features(18), image] {
            check_layer(&layer, input).unwrap_or_else(|error| panic!("{layer:?} on {input}: {error}"));
        }
    }
}

/// Those with nothing to train, of which one has fixed numbers.
#[test]
fn fixed_features_pass() {
    for inputs in [1, 5, 18] {
        for (degree, only) in [(1, false), (3, false), (2, true), (3, true)] {
            let layer = LayerConfig::polynomial_features(degree);
            passes(layer.with("interactions_only", only), Shape::Features(inputs));
        }
        for components in [1, 16, 45] {
            let layer = LayerConfig::random_fourier_features(components, 0.3);
            passes(Ok(layer.clone()), Shape::Features(inputs));
            passes(layer.with("seed", 7), Shape::Features(inputs));
        }
    }
}

/// Those that take nothing but images.
#[test]
fn built_in_layers_of_images_pass() {
    let of_images = [
        LayerConfig::max_pool(2),
        LayerConfig::average_pool(3).with("padding", 1).unwrap(),
        LayerConfig::global_average_pool(),
        LayerConfig::named("global-max-pool").unwrap(),
        LayerConfig::flatten(),
        LayerConfig::dropout(0.25).with("channels", true).unwrap(),
    ];
    for layer in of_images {
        check_layer(&layer, Shape::Image(Image::new(5, 6, 4)))
            .unwrap_or_else(|error| panic!("{layer:?}: {error}"));
    }
}

fn passes(layer: Result<LayerConfig>, input: Shape) {
    let layer = layer.unwrap();
    check_layer(&layer, input).unwrap_or_else(|error| panic!("{layer:?} on {input}: {error}"));
}

/// Spread by a transposed convolution, by patches that are added up, and with weights that are far more than the numbers of
/// an image.
#[test]
fn transposed_convolutions_pass() {
    let input = Shape::Image(Image::new(3, 4, 16));
    for [channels, kernel, stride, more] in [[5, 3, 2, 1], [3, 2, 3, 0], [16, 3, 1, 0], [40, 3, 1, 0]] {
        let config = LayerConfig::convolution_transpose(channels, kernel, stride, Activation::TANH);
        passes(config.with("output_padding", [0, more]), input);
    }
    let odd = LayerConfig::convolution_transpose(3, 2, 1, Activation::GELU).with("bias", false);
    passes(odd, Shape::Image(Image::new(3, 2, 5)));
}

/// More than one shard along both sides, and an activation that is a layer of its own.
#[test]
fn dense_layers_pass() {
    for (inputs, outputs, activation) in
        [(21, 17, Activation::RELU), (130, 40, Activation::TANH), (5, 3, Activation::GELU)]
    {
        let dense = || LayerConfig::dense(outputs, activation);
        passes(Ok(dense()), Shape::Features(inputs));
        passes(dense().with("bias", false), Shape::Features(inputs));
        // A difference across the corner of ReLU is no derivative, and with weight normalisation one of these is.
        if activation != Activation::RELU {
            passes(dense().with("weight_norm", true), Shape::Features(inputs));
        }
    }
}

#[test]
fn squared_distances_pass() {
    for (inputs, centres) in [(1, 1), (6, 3), (34, 17), (18, 40)] {
        passes(Ok(LayerConfig::squared_distances(centres)), Shape::Features(inputs));
    }
}

/// By patches, of a pixel, of a pixel with a stride, in groups, one channel each, with more weights than pixels, and of
/// sequences.
#[test]
fn convolutions_pass() {
    let conv = |channels, kernel| LayerConfig::convolution(channels, kernel, Activation::TANH);
    let image = Shape::Image(Image::new(5, 4, 6));
    passes(conv(7, 3).with("padding", 1), image);
    passes(conv(7, 3).with("stride", 2).and_then(|layer| layer.with("bias", false)), image);
    passes(Ok(conv(9, 1)), image);
    passes(conv(9, 1).with("stride", 2), image);
    passes(conv(4, 2).with("groups", 2), image);
    passes(conv(6, 3).with("groups", 6), image);
    passes(conv(12, 3).with("groups", 6), image);
    passes(Ok(conv(40, 3)), Shape::Image(Image::new(3, 3, 24)));
    let sequence = Shape::Image(Image::new(1, 9, 5));
    passes(LayerConfig::convolution_1d(6, 3, Activation::GELU).with("dilation", 2), sequence);
}

/// Several tables behind numbers, one in several shards, and one for all positions.
#[test]
fn embeddings_pass() {
    passes(Ok(LayerConfig::embedding(&[[3, 2], [4, 5]])), Shape::Features(6));
    passes(Ok(LayerConfig::embedding(&[[900, 40]])), Shape::Features(1));
    passes(LayerConfig::embedding(&[[3, 5]]).with("shared", true), Shape::Features(4));
    let few = check_layer(&LayerConfig::embedding(&[[3, 2], [4, 5]]), Shape::Features(1)).unwrap_err();
    assert!(few.to_string().contains("at least 2 numbers, a code for each of `categories`"), "{few}");
}

#[test]
fn normalisations_of_a_sample_pass() {
    for input in [Shape::Features(18), Shape::Image(Image::new(3, 4, 6))] {
        passes(Ok(LayerConfig::layer_norm()), input);
        passes(LayerConfig::group_norm(3).with("activation", Activation::TANH), input);
    }
}

#[test]
fn layers_of_more_than_rows_are_refused() {
    let image = Shape::Image(Image::new(2, 2, 4));
    let block = LayerConfig::residual(vec![LayerConfig::dropout(0.5)], Activation::RELU);
    for layer in [LayerConfig::batch_norm(), LayerConfig::squeeze_excite(2), block] {
        let error = check_layer(&layer, image).unwrap_err();
        let expected = format!("expected a layer that reads one input row by row, found {}", layer.kind());
        assert!(error.to_string().ends_with(&expected), "{error}");
    }
    let odd = check_layer(&LayerConfig::named("glu").unwrap(), Shape::Features(3)).unwrap_err();
    assert!(odd.to_string().contains("an even number of channels, or features"), "{odd}");
}

/// Two layers may not have one name: the second is not known by it.
#[test]
fn a_name_that_is_taken_is_refused() {
    fn make(_: &HyperValues, input: Shape) -> Box<dyn Layer> {
        Box::new(Weighted::new(input.features(), ""))
    }
    for name in ["prelu", "dense", "relu"] {
        let kind: &'static LayerKind = Box::leak(Box::new(LayerKind::new(name, make)));
        let error = kind.register().unwrap_err().to_string();
        assert!(error.contains("a name that no other layer has"), "{error}");
    }
}
