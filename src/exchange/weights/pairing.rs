//! Which tensor of a file is which parameter of a model.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::aliases::{self, Tensors};
use super::misfits::{self, Misfits};
use super::order;
use super::rename::{Pattern, Rename};
use crate::{Error, Result};

/// What wrappers put before all names of a state dict: of data parallel and of compiled modules, and of trainers.
const WRAPPERS: [&str; 3] = ["module.", "model.", "_orig_mod."];

/// How tensors are found for parameters.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What the names of the tensors begin with that are taken; it is taken off.
    pub prefix: Option<String>,
    /// Other names, of which the first that fits is taken.
    pub renames: Vec<Rename>,
    /// What may be left out, by the names without the prefix.
    pub ignored: Vec<Pattern>,
    /// Whether what no name tells goes by order and shape.
    pub by_order: bool,
    /// What an error about tensors that do not fit advises, such as the options of a command; empty for nothing.
    pub hint: &'static str,
}

/// The tensors of a model that are looked for.
#[derive(Clone, Copy, Debug)]
pub struct Targets<'a> {
    /// In the order of the model.
    pub wanted: &'a Tensors,
    /// All tensors of the model: what a block is called in PyTorch's modules is told by all that lies in it.
    pub all: &'a Tensors,
    /// The names of those that are wanted but may be missing, and that no order tells.
    pub optional: &'a BTreeSet<String>,
}

/// What tells that a tensor is a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It has the same name.
    Name,
    /// It has, but for what stands before all names.
    Prefix,
    /// The user has said so.
    Map,
    /// The name is that in PyTorch's own module.
    Torch,
    /// It is the next of its shape.
    Order,
}

impl How {
    /// As tables tell it.
    pub fn text(self) -> &'static str {
        match self {
            How::Name => "the same name",
            How::Prefix => "without the prefix",
            How::Map => "--map",
            How::Torch => "PyTorch's module",
            How::Order => "order and shape",
        }
    }
}

/// A tensor of a file, as its header says.
#[derive(Clone, Debug)]
pub struct Source {
    pub name: String,
    pub shape: Vec<usize>,
    /// The type of its numbers: "F32".
    pub kind: String,
    pub is_read: bool,
}

/// A parameter of the model and the tensor that becomes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    pub to: String,
    pub shape: Vec<usize>,
    pub from: String,
    /// The type of the tensor's numbers.
    pub kind: String,
    pub how: How,
}

/// All parameters of a model with their tensors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pairing {
    /// In the order of the model.
    pub pairs: Vec<Pair>,
    /// The names that were left out since the user said so.
    pub ignored: Vec<String>,
    /// How many were left out since they do not begin with the prefix.
    pub outside: usize,
}

/// A tensor that is for some parameter.
struct Candidate<'a> {
    source: &'a Source,
    /// What it may be called, and by what.
    names: Vec<(String, How)>,
}

/// Finds a tensor for each parameter.
///
/// # Errors
/// [`Error::Format`] with all that is missing, superfluous, or of another shape or type; [`Error::Setting`] if an option
/// fits nothing.
pub fn pair(
    path: &Path,
    sources: &[Source],
    targets: Targets,
    options: &Options,
    metadata: &BTreeMap<String, String>,
) -> Result<Pairing> {
    let (candidates, mut pairing) = candidates(sources, options)?;
    let lookup = Lookup::of(targets);
    let Targets { wanted: targets, optional, .. } = targets;
    let mut misfits = Misfits::default();
    let mut found: Vec<Option<(&Source, How)>> = vec![None; targets.len()];
    let mut left = Vec::new();
    for Candidate { source, names } in &candidates {
        match names.iter().find_map(|(name, how)| lookup.find(name, *how)) {
            None => left.push(*source),
            Some((place, how)) => match &found[place] {
                Some((first, _)) => misfits.twice(&first.name, &source.name, &targets[place].0),
                None => found[place] = Some((source, how)),
            },
        }
    }
    if options.by_order {
        left = by_order(left, (targets, optional), &mut found, metadata);
    }
    for ((to, shape), found) in targets.iter().zip(found) {
        let Some((source, how)) = found else {
            if !optional.contains(to) {
                misfits.missing(to, shape);
            }
            continue;
        };
        if source.shape != *shape {
            misfits.shape(&source.name, &source.shape, to, shape);
        } else if !source.is_read {
            misfits.kind(&source.name, &source.kind, to);
        }
        let (to, from, kind) = (to.clone(), source.name.clone(), source.kind.clone());
        pairing.pairs.push(Pair { to, shape: shape.clone(), from, kind, how });
    }
    left.iter().for_each(|source| misfits.superfluous(&source.name, &source.shape));
    misfits.error(path, options.hint).map_or(Ok(pairing), Err)
}

/// The parameters of a model by all names that they may have.
struct Lookup {
    own: BTreeMap<String, usize>,
    torch: BTreeMap<String, usize>,
}

impl Lookup {
    fn of(targets: Targets) -> Lookup {
        let names = targets.all.iter().map(|(name, _)| &**name);
        let known: BTreeMap<&str, String> = names.zip(aliases::of_torch(targets.all)).collect();
        let (mut own, mut torch) = (BTreeMap::new(), BTreeMap::new());
        for (place, (name, _)) in targets.wanted.iter().enumerate() {
            own.insert(name.clone(), place);
            torch.insert(known.get(&**name).unwrap_or(name).clone(), place);
        }
        for (place, (name, _)) in targets.wanted.iter().enumerate() {
            torch.extend(aliases::of_older(name).map(|older| (older, place)));
        }
        Lookup { own, torch }
    }

    fn find(&self, name: &str, how: How) -> Option<(usize, How)> {
        let own = self.own.get(name).map(|&place| (place, how));
        // What the user has said is what is to be told.
        let of_torch = if how == How::Map { how } else { How::Torch };
        own.or_else(|| self.torch.get(name).map(|&place| (place, of_torch)))
    }
}

/// The tensors that are not left out, with what they may be called.
fn candidates<'a>(sources: &'a [Source], options: &Options) -> Result<(Vec<Candidate<'a>>, Pairing)> {
    let (mut taken, mut pairing) = (Vec::new(), Pairing::default());
    for source in sources {
        match without(&source.name, options.prefix.as_deref()) {
            None => pairing.outside += 1,
            Some(name) if options.ignored.iter().any(|pattern| pattern.fits(name)) => {
                pairing.ignored.push(source.name.clone());
            }
            Some(name) => taken.push((source, name)),
        }
    }
    check_options(sources, options)?;
    let wrapper = wrapper(taken.iter().map(|(_, name)| *name));
    check_renames(taken.iter().map(|(_, name)| *name), wrapper, options)?;
    let candidate = |(source, name): (&'a Source, &str)| {
        let mapped = |name: &str| options.renames.iter().find_map(|rename| rename.renamed(name));
        let bare = &name[wrapper..];
        let names = match mapped(name).or_else(|| mapped(bare)) {
            Some(mapped) => vec![(mapped, How::Map)],
            None => {
                let how = |name: &str| if name == source.name { How::Name } else { How::Prefix };
                [name, bare].map(|name| (name.into(), how(name))).into()
            }
        };
        Candidate { source, names }
    };
    Ok((taken.into_iter().map(candidate).collect(), pairing))
}

/// A name without the prefix and the point behind it; None if it does not begin so.
fn without<'a>(name: &'a str, prefix: Option<&str>) -> Option<&'a str> {
    let Some(prefix) = prefix else { return Some(name) };
    let rest = name.strip_prefix(prefix)?;
    if prefix.is_empty() || prefix.ends_with('.') { Some(rest) } else { rest.strip_prefix('.') }
}

/// How many bytes wrappers have put before all names.
fn wrapper<'a>(names: impl Iterator<Item = &'a str> + Clone) -> usize {
    let mut bytes = 0;
    let all_have = |bytes: usize, wrapper: &str| {
        names.clone().all(|name| name.get(bytes..).is_some_and(|rest| rest.starts_with(wrapper)))
    };
    if names.clone().next().is_none() {
        return 0;
    }
    while let Some(wrapper) = WRAPPERS.iter().find(|wrapper| all_have(bytes, wrapper)) {
        bytes += wrapper.len();
    }
    bytes
}

/// That prefix and patterns have something to do: a mistyped one would go unnoticed.
fn check_options(sources: &[Source], options: &Options) -> Result<()> {
    let names: Vec<&str> =
        sources.iter().filter_map(|source| without(&source.name, options.prefix.as_deref())).collect();
    if let Some(prefix) = options.prefix.as_ref().filter(|_| names.is_empty()) {
        return Err(unused("--prefix", prefix));
    }
    let is_unused = |pattern: &&Pattern| !names.iter().any(|name| pattern.fits(name));
    options.ignored.iter().find(is_unused).map_or(Ok(()), |pattern| Err(unused("--ignore", &pattern.text())))
}

/// The same of new names, for those that are taken, also without what wrappers have put before them.
fn check_renames<'a>(
    names: impl Iterator<Item = &'a str> + Clone,
    wrapper: usize,
    options: &Options,
) -> Result<()> {
    let is_unused = |rename: &&Rename| {
        let fits = |name: &str| rename.from().fits(name) || rename.from().fits(&name[wrapper..]);
        !names.clone().any(fits)
    };
    options
        .renames
        .iter()
        .find(is_unused)
        .map_or(Ok(()), |rename| Err(unused("--map", &rename.from().text())))
}

fn unused(key: &str, text: &str) -> Error {
    Error::Setting {
        place: "command line".into(),
        key: key.into(),
        expected: format!("what names of the file begin with, not {}", misfits::shown(text)),
        found: "none that begins so".into(),
    }
}

/// Gives each parameter that has no tensor the first of those left that has its shape and its last name. Returns what is
/// left then.
fn by_order<'a>(
    left: Vec<&'a Source>,
    (targets, optional): (&Tensors, &BTreeSet<String>),
    found: &mut [Option<(&'a Source, How)>],
    metadata: &BTreeMap<String, String>,
) -> Vec<&'a Source> {
    let by_name: BTreeMap<&str, &Source> = left.iter().map(|source| (&*source.name, *source)).collect();
    let mut ordered: Vec<&Source> = order::sorted(by_name.keys().copied().collect(), metadata)
        .into_iter()
        .filter_map(|name| by_name.get(name).copied())
        .collect();
    let is_open = |((name, _), found): &(&(String, Vec<usize>), &mut Option<_>)| {
        found.is_none() && !optional.contains(name)
    };
    for ((name, shape), found) in targets.iter().zip(found).filter(is_open) {
        let is_like = |source: &&Source| source.shape == *shape && last(&source.name) == last(name);
        if let Some(place) = ordered.iter().position(is_like) {
            *found = Some((ordered.remove(place), How::Order));
        }
    }
    let rest: BTreeSet<&str> = ordered.iter().map(|source| &*source.name).collect();
    left.into_iter().filter(|source| rest.contains(&*source.name)).collect()
}

/// The last component of a name.
fn last(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

#[cfg(test)]
mod tests;
