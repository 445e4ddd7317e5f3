//! The product oracle: our own products, and those we call faer for, against nested loops.

mod convolution;
mod dense;
mod faer;
mod naive;
mod row_major;
mod sparse;
mod surrounded;
