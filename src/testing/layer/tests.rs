//! The check finds each fault that a layer may have.

use super::*;
use crate::hyper::HyperValues;
use crate::init::Init;
use crate::kernels::activation::{self, Activation};
use crate::kernels::image::Image;
use crate::layers::{Backward, Built, Forward, LayerKind, ParameterSpec, RowsGradient};

/// A weight for each feature, with a fault.
#[derive(Debug)]
struct Weighted {
    features: usize,
    fault: &'static str,
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

    fn scratch_len(&self) -> usize {
        1
    }

    fn forward(&self, Forward { mut y, x, storage, scratch, .. }: Forward) {
        let (features, rows) = (self.features, x.rows());
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
            out.fill(0.0);
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
                Box::new(Weighted { features: input.features(), fault: $fault })
            });
            let found = faulty(&KIND, Shape::Features($features));
            assert!(found.contains($word), "{found}");
        }
    )*};
}

kinds! {
    a_right_layer_passes "" 10 "nothing",
    a_wrong_shape_is_found "outputs" 11 "output of the layer: expected 11, as its kind says",
    short_storage_is_found "storage" 20 "parameter 0, \"weight\": expected storage from 0 on, of at least 32 floats",
    padding_that_is_not_zero_is_found "padding" 9 "output, row 0, column 9: expected 0, which pads, found NaN",
    infinities_are_found "infinite" 8 "output, row 0, column 1: expected a finite number, found inf",
    old_memory_is_found "memory" 7 "with other numbers in memory, float 0",
    other_rows_are_found "rows" 6 "with each row by itself, float 0",
    sums_that_start_anew_are_found "accumulation" 5 "gradient of the parameters with each row by itself",
    wrong_gradients_of_the_input_are_found "input gradient" 4 "gradient of the input, row 0, column 0: expected about",
    wrong_gradients_of_parameters_are_found "weight gradient" 3 "gradient of \"weight\", float",
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

/// Those that take nothing but images.
#[test]
fn built_in_layers_of_images_pass() {
    let of_images = [
        LayerConfig::max_pool(2),
        LayerConfig::average_pool(3).with("padding", 1).unwrap(),
        LayerConfig::global_average_pool(),
        LayerConfig::flatten(),
        LayerConfig::dropout(0.25).with("channels", true).unwrap(),
    ];
    for layer in of_images {
        check_layer(&layer, Shape::Image(Image::new(5, 6, 4)))
            .unwrap_or_else(|error| panic!("{layer:?}: {error}"));
    }
}

/// Of whole vectors of channels, so that no float of the weights is padding: spread by a transposed convolution, by
/// patches that are added up, and with weights that are far more than the numbers of an image.
#[test]
fn transposed_convolutions_pass() {
    let input = Shape::Image(Image::new(3, 4, 16));
    for [channels, kernel, stride, more] in [[5, 3, 2, 1], [3, 2, 3, 0], [16, 3, 1, 0], [40, 3, 1, 0]] {
        let config = LayerConfig::convolution_transpose(channels, kernel, stride, Activation::TANH)
            .with("output_padding", [0, more])
            .unwrap();
        let (shape, between) = ([channels, kernel, stride], Incoming { shape: input, is_data: false });
        let output = config.output(0, between).unwrap();
        let Built::Nodes(nodes) = config.settings().unwrap().build(between) else { panic!() };
        let [node] = nodes.as_slice() else { panic!() };
        check_alone(node.as_layer().unwrap(), input, output)
            .unwrap_or_else(|error| panic!("{shape:?}: {error}"));
        whole::check(&config, input, output).unwrap_or_else(|error| panic!("{shape:?}: {error}"));
    }
}

#[test]
fn layers_of_more_than_rows_are_refused() {
    for layer in [LayerConfig::dense(3, Activation::RELU), LayerConfig::batch_norm()] {
        let error = check_layer(&layer, Shape::Features(2)).unwrap_err();
        let expected = format!("to their defaults, found {}", layer.kind());
        assert!(error.to_string().ends_with(&expected), "{error}");
    }
    let odd = check_layer(&LayerConfig::named("glu").unwrap(), Shape::Features(3)).unwrap_err();
    assert!(odd.to_string().contains("an even number of channels, or features"), "{odd}");
}

/// Two layers may not have one name: the second is not known by it.
#[test]
fn a_name_that_is_taken_is_refused() {
    fn make(_: &HyperValues, input: Shape) -> Box<dyn Layer> {
        Box::new(Weighted { features: input.features(), fault: "" })
    }
    for name in ["prelu", "dense", "relu"] {
        let kind: &'static LayerKind = Box::leak(Box::new(LayerKind::new(name, make)));
        let error = kind.register().unwrap_err().to_string();
        assert!(error.contains("a name that no other layer has"), "{error}");
    }
}
