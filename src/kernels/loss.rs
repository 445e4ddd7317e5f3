//! Losses of a block of rows, with their gradients: one loss and one gradient row per sample.
//!
//! A row's arithmetic depends on that row alone, so a batch may be cut into blocks anywhere. What is
//! summed within a row is summed in 16 lanes and then as a tree, always in the same order.
//! [`elementwise`] and [`by_row`] are the loops for any function of a number or of a row; the formulas are those of
//! [`crate::losses`]. Losses that are worth loops of their own have them here.

mod by_row;
mod chunks;
mod cross_entropy;
mod elementwise;
mod hinge;
mod pass;
mod softmax;

pub use by_row::{RowLoss, by_row};
use chunks::chunks;
pub use cross_entropy::{CrossEntropy, cross_entropy};
pub use elementwise::{ElementwiseLoss, elementwise};
pub use hinge::{Hinge, hinge};
pub use pass::{NO_TOKEN, Pass, Rows, Scores, Target, Targets, Tokens};
pub(crate) use softmax::exponentials_of;
pub use softmax::{softmax, softmax_cross_entropy, softmax_cross_entropy_value};
