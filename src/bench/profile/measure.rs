//! Measured steps, with the probes on and off in turn.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::analyse;
use super::findings::Subject;
use super::record::{ProfileRecord, Roofs};
use super::request::{Length, Request, is_part_of};
use super::roofs;
use super::sums::SLICE;
use super::trace::TraceEvent;
use crate::data::{DataSet, Samples};
use crate::error::{Error, Result};
use crate::model::recipe::{ALL_SAMPLES, StopConfig, check_samples};
use crate::model::{Model, Recipe, names_of};
use crate::probe::{Probes, Table, Turns};
use crate::team::counters::Counters;
use crate::team::{Team, clock};
use crate::train::{Observer, Session, inference::throughput, split};

/// The time before the first measured step, unless the request sets it: pages are touched, caches and clocks warm up.
const WARM_UP: Duration = Duration::from_millis(100);

/// Seconds in which hardware counters are read.
const COUNTING: f64 = 0.5;

/// Calls that each worker keeps for the timeline, and for a trace.
const TIMELINE_CALLS: usize = 20_000;
const TRACE_CALLS: usize = 500_000;

/// Runs steps with and without probes in turn, and returns the profile of them. When another thread sets
/// `stop`, the result has the steps measured until then. With a trace come all calls that were kept.
///
/// `progress` is told what is being done.
///
/// # Errors
/// Those of [`Model::build`] and [`Session::new`]; [`Error::Mismatch`] for a batch larger than
/// the data set, or if no step was measured; [`Error::Diverged`] if training diverges before that.
pub fn measure(
    request: &Request,
    data: &DataSet,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(&str),
) -> Result<(ProfileRecord, Vec<TraceEvent>)> {
    let team = Team::new(request.threads)?;
    let mut notes = Vec::new();
    let recipe = recipe_for(request, data)?;
    let mut model = Model::build(&recipe.model, data.train.shape(), data.classes, recipe.train.seed)?;
    check_layer(&model, request.layer.as_deref())?;
    let samples = if request.predict { data.test.len() } else { data.train.len() };
    let mut roofs = roofs::measure(&team, progress);
    let mut probes = Probes::new(clock::ticks);
    probes.most_calls = if request.trace { TRACE_CALLS } else { TIMELINE_CALLS };
    progress(if request.predict { "inference" } else { "training steps" });
    let how = (&mut probes, &request.length, stop);
    let batch = if request.predict {
        run_inference(&model, &data.test, &recipe, &team, how)?;
        recipe.train.batch
    } else {
        run_training(&mut model, &data.train, &recipe, &team, how, &mut notes)?
    };
    if !has_measured(&probes) {
        return Err(nothing(request, &probes, stop));
    }
    // The best measurement counts: the machine may have been slower before.
    roofs.flops_per_second = roofs.flops_per_second.max(roofs::peak_of(&team));
    let tick = clock::seconds_per_tick();
    let subject = Subject {
        model: &model,
        recipe: &recipe,
        data: data.name.clone(),
        batch,
        samples,
        threads: request.threads,
        predict: request.predict,
        command: request.command.clone(),
    };
    let mut record = analyse::record(&probes.tables, tick, roofs, &subject);
    if request.counters {
        let text = match counted(request, data, &recipe, &team, stop, progress)? {
            Ok(tables) => analyse::add_counters(&mut record, &tables, &subject),
            Err(reason) => reason,
        };
        record.counters = Some(text);
    }
    let mut events = Vec::new();
    if request.trace {
        let (all, left_out) = analyse::events(&probes.tables, tick, &subject);
        let is_asked = |event: &TraceEvent| {
            request.layer.as_deref().is_none_or(|module| is_part_of(event.layer.as_deref(), module))
        };
        events = all.into_iter().filter(is_asked).collect();
        if left_out > 0 {
            notes.push(format!(
                "The trace holds the first {TRACE_CALLS} calls of each worker; {left_out} later ones were not kept."
            ));
        }
    }
    record.notes.splice(0..0, notes);
    Ok((record, events))
}

/// The tables of a shorter run in which each call reads hardware counters, or why there are none.
fn counted(
    request: &Request,
    data: &DataSet,
    recipe: &Recipe,
    team: &Team,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(&str),
) -> Result<std::result::Result<Vec<Table>, String>> {
    if let Err(reason) = Counters::open() {
        return Ok(Err(reason));
    }
    progress("hardware counters");
    let mut probes = Probes::new(clock::ticks);
    probes.counts = true;
    let mut model = Model::build(&recipe.model, data.train.shape(), data.classes, recipe.train.seed)?;
    let length = Length::Seconds(COUNTING);
    let how = (&mut probes, &length, stop);
    if request.predict {
        run_inference(&model, &data.test, recipe, team, how)?;
    } else {
        run_training(&mut model, &data.train, recipe, team, how, &mut Vec::new())?;
    }
    let reason = probes.tables.iter().find_map(|table| table.uncounted.clone());
    Ok(reason.map_or(Ok(probes.tables), Err))
}

/// The record of steps that a program of its own has run: those that [`Session::probed_epoch`] has added to
/// `probes`, whose clock was [`clock::ticks`]. The roofs are those of
/// [`measure_roofs`](super::measure_roofs) on the session's team.
pub fn of_session(session: &Session, probes: &Probes, roofs: Roofs) -> ProfileRecord {
    let recipe = session.recipe();
    let subject = Subject {
        model: session.model(),
        recipe,
        data: recipe.data.set.clone(),
        batch: session.batch(),
        samples: session.samples(),
        threads: probes.tables.len(),
        predict: false,
        command: String::new(),
    };
    analyse::record(&probes.tables, clock::seconds_per_tick(), roofs, &subject)
}

/// The recipe without its rules that end a training.
pub(super) fn endless(recipe: &Recipe) -> Recipe {
    let mut recipe = recipe.clone();
    // The norm of the gradient is work of the step, whether or not it ends the training.
    let gradient_norm = recipe.stop.gradient_norm.map(|_| 0.0);
    recipe.stop = StopConfig { gradient_norm, ..StopConfig::default() };
    recipe
}

/// The recipe as it is run: nothing ends it but the time that was asked for.
fn recipe_for(request: &Request, data: &DataSet) -> Result<Recipe> {
    let mut recipe = endless(&request.recipe).for_samples(&data.train)?;
    let samples = if request.predict { data.test.len() } else { data.train.len() };
    if recipe.train.batch == ALL_SAMPLES {
        if request.predict {
            recipe.train.batch = samples;
        }
    } else if recipe.train.batch > samples {
        return Err(Error::Mismatch {
            what: format!("batch of {}", recipe.name),
            expected: format!("at most {samples}, as many samples as {} has", data.name),
            found: recipe.train.batch.to_string(),
        });
    }
    if !request.predict {
        check_samples(&recipe, data.train.len())?;
    }
    Ok(recipe)
}

/// Checks that there is such a layer: a mistake shall be known before anything is measured.
fn check_layer(model: &Model, module: Option<&str>) -> Result<()> {
    let Some(module) = module else { return Ok(()) };
    let names = names_of(model.layers());
    if names.iter().any(|layer| is_part_of(Some(layer), module)) {
        return Ok(());
    }
    Err(Error::unknown("command line: --layer", "layer", module, names.iter().map(String::as_str)))
}

/// The error that no step was measured.
fn nothing(request: &Request, probes: &Probes, stop: &AtomicBool) -> Error {
    let done = probes.tables.first().map_or(0, |table| table.steps_begun);
    let (expected, found) = match &request.length {
        _ if stop.load(Relaxed) => ("at least one".into(), "none before the interruption".into()),
        Length::Steps(steps) => {
            (format!("more than {} steps", steps.start), format!("{done} before training ended"))
        }
        Length::Seconds(_) => ("at least one".into(), "none".into()),
    };
    Error::Mismatch { what: "steps to measure".into(), expected, found }
}

/// Ends training, or inference::throughput, after the step that reaches a limit, or that an interruption falls into.
struct Until<'a> {
    stop: &'a AtomicBool,
    halt: &'a AtomicBool,
    deadline: Option<Instant>,
    /// Steps left.
    left: u64,
}

impl Observer for Until<'_> {
    fn step(&mut self, _step: u64, _loss: f64) {
        self.left = self.left.saturating_sub(1);
        let is_late = self.deadline.is_some_and(|deadline| Instant::now() >= deadline);
        if self.left == 0 || is_late || self.stop.load(Relaxed) {
            self.halt.store(true, Relaxed);
        }
    }
}

impl<'a> Until<'a> {
    fn new(stop: &'a AtomicBool, halt: &'a AtomicBool, time: Option<Duration>, steps: u64) -> Until<'a> {
        // A deadline or an interruption that has passed already ends the run after its first step.
        halt.store(false, Relaxed);
        Until { stop, halt, deadline: time.map(|time| Instant::now() + time), left: steps.max(1) }
    }
}

/// The time, and the number of the step at which measuring ends.
fn limits(length: &Length) -> (Option<Duration>, u64) {
    match length {
        Length::Seconds(seconds) => (Some(Duration::from_secs_f64(*seconds)), u64::MAX),
        Length::Steps(steps) => (None, steps.end),
    }
}

/// Trains; returns the samples of a step.
fn run_training(
    model: &mut Model,
    samples: &Samples,
    recipe: &Recipe,
    team: &Team,
    (probes, length, stop): (&mut Probes, &Length, &AtomicBool),
    notes: &mut Vec<String>,
) -> Result<usize> {
    let kept = split(samples, recipe)?.map(|split| split.subset);
    let mut session = Session::on_part(model, samples, kept, recipe, team)?;
    let halt = AtomicBool::new(false);
    // A line search comes to its end before long.
    if let (Length::Seconds(_), false) = (length, recipe.optimizer.kind().searches()) {
        let mut until = Until::new(stop, &halt, Some(WARM_UP), u64::MAX);
        while !halt.load(Relaxed) {
            session.epoch(&halt, &mut until)?;
        }
    }
    let (time, end) = limits(length);
    probes.turns = turns(length, session.steps());
    let mut until = Until::new(stop, &halt, time, end);
    let begun = |probes: &Probes| probes.tables.first().map_or(0, |table| table.steps_begun);
    while !halt.load(Relaxed) && begun(probes) < end {
        if let Err(error) = session.probed_epoch(&halt, &mut until, Some(probes)) {
            if !has_measured(probes) {
                return Err(error);
            }
            notes.push(format!("Training ended early: {error}."));
            break;
        }
        if let Some(ending) = session.ended() {
            notes.push(format!("Training ended by itself, by the rule `{}`.", ending.name()));
            break;
        }
    }
    Ok(session.batch())
}

/// Makes predictions, a batch a step, again and again.
fn run_inference(
    model: &Model,
    samples: &Samples,
    recipe: &Recipe,
    team: &Team,
    (probes, length, stop): (&mut Probes, &Length, &AtomicBool),
) -> Result<()> {
    let batch = recipe.train.batch;
    let halt = AtomicBool::new(false);
    if let Length::Seconds(_) = length {
        let mut until = Until::new(stop, &halt, Some(WARM_UP), u64::MAX);
        throughput::run(model, samples, &recipe.data, team, batch, (&halt, &mut until), None)?;
    }
    let (time, end) = limits(length);
    probes.turns = turns(length, 0);
    let mut until = Until::new(stop, &halt, time, end);
    throughput::run(model, samples, &recipe.data, team, batch, (&halt, &mut until), Some(probes))
}

/// The turns of the probes: the first step that is measured, from the number `next` on, is probed.
fn turns(length: &Length, next: u64) -> Turns {
    match length {
        Length::Seconds(_) => Turns { first: next, end: u64::MAX, slice: SLICE },
        Length::Steps(steps) => Turns { first: steps.start, end: steps.end, slice: SLICE },
    }
}

fn has_measured(probes: &Probes) -> bool {
    probes.tables.iter().any(|table| table.steps_seen[1] > 0)
}
