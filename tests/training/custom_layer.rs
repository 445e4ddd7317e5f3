//! Layers that are defined outside the crate.

use crate::common::compare::bits;
use fallline::engine::model::recipe::{AverageConfig, AverageMethod};
use fallline::engine::optim::Ema;
use fallline::extend::{
    Backward, Forward, HyperParameter, Layer, LayerKind, LayerSettings, ParameterSpec, RowsGradient, Shape,
    positive,
};
use fallline::testing::check_layer;
use fallline::{Activation, Init, LayerConfig, Model, Optimizer, Predictor, Recipe, Samples, Trainer};

const FEATURES: usize = 5;

/// PReLU once more, with the bits of the one that is built in.
#[derive(Debug)]
struct Sloped {
    features: usize,
    initial: f32,
    saved: usize,
}

impl Layer for Sloped {
    fn outputs(&self) -> usize {
        self.features
    }

    fn parameters(&self) -> Vec<ParameterSpec> {
        ParameterSpec::in_order([("weight", vec![self.features], Init::Constant(self.initial))])
    }

    fn saved_len(&self, rows: usize) -> usize {
        self.saved * rows
    }

    fn forward(&self, pass: Forward) {
        pass.by_row([self.features; 2], |y, x, w| {
            for ((y, &x), w) in y.iter_mut().zip(x).zip(w) {
                *y = if x > 0.0 { x } else { w * x };
            }
        });
    }

    fn backward(&self, pass: Backward) {
        pass.by_row([self.features; 2], |dx, dy, x, w| {
            for (((dx, &dy), &x), w) in dx.iter_mut().zip(dy).zip(x).zip(w) {
                *dx = if x > 0.0 { dy } else { w * dy };
            }
        });
    }

    fn gradient(&self, pass: RowsGradient) {
        pass.by_row([self.features; 2], |dw, dy, x, _| {
            for ((dw, dy), x) in dw.iter_mut().zip(dy).zip(x) {
                *dw = dy.mul_add(x.min(0.0), *dw);
            }
        });
    }
}

const INITIAL: &[HyperParameter] =
    &[HyperParameter::number("initial", 0.25, positive(), "the slope at first")];

fn sloped(settings: &LayerSettings, input: Shape) -> Box<dyn Layer> {
    let initial = settings.value("initial").to_string().parse().unwrap();
    Box::new(Sloped { features: input.features(), initial, saved: 0 })
}

fn samples() -> Samples {
    let x: Vec<f32> = (0..61 * FEATURES).map(|i| (i * 37 % 101) as f32 / 50.0 - 1.0).collect();
    Samples::from_rows(x, FEATURES).classes((0..61).map(|i| (i * 5 % 3) as u8).collect::<Vec<_>>()).unwrap()
}

fn network(layer: LayerConfig) -> Model {
    let model = Model::sequential(FEATURES).dense(40, Activation::IDENTITY).layer(layer);
    model.dense(3, Activation::IDENTITY).build().unwrap()
}

fn trained(layer: LayerConfig, threads: usize) -> Model {
    let mut model = network(layer);
    let trainer = Trainer::new().optimizer(Optimizer::adam(0.01)).epochs(3).batch(16).clip_norm(0.5);
    let ema = Ema { decay: 0.9, debias: true };
    let average = Some(AverageConfig { method: AverageMethod::Ema(ema), start: 1 });
    let trainer = trainer.change(|recipe| recipe.average = average).threads(threads);
    trainer.fit(&mut model, &samples()).unwrap();
    model
}

#[test]
fn a_copy_of_a_built_in_layer_trains_to_its_bits() {
    static COPY: LayerKind = LayerKind::new("sloped-copy", sloped).hyper_parameters(INITIAL);
    let built_in = LayerConfig::named("prelu").unwrap().with("by_channel", true).unwrap();
    let expected = bits(trained(built_in, 2).storage());
    for threads in [1, 2, 3] {
        assert_eq!(bits(trained(LayerConfig::of(&COPY), threads).storage()), expected, "{threads} threads");
    }
    let other = LayerConfig::of(&COPY).with("initial", 0.26).unwrap();
    assert_ne!(bits(trained(other, 1).storage()), expected);
    let summary = network(LayerConfig::of(&COPY)).summary();
    assert_eq!((summary[1].kind.as_str(), summary[1].parameters), ("sloped", 40));
}

#[test]
fn a_saved_model_is_read_where_its_layer_is_known() {
    static OWN: LayerKind = LayerKind::new("sloped-saved", sloped).hyper_parameters(INITIAL);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.safetensors");
    let model = trained(LayerConfig::of(&OWN).with("initial", 0.5).unwrap(), 1);
    model.save(&path).unwrap();
    let refused = Model::load(&path).err().unwrap().to_string();
    let expected = "expected a layer that is built in, or that the program has registered, found the layer `sloped-saved`";
    assert!(refused.ends_with(expected), "{refused}");
    let text = "name = \"own\"\ndata = { set = \"folder\" }\noptimizer = { name = \"sgd\" }\n[train]\n[model]\n\
                layers = [{ type = \"sloped-saved\", initial = 0.5 }, { type = \"dense\", units = 3 }]\n";
    assert!(Recipe::parse(text, "test").unwrap_err().to_string().contains("unknown layer `sloped-saved`"));

    OWN.register().unwrap();
    let again = Model::load(&path).unwrap();
    assert_eq!(bits(again.storage()), bits(model.storage()));
    let answers = |model: Model| {
        let mut answers = [0.0; 3];
        Predictor::new(model).unwrap().predict(&[0.5f32; FEATURES][..], &mut answers).unwrap();
        answers
    };
    assert_eq!(answers(again), answers(model));
    let recipe = Recipe::parse(text, "test").unwrap();
    assert_eq!(recipe.model.layers[0], LayerConfig::of(&OWN).with("initial", 0.5).unwrap());
    assert_eq!(Recipe::parse(&recipe.to_toml(), "copy").unwrap(), recipe);
    let low = Recipe::parse(&text.replace("0.5", "0"), "test").unwrap_err().to_string();
    assert_eq!(low, "test: `model.layers.0.initial`: expected a number above 0, found 0");
    let key = Recipe::parse(&text.replace("initial", "initail"), "test").unwrap_err().to_string();
    assert!(key.contains("did you mean `model.layers.0.initial`?"), "{key}");
}

#[test]
fn a_layer_of_ones_own_passes_the_check() {
    static CHECKED: LayerKind = LayerKind::new("sloped-checked", sloped).hyper_parameters(INITIAL);
    check_layer(&LayerConfig::of(&CHECKED), Shape::Features(7)).unwrap();
}

/// What is saved of some rows would be lost while the others are normalised.
#[test]
fn a_layer_that_saves_something_stands_behind_normalisations_by_batch() {
    static SAVES: LayerKind = LayerKind::new("sloped-saves", |_, input| -> Box<dyn Layer> {
        Box::new(Sloped { features: input.features(), initial: 0.25, saved: 1 })
    });
    let fit = |layers: [LayerConfig; 2]| {
        let model = Model::sequential(FEATURES).dense(20, Activation::IDENTITY);
        let model = layers.into_iter().fold(model, |model, layer| model.layer(layer));
        let mut model = model.dense(3, Activation::IDENTITY).build().unwrap();
        Trainer::new().batch(10).epochs(1).fit(&mut model, &samples().first(40).unwrap()).map(drop)
    };
    fit([LayerConfig::batch_norm(), LayerConfig::of(&SAVES)]).unwrap();
    let refused = fit([LayerConfig::of(&SAVES), LayerConfig::batch_norm()]).unwrap_err().to_string();
    assert_eq!(
        refused,
        "layer 1 (sloped): expected no normalisation by batch after a layer that saves something for its backward pass, \
         found layer 2 (batch-norm)"
    );
}
