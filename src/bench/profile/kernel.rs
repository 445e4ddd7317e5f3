//! One kernel of a network by itself, on its real shapes, warm and cold, against its roof.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::analyse;
use super::findings::Subject;
use super::measure::endless;
use super::record::{Roofs, Site};
use super::roofs;
use crate::Result;
use crate::error::Error;
use crate::model::{Model, Recipe, names_of};
use crate::probe::{Operation, Probes, Turns};
use crate::team::{Team, clock};
use crate::train::{Observer, Session, dataset};

/// A request to time the kernels of a network.
pub struct Request {
    pub recipe: Recipe,
    /// The folder of the data set; the usual places if absent.
    pub data_dir: Option<PathBuf>,
    pub threads: usize,
    /// The time for each kernel, warm and cold together.
    pub time: Duration,
}

/// The name of a kernel that can be run by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The operation, with its layer: "0 weight-gradient", "gather".
    pub name: String,
    /// The kind of the layer, and the shape of its output: "dense + relu", "128".
    pub kind: String,
    pub output: String,
}

/// The results of a kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct Timed {
    pub name: Name,
    /// The result with its data where the time before has left them.
    pub warm: Site,
    /// The result after other memory was gone through.
    pub cold: Site,
}

/// The results of all kernels.
pub struct Kernels {
    pub roofs: Roofs,
    pub timed: Vec<Timed>,
    pub notes: Vec<String>,
}

/// All kernels of a network that can be run by themselves. Kernels that need rows or shards of the whole step
/// cannot: products of rules for whole matrices, statistics of batches, line searches.
///
/// # Errors
/// Those of [`run`].
pub fn list(request: &Request) -> Result<Vec<Name>> {
    with_session(request, |session, _, _| Ok(names(session).into_iter().map(|(_, name)| name).collect()))
}

/// Runs one kernel by its name, or all of them. When another thread sets `stop`, the result has those that were run
/// until then.
///
/// # Errors
/// Those of [`dataset::load`], [`Model::build`] and [`Session::new`]; [`Error::Unknown`] for a name that is not
/// in the [`list`].
pub fn run(
    request: &Request,
    wanted: Option<&str>,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(&str),
) -> Result<Kernels> {
    with_session(request, |session, data, notes| {
        let known = names(session);
        let chosen = match wanted {
            None => known,
            Some(wanted) => {
                let found = known.iter().find(|(_, name)| is_same(&name.name, wanted)).cloned();
                let names = known.iter().map(|(_, name)| name.name.as_str());
                vec![found.ok_or_else(|| Error::unknown("command line: --kernel", "kernel", wanted, names))?]
            }
        };
        let team = Team::new(request.threads)?;
        let roofs = roofs::measure(&team, progress);
        drop(team);
        let mut timed = Vec::new();
        for (kernel, name) in chosen {
            if stop.load(Relaxed) {
                break;
            }
            progress(&name.name);
            let [warm, cold] =
                [false, true].map(|cold| time(session, kernel, cold, &roofs, request, data, stop));
            if let Some((warm, cold)) = warm.zip(cold) {
                timed.push(Timed { name, warm, cold });
            }
        }
        Ok(Kernels { roofs, timed, notes })
    })
}

/// An operation, and the layer that it belongs to.
type Kernel = (Operation, Option<usize>);

fn names(session: &Session) -> Vec<(Kernel, Name)> {
    let layers = session.model().layers();
    let modules = names_of(layers);
    let name = |(operation, layer): Kernel| {
        let placed = layer.map(|index| &layers[index]);
        let name = match placed {
            Some(_) => format!("{} {}", modules[layer.unwrap_or(0)], operation.name()),
            None => operation.name().to_string(),
        };
        let output = placed.map_or(String::new(), |placed| match placed.layer.image() {
            Some(image) => image.to_string(),
            None => placed.layer.outputs().to_string(),
        });
        Name { name, kind: placed.map_or(String::new(), |placed| placed.layer.kind()), output }
    };
    session.kernels().into_iter().map(|kernel| (kernel, name(kernel))).collect()
}

/// Whether both have the same words, in whatever order.
fn is_same(name: &str, wanted: &str) -> bool {
    let words = |text: &str| {
        let mut words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
        words.sort_unstable();
        words
    };
    words(name) == words(wanted)
}

/// Calls `work` with a session of the network, the name of its data and the notes on them.
fn with_session<R>(
    request: &Request,
    work: impl FnOnce(&mut Session, &str, Vec<String>) -> Result<R>,
) -> Result<R> {
    let mut notes = Vec::new();
    let data = dataset::load_or_digits(&request.recipe, request.data_dir.as_deref(), &mut notes)?;
    let recipe = endless(&request.recipe).for_samples(&data.train)?;
    let mut model = Model::build(&recipe.model, data.train.shape(), data.classes, recipe.train.seed)?;
    let team = Team::new(request.threads)?;
    let mut session = Session::new(&mut model, &data.train, &recipe, &team)?;
    work(&mut session, &data.name, notes)
}

/// Ends the repetitions after their time, but not before some are measured.
struct Repeat<'a> {
    stop: &'a AtomicBool,
    halt: &'a AtomicBool,
    deadline: Instant,
}

/// The first repetition that counts, and the least number of repetitions.
const FIRST: u64 = 2;
const LEAST: u64 = 5;

impl Observer for Repeat<'_> {
    fn step(&mut self, step: u64, _loss: f64) {
        if self.stop.load(Relaxed) || (step >= LEAST && Instant::now() >= self.deadline) {
            self.halt.store(true, Relaxed);
        }
    }
}

/// Times a kernel; None if it was interrupted before anything was measured.
fn time(
    session: &mut Session,
    kernel: Kernel,
    cold: bool,
    roofs: &Roofs,
    request: &Request,
    data: &str,
    stop: &AtomicBool,
) -> Option<Site> {
    let halt = AtomicBool::new(false);
    let mut repeat = Repeat { stop, halt: &halt, deadline: Instant::now() + request.time / 2 };
    let mut probes = Probes::new(clock::ticks);
    probes.turns = Turns { first: FIRST, ..Turns::ALL };
    session.alone(kernel, cold, (&halt, &mut repeat), Some(&mut probes));
    if cold {
        let streams =
            probes.tables.iter_mut().flat_map(|table| &mut table.sites).flat_map(|site| &mut site.streams);
        streams.for_each(|stream| stream.working_set = stream.working_set.max(Session::SWEEP));
    }
    let subject = Subject {
        model: session.model(),
        recipe: session.recipe(),
        data: data.into(),
        batch: session.batch(),
        samples: session.samples(),
        threads: request.threads,
        predict: false,
        command: String::new(),
    };
    let record = analyse::record(&probes.tables, clock::seconds_per_tick(), roofs.clone(), &subject);
    let name = kernel.1.map(|index| names_of(session.model().layers()).swap_remove(index));
    let is_it = |site: &Site| site.operation == kernel.0.name() && site.layer == name;
    record.sites.into_iter().find(is_it)
}

#[cfg(test)]
mod tests {
    use super::is_same;

    #[test]
    fn a_kernel_is_known_by_its_words() {
        assert!(is_same("0 weight-gradient", " weight-gradient  0"));
        assert!(is_same("3.layers.0 forward", "3.layers.0 Forward"));
        assert!(!is_same("0 forward", "1 forward") && !is_same("gather", "gather 0"));
    }
}
