//! All memory of a training run, planned once: after that no step allocates a buffer.

mod activations;
mod allocate;
mod memory;

pub use activations::Activations;
pub use allocate::Shares;
pub use memory::{Memory, NORMS, Sizes};

use allocate::{Carve, Measure, Place, Places};

use crate::Result;
use crate::checkpoint::{Archive, State};
use crate::kernels::simd::reduce;
use crate::memory as machine;
use crate::model::PlacedLayer;
use crate::tensor::Buffer;
use crate::train::plan::Plan;

/// The use of a run's memory, in messages.
const USE: &str = "gradients, optimizer and batch";

/// The buffers of a training run, those of each type of number in one allocation.
pub struct Workspace {
    floats: Buffer<f32>,
    bytes: Buffer<u8>,
    words: Buffer<u32>,
    doubles: Buffer<f64>,
    sizes: Sizes,
    places: Memory<Places>,
}

impl Workspace {
    /// Memory for a training of these layers.
    ///
    /// # Errors
    /// If the machine has less memory free.
    pub fn new(sizes: Sizes, layers: &[PlacedLayer], plan: &Plan) -> Result<Workspace> {
        let mut measure = Measure::default();
        let places = Memory::declare(&mut measure, sizes, layers, plan);
        let [floats, bytes, words, doubles] = measure.lens();
        let each = [floats * 4, bytes, words * 4, doubles * 8];
        machine::check(USE, each.into_iter().fold(0, usize::saturating_add))?;
        Ok(Workspace {
            floats: Buffer::try_zeros(USE, floats)?,
            bytes: Buffer::try_zeros(USE, bytes)?,
            words: Buffer::try_zeros(USE, words)?,
            doubles: Buffer::try_zeros(USE, doubles)?,
            sizes,
            places,
        })
    }

    /// All buffers, to be shared by the workers; layers and plan are those that the workspace was made for.
    pub fn share(&mut self, layers: &[PlacedLayer], plan: &Plan) -> Memory<Shares<'_>> {
        let Workspace { floats, bytes, words, doubles, sizes, .. } = self;
        Memory::declare(&mut Carve::of(floats, bytes, words, doubles), *sizes, layers, plan)
    }

    /// Bytes of all buffers.
    pub fn bytes(&self) -> usize {
        let [floats, words] = [size_of_val(&self.floats[..]), size_of_val(&self.words[..])];
        floats + words + self.bytes.len() + size_of_val(&self.doubles[..])
    }

    fn floats(&self, place: &Place) -> &[f32] {
        &self.floats[place.range.clone()]
    }

    /// The gradients of all shards, as the plan places them, if they are kept.
    pub fn sums(&self) -> &[f32] {
        self.floats(&self.places.sums)
    }

    /// The first layer whose last outputs have a number that is not finite.
    pub fn first_output_not_finite(&self) -> Option<usize> {
        let is_lost = |output: &Place| !reduce::all_finite(self.floats(output));
        self.places.outputs.iter().position(|outputs| outputs.matrices().iter().any(is_lost))
    }

    /// The last sums of squares of each shard, `[shards][NORMS]`.
    pub fn norms(&self) -> &[f64] {
        &self.doubles[self.places.norms.range.clone()]
    }

    /// Lookahead's slow parameters, and the average of the parameters; empty where they are not kept.
    pub fn averages(&self) -> (&[f32], &[f32]) {
        (self.floats(&self.places.slow), self.floats(&self.places.average))
    }

    /// Lookahead's slow parameters, and the average of the parameters, to be written.
    pub fn averages_mut(&mut self) -> (&mut [f32], &mut [f32]) {
        // The average is declared behind the slow parameters.
        let [slow, average] = [&self.places.slow, &self.places.average].map(|place| place.range.clone());
        let (before, from) = self.floats.split_at_mut(average.start);
        (&mut before[slow], &mut from[..average.len()])
    }

    /// A slot of the rule, in the places of the parameters.
    pub fn slot(&self, slot: usize) -> &[f32] {
        self.floats(&self.places.slots[slot])
    }

    /// A slot of the rule, to be written.
    pub fn slot_mut(&mut self, slot: usize) -> &mut [f32] {
        let place = self.places.slots[slot].range.clone();
        &mut self.floats[place]
    }

    /// Begins anew: no row has a state that is carried.
    pub fn clear_carried(&mut self) {
        for place in &self.places.carried {
            self.floats[place.range.clone()].fill(0.0);
        }
    }

    /// The first shard, among those of all layers, whose sum of squares is not finite.
    pub fn first_square_not_finite(&self) -> Option<usize> {
        let squares = &self.doubles[self.places.squares.range.clone()];
        squares.iter().position(|squares| !squares.is_finite())
    }
}

/// What lives from step to step: all other buffers are filled anew in each. All of it lies as the parameters do or as
/// the matrices are, which does not depend on the workers.
impl State for Workspace {
    fn visit(&mut self, archive: &mut Archive) -> Result<()> {
        let Workspace { floats, places, .. } = self;
        let mut all = |name: &str, place: &Place| archive.numbers(name, &mut floats[place.range.clone()]);
        for (number, slot) in places.slots.iter().enumerate() {
            all(&format!("slots.{number}"), slot)?;
        }
        for (number, factors) in places.factors.iter().enumerate() {
            all(&format!("factors.{number}.outputs"), &factors.means[0])?;
            all(&format!("factors.{number}.inputs"), &factors.means[1])?;
        }
        all("vectors", &places.vectors)?;
        all("slow", &places.slow)?;
        all("average", &places.average)?;
        for (number, carried) in places.carried.iter().enumerate() {
            all(&format!("carried.{number}"), carried)?;
        }
        Ok(())
    }
}
