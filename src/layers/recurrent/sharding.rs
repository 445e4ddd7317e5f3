//! The parameters of a recurrent layer among workers: the shards of one direction's W_hh and b_hh, then those of the
//! other's, then one for the trained state of each direction before the first position.

use std::ops::Range;

use super::Recurrent;
use crate::layers::derived::{Derivation, Derived};
use crate::layers::sharding::{MOST_PARTS, Role, Sharding};
use crate::tensor::padded;

impl Recurrent {
    /// The direction whose trained state before the first position is this shard, if it is one.
    fn initial_of(&self, shard: usize) -> Option<usize> {
        shard.checked_sub(self.directions() * self.state.shards())
    }

    /// Direction and number there of a shard.
    fn of_direction(&self, shard: usize) -> [usize; 2] {
        [shard / self.state.shards(), shard % self.state.shards()]
    }
}

impl Sharding for Recurrent {
    fn shards(&self) -> usize {
        self.directions() * (self.state.shards() + usize::from(self.trained))
    }

    fn shard_parts(&self, shard: usize) -> [Range<usize>; MOST_PARTS] {
        if let Some(direction) = self.initial_of(shard) {
            let Range { start, end } = self.initial_range(direction);
            let middle = start + padded(self.units);
            return [start..middle, middle..end, end..end];
        }
        let [direction, shard] = self.of_direction(shard);
        let start = direction * self.stored();
        // Unused parts stay empty.
        self.state.shard_parts(shard).map(|part| start + part.start..start + part.end)
    }

    fn shard_roles(&self, shard: usize) -> [Role; MOST_PARTS] {
        match self.initial_of(shard) {
            Some(_) => [Role::Bias; MOST_PARTS],
            None => self.state.shard_roles(self.of_direction(shard)[1]),
        }
    }

    fn shards_along_inputs(&self) -> usize {
        self.state.shards_along_inputs()
    }

    fn derives(&self) -> Option<&dyn Derived> {
        Some(self)
    }
}

impl Derived for Recurrent {
    fn derived_len(&self) -> usize {
        self.directions() * self.state.derived_len()
    }

    fn derived_parts(&self, shard: usize, each: &mut dyn FnMut(Range<usize>)) {
        if self.initial_of(shard).is_some() {
            return;
        }
        let [direction, shard] = self.of_direction(shard);
        let start = direction * self.state.derived_len();
        self.state.derived_parts(shard, &mut |part| each(start + part.start..start + part.end));
    }

    fn derive(&self, shard: usize, from: &Derivation) {
        if self.initial_of(shard).is_some() {
            return;
        }
        let [direction, shard] = self.of_direction(shard);
        let [stored, derived] = [self.stored(), self.state.derived_len()].map(|len| direction * len);
        let of_direction = Derivation {
            storage: &|part| (from.storage)(stored + part.start..stored + part.end),
            derived: &|part| (from.derived)(derived + part.start..derived + part.end),
        };
        self.state.derive(shard, &of_direction);
    }
}
