//! Layers that are defined outside the crate.

use crate::common::compare::bits;
use fallline::engine::model::recipe::{AverageConfig, AverageMethod};
use fallline::engine::optim::Ema;
use fallline::extend::{
    Backward, Forward, HyperParameter, HyperValues, Image, Input, Layer, LayerKind, ParameterSpec,
    RowsGradient, Shape, positive,
};
use fallline::testing::check_layer;
use fallline::{
    Activation, Init, LayerConfig, Model, Optimizer, Predictor, Recipe, Samples, Trainer, Window,
};

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

fn sloped(settings: &HyperValues, input: Shape) -> Box<dyn Layer> {
    let initial = settings.number("initial") as f32;
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
    let build = |layers: [LayerConfig; 2]| {
        let model = Model::sequential(FEATURES).dense(20, Activation::IDENTITY);
        let model = layers.into_iter().fold(model, |model, layer| model.layer(layer));
        model.dense(3, Activation::IDENTITY).build()
    };
    let mut model = build([LayerConfig::batch_norm(), LayerConfig::of(&SAVES)]).unwrap();
    Trainer::new().batch(10).epochs(1).fit(&mut model, &samples().first(40).unwrap()).unwrap();
    let refused = build([LayerConfig::of(&SAVES), LayerConfig::batch_norm()]).err().unwrap().to_string();
    assert_eq!(
        refused,
        "layer 1 (sloped): expected no normalisation by batch after a layer that saves something for its backward pass; \
         behind recurrent layers and attention take `layer-norm` with `by_position = true`, or `rms-norm`, found layer 2 \
         (batch-norm)"
    );
}

/// The first pixel of each window, times a weight for each channel.
#[derive(Debug)]
struct Sampled {
    input: Image,
    window: Window,
    init: Init,
}

impl Sampled {
    fn output(&self) -> Image {
        self.window.output(self.input, self.input.channels)
    }

    /// Where each pixel of the output and what it is made of begin in their rows.
    fn places(&self) -> impl Iterator<Item = [usize; 2]> {
        let ([down, across], input, output) = (self.window.stride, self.input, self.output());
        (0..output.pixels()).map(move |pixel| {
            let [row, column] = [pixel / output.width * down, pixel % output.width * across];
            [pixel * output.pitch, (row * input.width + column) * input.pitch]
        })
    }
}

impl Layer for Sampled {
    fn outputs(&self) -> usize {
        self.output().features()
    }

    fn image(&self) -> Option<Image> {
        Some(self.output())
    }

    fn parameters(&self) -> Vec<ParameterSpec> {
        ParameterSpec::in_order([("weight", vec![self.input.channels], self.init)])
    }

    fn forward(&self, Forward { mut y, x, storage, .. }: Forward) {
        for row in 0..y.rows() {
            let (y, x) = (y.row(row), x.row(row));
            y.fill(0.0);
            for [to, from] in self.places() {
                (0..self.input.channels).for_each(|c| y[to + c] = storage[c] * x[from + c]);
            }
        }
    }

    fn backward(&self, Backward { dx, dy, storage, .. }: Backward) {
        let (Some(mut dx), dy) = (dx, dy.as_ref()) else { return };
        for row in 0..dx.rows() {
            let (dx, dy) = (dx.row(row), dy.row(row));
            dx.fill(0.0);
            for [of, to] in self.places() {
                (0..self.input.channels).for_each(|c| dx[to + c] = storage[c] * dy[of + c]);
            }
        }
    }

    fn gradient(&self, RowsGradient { out, dy, x, accumulate, .. }: RowsGradient) {
        if !accumulate {
            out.fill(0.0);
        }
        for row in 0..dy.rows() {
            let (dy, x) = (dy.row(row), x.row(row));
            for [of, from] in self.places() {
                (0..self.input.channels).for_each(|c| out[c] += dy[of + c] * x[from + c]);
            }
        }
    }
}

static SAMPLED: LayerKind = LayerKind::new("sampled", |settings, input| {
    let Shape::Image(input) = input else { unreachable!("it takes images") };
    Box::new(Sampled { input, window: settings.window("window"), init: settings.init("weight_init") })
})
.input(Input::Image)
.hyper_parameters(&[
    HyperParameter::window(false, true, "of whose first pixel the output is made"),
    HyperParameter::activation("activation", "what the products go through"),
    HyperParameter::weight_init("weight_init", "what the weights begin as"),
])
.conflict(|settings| {
    let window = settings.window("window");
    window.is_padded().then(|| ("padding", "none, which has no first pixel".into(), "some".into()))
})
.output(|settings, input| {
    let (Shape::Image(image), window) = (input, settings.window("window")) else { return Ok(input) };
    if window.kernel[0] > image.height || window.kernel[1] > image.width {
        return Err(format!("an image of {window} or more").into());
    }
    Ok(Shape::Image(window.output(image, image.channels)))
})
.followed_by_activation();

/// What a layer of one's own may be told is whatever a built-in one may be.
#[test]
fn a_layer_of_ones_own_has_a_window_an_activation_and_initial_values() {
    SAMPLED.register().unwrap();
    let constant = Init::Uniform { low: 0.5, high: 1.5 };
    let layer = |activation: Activation| {
        let layer = LayerConfig::of(&SAMPLED).with("kernel", 2).unwrap();
        layer.with("activation", activation).unwrap().with("weight_init", constant).unwrap()
    };
    check_layer(&layer(Activation::IDENTITY), Shape::Image(Image::new(5, 6, 3))).unwrap();
    for (activation, kinds) in
        [(Activation::TANH, ["sampled", "tanh"]), (Activation::GELU, ["sampled", "gelu"])]
    {
        let model = Model::of_images([6, 6, 2]).layer(layer(activation)).flatten();
        let model = model.dense(3, Activation::IDENTITY).build().unwrap();
        let rows = model.summary();
        assert_eq!([rows[0].kind.as_str(), rows[1].kind.as_str()], kinds);
        assert_eq!((rows[0].parameters, rows[1].output.as_str()), (2, "3x3x2"));
        let names: Vec<String> = model.tensors().into_iter().map(|tensor| tensor.name).collect();
        assert_eq!(names, ["0.weight", "3.weight", "3.bias"]);
        assert!(model.tensors()[0].values.iter().all(|value| (0.5..1.5).contains(value)));
    }
    let text = "name = 'own'\ndata = { set = 'digits' }\noptimizer = { name = 'sgd' }\n[model]\nlayers = [\
                { type = 'sampled', kernel = [2, 3], activation = 'silu', weight_init = 'zeros' }, \
                { type = 'flatten' }, { type = 'dense', units = 10 }]\n";
    let recipe = Recipe::parse(text, "test").unwrap();
    assert_eq!(Recipe::parse(&recipe.to_toml(), "copy").unwrap(), recipe);
    assert_eq!(recipe.model.layers[0].window().unwrap().stride, [2, 3]);
    let refused = |from: &str, to: &str| match Recipe::parse(&text.replace(from, to), "test") {
        Ok(recipe) => recipe.model.parameters([28, 28, 1]).unwrap_err().to_string(),
        Err(error) => error.to_string(),
    };
    assert!(
        refused("kernel = [2, 3]", "kernel = 0").contains("`model.layers.0.kernel`: expected an integer")
    );
    assert!(refused("kernel = [2, 3]", "stride = 2").contains("kernel`: expected an integer from 1 to 1024"));
    let padded = refused("[2, 3]", "2, padding = 1");
    assert_eq!(padded, "test: `model.layers.0.padding`: expected none, which has no first pixel, found some");
    assert_eq!(
        refused("[2, 3]", "99"),
        "layer 0 (sampled): expected an image of 99x99 or more, found an image of 28x28x1"
    );
    let unfinished = LayerKind::new("unfinished", |_, _| unreachable!("it is not registered"));
    let unfinished: &'static LayerKind = Box::leak(Box::new(unfinished.followed_by_activation()));
    let error = unfinished.register().unwrap_err().to_string();
    assert!(
        error.ends_with("`activation`: expected an activation, in which the layer ends, found none"),
        "{error}"
    );
}
