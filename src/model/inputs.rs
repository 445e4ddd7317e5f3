//! What layers read: mostly what the layer before them gives, and where a network branches, another.

/// Where a matrix that a layer reads comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    Data,
    /// The output of the layer of this number, which is an earlier one.
    Output(usize),
}

/// What a layer reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inputs {
    pub main: Origin,
    /// Of a layer of two inputs; never the same as the first.
    pub other: Option<Origin>,
}

impl Inputs {
    /// Those of a layer of one input.
    pub const fn one(main: Origin) -> Inputs {
        Inputs { main, other: None }
    }

    /// All of them.
    pub fn each(self) -> impl Iterator<Item = Origin> {
        [self.main].into_iter().chain(self.other)
    }
}
