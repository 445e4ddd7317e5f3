//! Squared distances to trained centres: the layer of k-means, and of networks of radial basis functions (Broomhead, Lowe:
//! Multivariable functional interpolation and adaptive networks, 1988).

use super::kind::{Input, LayerKind};
use super::layer::{Backward, Flops, Forward, Layer, RowsGradient};
use super::parameter::ParameterSpec;
use super::shape::Shape;
use crate::hyper::{HyperParameter, HyperValues};
use crate::init::Init;
use crate::kernels::elementwise::squared_distances;

/// The most centres.
const MOST_CENTRES: usize = 1 << 20;

/// What a recipe calls it.
pub(super) static KIND: LayerKind = LayerKind::new("squared-distances", make)
    .formula("‖x - c‖² for each of `centres` trained c")
    .source("Lloyd 1982; Broomhead, Lowe 1988; as torch.cdist(x, c) ** 2")
    .input(Input::Features)
    .hyper_parameters(&[
        HyperParameter::integer("centres", 1, [1, MOST_CENTRES], "the features that come out").required(),
        HyperParameter::weight_init("weight_init", "what the centres begin as"),
    ])
    .output(|settings, _| Ok(Shape::Features(settings.integer("centres"))))
    .fan_in(|_, input| input.features());

fn make(settings: &HyperValues, input: Shape) -> Box<dyn Layer> {
    let (centres, init) = (settings.integer("centres"), settings.init("weight_init"));
    Box::new(SquaredDistances { inputs: input.features(), centres, init })
}

/// `y_k = ‖x - c_k‖²`.
#[derive(Clone, Debug)]
pub struct SquaredDistances {
    /// Features that come in.
    pub inputs: usize,
    /// How many c there are, and features that come out.
    pub centres: usize,
    /// What each c begins as.
    pub init: Init,
}

impl SquaredDistances {
    fn centres_of<'a>(&self, storage: &'a [f32]) -> &'a [f32] {
        &storage[..self.centres * self.inputs]
    }
}

impl Layer for SquaredDistances {
    fn kind(&self) -> String {
        "squared distances".into()
    }

    fn outputs(&self) -> usize {
        self.centres
    }

    fn parameters(&self) -> Vec<ParameterSpec> {
        ParameterSpec::in_order([("centres", vec![self.centres, self.inputs], self.init)])
    }

    fn flops(&self) -> Flops {
        let all = 2.0 * self.centres as f64 * self.inputs as f64;
        Flops { forward: all, backward: all, gradient: all }
    }

    fn forward(&self, pass: Forward) {
        pass.by_row([self.centres, self.inputs], |y, x, storage| {
            squared_distances::forward(y, x, self.centres_of(storage));
        });
    }

    fn prepares_gradient(&self) -> bool {
        false
    }

    /// Inverts the forward pass.
    fn backward(&self, pass: Backward) {
        pass.by_row([self.centres, self.inputs], |dx, dy, x, storage| {
            squared_distances::backward(dx, dy, x, self.centres_of(storage));
        });
    }

    fn gradient(&self, pass: RowsGradient) {
        let numbers = self.centres * self.inputs;
        pass.by_row([self.centres, self.inputs], |dcentres, dy, x, storage| {
            squared_distances::add_gradient(&mut dcentres[..numbers], dy, x, self.centres_of(storage));
        });
    }
}
