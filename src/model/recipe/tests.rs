mod augment;
mod blocks;
mod embed;
mod images;
mod k_means;
mod linear;
mod normalisation;
mod optimizers;
mod series;
mod transposed;

use super::*;
use crate::data::idx::ElementType;
use crate::error::Result;
use crate::init::Init;
use crate::kernels::activation::Activation;
use crate::losses::Loss;
use crate::optim::Lookahead;

const SMALL: &str = "name = 'small'\n[data]\nset = 'digits'\n[model]\n\
    [[model.layers]]\ntype = 'dense'\nunits = 10\n[optimizer]\nname = 'adam'\n";

fn overrides(settings: &[&str]) -> Vec<Override> {
    settings.iter().map(|text| text.parse().unwrap()).collect()
}

/// The message that [`SMALL`], changed by these settings, is refused with.
fn refusal(settings: &[&str]) -> String {
    Recipe::parse_with(SMALL, "small.toml", &overrides(settings)).unwrap_err().to_string()
}

#[test]
fn every_built_in_recipe_reads_and_is_written_back_equal() {
    assert_eq!(Recipe::built_in_names().len(), 31);
    for name in Recipe::built_in_names() {
        let recipe = Recipe::built_in(name).unwrap();
        assert_eq!(recipe.name, name);
        assert!(!recipe.summary.is_empty(), "{name}");
        let text = recipe.to_toml();
        assert_eq!(Recipe::parse(&text, "copy").unwrap(), recipe, "{text}");
    }
}

#[test]
fn every_value_that_is_not_the_default_is_written_back_equal() {
    let text = r#"
        name = "all_of.it-1"
        summary = "x"
        target = 0.5
        [reproduce]
        seeds = 7
        [data]
        set = "folder"
        train_samples = 12
        test_samples = 3
        validation = 0.25
        stratified = false
        mean = -0.1307
        deviation = 3e-5
        seed = 9223372036854775807
        [augment]
        shift = 2.5
        rotation = 15
        zoom = 0.1
        stretch = 0.15
        shear = 0.2
        elastic = { sigma = 5, alpha = 36.5 }
        erase = { probability = 0.25, area = [0.1, 0.3], aspect = [0.5, 2], fill = "zero" }
        noise = 0.05
        [model]
        loss = "mean-squared-error"
        layers = [
            { type = "dense", units = 3, activation = "identity", bias = false, weight_init = "lecun-uniform" },
            { type = "dense", units = 3, activation = { type = "leaky-relu", slope = 0.3 },
              weight_init = { type = "uniform", low = -1, high = 2 }, bias_init = { type = "constant", value = 0.1 } },
            { type = "elu", alpha = 0.7 },
            { type = "leaky-relu", slope = 0.2 },
            { type = "dense", units = 2, activation = "elu", weight_init = { type = "normal", mean = 1, deviation = 2 } },
            { type = "dense", units = 2, activation = "sigmoid", weight_init = { type = "xavier-normal", gain = 2 } },
            { type = "dense", units = 2, activation = "tanh", weight_init = { type = "kaiming-normal", gain = 3 } },
            { type = "dense", units = 2, activation = "gelu", weight_init = { type = "orthogonal", gain = 4 } },
            { type = "dense", units = 2, activation = "silu", weight_init = "lecun-normal", weight_norm = true },
            { type = "dense", units = 2, activation = "softplus", weight_init = "zeros" },
        ]
        [optimizer]
        name = "momentum"
        learning_rate = 0.3
        momentum = 0.7
        dampening = 0.2
        weight_decay = 1e-4
        [train]
        epochs = 3
        batch = 7
        accumulate = 3
        seed = 5
        shuffle = false
        [gradient]
        l1 = 1e-5
        clip_value = 0.3
        clip_adaptive = 0.02
        clip_norm = 0.1
        [constraint]
        clip_weights = 0.7
        max_norm = 3.5
        [lookahead]
        steps = 7
        alpha = 0.8
        [average]
        method = "ema"
        decay = 0.99
        debias = false
        start = 2
        [stop]
        steps = 11
        seconds = 2.5
        accuracy = 0.9
        loss = 0.01
        gradient_norm = 1e-3
        tolerance = 1e-4
        tolerance_epochs = 2
        patience = 4
        watch = "accuracy"
    "#;
    let recipe = Recipe::parse(text, "all.toml").unwrap();
    let dense = recipe.model.layers[1].settings().unwrap().values();
    assert_eq!(dense.activation("activation"), Activation::leaky_relu(0.3));
    assert_eq!(dense.init("bias_init"), Init::Constant(0.1));
    assert_eq!(recipe.model.layers[2], LayerConfig::activation(Activation::elu(0.7)));
    assert_eq!(Recipe::parse(&recipe.to_toml(), "copy").unwrap(), recipe);
    assert!(recipe.to_toml().contains("mean = -0.1307\n"));

    let swa = overrides(&["average={method='swa', start=3}"]);
    let recipe = Recipe::parse_with(text, "all.toml", &swa).unwrap();
    assert_eq!(recipe.average, Some(AverageConfig { method: AverageMethod::Swa, start: 3 }));
    assert_eq!(Recipe::parse(&recipe.to_toml(), "copy").unwrap(), recipe);

    for loss in [
        "cross-entropy",
        "binary-cross-entropy",
        "mean-absolute-error",
        "huber",
        "kl-divergence",
        "poisson",
        "{type='cross-entropy', label_smoothing=0.1, class_weights=[1, 0.2, 0.0]}",
        "log-cosh",
        "{type='focal', gamma=0.5, alpha=[1, 0.2, 0.0]}",
        "{type='huber', delta=0.3}",
        "{type='hinge', margin=0.7, squared=true}",
    ] {
        let recipe =
            Recipe::parse_with(text, "all.toml", &overrides(&[&format!("model.loss={loss}")])).unwrap();
        assert!(loss.contains(recipe.model.loss.name()), "{loss}");
        assert_eq!(Recipe::parse(&recipe.to_toml(), "copy").unwrap(), recipe);
    }
}

#[test]
fn what_is_left_out_has_its_default() {
    let recipe = Recipe::parse(SMALL, "small.toml").unwrap();
    assert_eq!(
        recipe.train,
        TrainConfig {
            epochs: 10,
            batch: 64,
            accumulate: 1,
            seed: 1,
            shuffle: true,
            buckets: false,
            steps_per_epoch: None,
            carry_state: false,
            freeze: Vec::new()
        }
    );
    assert_eq!(recipe.optimizer, Optimizer::of(optimizer_kind("adam", "test").unwrap()));
    assert_eq!(recipe.optimizer.learning_rate, 1e-3);
    assert_eq!((recipe.lookahead, recipe.average), (None, None));
    assert!(recipe.averages().is_empty());
    assert_eq!((recipe.gradient, recipe.stop), (GradientConfig::default(), StopConfig::default()));
    assert_eq!(recipe.constraint, ConstraintConfig::default());
    assert_eq!((recipe.data.validation, recipe.data.stratified), (None, true));
    assert_eq!((recipe.target, recipe.target_loss), (None, None));
    assert_eq!(recipe.reproduce, ReproduceConfig { seeds: 5 });
    let dense = LayerConfig::named("dense").unwrap().with("units", 10).unwrap();
    let settings = dense.settings().unwrap();
    assert_eq!(settings.values().activation("activation"), Activation::IDENTITY);
    assert_eq!(settings.values().init("weight_init"), Init::XavierUniform { gain: 1.0 });
    assert_eq!(settings.values().init("bias_init"), Init::Zeros);
    assert_eq!(["bias", "weight_norm"].map(|key| settings.values().choice(key)), [true, false]);
    assert_eq!(recipe.model, ModelConfig::of_layers(vec![dense], Loss::default()));
    assert_eq!((recipe.data.mean, recipe.data.deviation, recipe.data.train_samples), (0.0, 1.0, None));
    assert_eq!(recipe.data.scale, None);
}

#[test]
fn averages_have_defaults_of_their_own() {
    let with = |settings: &[&str]| Recipe::parse_with(SMALL, "small.toml", &overrides(settings)).unwrap();
    let lookahead = with(&["lookahead={}"]);
    assert_eq!(lookahead.lookahead, Some(Lookahead { steps: 5, alpha: 0.5 }));
    let ema = with(&["average.method=ema", "lookahead.steps=3"]);
    let expected = AverageMethod::Ema(crate::optim::Ema { decay: 0.999, debias: true });
    assert_eq!(ema.average, Some(AverageConfig { method: expected, start: 1 }));
    assert_eq!(ema.averages(), ["lookahead", "ema"]);
    // After three quarters of the epochs, and never before the first.
    for (epochs, start) in [(1, 1), (2, 1), (3, 2), (10, 7), (20, 15)] {
        let swa = with(&["average.method=swa", &format!("train.epochs={epochs}")]);
        assert_eq!(swa.average, Some(AverageConfig { method: AverageMethod::Swa, start }), "{epochs}");
        assert_eq!(Recipe::parse(&swa.to_toml(), "copy").unwrap(), swa);
    }
}

#[test]
fn settings_that_cannot_be_used_are_refused_by_name() {
    let line = "command line: ";
    for (settings, message) in [
        (&["train.batch=0"][..], "`train.batch`: expected an integer from 1 to 100000000, found 0"),
        (
            &["train.epochs=1.5"],
            "`train.epochs`: expected an integer from 1 to 1000000, found the number 1.5",
        ),
        (&["train.seed=-1"], "`train.seed`: expected an integer of at least 0, found -1"),
        (&["train.shufle=true"], "unknown key `train.shufle`; did you mean `train.shuffle`?"),
        (
            &["train.buckets=true", "train.shuffle=false"],
            "`train.buckets`: expected false with `shuffle = false`, found true",
        ),
        (
            &["train.buckets=true", "train.batch=all"],
            "`train.buckets`: expected false where each step takes all samples, found true",
        ),
        (&["trian.epochs=2"], "unknown key `trian`; did you mean `train`?"),
        (&["optimizer.beta1=1"], "`optimizer.beta1`: expected a number in [0, 1), found 1"),
        (&["optimizer.beat1=0.8"], "unknown key `optimizer.beat1`; did you mean `optimizer.beta1`?"),
        (
            &["optimizer.learning_rate=nan"],
            "`optimizer.learning_rate`: expected a number of at least 0, found NaN",
        ),
        (&["optimizer.name=adamm"], "`optimizer.name`: unknown optimizer `adamm`; did you mean `adam`?"),
        (
            &["optimizer.name=nesterov", "optimizer.momentum=0"],
            "`optimizer.momentum`: expected a number above 0 for Nesterov's step, found 0",
        ),
        (
            &["optimizer.name=momentum", "optimizer.nesterov=true", "optimizer.dampening=0.1"],
            "`optimizer.dampening`: expected 0 with `nesterov = true`, found 0.1",
        ),
        (&["data.set=minst"], "`data.set`: unknown data set `minst`; did you mean `mnist`?"),
        (&["data.scale=0"], "`data.scale`: expected a number above 0, found 0"),
        (
            &["data.scale=1e-30", "data.deviation=1e-30"],
            "`data.deviation`: expected 1 / (scale * deviation) and mean / deviation within the range of f32, \
             found 1e-30, with mean 0.0 and scale 1e-30",
        ),
        (&["data.deviation=0"], "`data.deviation`: expected a number above 0, found 0"),
        (&["data.train_samples=0"], "`data.train_samples`: expected an integer from 1 to 100000000, found 0"),
        (&["model.layers=[]"], "`model.layers`: expected at least one [[model.layers]], found none"),
        (
            &["model.layers=[1]"],
            "`model.layers`: expected an array of at most 1000 tables, found the integer 1",
        ),
        (
            &["model.layers.0.units=99999999"],
            "`model.layers.0.units`: expected an integer from 1 to 1048576, found 99999999",
        ),
        (
            &["model.layers.0.type=desne"],
            "`model.layers.0.type`: unknown layer `desne`; did you mean `dense`?",
        ),
        (
            &["model.layers.0.activation={type='leaky-relu', slope=-1}"],
            "`model.layers.0.activation.slope`: expected a number of at least 0, found -1",
        ),
        (
            &["model.layers.0.weight_init={type='uniform', low=1, high=1}"],
            "`model.layers.0.weight_init.high`: expected a number above `low` (1), found 1",
        ),
        (
            &["model.layers.0.bias_init=orthogonal"],
            "`model.layers.0.bias_init.type`: expected zeros, constant, uniform or normal for a bias, found another one",
        ),
        (
            &["data.validation=1.0"],
            "`data.validation`: expected a number of samples, or a part of them between 0 and 1 (both excluded), found 1",
        ),
        (&["data.validation=0"], "`data.validation`: expected an integer from 1 to 100000000, found 0"),
        (&["train.accumulate=0"], "`train.accumulate`: expected an integer from 1 to 100000000, found 0"),
        (&["gradient.clip_norm=0"], "`gradient.clip_norm`: expected a number above 0, found 0"),
        (&["gradient.clip_value=nan"], "`gradient.clip_value`: expected a number above 0, found NaN"),
        (
            &["gradient.clip_value=1e-60"],
            "`gradient.clip_value`: expected a number above 0 in single precision, found 1e-60",
        ),
        (&["gradient.clip_adaptive=0"], "`gradient.clip_adaptive`: expected a number above 0, found 0"),
        (&["gradient.clip_adaptive=inf"], "`gradient.clip_adaptive`: expected a number above 0, found inf"),
        (&["constraint.clip_weights=-1"], "`constraint.clip_weights`: expected a number above 0, found -1"),
        (&["constraint.max_norm=true"], "`constraint.max_norm`: expected a number above 0, found true"),
        (
            &["constraint.max_nrom=1"],
            "unknown key `constraint.max_nrom`; did you mean `constraint.max_norm`?",
        ),
        (&["constrain.max_norm=1"], "unknown key `constrain`; did you mean `constraint`?"),
        (
            &["model.layers.0.weight_norm=1"],
            "`model.layers.0.weight_norm`: expected true or false, found the integer 1",
        ),
        (
            &["model.layers.0.weight_norm=true", "model.layers.0.weight_init=zeros"],
            "`model.layers.0.weight_init`: expected none that is all zeros with `weight_norm`, which \
             divides by the norm, found one",
        ),
        (&["gradient.l1=-1"], "`gradient.l1`: expected a number of at least 0, found -1"),
        (&["lookahead.steps=0"], "`lookahead.steps`: expected an integer from 1 to 1000000, found 0"),
        (&["lookahead.alpha=0"], "`lookahead.alpha`: expected a number above 0 and at most 1, found 0"),
        (&["lookahead.alpha=1.5"], "`lookahead.alpha`: expected a number above 0 and at most 1, found 1.5"),
        (&["lookahead.alhpa=0.5"], "unknown key `lookahead.alhpa`; did you mean `lookahead.alpha`?"),
        (&["average.method=emma"], "`average.method`: unknown average `emma`; did you mean `ema`?"),
        (&["average.decay=0.9"], "`average.method`: expected one of ema, swa, found nothing"),
        (&["average.method=ema", "average.decay=1"], "`average.decay`: expected a number in [0, 1), found 1"),
        (
            &["average.method=ema", "average.start=11"],
            "`average.start`: expected an integer from 1 to 10, found 11",
        ),
        (
            &["average.method=swa", "average.decay=0.9"],
            "unknown key `average.decay`; known: average.method, average.start",
        ),
        (&["stop.steps=0"], "`stop.steps`: expected an integer from 1 to 1000000000000, found 0"),
        (&["stop.seconds=0"], "`stop.seconds`: expected a number above 0, found 0"),
        (&["stop.accuracy=97"], "`stop.accuracy`: expected a number in [0, 1], found 97"),
        (&["stop.tolerance=-1e-3"], "`stop.tolerance`: expected a number above 0, found -0.001"),
        (
            &["stop.tolerance_epochs=3"],
            "`stop.tolerance_epochs`: expected none without `tolerance`, found one",
        ),
        (&["stop.watch=loss"], "`stop.watch`: expected none without `patience`, found one"),
        (&["stop.patience=0"], "`stop.patience`: expected an integer from 1 to 1000000, found 0"),
        (&["stop.patience=3", "stop.watch=los"], "`stop.watch`: unknown measure `los`; did you mean `loss`?"),
        (&["stop.pateince=3"], "unknown key `stop.pateince`; did you mean `stop.patience`?"),
        (
            &["model.loss=mse"],
            "`model.loss.type`: unknown loss `mse`; known: cross-entropy, focal, \
             binary-cross-entropy, mean-squared-error, mean-absolute-error, huber, log-cosh, hinge, \
             binary-hinge, kl-divergence, poisson, minimum",
        ),
        (
            &["model.loss={type='cross-entropy', label_smoothing=1}"],
            "`model.loss.label_smoothing`: expected a number in [0, 1), found 1",
        ),
        (
            &["model.loss={type='cross-entropy', class_weights=[1, -1]}"],
            "`model.loss.class_weights.1`: expected a number of at least 0, found -1",
        ),
        (
            &["model.loss={type='cross-entropy', class_weights=[0, 0.0]}"],
            "`model.loss.class_weights`: expected a weight for each class, one of them above 0, found none",
        ),
        (
            &["model.loss={type='cross-entropy', class_weights=3}"],
            "`model.loss.class_weights`: expected an array of at most 256 numbers, found the integer 3",
        ),
        (&["model.loss={type='huber', delta=0}"], "`model.loss.delta`: expected a number above 0, found 0"),
        (
            &["model.loss={type='hinge', margin=nan}"],
            "`model.loss.margin`: expected a number above 0, found NaN",
        ),
        (&["model.loss={type='poisson', delta=1}"], "unknown key `model.loss.delta`; known: model.loss.type"),
        (&["reproduce.seeds=0"], "`reproduce.seeds`: expected an integer from 1 to 1000, found 0"),
        (&["reproduce.seed=3"], "unknown key `reproduce.seed`; did you mean `reproduce.seeds`?"),
        (&["target=97.6"], "`target`: expected a number in [0, 1], found 97.6"),
        (&["name=../x"], "`name`: expected a name of at most 64 letters, digits and -_., found \"../x\""),
        (
            &["summary=\"\\u001b[2J\""],
            "`summary`: expected one line of at most 200 characters, found another text",
        ),
    ] {
        assert_eq!(refusal(settings), format!("{line}{message}"), "{settings:?}");
    }
}

#[test]
fn mistakes_in_the_file_name_the_file() {
    let message = |text: &str| Recipe::parse(text, "my.toml").unwrap_err().to_string();
    assert_eq!(message("name = 'x'\n[data]\nset = 3\n"), {
        "my.toml: `data.set`: expected one of mnist, fashion-mnist, digits, folder, table, text, grammar, adding, copy, reverse, ratings, line, linear, \
         sine, friedman-1, friedman-2, friedman-3, moons, circles, spirals, blobs, xor, iris, airline, found the integer 3"
    });
    assert_eq!(message(""), {
        "my.toml: `name`: expected a name of at most 64 letters, digits and -_., found nothing"
    });
    assert_eq!(message("data = 3\nname='x'"), "my.toml: `data`: expected a table, found the integer 3");
    let syntax = message("name = 'x'\n[data\nset = 3\n");
    assert!(syntax.starts_with("my.toml: not valid TOML: line 2, column 6: "), "{syntax}");
    let many = format!("{SMALL}[[model.layers]]", SMALL = SMALL.replace("[optimizer]\nname = 'adam'\n", ""));
    let many = many + &"\n[[model.layers]]\ntype = 'relu'".repeat(1000);
    assert_eq!(message(&many), {
        "my.toml: `model.layers`: expected an array of at most 1000 tables, found 1002 entries"
    });
}

#[test]
fn an_unknown_recipe_is_answered_with_the_nearest_one() {
    let error = Recipe::load("mnist-mpl", &[]).unwrap_err();
    assert_eq!(error.to_string(), "command line: unknown recipe `mnist-mpl`; did you mean `mnist-mlp`?");
}

#[test]
fn files_are_read_and_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.toml");
    let name = path.to_str().unwrap();
    let load = || Recipe::load(name, &overrides(&["train.epochs=3"]));

    assert!(load().unwrap_err().to_string().contains("own.toml: cannot open: "));
    std::fs::write(&path, SMALL).unwrap();
    assert_eq!(load().unwrap().train.epochs, 3);
    std::fs::write(&path, format!("{SMALL}#{}", "x".repeat(1 << 20))).unwrap();
    assert!(load().unwrap_err().to_string().ends_with("expected a recipe of at most 1 MiB, found more"));
    std::fs::write(&path, b"name = '\xff'").unwrap();
    let message = load().unwrap_err().to_string();
    assert!(message.ends_with("byte 8: expected a recipe in UTF-8, found byte 0xff"), "{message}");
}

#[test]
fn parameters_are_counted_and_bounded() {
    let model = |name| Recipe::built_in(name).unwrap().model;
    assert_eq!(model("mnist-mlp").parameters([28, 28, 1]).unwrap(), 101_770);
    assert_eq!(model("mnist-mlp-2048").parameters([28, 28, 1]).unwrap(), 10_020_874);
    let wide = overrides(&["model.layers.0.units=1048576", "model.layers.1.units=1048576"]);
    let wide = Recipe::load("mnist-mlp", &wide).unwrap().model;
    let message = wide.parameters([28, 28, 1]).unwrap_err().to_string();
    assert_eq!(message, "trained numbers of the model: expected at most 1073741824, found 1100335808512");
    let endless = wide.parameters([1, usize::MAX, 1]).unwrap_err().to_string();
    assert!(endless.ends_with("found more than can be counted"), "{endless}");
    let unbiased = Recipe::parse_with(SMALL, "small", &overrides(&["model.layers.0.bias=false"])).unwrap();
    assert_eq!(unbiased.model.parameters([1, 7, 1]).unwrap(), 70);
    let normed =
        Recipe::parse_with(SMALL, "small", &overrides(&["model.layers.0.weight_norm=true"])).unwrap();
    assert_eq!(normed.model.parameters([1, 7, 1]).unwrap(), 90);
}

#[test]
fn values_are_divided_by_what_their_type_or_the_recipe_says() {
    let data = |settings: &[&str]| {
        let overrides: Vec<Override> = settings.iter().map(|text| text.parse().unwrap()).collect();
        let recipe = Recipe::load("digits-mlp", &overrides).unwrap();
        let again = Recipe::parse(&recipe.to_toml(), "again").unwrap();
        assert_eq!(again, recipe);
        recipe.data
    };
    let plain = data(&["data.mean=0", "data.deviation=1"]);
    for element_type in ElementType::ALL {
        let scale = if element_type == ElementType::U8 { 255.0 } else { 1.0 };
        assert_eq!(plain.scale_of(element_type), scale);
        assert_eq!(data(&["data.scale=7"]).scale_of(element_type), 7.0);
    }
    assert_eq!(plain.factor_and_shift(ElementType::U8), [(1.0f64 / 255.0) as f32, 0.0]);
    let both = data(&["data.scale=4", "data.mean=0.5", "data.deviation=0.25"]);
    assert_eq!(both.factor_and_shift(ElementType::I16), [1.0, -2.0]);

    let formula = |settings: &[&str], element_type| data(settings).formula(element_type);
    assert_eq!(
        formula(&["data.mean=0.1307", "data.deviation=0.3081"], ElementType::U8),
        "(u8 / 255 - 0.1307) / 0.3081"
    );
    assert_eq!(formula(&["data.mean=-1", "data.deviation=2"], ElementType::F32), "(f32 + 1) / 2");
    assert_eq!(formula(&["data.mean=0", "data.deviation=1"], ElementType::I16), "i16");
    assert_eq!(formula(&["data.mean=0", "data.deviation=2", "data.scale=3"], ElementType::I8), "i8 / 3 / 2");
}
