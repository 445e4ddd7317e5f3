//! Memory: aligned buffers, the plan that places arrays in them, and matrix views.

mod allocator;
mod buffer;
mod layout;
mod matrix;
mod sparse;

pub use allocator::{Allocator, heed_limits};
pub use buffer::{Buffer, prefer_huge_pages};
pub use layout::{ALIGNMENT, Arena, LANES, padded, row_stride};
pub use matrix::{MatrixMut, MatrixRef};
pub use sparse::{Entry, SparseMatrix, SparseRef};
