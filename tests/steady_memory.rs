//! Once planned, training allocates nothing from step to step. Alone in its program, since it counts
//! every allocation.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use fallline::data::{Samples, source};
use fallline::model::{Model, Recipe};
use fallline::team::Team;
use fallline::train::{Observer, Session};

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

/// Counts steps.
#[derive(Default)]
struct Quiet(usize);

impl Observer for Quiet {
    fn step(&mut self, _: u64, _: f64) {
        self.0 += 1;
    }
}

/// Allocates in each step, as a run should not.
#[derive(Default)]
struct Wasteful(Vec<String>);

impl Observer for Wasteful {
    fn step(&mut self, step: u64, _: f64) {
        self.0.push(step.to_string());
    }
}

fn recipe(layers: &str, optimizer: &str) -> Recipe {
    let toml = format!(
        "name = \"steady\"\n[data]\nset = \"digits\"\n[model]\n{layers}\
         [[model.layers]]\ntype = \"dense\"\nunits = 10\n\
         [optimizer]\nname = \"{optimizer}\"\n[train]\nbatch = {BATCH}\n"
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

#[test]
fn allocations_do_not_grow_with_the_number_of_steps() {
    let hidden = "[[model.layers]]\ntype = \"dense\"\nunits = 70\nactivation = \"relu\"\n\
                  [[model.layers]]\ntype = \"dense\"\nunits = 33\nactivation = \"gelu\"\n";
    let images = "[[model.layers]]\ntype = \"conv\"\nchannels = 5\nkernel = 5\nstride = 2\npadding = 1\n\
                  activation = \"relu\"\n[[model.layers]]\ntype = \"max-pool\"\nkernel = 2\n\
                  [[model.layers]]\ntype = \"conv\"\nchannels = 17\nkernel = 3\nactivation = \"gelu\"\n\
                  [[model.layers]]\ntype = \"flatten\"\n";
    for (layers, optimizer) in [("", "momentum"), (hidden, "adam"), (images, "adam")] {
        let recipe = recipe(layers, optimizer);
        for threads in [1, 3] {
            let mut quiet = Quiet::default();
            let few = allocations(&recipe, threads, 10, &mut quiet);
            let many = allocations(&recipe, threads, 100, &mut quiet);
            assert_eq!(quiet.0, EPOCHS * 110);
            println!("{optimizer}, {threads} threads: {few} allocations an epoch of 10 steps, {many} of 100");
            assert_eq!(few, many, "{optimizer}, {threads} threads");
        }
    }

    // The count sees what is allocated within a step.
    let recipe = recipe(hidden, "adam");
    let few = allocations(&recipe, 2, 10, &mut Wasteful::default());
    let many = allocations(&recipe, 2, 100, &mut Wasteful::default());
    assert!(many >= few + 90, "{few}, {many}");
}
