//! The input and output of a loss over a block of rows.

use super::chunks::{chunk_of, is_first};
use crate::kernels::simd::reduce::LANES;

/// The layout of a block of rows in memory: row-major, each row padded to `stride` columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rows {
    /// The columns that count.
    pub classes: usize,
    /// The columns of a row in memory: at least `classes`, and a multiple of [`LANES`]. What the
    /// padding of an input holds does not matter; that of an output becomes 0.
    pub stride: usize,
}

impl Rows {
    /// Checks that a block `[count, stride]` is of this many rows.
    pub(super) fn check(self, block: &[f32], count: usize) {
        debug_assert!(self.classes > 0 && self.classes <= self.stride, "{self:?}");
        debug_assert!(self.stride.is_multiple_of(LANES), "{self:?}");
        debug_assert_eq!(block.len(), count * self.stride);
    }

    /// Checks a block `[rows, stride]` with labels `[rows]`, as [`Rows::check`] does.
    pub(super) fn check_labelled(self, block: &[f32], labels: &[u8]) {
        self.check(block, labels.len());
        debug_assert!(labels.iter().all(|&label| usize::from(label) < self.classes));
    }
}

/// The input and output of a loss over a block of rows.
#[derive(Debug)]
pub struct Pass<'a> {
    /// The gradient by the outputs, times `scale`, \[rows, stride\], if it is wanted.
    pub gradient: Option<&'a mut [f32]>,
    pub scores: Scores<'a>,
    /// The outputs of the network, \[rows, stride\].
    pub outputs: &'a [f32],
    pub targets: Targets<'a>,
    pub rows: Rows,
    /// The factor of gradients: 1 / the batch, or 1 / the sum of the weights of its classes.
    pub scale: f32,
}

impl Pass<'_> {
    /// Checks that all parts of the block fit together.
    pub(super) fn check(&self) {
        let (rows, losses) = (self.rows, self.scores.losses.len());
        rows.check(self.outputs, losses);
        debug_assert_eq!(losses, self.scores.correct.len());
        debug_assert!(self.gradient.as_ref().is_none_or(|gradient| gradient.len() == self.outputs.len()));
        match self.targets {
            Targets::Classes(labels) => rows.check_labelled(self.outputs, labels),
            Targets::Mixed { labels, others, share } => {
                rows.check_labelled(self.outputs, labels);
                rows.check_labelled(self.outputs, others);
                debug_assert!((0.0..=1.0).contains(&share), "{share}");
            }
            Targets::Tokens(tokens) => {
                debug_assert!(losses.is_multiple_of(tokens.positions), "{losses} of {}", tokens.positions);
                let is_class = |row| tokens.at(row).is_none_or(|token| token < rows.classes);
                debug_assert!((0..losses).all(is_class));
            }
            Targets::Values(values) => debug_assert_eq!(values.len(), losses * rows.classes),
            Targets::None => {}
        }
    }
}

/// The scores of each row of a pass.
#[derive(Debug)]
pub struct Scores<'a> {
    /// The loss of each row, \[rows\].
    pub losses: &'a mut [f32],
    /// 1 where the target is a class, or a mixture of two, and the largest output, the first of
    /// several, is that class's; otherwise 0: \[rows\].
    pub correct: &'a mut [u8],
}

/// The token of a position that does not count: it adds nothing to the loss, its mean or its gradient.
pub const NO_TOKEN: u32 = u32::MAX;

/// A class for each position of sequences: each position is a row of the loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tokens<'a> {
    /// The classes, or [`NO_TOKEN`]. Those of sequence `i` begin at `i * step`.
    pub ids: &'a [u32],
    /// Positions of a sequence; at least 1.
    pub positions: usize,
    /// Tokens from one sequence to the next: fewer than positions where sequences overlap.
    pub step: usize,
}

impl<'a> Tokens<'a> {
    /// The tokens of a sequence, `[positions]`.
    pub fn of(self, sequence: usize) -> &'a [u32] {
        &self.ids[sequence * self.step..][..self.positions]
    }

    /// The class at a row, which is a position of a sequence; none if it does not count.
    #[inline(always)]
    pub fn at(self, row: usize) -> Option<usize> {
        let token = self.ids[row / self.positions * self.step + row % self.positions];
        (token != NO_TOKEN).then_some(token as usize)
    }

    /// The positions of a sequence that count.
    pub fn counted(self, sequence: usize) -> usize {
        self.of(sequence).iter().filter(|&&token| token != NO_TOKEN).count()
    }
}

/// The targets of rows.
#[derive(Clone, Copy, Debug)]
pub enum Targets<'a> {
    /// The class of each row, \[rows\]. Losses on values take it for the row that is 1 at the class and 0
    /// elsewhere.
    Classes(&'a [u8]),
    /// The target values, \[rows, classes\], not padded.
    Values(&'a [f32]),
    /// Two classes for each row, \[rows\], of which the first counts `share`, in [0, 1], and the other the rest. The
    /// class to be predicted is that of the larger share, the first of equal ones.
    Mixed { labels: &'a [u8], others: &'a [u8], share: f32 },
    /// The class of each position of each sample.
    Tokens(Tokens<'a>),
    /// No targets, for losses that take none.
    None,
}

impl<'a> Targets<'a> {
    /// Rows of the loss for each sample: the positions of a sequence, else one.
    pub fn positions(self) -> usize {
        match self {
            Targets::Tokens(tokens) => tokens.positions,
            _ => 1,
        }
    }

    /// The targets of some samples, with `classes` values each where they are values.
    pub fn rows(self, rows: std::ops::Range<usize>, classes: usize) -> Targets<'a> {
        match self {
            Targets::Classes(labels) => Targets::Classes(&labels[rows]),
            Targets::Values(values) => Targets::Values(&values[rows.start * classes..rows.end * classes]),
            Targets::Mixed { labels, others, share } => {
                Targets::Mixed { labels: &labels[rows.clone()], others: &others[rows], share }
            }
            Targets::Tokens(tokens) => {
                Targets::Tokens(Tokens { ids: &tokens.ids[rows.start * tokens.step..], ..tokens })
            }
            Targets::None => Targets::None,
        }
    }

    /// The target of one row.
    #[inline(always)]
    pub(super) fn row(self, row: usize, classes: usize) -> Target<'a> {
        match self {
            Targets::Classes(labels) => Target::Class(usize::from(labels[row])),
            Targets::Values(values) => Target::Values(&values[row * classes..(row + 1) * classes]),
            Targets::Mixed { labels, others, share } => {
                Target::Mixed { classes: [labels[row], others[row]].map(usize::from), share }
            }
            // What a row that does not count comes to is taken back afterwards.
            Targets::Tokens(tokens) => Target::Class(tokens.at(row).unwrap_or(0)),
            Targets::None => Target::None,
        }
    }
}

/// The target of one sample.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Target<'a> {
    Class(usize),
    /// The target values, \[outputs\].
    Values(&'a [f32]),
    /// Two classes, of which the first counts `share`, in [0, 1], and the other the rest.
    Mixed {
        classes: [usize; 2],
        share: f32,
    },
    /// There is none: the loss takes none.
    None,
}

impl Target<'_> {
    /// The class, if it is one alone.
    #[inline(always)]
    pub fn class(self) -> Option<usize> {
        match self {
            Target::Class(class) => Some(class),
            _ => None,
        }
    }

    /// The target value of an output: of a class, 1 for the class and 0 for all others; 0 where there is no target.
    #[inline(always)]
    pub fn of(self, output: usize) -> f32 {
        match self {
            Target::Class(class) => {
                if output == class {
                    1.0
                } else {
                    0.0
                }
            }
            Target::Values(values) => values[output],
            Target::Mixed { classes: [first, other], share } => {
                let of_first = if output == first { share } else { 0.0 };
                of_first + if output == other { 1.0 - share } else { 0.0 }
            }
            Target::None => 0.0,
        }
    }

    /// The target values of the outputs from column `start` on, 0 beyond the last.
    #[inline(always)]
    pub(super) fn chunk(self, start: usize) -> [f32; LANES] {
        match self {
            Target::Class(class) => {
                let mut chunk = [0.0; LANES];
                for (i, number) in chunk.iter_mut().enumerate() {
                    *number = if start + i == class { 1.0 } else { 0.0 };
                }
                chunk
            }
            Target::Values(values) => chunk_of(values, start, 0.0),
            Target::Mixed { classes: [first, other], share } => {
                let mut chunk = [0.0; LANES];
                for (i, number) in chunk.iter_mut().enumerate() {
                    let of_first = if start + i == first { share } else { 0.0 };
                    let of_other = if start + i == other { 1.0 - share } else { 0.0 };
                    *number = of_first + of_other;
                }
                chunk
            }
            Target::None => [0.0; LANES],
        }
    }

    /// The entry of [`Scores::correct`] for a `row` `[stride]`.
    #[inline(always)]
    pub(super) fn is_found(self, row: &[f32], max: f32) -> u8 {
        match self {
            Target::Class(class) => u8::from(is_first(row, class, max)),
            Target::Values(_) | Target::None => 0,
            Target::Mixed { classes: [first, other], share } => {
                u8::from(is_first(row, if share >= 0.5 { first } else { other }, max))
            }
        }
    }
}
