//! Digits by two networks, and two ways to say which digit it is.

mod page;
mod trainings;

use self::page::{accuracies, losses, mistakes, table_of_networks, table_of_pairs, table_of_targets, text};
use self::trainings::{EPOCHS, Runs, TEST, TRAIN, Trainings, digits, largest_difference};
use super::case::{Case, Setting};
use super::record::Finding;
use crate::data::generate_digits;
use crate::error::Result;

pub static CASE: Case = Case {
    name: "digits",
    title: "Digits, with ten hidden units and with 128",
    summary: "784-10-10 and 784-128-10, with one-hot targets and with classes",
    example: "tour_digits",
    run,
};

fn run(setting: &Setting) -> Result<Finding> {
    let set = generate_digits([TRAIN, TEST], 1)?;
    let done = Trainings::of(&digits(&set.train), &digits(&set.test), setting)?;
    let worst = [&done.narrow, &done.wide].map(Runs::worst_pairs);
    let mut finding = Finding::default();
    note(&mut finding, &done);
    for (name, worst) in ["narrow", "wide"].iter().zip(&worst) {
        let (pair, mistakes) = worst[0];
        finding.note(format!("{name}_worst_low"), pair[0] as f64);
        finding.note(format!("{name}_worst_high"), pair[1] as f64);
        finding.note(format!("{name}_worst_mistakes"), mistakes as f64);
    }
    finding.text = text(&finding);
    finding.tables = vec![table_of_networks(&finding), table_of_targets(&finding), table_of_pairs(&worst)];
    finding.figures = vec![accuracies(&done), losses(&done), mistakes(&done)];
    Ok(finding)
}

fn note(finding: &mut Finding, done: &Trainings) {
    for (name, runs) in [("narrow", &done.narrow), ("wide", &done.wide)] {
        finding.note(format!("{name}_parameters"), runs.courses[0].parameters as f64);
        finding.note(format!("{name}_first_accuracy"), runs.accuracy(1));
        finding.note(format!("{name}_accuracy"), runs.accuracy(EPOCHS));
    }
    finding.note("narrow_squares_accuracy", done.narrow_squares.accuracy(EPOCHS));
    finding.note("wide_squares_accuracy", done.wide_squares.accuracy(EPOCHS));
    let [narrow, wide, squares] =
        [&done.narrow, &done.wide, &done.narrow_squares].map(|runs| &runs.courses[0]);
    for (name, one, other) in [
        ("narrow_one_hot_difference", narrow, &done.narrow_one_hot),
        ("wide_one_hot_difference", wide, &done.wide_one_hot),
        ("divergence_difference", narrow, &done.divergence),
        ("squares_one_hot_difference", squares, &done.squares_one_hot),
        ("squares_difference", narrow, squares),
    ] {
        finding.note(name, largest_difference(&one.steps, &other.steps));
    }
}

#[cfg(test)]
mod tests;
