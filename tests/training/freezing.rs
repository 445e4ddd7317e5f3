//! Layers that a training leaves as they are: the others get the bits that they would get beside layers which are put back
//! after each step, whatever the rule; nothing is computed for what is frozen, and what is counted is what is computed.

use std::cell::Cell;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use fallline::data::{DataSet, Features, Targets};
use fallline::engine::model::recipe::{OPTIMIZERS, Override};
use fallline::engine::model::{Model, NamedTensor, Recipe};
use fallline::engine::probe::{Operation, Probes, Table};
use fallline::engine::team::Team;
use fallline::engine::train::Session;
use fallline::{Activation, LayerConfig, Loss, Optimizer, Samples, Stepper, TargetsRef, Trainer};

use crate::common::compare::bits;
use crate::common::observer::Recorder;
use crate::common::runs::{build, digits, features, run, trained};

const BATCH: usize = 12;
const STEPS: usize = 4;

const DENSE: &str = "{ type = 'dense', units = 20, activation = 'tanh' }, \
                     { type = 'dense', units = 18, activation = 'relu' }, { type = 'dense', units = 10 }";

/// Behind each convolution one pixel in nine is left.
const NORMED: &str = "{ type = 'conv', channels = 4, kernel = 5, stride = 3, bias = false }, \
                      { type = 'batch-norm', activation = 'relu' }, \
                      { type = 'conv', channels = 6, kernel = 3, stride = 3, activation = 'tanh' }, \
                      { type = 'flatten' }, { type = 'dense', units = 20, bias = false }, \
                      { type = 'batch-norm', activation = 'tanh' }, { type = 'dense', units = 10 }";

/// The block is behind a layer with parameters, so that the sum has two readers below it.
const RESIDUAL: &str = "{ type = 'conv', channels = 4, kernel = 4, stride = 4, activation = 'relu' }, \
                        { type = 'residual', layers = [ \
                        { type = 'conv', channels = 4, kernel = 3, padding = 1, activation = 'relu' }, \
                        { type = 'conv', channels = 4, kernel = 3, padding = 1 } ] }, \
                        { type = 'flatten' }, { type = 'dense', units = 10 }";

const POOLED: &str = "{ type = 'conv', channels = 4, kernel = 5, activation = 'relu' }, { type = 'max-pool', kernel = 4 }, \
                      { type = 'flatten' }, { type = 'dense', units = 9, activation = 'tanh', weight_norm = true }, \
                      { type = 'dense', units = 10 }";

const RECURRENT: &str = "{ type = 'rows' }, { type = 'lstm', units = 6 }, { type = 'gru', units = 5, returns = 'last' }, \
                         { type = 'dense', units = 10 }";

const TRANSFORMER: &str = "{ type = 'conv', channels = 8, kernel = 7, stride = 7 }, { type = 'position-embedding' }, \
                           { type = 'transformer-block', heads = 2, hidden = 12 }, \
                           { type = 'layer-norm', by_position = true }, { type = 'global-average-pool' }, \
                           { type = 'dense', units = 10 }";

const NETWORKS: [&str; 6] = [DENSE, NORMED, RESIDUAL, POOLED, RECURRENT, TRANSFORMER];

fn recipe(layers: &str, settings: &[&str]) -> Recipe {
    let text = format!(
        "name = 'frozen'\n[data]\nset = 'digits'\n[optimizer]\nname = 'sgd'\nlearning_rate = 0.1\n\
         [train]\nepochs = 2\nbatch = {BATCH}\n[model]\nlayers = [{layers}]\n"
    );
    let overrides: Vec<Override> = settings.iter().map(|setting| setting.parse().unwrap()).collect();
    Recipe::parse_with(&text, "test recipe", &overrides)
        .unwrap_or_else(|error| panic!("{error}: {settings:?}"))
}

fn frozen(recipe: &Recipe, names: &[&str]) -> Recipe {
    let mut recipe = recipe.clone();
    recipe.train.freeze = names.iter().map(|name| name.to_string()).collect();
    recipe
}

fn data() -> &'static DataSet {
    digits(BATCH * STEPS, 10)
}

/// The modules of the list of layers that have parameters.
fn modules(model: &Model) -> Vec<String> {
    let rows = model.summary().into_iter().filter(|row| row.parameters > 0);
    let mut names: Vec<String> = rows.map(|row| row.name.split('.').next().unwrap().to_string()).collect();
    names.dedup();
    names
}

fn is_of(tensor: &NamedTensor, modules: &[&str]) -> bool {
    modules.iter().any(|module| tensor.name.starts_with(&format!("{module}.")))
}

fn bits_of(tensors: &[NamedTensor]) -> Vec<(String, Vec<u32>)> {
    tensors.iter().map(|tensor| (tensor.name.clone(), bits(&tensor.values))).collect()
}

/// Checks that tensors of these modules, and no others, are as they were.
#[track_caller]
fn only_these_stay(what: &str, before: &[NamedTensor], after: &[NamedTensor], modules: &[&str]) {
    for (before, after) in before.iter().zip(after) {
        let stays = bits(&before.values) == bits(&after.values);
        assert_eq!(stays, is_of(before, modules), "{what}: {}", before.name);
    }
}

/// Trains with the modules frozen, and with all of them where these are put back after each step, by a rule that keeps
/// nothing from step to step. Returns both models.
fn beside_layers_put_back(
    build: &dyn Fn() -> Model,
    trainer: &Trainer,
    modules: &[&str],
    step: &dyn Fn(&mut Stepper, usize),
) -> [Model; 2] {
    let mut model = build();
    let mut steps = trainer.clone().freeze(modules.iter().copied()).steps(&mut model).unwrap();
    (0..STEPS).for_each(|number| step(&mut steps, number));
    drop(steps);
    let mut reference = build();
    let first = reference.tensors();
    for number in 0..STEPS {
        step(&mut trainer.steps(&mut reference).unwrap(), number);
        let mut now = reference.tensors();
        for (now, first) in now.iter_mut().zip(&first).filter(|(now, _)| is_of(now, modules)) {
            now.values.clone_from(&first.values);
        }
        reference.load_tensors(Path::new("put back"), now).unwrap();
    }
    [model, reference]
}

/// A step on the digits of this number.
fn step_on_digits(steps: &mut Stepper, number: usize) {
    let train = &data().train;
    let (Features::Bytes(pixels), Targets::Classes(classes)) = (train.features(), train.targets()) else {
        panic!("digits are bytes with classes")
    };
    let (width, from) = (train.features_per_sample(), number * BATCH);
    steps.step(&pixels[from * width..(from + BATCH) * width], &classes[from..from + BATCH]).unwrap();
}

#[test]
fn others_are_trained_as_beside_layers_that_are_put_back() {
    let mut compared = 0;
    for layers in NETWORKS {
        let recipe = recipe(layers, &[]);
        let first = build(&recipe, data());
        let names = modules(&first);
        let but_last: Vec<&str> = names[..names.len() - 1].iter().map(String::as_str).collect();
        let one_by_one = names.iter().map(|name| vec![name.as_str()]);
        for modules in one_by_one.chain([but_last]) {
            // Frozen, a normalisation by batch goes by other statistics.
            let is_normed = |tensor: &NamedTensor| tensor.name.contains("running") && is_of(tensor, &modules);
            if first.tensors().iter().any(is_normed) {
                continue;
            }
            let what = format!("{layers}: {modules:?}");
            for threads in [1, 2, 3] {
                let trainer = Trainer::from_recipe(&recipe).threads(threads);
                let build = || build(&recipe, data());
                let [model, reference] = beside_layers_put_back(&build, &trainer, &modules, &step_on_digits);
                assert!(
                    bits_of(&model.tensors()) == bits_of(&reference.tensors()),
                    "{what} on {threads} threads"
                );
                only_these_stay(&what, &first.tensors(), &model.tensors(), &modules);
            }
            compared += 1;
        }
    }
    assert!(compared >= 20, "{compared}");
}

/// A table that two layers have in common is frozen in both or in none.
#[test]
fn tied_weights() {
    const POSITIONS: usize = 5;
    let named = |name: &str| LayerConfig::named(name).unwrap();
    let build = || {
        let embedding = LayerConfig::embedding(&[[7, 6]]).with("shared", true).unwrap();
        let dense = named("position-dense").with("units", 6).unwrap();
        let dense = dense.with("activation", Activation::TANH).unwrap();
        let layers = Model::sequential(POSITIONS).layer(embedding).layer(dense).layer(named("tied-output"));
        layers.build().unwrap()
    };
    let step = |steps: &mut Stepper, number: usize| {
        let code = |at: usize| (at * 5 + number * 3) % 7;
        let codes: Vec<f32> = (0..BATCH * POSITIONS).map(|at| code(at) as f32).collect();
        let targets: Vec<u32> = (0..BATCH * POSITIONS).map(|at| code(at + 1) as u32).collect();
        steps.step(&codes, TargetsRef::Tokens(&targets)).unwrap();
    };
    let model = build();
    let rows = model.summary();
    let output = rows.last().unwrap().name.clone();
    let [embedding, dense] = [&rows[0], rows.iter().find(|row| row.parameters > 0).unwrap()];
    let (embedding, dense) = (embedding.name.as_str(), dense.name.as_str());
    assert!(embedding != dense && dense != output);
    let trainer = Trainer::new().optimizer(Optimizer::sgd(0.1)).batch(BATCH);
    for names in [vec![dense], vec![embedding, &output]] {
        let [one, reference] = beside_layers_put_back(&build, &trainer.clone().threads(3), &names, &step);
        assert!(bits_of(&one.tensors()) == bits_of(&reference.tensors()), "{names:?}");
        only_these_stay("tied", &model.tensors(), &one.tensors(), &names);
    }
    for name in [embedding, &output] {
        let refused = trainer.clone().freeze([name]).steps(&mut build()).err().unwrap().to_string();
        assert!(refused.contains("`train.freeze`") && refused.contains("in common"), "{refused}");
    }
}

/// What is frozen has the same bits behind a whole training of each rule, and of all that changes parameters beside it.
#[test]
fn rules_and_averages_leave_what_is_frozen() {
    let check = |settings: &[&str]| {
        let recipe = frozen(&recipe(DENSE, settings), &["2"]);
        let (_, model) = trained(&recipe, data(), 2);
        let before = build(&recipe, data()).tensors();
        only_these_stay(&settings.join(", "), &before, &model.tensors(), &["2"]);
        let (_, other) = trained(&recipe, data(), 3);
        assert!(bits_of(&model.tensors()) == bits_of(&other.tensors()), "{settings:?}: threads");
    };
    for kind in OPTIMIZERS.iter().filter(|kind| !kind.full_batch) {
        check(&[&format!("optimizer={{name='{}'}}", kind.name)]);
    }
    for settings in [
        &["optimizer={name='momentum', learning_rate=0.05, weight_decay=0.1}"][..],
        &["optimizer={name='adamw', weight_decay=0.5}", "average.method=ema", "average.decay=0.9"],
        &["optimizer.name=adam", "average.method=swa", "average.start=1"],
        &["optimizer.name=adam", "lookahead.steps=3", "average.method=ema"],
        &["gradient.clip_norm=0.01", "gradient.l1=0.01"],
        &["gradient.clip_adaptive=0.01", "constraint.max_norm=0.5"],
        &["constraint.clip_weights=0.02"],
        &["optimizer={name='lamb', weight_decay=0.1}", "gradient.clip_norm=0.1"],
        &["train.accumulate=2"],
        &["train.batch=all", "optimizer.name=rprop"],
        &["train.batch=all", "train.epochs=4", "optimizer.name=lbfgs"],
        &["train.batch=all", "train.epochs=4", "optimizer={name='cg', restarts=1}"],
        &["data.validation=11", "stop.patience=1"],
    ] {
        check(settings);
    }
}

/// A zero keeps its sign, which a sum with another zero would not.
#[test]
fn zeros_of_what_is_frozen_keep_their_sign() {
    for settings in [
        &["optimizer.name=adam", "average.method=swa", "average.start=1", "train.epochs=3"][..],
        &[
            "optimizer.name=adam",
            "average.method=swa",
            "average.start=1",
            "train.epochs=3",
            "lookahead.steps=3",
        ],
        &["optimizer.name=adam", "average.method=ema", "lookahead.steps=3"],
        &["train.batch=all", "train.epochs=4", "optimizer.name=lbfgs"],
        &["train.batch=all", "train.epochs=4", "optimizer.name=lbfgs", "lookahead.steps=2"],
        &["train.batch=all", "train.epochs=4", "optimizer.name=cg", "average.method=ema"],
        &["train.batch=all", "train.epochs=4", "optimizer.name=cg", "average.method=swa", "average.start=1"],
        &["train.batch=all", "train.epochs=4", "optimizer.name=rprop"],
    ] {
        let recipe = frozen(&recipe(DENSE, settings), &["2"]);
        let mut model = build(&recipe, data());
        let mut tensors = model.tensors();
        let signed = tensors.iter_mut().filter(|tensor| is_of(tensor, &["2"]));
        signed.for_each(|tensor| tensor.values.iter_mut().step_by(2).for_each(|value| *value = -0.0));
        model.load_tensors(Path::new("zeros"), tensors.clone()).unwrap();
        run(&mut model, data(), &recipe, 2).unwrap();
        only_these_stay(&settings.join(", "), &tensors, &model.tensors(), &["2"]);
    }
}

/// Global methods move what is left alone, of which there may be few numbers.
#[test]
fn global_methods_leave_what_is_frozen() {
    let x = vec![0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0];
    let samples = Samples::from_rows(x, 2).values(vec![0.0, 1.0, 1.0, 0.0]).unwrap();
    let build = || {
        let layers = Model::sequential(2).dense(6, Activation::TANH).dense(1, Activation::IDENTITY);
        layers.loss(Loss::BINARY_CROSS_ENTROPY).build().unwrap()
    };
    for name in ["annealing", "genetic", "cma-es"] {
        let mut model = build();
        let trainer = Trainer::new().optimizer(Optimizer::named(name).unwrap()).epochs(60).freeze(["0"]);
        let mut tensors = model.tensors();
        tensors[0].values[..3].fill(-0.0);
        model.load_tensors(Path::new("zeros"), tensors.clone()).unwrap();
        trainer.fit(&mut model, &samples).unwrap();
        only_these_stay(name, &tensors, &model.tensors(), &["0"]);
    }
}

/// Frozen, a normalisation by batch goes by its running statistics and leaves them; what is below it gets the gradient of
/// just that, as differences of the loss of a model in use tell.
#[test]
fn a_frozen_normalisation_by_batch() {
    let layers = "{ type = 'dense', units = 6 }, { type = 'batch-norm', activation = 'tanh' }, \
                  { type = 'dense', units = 10 }";
    let recipe = recipe(layers, &["optimizer.learning_rate=1.0"]);
    let samples = data().train.clone().first(BATCH).unwrap();
    let build = || {
        let mut model = build(&recipe, data());
        let mut tensors = model.tensors();
        for NamedTensor { name, values, .. } in
            tensors.iter_mut().filter(|tensor| tensor.name.starts_with("1."))
        {
            let shift = match name.as_str() {
                "1.weight" => 1.0,
                "1.running_var" => 0.5,
                _ => 0.0,
            };
            values.iter_mut().enumerate().for_each(|(i, value)| *value = shift + 0.1 * (i as f32 - 2.0));
        }
        model.load_tensors(Path::new("other statistics"), tensors).unwrap();
        model
    };
    let trainer = Trainer::from_recipe(&recipe).threads(2);
    let mut model = build();
    let mut steps = trainer.clone().freeze(["1"]).steps(&mut model).unwrap();
    step_on_digits(&mut steps, 0);
    drop(steps);
    let before = build().tensors();
    only_these_stay("batch norm", &before, &model.tensors(), &["1"]);
    let find =
        |tensors: &[NamedTensor]| tensors.iter().find(|tensor| tensor.name == "0.bias").unwrap().clone();
    let (first, moved) = (find(&before), find(&model.tensors()));
    let loss_at = |place: usize, by: f32| {
        let (mut model, mut tensors) = (build(), before.clone());
        tensors.iter_mut().find(|tensor| tensor.name == "0.bias").unwrap().values[place] += by;
        model.load_tensors(Path::new("moved"), tensors).unwrap();
        // Never trained, it would see the digits as they are.
        let seen = fallline::engine::train::evaluate(&model, &samples, &recipe.data, &Team::new(1).unwrap());
        seen.unwrap().loss
    };
    const BY: f32 = 1e-2;
    let mut largest = 0.0f64;
    for (place, (first, moved)) in first.values.iter().zip(&moved.values).enumerate() {
        let gradient = f64::from(first - moved);
        let numeric = (loss_at(place, BY) - loss_at(place, -BY)) / f64::from(2.0 * BY);
        assert!((gradient - numeric).abs() < 1e-3 + 0.02 * numeric.abs(), "{place}: {gradient}, {numeric}");
        largest = largest.max(gradient.abs());
    }
    assert!(largest > 1e-2, "{largest}");
}

/// Of images, too, and where another normalisation is trained behind it.
#[test]
fn networks_with_frozen_normalisations_on_any_number_of_threads() {
    for names in [&["1"][..], &["0..1"], &["0..3"], &["0", "1", "3", "7"], &["7"]] {
        let recipe = frozen(&recipe(NORMED, &["optimizer.name=adam", "average.method=ema"]), names);
        let model = build(&recipe, data());
        let frozen = model.frozen(&recipe).unwrap();
        let is_frozen = |row: &fallline::record::SummaryRow| row.is_frozen;
        let modules: Vec<String> =
            model.summary_with(&frozen).into_iter().filter(is_frozen).map(|row| row.name).collect();
        let modules: Vec<&str> = modules.iter().map(String::as_str).collect();
        let (record, one) = trained(&recipe, data(), 1);
        only_these_stay(&format!("{names:?}"), &model.tensors(), &one.tensors(), &modules);
        assert_eq!(record.model.trained, Some(model.trained_parameters(&frozen)));
        for threads in [2, 3] {
            let (_, other) = trained(&recipe, data(), threads);
            assert!(bits_of(&one.tensors()) == bits_of(&other.tensors()), "{names:?}, {threads} threads");
        }
    }
    // A batch of one sample can be normalised by what is known already.
    let alone = recipe(
        "{ type = 'dense', units = 6 }, { type = 'batch-norm' }, { type = 'dense', units = 10 }",
        &["train.batch=1"],
    );
    let team = Team::new(1).unwrap();
    let refused = |recipe: &Recipe| {
        Session::new(&mut build(recipe, data()), &data().train, recipe, &team).err().is_some()
    };
    assert!(refused(&alone) && !refused(&frozen(&alone, &["1"])));
}

/// A clock that each thread has for itself, and that goes on by one at each look.
fn looks() -> u64 {
    thread_local! { static LOOKS: Cell<u64> = const { Cell::new(0) } }
    LOOKS.with(|looks| looks.replace(looks.get() + 1))
}

fn probed(recipe: &Recipe, threads: usize) -> Vec<Table> {
    let mut model = build(recipe, data());
    let team = Team::new(threads).unwrap();
    let mut session = Session::new(&mut model, &data().train, recipe, &team).unwrap();
    let mut probes = Probes::new(looks);
    session.probed_epoch(&AtomicBool::new(false), &mut Recorder::default(), Some(&mut probes)).unwrap();
    probes.tables
}

#[test]
fn nothing_is_computed_for_what_is_frozen() {
    let recipe = recipe(DENSE, &["optimizer.name=adam"]);
    let layers_of = |tables: &[Table], operation| {
        let sites = tables.iter().flat_map(|table| &table.sites).filter(|site| site.operation == operation);
        let mut layers: Vec<usize> = sites.filter_map(|site| site.layer).collect();
        layers.sort_unstable();
        layers.dedup();
        layers
    };
    let (whole, part) = (probed(&recipe, 2), probed(&frozen(&recipe, &["0..2"]), 2));
    assert_eq!(layers_of(&whole, Operation::Forward), [0, 1, 2]);
    assert_eq!(layers_of(&part, Operation::Forward), [0, 1, 2]);
    for operation in [Operation::WeightGradient, Operation::Update] {
        assert_eq!(layers_of(&whole, operation), [0, 1, 2], "{operation:?}");
        assert_eq!(layers_of(&part, operation), [2], "{operation:?}");
    }
    // The last has no activation to invert, and nobody wants the gradient of its input.
    assert_eq!(layers_of(&whole, Operation::InputGradient), [0, 1, 2]);
    assert!(layers_of(&part, Operation::InputGradient).is_empty());
    // Frozen in the middle, a layer still hands the gradient on.
    let middle = probed(&frozen(&recipe, &["2"]), 2);
    assert_eq!(layers_of(&middle, Operation::InputGradient), [0, 1, 2]);
    assert_eq!(layers_of(&middle, Operation::WeightGradient), [0, 2]);
}

#[test]
fn operations_of_a_step_are_those_of_the_summary() {
    for layers in NETWORKS {
        let recipe = recipe(layers, &[]);
        for name in modules(&build(&recipe, data())).into_iter().chain(["all-but-last".to_string()]) {
            let recipe = frozen(&recipe, &[&name]);
            let model = build(&recipe, data());
            let expected = model.train_flops_per_sample_with(&model.frozen(&recipe).unwrap());
            let sites = probed(&recipe, 2);
            let found: f64 = sites.iter().flat_map(|table| &table.sites).map(|site| site.nominal_flops).sum();
            let expected = expected * data().train.len() as f64;
            assert!((found - expected).abs() <= 1e-9 * expected, "{layers}, {name}: {found} of {expected}");
        }
    }
}

#[test]
fn kernels_alone_are_those_of_a_step() {
    let recipe = frozen(&recipe(NORMED, &[]), &["0..3"]);
    let mut model = build(&recipe, data());
    let team = Team::new(2).unwrap();
    let mut session = Session::new(&mut model, &data().train, &recipe, &team).unwrap();
    for kernel in session.kernels() {
        session.alone(kernel, false, (&AtomicBool::new(true), &mut Recorder::default()), None);
        let updates = [Operation::WeightGradient, Operation::Update, Operation::Statistics];
        assert!(!updates.contains(&kernel.0) || kernel.1 > Some(2), "{kernel:?}");
    }
}

#[test]
fn states_that_are_carried_go_through_what_is_frozen() {
    let x = features(96);
    let samples = || {
        let y = x.iter().skip(4).step_by(4).chain([&0.5]).copied().collect();
        Samples::floats(x.clone(), [1, 4, 1], Targets::Values { values: y, width: 1 }, 1).unwrap()
    };
    let build = || {
        let lstm = LayerConfig::named("lstm").unwrap().with("units", 5).unwrap();
        let lstm = lstm.with("returns", "last").unwrap();
        let layers = Model::of_sequences(4, 1).layer(lstm).dense(1, Activation::IDENTITY);
        layers.loss(Loss::MEAN_SQUARED_ERROR).build().unwrap()
    };
    let fitted = |threads: usize, carry: bool| {
        let mut model = build();
        let trainer = Trainer::new().batch(4).epochs(3).carry_state(carry).shuffle(false).threads(threads);
        trainer.freeze(["0"]).fit(&mut model, &samples()).unwrap();
        model.tensors()
    };
    let carried = fitted(1, true);
    only_these_stay("carried", &build().tensors(), &carried, &["0"]);
    assert!(bits_of(&carried) == bits_of(&fitted(3, true)));
    assert!(bits_of(&carried) != bits_of(&fitted(1, false)), "the states make a difference");
}
