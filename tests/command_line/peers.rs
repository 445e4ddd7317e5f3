//! Peers: processes that answer, babble, hang and die, and, where they are installed, the real ones.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::common::compare::largest_deviation;
use crate::common::runs::first_losses;
use fallline::data::{DataSet, Features, NO_TOKEN, Origin, Samples, Targets, Tokens, source};
use fallline::engine::bench::peers::{
    DataFiles, Framework, Peer, Specification, Unavailable, VARIABLE, find_python, write_data,
};
use fallline::engine::model::{Model, Recipe, saved};
use fallline::engine::team::Team;
use fallline::engine::train::Session;
use tempfile::TempDir;

/// More than any answer takes.
const PATIENCE: Duration = Duration::from_secs(60);
/// For those that never answer.
const IMPATIENCE: Duration = Duration::from_millis(300);

/// `fake_peer` under a name that says what it does.
struct Fake {
    _folder: TempDir,
    python: PathBuf,
}

impl Fake {
    fn new(name: &str) -> Fake {
        let folder = tempfile::tempdir().unwrap();
        let python = folder.path().join(name);
        symlink(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/command_line/fake_peer"), &python).unwrap();
        Fake { _folder: folder, python }
    }

    fn start(&self, timeout: Duration) -> Result<Peer, Unavailable> {
        let samples = source::generate_digits([30, 10], 1).unwrap().train;
        let files = DataFiles { images: "images".into(), labels: "labels".into() };
        let recipe = Recipe::built_in("mnist-mlp").unwrap();
        let specification = Specification::of(&recipe, &samples, &files, 2).unwrap();
        Peer::start_with(&self.python, Framework::Jax, &specification, timeout)
    }
}

/// Why a peer of this name does not get ready.
fn refusal(name: &str, timeout: Duration) -> String {
    let refused = Fake::new(name).start(timeout).err().expect("it never gets ready");
    assert_eq!(refused.framework, Framework::Jax);
    refused.reason
}

/// Why a peer of this name, once ready, fails at the first run.
fn failure(name: &str, timeout: Duration) -> String {
    let mut peer = Fake::new(name).start(PATIENCE).unwrap();
    peer.steps(1, timeout).unwrap_err().reason
}

#[test]
fn a_peer_is_asked_again_and_again() {
    let mut peer = Fake::new("answers").start(PATIENCE).unwrap();
    assert_eq!((peer.framework(), peer.version()), (Framework::Jax, "1.2"));
    for _ in 0..3 {
        let sample = peer.run(Duration::from_millis(250)).unwrap();
        assert_eq!((sample.samples_per_second, sample.loss), (2560.0, Some(1.5)));
    }
    let sample = peer.steps(3, PATIENCE).unwrap();
    assert_eq!((sample.samples_per_second, sample.loss), (384.0, None));
    assert_eq!(peer.steps(4, PATIENCE).unwrap_err().reason, "an unknown request");
    if cfg!(target_os = "linux") {
        let bytes = peer.peak_memory_bytes().unwrap();
        assert!((10 << 10..1 << 30).contains(&bytes), "{bytes}");
    }
}

#[test]
fn a_peer_is_told_its_task_and_finds_its_scripts() {
    let told = refusal("shows-the-task", PATIENCE);
    // A reason is shortened before the number behind the last.
    for part in ["'images':'images'", "'scale':255.0", "'widths':[784,128,10]", "'batch':"] {
        assert!(told.contains(part), "{part}: {told}");
    }
}

#[test]
fn what_never_gets_ready_says_why() {
    assert_eq!(refusal("refuses", PATIENCE), "No module named 'torch'");
    let died = refusal("dies-at-once", PATIENCE);
    let expected = "it has ended (exit status: 3); its last words: a long story / no module named torch";
    assert_eq!(died, expected);
    let babbled = refusal("babbles-at-once", PATIENCE);
    assert_eq!(babbled, "it answers `Welcome to this library!`, which makes no sense");
    assert_eq!(refusal("is-not-ready", PATIENCE), "it says that it is not ready");
    assert_eq!(refusal("floods", PATIENCE), "it answers `{`, which makes no sense");
    assert_eq!(refusal("hangs-at-once", IMPATIENCE), "it does not answer within 0.3 s");
}

#[test]
fn what_fails_in_a_run_says_why() {
    let died = failure("dies", PATIENCE);
    assert!(died.starts_with("it has ended (signal: 9"), "{died}");
    assert!(died.ends_with("; its last words: out of memory"), "{died}");
    assert_eq!(failure("babbles", PATIENCE), "it answers `nan`, which makes no sense");
    assert_eq!(failure("boasts", PATIENCE), "it claims 640 samples in 0 s");
    assert_eq!(failure("idles", PATIENCE), "it claims 0 samples in 1 s");
    assert_eq!(failure("hangs", IMPATIENCE), "it does not answer within 0.3 s");
}

#[test]
fn a_peer_that_failed_stays_so() {
    let mut peer = Fake::new("hangs").start(PATIENCE).unwrap();
    peer.steps(1, IMPATIENCE).unwrap_err();
    let again = peer.run(Duration::from_secs(1)).unwrap_err().reason;
    assert!(again.starts_with("it has ended (signal: 9"), "{again}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_peer_ends_with_its_value() {
    let mut peer = Fake::new("tells-its-number").start(PATIENCE).unwrap();
    let number = peer.steps(1, PATIENCE).unwrap_err().reason;
    let process = Path::new("/proc").join(&number);
    assert!(process.exists(), "{number}");
    drop(peer);
    assert!(!process.exists(), "{number}");
}

#[test]
fn a_python_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake { python: folder.path().join("no-python"), _folder: folder };
    let reason = fake.start(PATIENCE).err().unwrap().reason;
    assert!(reason.contains("no-python cannot be started: "), "{reason}");
}

/// Relative, of the mean loss of some steps.
const TOLERANCE: f64 = 1e-5;
/// The same of a deep network: it magnifies what sums in another order round otherwise.
const IMAGE_TOLERANCE: f64 = 1e-4;
/// The steps of which mean losses are compared, one after the other.
const STEPS: [u64; 3] = [1, 9, 60];

/// 1,600 digits, 25 batches, in their order.
fn recipe(optimizer: &str, layers: &[&str]) -> Recipe {
    let layers: String = layers.iter().map(|layer| format!("[[model.layers]]\n{layer}\n")).collect();
    let text = format!(
        "name = \"peers\"\ndata = {{ set = \"digits\", mean = 0.13, deviation = 0.31 }}\n\
         optimizer = {optimizer}\ntrain = {{ batch = 64, shuffle = false }}\n{layers}\
         [[model.layers]]\ntype = \"dense\"\nunits = 10\n"
    );
    Recipe::parse(&text, "test").unwrap()
}

const DENSE: [&str; 2] = [
    "type = \"dense\"\nunits = 48\nactivation = \"gelu\"",
    "type = \"dense\"\nunits = 32\nactivation = \"gelu\"",
];

/// Every layer of images that the peers are told of.
const IMAGES: [&str; 8] = [
    "type = \"conv\"\nchannels = 6\nkernel = 5\nactivation = \"relu\"",
    "type = \"max-pool\"\nkernel = 2",
    "type = \"conv\"\nchannels = 12\nkernel = 3\npadding = 2\ndilation = 2\ngroups = 6\nbias = false",
    "type = \"leaky-relu\"\nslope = 0.1",
    "type = \"average-pool\"\nkernel = 3\nstride = 2",
    "type = \"conv\"\nchannels = 20\nkernel = 2\nstride = 2\nactivation = { type = \"elu\", alpha = 0.5 }",
    "type = \"flatten\"",
    "type = \"dense\"\nunits = 30\nactivation = \"tanh\"",
];

const POOLED: [&str; 3] = [
    "type = \"max-pool\"\nkernel = 2",
    "type = \"conv\"\nchannels = 24\nkernel = 3\nactivation = \"silu\"",
    "type = \"global-average-pool\"",
];

/// Sides that differ, and padding that the peers put around images themselves.
const SIDES: [&str; 6] = [
    "type = \"conv\"\nchannels = 6\nkernel = [3, 5]\nstride = [1, 2]\npadding = [1, 2]\nactivation = \"relu\"",
    "type = \"max-pool\"\nkernel = [2, 3]\nstride = [2, 1]\npadding = [0, 1]\ndilation = [3, 1]",
    "type = \"conv\"\nchannels = 12\nkernel = [4, 3]\npadding = \"same\"\nactivation = \"tanh\"",
    "type = \"max-pool\"\nkernel = 2\npadding = [1, 0, 0, 1]",
    "type = \"average-pool\"\nkernel = [2, 3]\nstride = 1\npadding = [0, 1, 2, 0]",
    "type = \"flatten\"",
];

/// Images that grow again, by windows of which PyTorch cuts opposite sides alike, and others.
const GROWN: [&str; 4] = [
    "type = \"conv\"\nchannels = 6\nkernel = 5\nstride = 3\nactivation = \"relu\"",
    "type = \"conv-transpose\"\nchannels = 9\nkernel = 3\nstride = 2\npadding = 1\noutput_padding = 1\nactivation = \"tanh\"",
    "type = \"conv-transpose\"\nchannels = 4\nkernel = [2, 3]\nstride = [1, 2]\npadding = [1, 0, 0, 3]\ndilation = [2, 1]",
    "type = \"flatten\"",
];

/// Digits as sequences of their pixels.
const SEQUENCES: [&str; 7] = [
    "type = \"conv-1d\"\nchannels = 6\nkernel = 7\nstride = 3\npadding = 2\nactivation = \"relu\"",
    "type = \"max-pool-1d\"\nkernel = 3\nstride = 2\npadding = 1\ndilation = 2",
    "type = \"conv-1d\"\nchannels = 12\nkernel = 4\npadding = \"same\"\ngroups = 2\nactivation = \"gelu\"",
    "type = \"batch-norm\"",
    "type = \"average-pool-1d\"\nkernel = 3\npadding = [1, 0]",
    "type = \"conv-1d\"\nchannels = 16\nkernel = 1\nactivation = \"silu\"",
    "type = \"global-average-pool\"",
];

/// The mean losses of [`STEPS`], as this program trains.
fn own_losses(model: &mut Model, data: &DataSet, recipe: &Recipe) -> Vec<f64> {
    let team = Team::new(2).unwrap();
    let mut session = Session::new(model, &data.train, recipe, &team).unwrap();
    let mut rest = first_losses(&mut session, STEPS.iter().sum::<u64>() as usize).into_iter();
    STEPS.iter().map(|&steps| rest.by_ref().take(steps as usize).sum::<f64>() / steps as f64).collect()
}

/// Every framework, beginning with the same weights, has the same losses as this program: it trains
/// the same network on the same samples by the same rule. With 1 % more learning rate it has not.
#[test]
fn real_peers_train_the_same() {
    if std::env::var_os(VARIABLE).is_none() {
        eprintln!("\n*** SKIPPED: the real peers; ${VARIABLE} names no Python that has them ***\n");
        return;
    }
    println!("{}", find_python().unwrap().display());
    let rules = [
        "{ name = \"sgd\", learning_rate = 0.05, weight_decay = 0.01 }",
        "{ name = \"momentum\", learning_rate = 0.01, momentum = 0.8 }",
        "{ name = \"nesterov\", learning_rate = 0.01, weight_decay = 0.01 }",
        ADAM,
    ];
    for rule in rules {
        train_the_same(&recipe(rule, &DENSE), "pytorch,jax", TOLERANCE);
    }
}

const ADAM: &str = "{ name = \"adam\", beta1 = 0.8, beta2 = 0.99, epsilon = 1e-6, weight_decay = 0.01 }";

/// The same for networks of images.
#[test]
fn real_peers_train_the_same_images() {
    if std::env::var_os(VARIABLE).is_none() {
        eprintln!("\n*** SKIPPED: the real peers; ${VARIABLE} names no Python that has them ***\n");
        return;
    }
    train_the_same(&recipe(ADAM, &IMAGES), "pytorch", IMAGE_TOLERANCE);
    train_the_same(&recipe("{ name = \"momentum\", learning_rate = 0.02 }", &POOLED), "pytorch", TOLERANCE);
    let momentum = "{ name = \"momentum\", learning_rate = 0.02 }";
    train_the_same(&recipe(momentum, &SIDES), "pytorch", IMAGE_TOLERANCE);
    train_the_same(&recipe(momentum, &SEQUENCES), "pytorch", IMAGE_TOLERANCE);
    train_the_same(&recipe(momentum, &GROWN), "pytorch", IMAGE_TOLERANCE);
    // JAX says that it is not told of them.
    let data = source::generate_digits([100, 10], 1).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let files = write_data(&data.train, folder.path()).unwrap();
    let specification = Specification::of(&recipe(ADAM, &POOLED), &data.train, &files, 1).unwrap();
    let refused = Peer::start(Framework::Jax, &specification, PATIENCE).err().unwrap();
    assert_eq!(refused.reason, "this peer has no layers of images");
}

/// Digits row by row, in patches and pixel by pixel.
const READ: [&[&str]; 3] = [
    &[
        "type = \"rows\"",
        "type = \"lstm\"\nunits = 16\nbidirectional = true",
        "type = \"gru\"\nunits = 12\nreturns = \"last\"",
    ],
    &[
        "type = \"conv\"\nchannels = 16\nkernel = 4\nstride = 4",
        "type = \"position-embedding\"",
        "type = \"transformer-block\"\nheads = 4\ncausal = false\nfunction = \"swiglu\"\nnormalise = \"after\"",
        "type = \"layer-norm\"\nby_position = true",
        "type = \"global-average-pool\"",
    ],
    &[
        "type = \"conv\"\nchannels = 4\nkernel = 4\nstride = 4",
        "type = \"rnn\"\nunits = 8",
        "type = \"last-position\"",
    ],
];

/// Tokens of lines: of some positions there is no target.
fn language(layers: &str) -> (Recipe, DataSet) {
    const POSITIONS: usize = 12;
    let token = |place: usize| (place * place / 3 + place) % 7;
    let inputs = (0..320 * POSITIONS).map(|place| token(place) as u8).collect();
    let target = |place: usize| if place % 11 == 3 { NO_TOKEN } else { token(place + 1) as u32 };
    let ids = (0..320 * POSITIONS).map(target).collect();
    let tokens = Tokens { ids, positions: POSITIONS, step: POSITIONS, vocabulary: 7 };
    let (features, targets) = (Features::Bytes(inputs), Targets::Tokens(tokens));
    let samples = Samples::windows(features, POSITIONS, POSITIONS, targets, 320).unwrap();
    let text = format!(
        "name = \"language\"\ndata.set = \"folder\"\nmodel.layers = [\n\
         {{ type = \"embedding\", shared = true, categories = 7, widths = 16, weight_init = \"normal\" }}, {layers}\n\
         {{ type = \"position-dense\", units = 7 }} ]\n\
         optimizer = {{ name = \"adamw\", learning_rate = 0.003, beta2 = 0.99, weight_decay = 0.1 }}\n\
         gradient.clip_norm = 0.5\ntrain = {{ batch = 32, shuffle = false }}\n"
    );
    let origin = Origin::Generated { seed: 0 };
    let set = DataSet::new("x", 7, samples.clone(), samples, origin).unwrap();
    (Recipe::parse(&text, "test").unwrap(), set)
}

/// The same for networks of sequences.
#[test]
fn real_peers_train_the_same_sequences() {
    if std::env::var_os(VARIABLE).is_none() {
        eprintln!("\n*** SKIPPED: the real peers; ${VARIABLE} names no Python that has them ***\n");
        return;
    }
    for layers in READ {
        train_the_same(&recipe(ADAM, layers), "pytorch,jax", IMAGE_TOLERANCE);
    }
    let networks = [
        "{ type = \"position-embedding\" }, { type = \"transformer-block\", heads = 4, bias = false },",
        "{ type = \"sinusoidal-positions\" }, \
         { type = \"transformer-block\", heads = 4, kv_heads = 2, rotary = true, norm = \"rms\" },",
        "{ type = \"lstm\", units = 24 }, { type = \"rms-norm\" },",
    ];
    for layers in networks {
        let (recipe, data) = language(layers);
        train_the_same_on(&recipe, &data, "pytorch,jax", IMAGE_TOLERANCE);
    }
}

fn train_the_same(recipe: &Recipe, frameworks: &str, tolerance: f64) {
    let data = source::generate_digits([1600, 10], 1).unwrap();
    train_the_same_on(recipe, &data, frameworks, tolerance);
}

fn train_the_same_on(recipe: &Recipe, data: &DataSet, frameworks: &str, tolerance: f64) {
    let rule = recipe.optimizer.name();
    let folder = tempfile::tempdir().unwrap();
    let files = write_data(&data.train, folder.path()).unwrap();
    let mut model = Model::build(&recipe.model, data.train.shape(), data.classes, 1).unwrap();
    let initial = folder.path().join("initial.safetensors");
    saved::save(&initial, &model, recipe, data.train.shape(), data.classes, data.train.element_type())
        .unwrap();
    let expected = own_losses(&mut model, data, recipe);
    for framework in Framework::parse_list("test", frameworks).unwrap() {
        let mut specification = Specification::of(recipe, &data.train, &files, 1).unwrap();
        if !framework.differs_for(&specification) {
            continue;
        }
        specification.initial = Some(initial.clone());
        let right = deviation(framework, &specification, &expected);
        println!("{} {rule}: {right:.1e}", framework.name());
        assert!(right <= tolerance, "{} {rule}: {right:e}", framework.name());
        // Compiling once more would show nothing new.
        if framework != Framework::PytorchCompile {
            specification.hyper.learning_rate *= 1.1;
            let wrong = deviation(framework, &specification, &expected);
            assert!(wrong > tolerance, "{} {rule}: {wrong:e} goes unnoticed", framework.name());
        }
    }
}

/// The largest relative deviation of a peer's losses; also lets it train for a time.
fn deviation(framework: Framework, specification: &Specification, expected: &[f64]) -> f64 {
    let timeout = Duration::from_secs(300);
    let mut peer = Peer::start(framework, specification, timeout).unwrap();
    let losses = STEPS.map(|steps| peer.steps(steps, timeout).unwrap().loss.unwrap());
    let sample = peer.run(Duration::from_millis(50)).unwrap();
    assert!(sample.samples_per_second > 0.0 && !peer.version().is_empty());
    largest_deviation(&losses, expected, 0.0)
}
