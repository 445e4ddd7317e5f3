//! What probes see of training steps, and that they change nothing.

use std::cell::Cell;
use std::sync::atomic::AtomicBool;

use crate::common::compare::bits;
use crate::common::observer::Recorder;
use crate::common::runs;
use crate::common::small::{CLASSES, digits};
use fallline::data::Samples;
use fallline::engine::model::{Model, Recipe};
use fallline::engine::probe::{Operation, Probes, Site, Table, Turns};
use fallline::engine::team::Team;
use fallline::engine::train::Session;

const BATCH: usize = 16;
const STEPS: usize = 3;

/// Three batches of digits.
fn samples() -> Samples {
    digits().train.take(&(0..STEPS * BATCH).collect::<Vec<_>>()).unwrap()
}

/// A clock that each thread has for itself, and that goes on by one at each look.
fn looks() -> u64 {
    thread_local! { static LOOKS: Cell<u64> = const { Cell::new(0) } }
    LOOKS.with(|looks| looks.replace(looks.get() + 1))
}

const DENSE: &str = "[[model.layers]]\ntype = \"dense\"\nunits = 70\nactivation = \"relu\"\n\
    [[model.layers]]\ntype = \"dense\"\nunits = 10\n";

const BLOCKS: &str = "[[model.layers]]\ntype = \"conv\"\nchannels = 16\nkernel = 3\npadding = 1\n\
    [[model.layers]]\ntype = \"batch-norm\"\n\
    [[model.layers]]\ntype = \"max-pool\"\nkernel = 2\n\
    [[model.layers]]\ntype = \"residual\"\n\
    [[model.layers.layers]]\ntype = \"conv\"\nchannels = 16\nkernel = 3\npadding = 1\ngroups = 16\n\
    [[model.layers.layers]]\ntype = \"batch-norm\"\n\
    [[model.layers]]\ntype = \"conv\"\nchannels = 8\nkernel = 1\n\
    [[model.layers]]\ntype = \"group-norm\"\ngroups = 2\n\
    [[model.layers]]\ntype = \"dropout\"\n\
    [[model.layers]]\ntype = \"flatten\"\n\
    [[model.layers]]\ntype = \"dense\"\nunits = 10\n";

/// The first spreads data, the second pixels with a stride, the third is a transposed convolution.
const GROWN: &str = "[[model.layers]]\ntype = \"conv-transpose\"\nchannels = 3\nkernel = 2\nactivation = \"relu\"\n\
    [[model.layers]]\ntype = \"max-pool\"\nkernel = 4\n\
    [[model.layers]]\ntype = \"conv-transpose\"\nchannels = 24\nkernel = 3\nstride = 2\n\
    [[model.layers]]\ntype = \"conv-transpose\"\nchannels = 32\nkernel = 3\npadding = 1\n\
    [[model.layers]]\ntype = \"global-average-pool\"\n\
    [[model.layers]]\ntype = \"dense\"\nunits = 10\n";

fn recipe(layers: &str, settings: &[&str]) -> Recipe {
    let text = format!(
        "name = \"probed\"\n[data]\nset = \"digits\"\n[model]\n{layers}\
         [optimizer]\nname = \"adam\"\n[train]\nepochs = 2\nbatch = {BATCH}\n"
    );
    let overrides: Vec<_> = settings.iter().map(|setting| setting.parse().unwrap()).collect();
    Recipe::parse_with(&text, "probed", &overrides).unwrap()
}

/// Two epochs; what the probes saw, and what became of the parameters.
fn trained(recipe: &Recipe, threads: usize, mut probes: Option<Probes>) -> (Vec<Table>, Model) {
    let samples = samples();
    let mut model = Model::build(&recipe.model, [28, 28, 1], CLASSES, 1).unwrap();
    let team = Team::new(threads).unwrap();
    let mut session = Session::new(&mut model, &samples, recipe, &team).unwrap();
    for _ in 0..2 {
        session.probed_epoch(&AtomicBool::new(false), &mut Recorder::default(), probes.as_mut()).unwrap();
    }
    (probes.map_or(Vec::new(), |probes| probes.tables), model)
}

/// Everything that a recipe can ask of a step, and a network of blocks.
fn cases() -> Vec<Recipe> {
    let mut recipes = Vec::new();
    let ways: [&[&str]; 12] = [
        &[],
        &["optimizer.name=sgd", "model.loss=\"mean-squared-error\""],
        &["optimizer.name=lamb"],
        &["optimizer.name=muon"],
        &["optimizer.name=lbfgs", "train.batch=all"],
        &["gradient.clip_norm=0.1", "gradient.l1=0.001"],
        &["gradient.clip_adaptive=0.1", "gradient.clip_value=0.1"],
        &["constraint.max_norm=1", "constraint.clip_weights=0.1"],
        &["average.method=\"ema\"", "lookahead.steps=2"],
        &["augment.rotation=10", "augment.mixup=0.4"],
        &["train.accumulate=2"],
        &["model.layers.0.weight_norm=true"],
    ];
    recipes.extend(ways.iter().map(|settings| recipe(DENSE, settings)));
    recipes.extend([recipe(BLOCKS, &[]), recipe(BLOCKS, &["gradient.clip_norm=0.1"])]);
    recipes.extend([recipe(GROWN, &[]), recipe(GROWN, &["gradient.clip_adaptive=0.1"])]);
    recipes
}

fn of(tables: &[Table], operation: Operation) -> impl Iterator<Item = &Site> {
    tables.iter().flat_map(|table| &table.sites).filter(move |site| site.operation == operation)
}

/// That the nominal operations of so many samples are those of the summary.
fn check_nominal(recipe: &Recipe, tables: &[Table], samples: usize) {
    let (recipe, data) = &runs::small(recipe, 60, 10);
    let model = Model::build(&recipe.model, data.train.shape(), data.classes, 1).unwrap();
    let found: f64 = tables.iter().flat_map(|table| &table.sites).map(|site| site.nominal_flops).sum();
    let expected = model.train_flops_per_sample() * samples as f64;
    let name = (&recipe.name, recipe.optimizer.name(), tables.len());
    // A network without products has no operations by this count.
    assert!((found - expected).abs() <= 1e-9 * expected, "{name:?}: {found} of {expected}");
}

#[test]
fn nominal_operations_are_those_of_the_summary() {
    for recipe in cases() {
        for threads in [1, 3] {
            let (tables, _) = trained(&recipe, threads, Some(Probes::new(looks)));
            let steps = if recipe.train.batch > BATCH { tables[0].steps.len() } else { 2 };
            check_nominal(&recipe, &tables, steps * STEPS * BATCH);
        }
    }
}

#[test]
fn nominal_operations_of_all_built_in_networks_are_those_of_the_summary() {
    let team = Team::new(2).unwrap();
    for name in Recipe::built_in_names() {
        let mut recipe = Recipe::built_in(name).unwrap();
        recipe.train.batch = 4;
        let (recipe, data) = runs::small(&recipe, 4, 1);
        let samples = data.train.clone().first(4).unwrap();
        let mut model = runs::build(&recipe, &data);
        let mut session = Session::new(&mut model, &samples, &recipe, &team).unwrap();
        let mut probes = Probes::new(looks);
        session.probed_epoch(&AtomicBool::new(false), &mut Recorder::default(), Some(&mut probes)).unwrap();
        check_nominal(&recipe, &probes.tables, 4);
    }
}

/// A product of a dense layer is padded; whatever the kernel, it executes something.
#[test]
fn executed_operations_are_no_fewer_than_nominal_ones_in_dense_layers() {
    let (tables, _) = trained(&recipe(DENSE, &[]), 2, Some(Probes::new(looks)));
    for operation in [Operation::Forward, Operation::InputGradient, Operation::WeightGradient] {
        for layer in 0..2 {
            let sum = |of_site: fn(&Site) -> f64| -> f64 {
                of(&tables, operation).filter(|site| site.layer == Some(layer)).map(of_site).sum()
            };
            let (executed, nominal) = (sum(|site| site.flops as f64), sum(|site| site.nominal_flops));
            // 70 outputs take 80, 10 take 16.
            let most = nominal * if layer == 0 { 80.0 / 70.0 } else { 80.0 / 70.0 * 1.6 } + 1.0;
            assert!(executed >= nominal && executed <= most, "{operation:?} {layer}: {executed}, {nominal}");
        }
    }
    let (tables, _) = trained(&recipe(BLOCKS, &[]), 2, Some(Probes::new(looks)));
    let products = tables.iter().flat_map(|table| &table.sites).filter(|site| site.nominal_flops > 0.0);
    let mut counted = 0;
    for site in products.filter(|site| [0, 3, 5, 9].contains(&site.layer.unwrap())) {
        assert!(site.flops > 0, "{site:?}");
        counted += 1;
    }
    assert!(counted > 0);
    let (tables, _) = trained(&recipe(GROWN, &[]), 2, Some(Probes::new(looks)));
    for operation in [Operation::Forward, Operation::InputGradient, Operation::WeightGradient] {
        for layer in [0, 2, 3] {
            let sum = |of_site: fn(&Site) -> f64| -> f64 {
                of(&tables, operation).filter(|site| site.layer == Some(layer)).map(of_site).sum()
            };
            let (executed, nominal) = (sum(|site| site.flops as f64), sum(|site| site.nominal_flops));
            // The first has no gradient of its input. What falls off the edge is left out: of a window of 3x3 on images of
            // 15x15, 2 of 45 pixels along each side.
            let is_first = operation == Operation::InputGradient && layer == 0;
            let seen = nominal * (43.0 / 45.0) * (43.0 / 45.0);
            assert_eq!(nominal == 0.0, is_first, "{operation:?} {layer}");
            assert!(is_first || executed >= seen, "{operation:?} {layer}: {executed}, {nominal}");
        }
    }
}

/// Of a worker, all looks at the clock within steps are those of its probes and of the steps' ends.
#[test]
fn all_of_a_step_is_in_its_probes_or_between_them() {
    for recipe in cases() {
        let (tables, _) = trained(&recipe, 2, Some(Probes::new(looks)));
        for table in &tables {
            let all: u64 = table.steps.iter().map(|step| step.ended - step.begun).sum();
            let inside: u64 = table.sites.iter().map(|site| site.ticks).sum();
            let calls: u64 = table.sites.iter().map(|site| site.calls).sum();
            // A call looks at its end, so that one tick is in it; most look at their beginning, too. A step ends with
            // one more.
            let is_search = |site: &Site| site.operation == Operation::Search;
            let name = (&recipe.name, recipe.optimizer.name());
            if !table.sites.iter().any(is_search) && recipe.optimizer.name() != "lbfgs" {
                let steps = table.steps.len() as u64;
                assert_eq!(inside, calls, "{name:?}");
                assert!((calls + steps..=2 * calls + steps).contains(&all), "{name:?}: {all}, {calls}");
            }
            for (index, step) in table.steps.iter().enumerate() {
                let of_step: u64 = (0..table.sites.len()).map(|site| table.ticks_of(index, site)).sum();
                assert!(of_step > 0 && of_step <= step.ended - step.begun, "{name:?}");
            }
            assert!(table.sites.iter().any(|site| site.operation == Operation::Barrier), "{name:?}");
        }
    }
}

#[test]
fn each_part_of_a_step_has_its_place() {
    use Operation::*;
    let expected: [(&[&str], &[Operation]); 9] = [
        (&[], &[Gather, Forward, Loss, InputGradient, WeightGradient, Update, Derive, Norms, Barrier]),
        (&["gradient.clip_norm=0.1"], &[Clip]),
        (&["gradient.l1=0.1"], &[Clip]),
        (&["constraint.max_norm=1"], &[Clip]),
        (&["average.method=\"ema\""], &[Average]),
        (&["lookahead.steps=2"], &[Average]),
        (&["optimizer.name=muon"], &[Orthogonalise]),
        (&["optimizer.name=lbfgs", "train.batch=all"], &[Search]),
        (&["augment.shift=2"], &[Gather]),
    ];
    for (settings, operations) in expected {
        let (tables, _) = trained(&recipe(DENSE, settings), 2, Some(Probes::new(looks)));
        for &operation in operations {
            assert!(of(&tables, operation).next().is_some(), "{settings:?}: {operation:?}");
        }
    }
    let (tables, _) = trained(&recipe(BLOCKS, &[]), 2, Some(Probes::new(looks)));
    assert!(of(&tables, Statistics).next().is_some());
}

#[test]
fn probes_change_no_bit() {
    for recipe in cases() {
        let (tables, plain) = trained(&recipe, 2, None);
        assert!(tables.is_empty());
        let mut probes = Probes::new(looks);
        probes.most_calls = 100;
        probes.turns = Turns { first: 1, end: 100, slice: 1 };
        let (_, probed) = trained(&recipe, 2, Some(probes));
        assert!(
            bits(plain.storage()) == bits(probed.storage()),
            "{} {}",
            recipe.name,
            recipe.optimizer.name()
        );
    }
}

#[test]
fn only_the_steps_that_were_asked_for_are_measured() {
    let mut probes = Probes::new(looks);
    probes.turns = Turns { first: 2, end: 5, slice: 1 };
    let (tables, _) = trained(&recipe(DENSE, &[]), 2, Some(probes));
    for table in tables {
        let steps: Vec<_> = table.steps.iter().map(|step| (step.number, step.is_probed)).collect();
        assert_eq!(steps, [(2, true), (3, false), (4, false)]);
        assert_eq!(table.steps_seen, [2, 1]);
    }
}

/// Positions of a row are not split, so some of the workers have no row; all of them have parameters.
const SEQUENCE: &str = "[[model.layers]]\ntype = \"rows\"\n\
    [[model.layers]]\ntype = \"position-dense\"\nunits = 64\n\
    [[model.layers]]\ntype = \"transformer-block\"\nheads = 2\n\
    [[model.layers]]\ntype = \"transformer-block\"\nheads = 2\n\
    [[model.layers]]\ntype = \"last-position\"\n\
    [[model.layers]]\ntype = \"dense\"\nunits = 10\n";

#[test]
fn more_workers_than_rows_all_work() {
    let recipe = recipe(SEQUENCE, &["train.batch=12"]);
    let (tables, model) = trained(&recipe, 16, Some(Probes::new(looks)));
    let work = |table: &Table, operation: Operation| -> u64 {
        table.sites.iter().filter(|site| site.operation == operation).map(|site| site.flops).sum()
    };
    let with = |operation| tables.iter().filter(|table| work(table, operation) > 0).count();
    assert_eq!([Operation::Forward, Operation::WeightGradient].map(with), [12, 16]);
    let updates = |table: &Table| table.sites.iter().any(|site| site.operation == Operation::Update);
    assert!(tables.iter().all(updates));
    let (_, alone) = trained(&recipe, 1, None);
    assert!(bits(model.storage()) == bits(alone.storage()));
}
