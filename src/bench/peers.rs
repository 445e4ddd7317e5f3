//! Other frameworks, trained beside this one on the same task.
//!
//! A [`Peer`] is a Python process that holds the data and a network, and trains when it is asked to;
//! in between it waits. Its scripts are those of `scripts/peers/`, and part of this program. A peer
//! that cannot be had is no error but [`Unavailable`], with the reason.

mod files;
mod framework;
mod modules;
mod network;
mod process;
mod sequence;
mod specification;

pub use files::{DataFiles, Windows, write_data};
pub use framework::{Framework, Unavailable, VARIABLE, find_python};

pub use modules::{Attention, Block, Module, Recurrent};
pub use network::Network;
pub use process::{Peer, PeerSample};
pub use specification::{Hyper, Specification};

#[cfg(test)]
mod tests {
    use super::Framework::{Jax, PytorchChannelsLast, PytorchCompile, PytorchEager};
    use super::*;
    use crate::bench::peers::framework::ENVIRONMENT;
    use crate::bench::peers::framework::python_from;
    use std::path::Path;

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
