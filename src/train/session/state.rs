//! What a session is made of between two steps, for a checkpoint.

use super::Session;
use super::clock::{self, Clock};
use super::live::UnderWay;
use crate::Result;
use crate::checkpoint::{Archive, State};
use crate::optim::schedule::Span;
use crate::train::step::BatchScore;
use crate::train::step::averages::Due;

impl Session<'_> {
    /// The number of the epoch under way or, between two, of the last one; from 1.
    pub(in crate::train) fn epochs(&self) -> usize {
        self.epochs
    }

    /// Steps and epochs of the whole run.
    pub(in crate::train) fn span(&self) -> Span {
        self.prepared.span
    }

    /// Whether an epoch has begun and is not over.
    pub(in crate::train) fn is_within_epoch(&self) -> bool {
        self.under_way.is_some()
    }

    /// Whether an epoch is under way of which samples are left.
    pub(in crate::train) fn is_incomplete(&self) -> bool {
        self.under_way.is_some_and(|under_way| under_way.score.samples < self.order.len())
    }

    /// Whether the parameters are moved by a search, whose iterations cannot be paused.
    pub(in crate::train) fn searches(&self) -> bool {
        self.search.is_some()
    }
}

/// What follows from the recipe and the samples is made again: plans, the order of an epoch, what is mixed and how
/// samples are augmented, what layers derive from their parameters.
impl State for Session<'_> {
    fn visit(&mut self, archive: &mut Archive) -> Result<()> {
        archive.numbers("parameters", self.model.parts_mut().1)?;
        self.prepared.visit(archive)?;
        archive.value("epochs", &mut self.epochs)?;
        archive.value("steps", &mut self.steps)?;
        let mut spent = self.clock.map(|clock| clock.elapsed());
        clock::visit(archive, "spent", &mut spent)?;
        archive.value("ended", &mut self.ended)?;
        archive.maybe("epoch_loss", &mut self.epoch_loss)?;
        if let Some(plateau) = &mut self.plateau {
            archive.state("plateau", plateau)?;
        }
        if let Some(search) = &mut self.search {
            archive.state("search", search)?;
        }
        archive.option("first", &mut self.first, BatchScore::default)?;
        archive.option("epoch", &mut self.under_way, || UnderWay::new(Due::default()))?;
        if archive.is_reading() {
            self.clock = spent.map(Clock::at);
            if let Some(under_way) = &mut self.under_way {
                under_way.due =
                    self.prepared.averages.due(self.epochs, self.steps.saturating_sub(under_way.steps));
                self.draw((self.epochs as u64).saturating_sub(1));
            }
        }
        Ok(())
    }
}
