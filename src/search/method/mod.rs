//! What is tried next. Each method is pure: it is told what the trials of its last round came to, and says which are in the
//! next one. So neither threads nor interruptions change what is tried.

mod grid;
mod halving;
mod proposer;
mod random;
mod tpe;

pub use grid::points as grid_points;
pub(super) use grid::{Grid, check as check_grid};
pub use halving::Halving;
pub(super) use halving::least_trials;
pub use proposer::{Cost, Proposal, Proposer, ranked};
pub use random::{Random, place};
pub use tpe::Tpe;
