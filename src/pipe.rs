//! Named pipes among the files that are read and written: opening one waits for the program at its other
//! end. The waiting is told, and can be given up.

mod reading;
mod waiting;
mod writing;

pub use waiting::{Awaited, give_up_when, is_pipe, on_waiting};

pub use reading::{Input, open};
pub use writing::{Output, create};

#[cfg(all(test, unix))]
mod tests;
