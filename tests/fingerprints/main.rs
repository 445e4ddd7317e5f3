//! Fingerprints of trained networks: one number for every bit that training gives.
//!
//! Whoever moves code about wants to know that no result has changed. Each recipe here, the built-in ones and
//! a table of small ones that use everything a recipe can name, is trained on a few drawn digits, those of small sets
//! on a few of their samples; all trained
//! parameters with the running statistics, and the losses, are hashed, and the hash is compared with the
//! recorded one in `fingerprints.txt`. One hash holds for any number of threads and every instruction set.
//!
//! After a change that is meant to give other bits, or with a new recipe:
//!
//! ```text
//! FALLLINE_RECORD_FINGERPRINTS=1 cargo test --release --test fingerprints
//! ```
//!
//! writes the file anew, from one run of each recipe; `git diff` then says which of them have changed.
//!
//! What is assumed of a machine: training computes in f32 by its own functions, whose bits are the same
//! everywhere. A few numbers of each step (powers of Adam's betas, cosines of schedules), of augmentation
//! (the sine and cosine of a rotation, the weights of a Gaussian), of mixing shares and of normal random
//! numbers in the tails come from the platform's mathematical functions, in f64, and are rounded to f32.
//! Orthogonal initial weights come from a QR factorisation in f64 by a crate that chooses its instruction set
//! itself. Where those functions differ in the last bit of an f64, the f32 hardly ever does; a fingerprint
//! that differs on another platform, and there on all its instruction sets alike, may come from that.

#[path = "../common/mod.rs"]
pub mod common;

mod case;
mod clusters;
mod coverage;
mod data;
mod embeddings;
mod features;
mod global;
mod images;
mod linear;
mod losses;
mod more_layers;
mod more_rules;
mod perceptrons;
mod record;
mod rules;
mod sequences;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use fallline::engine::kernels::simd::isa::{self, Isa};
use fallline::engine::team::Team;

use case::Case;

/// On the best instruction set, and on all others.
const THREADS: [&[usize]; 2] = [&[1, 2, 3, 8], &[2]];

/// All recipes: the built-in ones, then those of the tables.
fn cases() -> Vec<Case> {
    let generated = [
        rules::RECIPES,
        perceptrons::RECIPES,
        images::RECIPES,
        losses::RECIPES,
        more_rules::RECIPES,
        more_layers::RECIPES,
        linear::RECIPES,
        features::RECIPES,
        clusters::RECIPES,
        embeddings::RECIPES,
        global::RECIPES,
        sequences::RECIPES,
    ];
    let generated = generated.into_iter().flatten();
    Case::built_in().into_iter().chain(generated.map(Case::generated)).chain(Case::of_texts()).collect()
}

/// The instruction set is one of the whole process: who holds this may choose it, or rely on it.
fn instruction_set() -> MutexGuard<'static, ()> {
    static CHOSEN: Mutex<()> = Mutex::new(());
    CHOSEN.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn trained_networks_have_their_recorded_bits() {
    let _chosen = instruction_set();
    let best = Isa::current();
    let cases = cases();
    if record::is_asked_for() {
        let team = Team::new(2).unwrap();
        let found = cases.iter().map(|case| (case.name.clone(), case.fingerprint(&team).unwrap()));
        return record::write(found);
    }
    let recorded = record::read();
    let names = || cases.iter().map(|case| case.name.as_str());
    let unknown: Vec<_> = recorded.keys().filter(|name| !names().any(|known| known == *name)).collect();
    assert!(unknown.is_empty(), "recorded, but no recipes: {unknown:?}; {}", record::HOW_TO);
    let mut wrong = Vec::new();
    for isa in [Isa::Avx512, Isa::Avx2, Isa::Baseline] {
        if !isa.is_available() {
            eprintln!("SKIPPED: this CPU has no {}", isa.name());
            continue;
        }
        isa::force(isa);
        for &threads in THREADS[usize::from(isa != best)] {
            let (team, begun) = (Team::new(threads).unwrap(), Instant::now());
            for case in &cases {
                let expected = recorded.get(&case.name).map_or("none", String::as_str);
                let found = case.fingerprint(&team).unwrap_or_else(|error| format!("none: {error}"));
                if found != expected {
                    let (name, isa) = (&case.name, isa.name());
                    wrong.push(format!(
                        "{name}, {threads} threads, {isa}: expected {expected}, found {found}"
                    ));
                }
            }
            eprintln!("{threads} threads, {}: {:.1} s", isa.name(), begun.elapsed().as_secs_f64());
        }
    }
    isa::force(best);
    assert!(
        wrong.is_empty(),
        "{} fingerprints differ:\n{}\n{}",
        wrong.len(),
        wrong.join("\n"),
        record::HOW_TO
    );
}

#[test]
fn the_recipes_use_all_that_recipes_can_name() {
    let all = cases();
    let generated = all.iter().filter(|case| case.table.is_some()).count();
    assert!(generated >= 40, "{generated} recipes");
    let unused = coverage::unused(&all);
    assert!(unused.is_empty(), "without a fingerprint:\n{}", unused.join("\n"));
    // It would be seen if there were none of a rule, of one of its settings, or of an activation.
    let without = |names: &[&str]| {
        let left: Vec<_> = all.iter().filter(|case| !names.contains(&case.name.as_str())).cloned().collect();
        coverage::unused(&left)
    };
    let says = |names: &[&str], what: &str| without(names).iter().any(|line| line.starts_with(what));
    assert!(says(&["amsgrad"], "optimizer: amsgrad"));
    assert!(says(&["muon"], "optimizer muon: adam_beta1, adam_beta2"));
    assert!(says(&["activations-of-images"], "layer: gelu, relu, sigmoid"));
    assert!(says(&["elastic"], "augment: elastic, noise"));
    assert!(says(&["transposed", "transposed-data"], "layer: conv-transpose"));
    assert!(says(
        &["transposed"],
        "layers conv-transpose: bias, bias_init, dilation, output_padding, weight_init"
    ));
}

#[test]
fn every_setting_of_the_tables_changes_the_fingerprint() {
    let _chosen = instruction_set();
    let team = Team::new(2).unwrap();
    let idle: Vec<_> = cases().iter().flat_map(|case| coverage::idle_settings(case, &team)).collect();
    assert!(idle.is_empty(), "of no effect, so that no fingerprint sees them:\n{}", idle.join("\n"));
}

#[test]
fn a_fingerprint_tells_bits_apart() {
    let _chosen = instruction_set();
    let team = Team::new(1).unwrap();
    let case = cases().into_iter().find(|case| case.name == "digits-mlp").unwrap();
    let with = |change: &dyn Fn(&mut Case)| {
        let mut changed = case.clone();
        change(&mut changed);
        changed.fingerprint(&team).unwrap()
    };
    let plain = with(&|_| {});
    assert_eq!(plain, with(&|_| {}));
    let rate = f64::from_bits(case.recipe.optimizer.learning_rate.to_bits() + (1 << 30));
    let others = [
        with(&|case| case.recipe.train.seed += 1),
        with(&|case| case.recipe.optimizer.learning_rate = rate),
        with(&|case| case.samples -= 1),
        with(&|case| case.recipe.train.shuffle = false),
    ];
    for (index, other) in others.iter().enumerate() {
        assert!(*other != plain && !others[..index].contains(other), "{index}: {others:?}");
    }
}
