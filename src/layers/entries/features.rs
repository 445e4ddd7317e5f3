//! `polynomial-features` and `random-fourier-features`: fixed features, on which a linear fit is none of x itself.

use crate::hyper::{HyperParameter, HyperValues, non_negative};
use crate::kernels::elementwise::monomials::{self, Monomials};
use crate::layers::fourier::RandomFourier;
use crate::layers::kind::{Input, LayerKind, Refusal};
use crate::layers::layer::Layer;
use crate::layers::node::Node;
use crate::layers::polynomial::Polynomial;
use crate::layers::shape::{Incoming, Shape};

/// The most features that come out.
const MOST_FEATURES: usize = 1 << 20;

/// The highest degree: those above it overflow single precision where a number is not near 1.
const HIGHEST: usize = 16;

/// The largest seed of a layer: what TOML, and any program, holds exactly.
const LARGEST_SEED: usize = u32::MAX as usize;

/// All monomials.
pub(in crate::layers) static POLYNOMIAL: LayerKind = LayerKind::new("polynomial-features", polynomial)
    .formula("all products of 1 to `degree` features of x")
    .source("as sklearn.preprocessing.PolynomialFeatures without the bias")
    .input(Input::Features)
    .hyper_parameters(&[
        HyperParameter::integer("degree", 2, [1, HIGHEST], "the most factors of a product"),
        HyperParameter::choice(
            "interactions_only",
            false,
            "whether the factors of a product are different features",
        ),
    ])
    .output(monomials_of);

/// Cosines that approximate a kernel.
pub(in crate::layers) static FOURIER: LayerKind = LayerKind::of_node("random-fourier-features", fourier)
    .formula("√(2 / D) cos(W x + b), D `components`, W and b drawn once and not trained")
    .source("Rahimi, Recht 2007; as sklearn.kernel_approximation.RBFSampler")
    .input(Input::Features)
    .hyper_parameters(&[
        HyperParameter::integer("components", 256, [1, MOST_FEATURES], "the features that come out"),
        HyperParameter::single(
            "gamma",
            0.0,
            non_negative(),
            "of the kernel exp(-gamma ‖x - x'‖²); 0 is one over the features of x",
        ),
        HyperParameter::integer(
            "seed",
            0,
            [0, LARGEST_SEED],
            "what W and b are drawn with; 0 is the seed of the training",
        ),
    ])
    .output(|settings, _| Ok(Shape::Features(settings.integer("components"))))
    .fan_in(|_, input| input.features());

/// The monomials that the settings name, of so many features, which `monomials_of` has let pass.
pub fn monomials(settings: &HyperValues, inputs: usize) -> Monomials {
    Monomials::new(inputs, settings.integer("degree"), settings.choice("interactions_only"))
}

fn polynomial(settings: &HyperValues, input: Shape) -> Box<dyn Layer> {
    let (degree, interactions_only) = (settings.integer("degree"), settings.choice("interactions_only"));
    Box::new(Polynomial { degree, interactions_only, monomials: monomials(settings, input.features()) })
}

fn monomials_of(settings: &HyperValues, input: Shape) -> Result<Shape, Refusal> {
    let (degree, inputs) = (settings.integer("degree"), input.features());
    let count = monomials::count(inputs, degree, settings.choice("interactions_only"));
    let few = count.and_then(|count| usize::try_from(count).ok()).filter(|&count| count <= MOST_FEATURES);
    few.map(Shape::Features).ok_or_else(|| {
        let number = count.map_or("more than can be counted".into(), |count| count.to_string());
        Refusal {
            expected: format!(
                "at most {MOST_FEATURES} features, by a smaller `degree` or fewer features of x"
            ),
            found: Some(format!("{number}, of degree {degree} of {inputs} features")),
        }
    })
}

fn fourier(settings: &HyperValues, input: Incoming) -> Node {
    let inputs = input.shape.features();
    let gamma = match settings.single("gamma") {
        0.0 => 1.0 / inputs as f64,
        gamma => f64::from(gamma),
    };
    Node::layer(Box::new(RandomFourier {
        inputs,
        components: settings.integer("components"),
        gamma,
        seed: settings.integer("seed") as u64,
        input_gradient: !input.is_data,
    }))
}
