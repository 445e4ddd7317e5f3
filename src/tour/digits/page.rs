//! What the case shows: texts, tables and pictures.

use super::trainings::{EPOCHS, NARROW, Runs, SEEDS, TEST, TRAIN, Trainings, WIDE};
use crate::data::digits::CLASSES;
use crate::tour::figure::{Bars, Figure, Lines, Listing, Named, Picture, Side};
use crate::tour::record::Finding;

pub fn text(found: &Finding) -> Vec<String> {
    let of = |name: &str| found.number(name);
    let percent = |name: &str| format!("{:.1} %", 100.0 * of(name));
    vec![
        format!(
            "Two networks read {TRAIN} drawn digits of 28 by 28 pixels: one with {NARROW} hidden units, {} numbers in all, and one \
             with {WIDE}, {} numbers. After {EPOCHS} epochs they read {} and {} of {TEST} other digits right, in the mean of {SEEDS} \
             starts.",
            of("narrow_parameters"),
            of("wide_parameters"),
            percent("narrow_accuracy"),
            percent("wide_accuracy")
        ),
        format!(
            "{NARROW} units are a bottleneck: all that the last layer learns of 784 pixels are {NARROW} numbers. That costs {:.1} \
             points of accuracy, and most of it early: after the first epoch the networks are at {} and {}. It saves 12 of 13 \
             numbers, which is worth it where memory or time are short. Note that training goes to the end with both; a network \
             that is too small does not fail, it stops getting better.",
            100.0 * (of("wide_accuracy") - of("narrow_accuracy")),
            percent("narrow_first_accuracy"),
            percent("wide_first_accuracy")
        ),
        format!(
            "How is a network told the digit? As a number, 0 to 9, or as a one-hot row of ten numbers, 1 at the digit and 0 \
             elsewhere. Cross-entropy is −Σ tᵢ ln pᵢ; of a one-hot row only the term of the digit is left, −ln p of it, which is \
             what the loss of a number is. So both are one loss, and in the picture their curves lie on each other: over all steps \
             the losses differ by at most {}. In fallline the loss `cross-entropy` takes either, classes as bytes or rows as floats. \
             The Kullback-Leibler divergence from a one-hot row is the same again (at most {}), since such a row has no entropy. \
             Use numbers: they take a fortieth of the memory. Rows are for targets that are not certain.",
            small(of("narrow_one_hot_difference").max(of("wide_one_hot_difference"))),
            small(of("divergence_difference"))
        ),
        format!(
            "The mean squared error is not the same. It also takes either form (and they differ by at most {}), but its curve is \
             another one: it asks for outputs of exactly 0 and 1 and punishes one that is too right as much as one that is wrong. \
             Both networks end at {} and {} with it. Compare losses by accuracy on new digits, never by their own values.",
            small(of("squares_one_hot_difference")),
            percent("narrow_squares_accuracy"),
            percent("wide_squares_accuracy")
        ),
        format!(
            "The mistakes are not spread evenly. The small network takes {} and {} for each other most often ({} times in {} \
             readings), the large one {} and {} ({} times). Look at such pairs before you change the network: often they tell \
             what is missing, in the data or in the picture.",
            of("narrow_worst_low"),
            of("narrow_worst_high"),
            of("narrow_worst_mistakes"),
            TEST as u64 * SEEDS,
            of("wide_worst_low"),
            of("wide_worst_high"),
            of("wide_worst_mistakes")
        ),
    ]
}

/// A difference that may be none at all.
fn small(difference: f64) -> String {
    if difference == 0.0 { "nothing, to the last bit".into() } else { format!("{difference:.0e}") }
}

fn listing<const N: usize>(caption: &str, columns: [&str; N], rows: Vec<[String; N]>) -> Listing {
    Listing {
        caption: caption.into(),
        columns: columns.map(String::from).to_vec(),
        rows: rows.into_iter().map(|row| row.to_vec()).collect(),
    }
}

pub fn table_of_networks(found: &Finding) -> Listing {
    let row = |name: String, key: &str| {
        let percent = |part: &str| format!("{:.1} %", 100.0 * found.number(&format!("{key}_{part}")));
        let parameters = found.number(&format!("{key}_parameters")).to_string();
        [name, parameters, percent("first_accuracy"), percent("accuracy"), percent("squares_accuracy")]
    };
    let columns = ["network", "numbers", "after 1 epoch", "after 10 epochs", "with squared error"];
    let rows = vec![row(format!("784-{NARROW}-10"), "narrow"), row(format!("784-{WIDE}-10"), "wide")];
    listing("Parameters, and part of the test digits that is right", columns, rows)
}

pub fn table_of_targets(found: &Finding) -> Listing {
    let row = |loss: &str, targets: &str, against: &str, key: &str| {
        [loss.into(), targets.into(), against.into(), small(found.number(key))]
    };
    let columns = ["loss", "targets", "beside", "largest difference of a step's loss"];
    let classes = "cross-entropy of classes";
    let rows = vec![
        row("cross-entropy, 784-10-10", "one-hot rows", classes, "narrow_one_hot_difference"),
        row("cross-entropy, 784-128-10", "one-hot rows", classes, "wide_one_hot_difference"),
        row("kl-divergence, 784-10-10", "one-hot rows", classes, "divergence_difference"),
        row(
            "mean-squared-error, 784-10-10",
            "one-hot rows",
            "itself with classes",
            "squares_one_hot_difference",
        ),
        row("mean-squared-error, 784-10-10", "classes", classes, "squares_difference"),
    ];
    listing("Which losses are the same", columns, rows)
}

/// The three pairs of digits that each network mistakes most often.
pub fn table_of_pairs(worst: &[Vec<([usize; 2], usize)>; 2]) -> Listing {
    let cell = |(pair, mistakes): &([usize; 2], usize)| format!("{} and {}: {mistakes}", pair[0], pair[1]);
    let rows = (0..3).map(|place| [(place + 1).to_string(), cell(&worst[0][place]), cell(&worst[1][place])]);
    let columns = ["", "784-10-10", "784-128-10"];
    listing("The worst pairs, and how often one was read as the other", columns, rows.collect())
}

pub fn accuracies(done: &Trainings) -> Figure {
    let runs = [
        ("784-10-10, cross-entropy", &done.narrow),
        ("784-128-10, cross-entropy", &done.wide),
        ("784-10-10, squared error", &done.narrow_squares),
        ("784-128-10, squared error", &done.wide_squares),
    ];
    let series = runs
        .map(|(name, runs)| Named::new(name, (1..=EPOCHS).map(|epoch| [epoch as f64, runs.accuracy(epoch)])));
    let (x, y) = (Side::linear("epoch"), Side::percent("test digits read right"));
    let picture = Picture::Lines(Lines { x, y, series: series.to_vec() });
    Figure { name: "accuracies".into(), title: "Test accuracy, mean of all starts".into(), picture }
}

pub fn losses(done: &Trainings) -> Figure {
    let series = [
        ("784-10-10, classes", &done.narrow.courses[0]),
        ("784-10-10, one-hot", &done.narrow_one_hot),
        ("784-128-10, classes", &done.wide.courses[0]),
        ("784-128-10, one-hot", &done.wide_one_hot),
        ("784-10-10, squared error", &done.narrow_squares.courses[0]),
    ];
    let series = series.map(|(name, course)| Named::new(name, course.epochs())).to_vec();
    let picture = Picture::Lines(Lines { x: Side::linear("epoch"), y: Side::log("training loss"), series });
    Figure { name: "losses".into(), title: "Classes or one-hot rows: the same curves".into(), picture }
}

pub fn mistakes(done: &Trainings) -> Figure {
    let bars = |runs: &Runs| (0..CLASSES).map(|digit| Some(runs.error(digit))).collect();
    let picture = Picture::Bars(Bars {
        x_label: "digit".into(),
        y: Side::percent("read as another digit"),
        groups: (0..CLASSES).map(|digit| digit.to_string()).collect(),
        series: vec![("784-10-10".into(), bars(&done.narrow)), ("784-128-10".into(), bars(&done.wide))],
    });
    Figure { name: "mistakes".into(), title: "Mistakes, digit by digit".into(), picture }
}
