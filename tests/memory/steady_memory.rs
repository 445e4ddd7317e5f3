//! Once planned, training allocates nothing from step to step. Alone in its program, since it counts
//! every allocation.

#[path = "../common/observer.rs"]
pub mod observer;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use fallline::data::{Samples, source};
use fallline::engine::model::recipe::{ALL_SAMPLES, ConstraintConfig};
use fallline::engine::model::{Model, Recipe};
use fallline::engine::optim::full_batch::{Formula, Method, Settings, Solver};
use fallline::engine::team::Team;
use fallline::engine::train::{Observer, Predictor, Session, Trainer};
use observer::Recorder;

/// The system's allocator, counting.
struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// Safety: everything is handed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, SeqCst);
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, SeqCst);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, SeqCst);
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const BATCH: usize = 50;

/// Epochs of which the least is taken: now and then rayon, entering its threads, allocates another
/// block for a queue.
const EPOCHS: usize = 4;

/// Allocates in each step, as a run should not.
#[derive(Default)]
struct Wasteful(Vec<String>);

impl Observer for Wasteful {
    fn step(&mut self, step: u64, _: f64) {
        self.0.push(step.to_string());
    }
}

/// `optimizer` may be followed by other tables.
fn recipe(layers: &str, optimizer: &str) -> Recipe {
    let toml = format!(
        "name = \"steady\"\n[data]\nset = \"digits\"\n[model]\n{layers}\
         [[model.layers]]\ntype = \"dense\"\nunits = 10\n\
         [train]\nbatch = {BATCH}\n[optimizer]\nname = {optimizer}\n"
    );
    Recipe::parse(&toml, "test recipe").unwrap()
}

/// The allocations of one epoch of so many steps, the last one with fewer samples.
fn allocations(
    recipe: &Recipe,
    threads: usize,
    steps: usize,
    observer: &mut (impl Observer + Send),
) -> usize {
    let samples = samples(steps * BATCH - 7);
    let mut model = Model::build(&recipe.model, samples.shape(), 10, 1).unwrap();
    let team = Team::new(threads).unwrap();
    let mut session = Session::new(&mut model, &samples, recipe, &team).unwrap();
    let mut epoch = || {
        let before = ALLOCATIONS.load(SeqCst);
        session.epoch(&AtomicBool::new(false), observer).unwrap();
        ALLOCATIONS.load(SeqCst) - before
    };
    (0..EPOCHS).map(|_| epoch()).min().expect("some epochs")
}

fn samples(count: usize) -> Samples {
    source::generate_digits([count, 1], 1).unwrap().train
}

/// The allocations of an iteration in a training that searches along lines and is averaged: the least of the
/// first twenty iterations, and of the next twenty, that took a number of evaluations common to both.
fn of_iterations(optimizer: &str, threads: usize) -> [usize; 2] {
    let mut recipe = recipe("", &format!("\"{optimizer}\"\n[average]\nmethod = \"ema\""));
    (recipe.train.batch, recipe.train.epochs) = (ALL_SAMPLES, 40);
    let samples = samples(300);
    let mut model = Model::build(&recipe.model, samples.shape(), 10, 1).unwrap();
    let team = Team::new(threads).unwrap();
    let mut session = Session::new(&mut model, &samples, &recipe, &team).unwrap();
    let mut quiet = Recorder::with_room(40);
    let mut iteration = || {
        let before = ALLOCATIONS.load(SeqCst);
        let record = session.epoch(&AtomicBool::new(false), &mut quiet).unwrap();
        (record.evaluations.expect("a search"), ALLOCATIONS.load(SeqCst) - before)
    };
    let halves = [0; 2].map(|_| (0..20).map(|_| iteration()).collect::<Vec<_>>());
    let least =
        |half: &[(usize, usize)], count| half.iter().filter(|seen| seen.0 == count).min().map(|s| s.1);
    let both = |&(count, _): &(usize, usize)| Some([least(&halves[0], count)?, least(&halves[1], count)?]);
    halves[0].iter().find_map(both).expect("some iterations are alike")
}

/// The allocations of thirty iterations of a search, and its evaluations.
fn searched(method: Method) -> (usize, usize) {
    let settings = Settings { tolerance_change: 0.0, tolerance_grad: 0.0, ..Settings::new(method) };
    let mut solver = Solver::new(settings, 1.0, &[1.0; 100], 30).unwrap();
    let mut objective = |p: &[f64], gradient: &mut [f64]| {
        let mut loss = 0.0;
        for (place, (p, g)) in p.iter().zip(gradient).enumerate() {
            let weight = 1.0 + place as f64;
            (loss, *g) = (loss + weight * p.powi(4) / 4.0, weight * p.powi(3));
        }
        Ok(loss)
    };
    let (before, mut evaluations) = (ALLOCATIONS.load(SeqCst), 0);
    for _ in 0..30 {
        evaluations += solver.iterate(&mut objective).unwrap().evaluations;
    }
    (ALLOCATIONS.load(SeqCst) - before, evaluations)
}

/// The allocations of predictions after the first, of single samples and of many.
fn of_predictions(recipe: &Recipe, softmax: bool) -> usize {
    let samples = samples(300);
    let model = Model::build(&recipe.model, samples.shape(), 10, 1).unwrap();
    let predictor = Predictor::new(model).unwrap();
    let predictor = if softmax { predictor.with_softmax() } else { predictor };
    let bytes: Vec<u8> = (0..300).flat_map(|sample| samples.row_bytes(sample).unwrap().to_vec()).collect();
    let floats: Vec<f32> = bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect();
    let mut out = vec![0.0; 3000];
    let mut call = || {
        let before = ALLOCATIONS.load(SeqCst);
        predictor.predict(&bytes, &mut out).unwrap();
        predictor.predict(&floats, &mut out).unwrap();
        predictor.predict(&bytes[..784], &mut out[..10]).unwrap();
        ALLOCATIONS.load(SeqCst) - before
    };
    assert!(call() > 0, "the first call takes the memory");
    (0..EPOCHS).map(|_| call()).min().expect("some calls")
}

/// The least allocations of a step on one thread, of so many samples that the caller hands in.
fn of_steps(count: usize) -> usize {
    let samples = samples(count);
    let recipe = recipe("", "\"adam\"");
    let mut model = Model::build(&recipe.model, samples.shape(), 10, 1).unwrap();
    let mut steps = Trainer::from_recipe(&recipe).threads(1).steps(&mut model).unwrap();
    let bytes: Vec<u8> = (0..count).flat_map(|sample| samples.row_bytes(sample).unwrap().to_vec()).collect();
    let mut step = || {
        let before = ALLOCATIONS.load(SeqCst);
        steps.step(&bytes, samples.labels().unwrap()).unwrap();
        ALLOCATIONS.load(SeqCst) - before
    };
    (0..20).map(|_| step()).min().expect("some steps")
}

#[test]
fn allocations_do_not_grow_with_the_number_of_steps() {
    let hidden = "[[model.layers]]\ntype = \"dense\"\nunits = 70\nactivation = \"relu\"\n\
                  [[model.layers]]\ntype = \"dense\"\nunits = 33\nactivation = \"gelu\"\n";
    let normed =
        "[[model.layers]]\ntype = \"dense\"\nunits = 70\nactivation = \"relu\"\nweight_norm = true\n";
    let images = "[[model.layers]]\ntype = \"conv\"\nchannels = 5\nkernel = 5\nstride = 2\npadding = 1\n\
                  activation = \"relu\"\n[[model.layers]]\ntype = \"max-pool\"\nkernel = 2\n\
                  [[model.layers]]\ntype = \"conv\"\nchannels = 4\nkernel = 2\n\
                  [[model.layers]]\ntype = \"max-pool\"\nkernel = 2\n\
                  [[model.layers]]\ntype = \"conv\"\nchannels = 17\nkernel = 2\nactivation = \"gelu\"\n\
                  [[model.layers]]\ntype = \"conv\"\nchannels = 33\nkernel = 3\npadding = 1\n\
                  [[model.layers]]\ntype = \"flatten\"\n";
    let blocks = "[[model.layers]]\ntype = \"residual\"\nactivation = \"relu\"\n\
                  layers = [{ type = \"conv\", channels = 5, kernel = 3, stride = 2, padding = 1 }, \
                  { type = \"squeeze-excite\", reduction = 2 }]\n\
                  shortcut = [{ type = \"conv\", channels = 5, kernel = 1, stride = 2 }]\n\
                  [[model.layers]]\ntype = \"residual\"\n\
                  layers = [{ type = \"conv\", channels = 5, kernel = 3, padding = 1 }]\n\
                  [[model.layers]]\ntype = \"global-average-pool\"\n";
    let groups = "[[model.layers]]\ntype = \"conv\"\nchannels = 6\nkernel = 5\nstride = 3\n\
                  [[model.layers]]\ntype = \"conv\"\nchannels = 12\nkernel = 3\ngroups = 6\n\
                  activation = \"relu\"\n[[model.layers]]\ntype = \"conv\"\nchannels = 12\nkernel = 3\n\
                  groups = 3\nactivation = \"relu\"\n[[model.layers]]\ntype = \"flatten\"\n";
    let batches = "[[model.layers]]\ntype = \"conv\"\nchannels = 5\nkernel = 5\nstride = 2\n\
                   [[model.layers]]\ntype = \"batch-norm\"\nactivation = \"relu\"\n\
                   [[model.layers]]\ntype = \"group-norm\"\ngroups = 5\n\
                   [[model.layers]]\ntype = \"dropout\"\nchannels = true\n\
                   [[model.layers]]\ntype = \"flatten\"\n\
                   [[model.layers]]\ntype = \"dense\"\nunits = 20\n\
                   [[model.layers]]\ntype = \"batch-norm\"\nactivation = \"gelu\"\n\
                   [[model.layers]]\ntype = \"layer-norm\"\n[[model.layers]]\ntype = \"dropout\"\n";
    let sequences = "[[model.layers]]\ntype = \"rows\"\n\
                     [[model.layers]]\ntype = \"lstm\"\nunits = 16\nlayers = 2\ndropout = 0.1\ninitial = \"trained\"\n\
                     [[model.layers]]\ntype = \"transformer-block\"\nheads = 2\nattention_dropout = 0.1\n\
                     [[model.layers]]\ntype = \"decoder-block\"\nheads = 2\nsource = 10\n\
                     [[model.layers]]\ntype = \"last-position\"\n";
    let averaged = "\"adam\"\n[lookahead]\n[average]\nmethod = \"ema\"";
    let augmented = "\"adam\"\n[augment]\nshift = 2\nrotation = 10\nnoise = 0.1\nmixup = 0.4\n\
                     elastic = { sigma = 4, alpha = 30 }\nerase = { probability = 0.5 }";
    let cases = [
        (hidden, augmented),
        (images, augmented),
        ("", "\"momentum\""),
        (hidden, "\"adam\""),
        (hidden, "\"lamb\""),
        (sequences, "\"adam\""),
        (hidden, "\"muon\""),
        (hidden, averaged),
        (normed, "\"adamw\""),
        (images, "\"adam\""),
        (blocks, "\"adam\""),
        (groups, "\"adam\""),
        (batches, averaged),
    ];
    for (layers, optimizer) in cases {
        let mut recipe = recipe(layers, optimizer);
        if layers == normed {
            recipe.gradient.clip_adaptive = Some(0.01);
            recipe.constraint = ConstraintConfig { clip_weights: Some(1.0), max_norm: Some(1.0) };
        }
        for threads in [1, 3] {
            let mut quiet = Recorder::with_room(EPOCHS * 110);
            let few = allocations(&recipe, threads, 10, &mut quiet);
            let many = allocations(&recipe, threads, 100, &mut quiet);
            assert_eq!(quiet.steps.len(), EPOCHS * 110);
            println!("{optimizer}, {threads} threads: {few} allocations an epoch of 10 steps, {many} of 100");
            assert_eq!(few, many, "{optimizer}, {threads} threads");
        }
    }

    for method in
        [Method::Lbfgs { history_size: 5 }, Method::ConjugateGradient { formula: Formula::PolakRibiere }]
    {
        // The least of several: the count is that of the whole process, and the test's surroundings
        // allocate now and then.
        let (searched, evaluations) = (0..5).map(|_| searched(method)).min().unwrap();
        println!("{method:?}: {searched} allocations in {evaluations} evaluations");
        assert_eq!(searched, 0, "{method:?}");
        assert!(evaluations > 30);
    }

    for optimizer in ["lbfgs", "cg"] {
        for threads in [1, 3] {
            let [early, late] = of_iterations(optimizer, threads);
            println!(
                "{optimizer}, {threads} threads: {early} allocations an iteration at first, then {late}"
            );
            assert!(early > 0 && early == late, "{optimizer}, {threads} threads: {early}, {late}");
        }
    }

    for (layers, _) in cases {
        for softmax in [false, true] {
            let made = of_predictions(&recipe(layers, "\"sgd\""), softmax);
            assert_eq!(made, 0, "{layers}: {made} allocations in predictions");
        }
    }

    // Steps with batches of the caller's own: what a call of a worker allocates, and no more for more samples.
    let [few, many] = [1, BATCH].map(of_steps);
    println!("{few} allocations in a step of 1 sample, {many} of {BATCH}");
    assert_eq!(few, many);

    // The count sees what is allocated within a step.
    let recipe = recipe(hidden, "\"adam\"");
    let few = allocations(&recipe, 2, 10, &mut Wasteful::default());
    let many = allocations(&recipe, 2, 100, &mut Wasteful::default());
    assert!(many >= few + 90, "{few}, {many}");
}
