//! Whether a profile finds what is slow: each call of one operation of one layer lasts longer by a known time, and the
//! profiles of the same steps with and without that are printed as JSON. `scripts/check_profile.py --slowed` runs it.
//!
//!     cargo run --release --example slowed_kernel -- OPERATION LAYER [PART] [THREADS]
//!
//! LAYER is a layer's number in the model, or - for an operation that belongs to none; PART is how much longer the step
//! shall last, 0.3 unless it is given.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use fallline::data::source;
use fallline::engine::bench::profile::{self, ProfileRecord};
use fallline::engine::model::{Model, Recipe};
use fallline::engine::probe::{Operation, Probes, Site, slow_down};
use fallline::engine::team::{Team, clock};
use fallline::engine::train::{Observer, Session};
use fallline::{Error, Result};

const EPOCHS: usize = 8;

struct Quiet;
impl Observer for Quiet {}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument =
        |index: usize, default: &str| arguments.get(index).map_or(default, String::as_str).to_string();
    let wrong = |key: &str, expected: &str, found: String| Error::Setting {
        place: "command line".into(),
        key: key.into(),
        expected: expected.into(),
        found,
    };
    let name = argument(0, "");
    let operation = Operation::ALL.into_iter().find(|operation| operation.name() == name);
    let operation = operation.ok_or_else(|| wrong("OPERATION", "one of docs/profile.md", name))?;
    let layer = match argument(1, "-").as_str() {
        "-" => None,
        text => Some(text.parse().map_err(|_| wrong("LAYER", "a number or -", text.into()))?),
    };
    let number = |index: usize, key: &str, default: &str| {
        let text = argument(index, default);
        let number = text.parse().ok().filter(|&number: &f64| number > 0.0 && number <= 1e3);
        number.ok_or_else(|| wrong(key, "a number above 0 and at most 1000", text))
    };
    let (part, threads) = (number(2, "PART", "0.3")?, number(3, "THREADS", "2")? as usize);

    let recipe = Recipe::load("digits-mlp", &["train.batch=256".parse()?])?;
    let data = source::generate_digits([10_240, 100], 1)?;
    let mut model = Model::build(&recipe.model, data.train.shape(), data.classes, recipe.train.seed)?;
    let team = Team::new(threads)?;
    let roofs = profile::measure_roofs(&team, &mut |_| ());
    let mut session = Session::new(&mut model, &data.train, &recipe, &team)?;
    session.epoch(&AtomicBool::new(false), &mut Quiet)?;
    let mut profile = |delay: Duration| -> Result<(ProfileRecord, u64)> {
        let mut probes = Probes::new(clock::ticks);
        slow_down(Some((operation, layer)), delay);
        for _ in 0..EPOCHS {
            session.probed_epoch(&AtomicBool::new(false), &mut Quiet, Some(&mut probes))?;
        }
        slow_down(None, Duration::ZERO);
        let is_slowed = |site: &&Site| (site.operation, site.layer) == (operation, layer);
        let calls =
            probes.tables.iter().flat_map(|table| &table.sites).filter(is_slowed).map(|site| site.calls);
        let calls = calls.sum();
        Ok((profile::of_session(&session, &probes, roofs.clone()), calls))
    };
    let (before, calls) = profile(Duration::ZERO)?;
    if calls == 0 {
        return Err(wrong("LAYER", "one that has this operation", argument(1, "-")));
    }
    // Of each worker in each step, by the mean.
    let calls = calls as f64 / before.steps as f64 / threads as f64;
    let delay = Duration::from_secs_f64(part * before.step_seconds / calls);
    let (slowed, _) = profile(delay)?;
    let (after, _) = profile(Duration::ZERO)?;
    let delay = delay.as_secs_f64();
    println!("{}", serde_json::json!({"delay": delay, "slowed": slowed, "plain": [before, after]}));
    Ok(())
}
