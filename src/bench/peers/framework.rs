//! The frameworks that are measured beside this one, and the Python that has them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::network::Network;
use super::specification::Specification;
use crate::{Error, Result};

/// The environment variable that names the Python with the other frameworks.
pub const VARIABLE: &str = "FALLLINE_PEERS_PYTHON";

/// The place where `scripts/peers/setup` puts that Python, in the folder of the repository.
pub(super) const ENVIRONMENT: &str = ".venv/bin/python";

/// Another framework, and how it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framework {
    /// PyTorch as it is.
    PytorchEager,
    /// PyTorch with the channels of images last in memory; only where there are images.
    PytorchChannelsLast,
    /// PyTorch with `torch.compile`d loss and update.
    PytorchCompile,
    /// JAX with many steps in one jitted scan.
    Jax,
}

/// The names that `--compare` takes, and the frameworks they stand for.
pub(super) const NAMES: [(&str, &[Framework]); 5] = [
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

    /// The record that the framework cannot be measured, and why.
    pub fn unavailable(self, reason: impl Into<String>) -> Unavailable {
        Unavailable { framework: self, reason: reason.into() }
    }

    /// Whether the framework trains such a task in another way than all others do: without images there is
    /// nothing whose layout could differ.
    pub fn differs_for(self, specification: &Specification) -> bool {
        self != Framework::PytorchChannelsLast
            || specification.network.as_ref().is_some_and(Network::has_images)
    }

    /// The script that trains with the framework, and the mode that it is told.
    pub(super) fn script(self) -> (&'static str, &'static str) {
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

pub(super) fn python_from(variable: Option<OsString>, folder: &Path) -> Result<PathBuf, String> {
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
