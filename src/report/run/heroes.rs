//! The numbers of a run that matter most.

use super::facts::{epochs, throughput};
use crate::report::metrics::part;
use crate::report::numbers::{counted, duration, loss, percent, rounded, significant};
use crate::report::page::Hero;
use crate::train::{Evaluation, TrainRecord};

/// The score, the time and the throughput of one run; nothing of several, which the tables compare.
pub(super) fn of(runs: &[(&str, &TrainRecord)]) -> Vec<Hero> {
    let [(_, record)] = runs else { return Vec::new() };
    let test = record.test.as_ref().map(|test| score("Test", test));
    let score = test.or(record.validation.as_ref().map(|seen| score("Validation", seen)));
    let time = Hero::new("Training time", duration(record.train_seconds), epochs(record));
    let speed = throughput(record).map(|speed| {
        let threads = counted(record.threads, "thread");
        Hero::new("Throughput", format!("{} samples/s", rounded(speed)), threads)
    });
    score.into_iter().chain([time]).chain(speed).collect()
}

fn score(samples: &str, seen: &Evaluation) -> Hero {
    let named = |metric: &str| format!("{samples} {metric}");
    match (seen.accuracy, &seen.values) {
        (Some(accuracy), _) => {
            Hero::new(&named("accuracy"), percent(accuracy), format!("loss {}", loss(seen.loss)))
        }
        (None, Some(values)) => {
            let note = format!("R² {}", part(values.r_squared));
            Hero::new(&named("RMSE"), significant(values.rmse), note)
        }
        (None, None) => Hero::new(&named("loss"), loss(seen.loss), String::new()),
    }
}
