//! Other frameworks, trained beside this one on the same task.
//!
//! A [`Peer`] is a Python process that holds the data and a network, and trains when it is asked to;
//! in between it waits. Its scripts are those of `scripts/peers/`, and part of this program. A peer
//! that cannot be had is no error but [`Unavailable`], with the reason.

mod network;
mod process;
mod specification;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

pub use network::{ImageNetwork, Module};
pub use process::{Peer, PeerSample};
pub use specification::{DataFiles, Hyper, Specification, write_data};

use crate::{Error, Result};

/// The environment variable that names the Python with the other frameworks.
pub const VARIABLE: &str = "FALLLINE_PEERS_PYTHON";

/// Where `scripts/peers/setup` puts that Python, in the folder of the repository.
const ENVIRONMENT: &str = ".venv/bin/python";

/// Another framework, and how it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framework {
    /// PyTorch as it is.
    PytorchEager,
    /// The same with the channels of images last in memory; only where there are images.
    PytorchChannelsLast,
    /// PyTorch with `torch.compile`d loss and update.
    PytorchCompile,
    /// JAX with many steps in one jitted scan.
    Jax,
}

/// What `--compare` takes, and what it stands for.
const NAMES: [(&str, &[Framework]); 5] = [
    ("pytorch", &[Framework::PytorchEager, Framework::PytorchChannelsLast, Framework::PytorchCompile]),
    ("pytorch-eager", &[Framework::PytorchEager]),
    ("pytorch-channels-last", &[Framework::PytorchChannelsLast]),
    ("pytorch-compile", &[Framework::PytorchCompile]),
    ("jax", &[Framework::Jax]),
];

impl Framework {
    /// The name in records: "pytorch-eager", "pytorch-channels-last", "pytorch-compile", "jax".
    pub fn name(self) -> &'static str {
        match self {
            Framework::PytorchEager => "pytorch-eager",
            Framework::PytorchChannelsLast => "pytorch-channels-last",
            Framework::PytorchCompile => "pytorch-compile",
            Framework::Jax => "jax",
        }
    }

    /// The frameworks of a list such as "pytorch,jax", each once, in its order; "pytorch" are all
    /// ways of using it. `place` is where the list stands, for the error.
    ///
    /// # Errors
    /// [`Error::Unknown`] with the nearest name.
    pub fn parse_list(place: &str, list: &str) -> Result<Vec<Framework>> {
        let mut frameworks = Vec::new();
        for name in list.split(',').map(str::trim) {
            let known = NAMES.iter().find(|(known, _)| *known == name);
            let (_, meant) =
                known.ok_or_else(|| Error::unknown(place, "framework", name, NAMES.map(|(name, _)| name)))?;
            let new: Vec<_> = meant.iter().filter(|framework| !frameworks.contains(*framework)).collect();
            frameworks.extend(new);
        }
        Ok(frameworks)
    }

    /// That it cannot be measured, and why.
    pub fn unavailable(self, reason: impl Into<String>) -> Unavailable {
        Unavailable { framework: self, reason: reason.into() }
    }

    /// Whether it is another framework for such a task than all others are: without images there is
    /// nothing whose layout could differ.
    pub fn differs_for(self, specification: &Specification) -> bool {
        let is_of_images = |image: &ImageNetwork| !image.one_dimensional;
        self != Framework::PytorchChannelsLast || specification.image.as_ref().is_some_and(is_of_images)
    }

    /// The script that trains with it, and the mode that it is told.
    fn script(self) -> (&'static str, &'static str) {
        match self {
            Framework::PytorchEager => ("torch_peer.py", "eager"),
            Framework::PytorchChannelsLast => ("torch_peer.py", "channels-last"),
            Framework::PytorchCompile => ("torch_peer.py", "compile"),
            Framework::Jax => ("jax_peer.py", "scan"),
        }
    }
}

/// A framework that is left out of a comparison, or out of the rest of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} is left out: {reason}", framework.name())]
pub struct Unavailable {
    pub framework: Framework,
    pub reason: String,
}

/// The Python to run peers with: the one that `$FALLLINE_PEERS_PYTHON` names, else `.venv/bin/python`
/// in the current folder.
///
/// # Errors
/// The reason, if there is neither.
pub fn find_python() -> Result<PathBuf, String> {
    python_from(std::env::var_os(VARIABLE), Path::new(""))
}

fn python_from(variable: Option<OsString>, folder: &Path) -> Result<PathBuf, String> {
    if let Some(named) = variable.filter(|value| !value.is_empty()) {
        return Ok(named.into());
    }
    let environment = folder.join(ENVIRONMENT);
    if environment.exists() {
        return Ok(environment);
    }
    Err(format!(
        "there is no Python for it: ${VARIABLE} names none, and there is no {ENVIRONMENT} here \
         (scripts/peers/setup makes one)"
    ))
}

#[cfg(test)]
mod tests {
    use super::Framework::{Jax, PytorchChannelsLast, PytorchCompile, PytorchEager};
    use super::*;

    #[test]
    fn lists_name_each_framework_once() {
        let parse = |list| Framework::parse_list("command line", list);
        assert_eq!(parse("pytorch,jax").unwrap(), [PytorchEager, PytorchChannelsLast, PytorchCompile, Jax]);
        let expected = [Jax, PytorchCompile, PytorchEager, PytorchChannelsLast];
        assert_eq!(parse("jax, pytorch-compile,pytorch,jax").unwrap(), expected);
        let refused = parse("jax,pytorhc").unwrap_err().to_string();
        assert_eq!(refused, "command line: unknown framework `pytorhc`; did you mean `pytorch`?");
        let refused = parse("").unwrap_err().to_string();
        let known = "``; known: pytorch, pytorch-eager, pytorch-channels-last, pytorch-compile, jax";
        assert!(refused.ends_with(known), "{refused}");
        for framework in [PytorchEager, PytorchChannelsLast, PytorchCompile, Jax] {
            assert_eq!(parse(framework.name()).unwrap(), [framework]);
        }
    }

    #[test]
    fn the_variable_goes_before_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let missing = python_from(None, folder.path()).unwrap_err();
        assert!(missing.contains("$FALLLINE_PEERS_PYTHON names none"), "{missing}");
        let python = folder.path().join(ENVIRONMENT);
        std::fs::create_dir_all(python.parent().unwrap()).unwrap();
        std::fs::write(&python, "").unwrap();
        assert_eq!(python_from(Some("".into()), folder.path()).unwrap(), python);
        assert_eq!(python_from(Some("python3".into()), folder.path()).unwrap(), Path::new("python3"));
    }

    #[test]
    fn reasons_are_told_with_the_name() {
        assert_eq!(Jax.unavailable("no reason").to_string(), "jax is left out: no reason");
    }
}
