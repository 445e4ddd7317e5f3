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

    /// Checks that numbers of epochs, steps and samples go together, which all that follows relies on.
    fn check_restored(&self, archive: &Archive) -> Result<()> {
        let most = (self.epochs as u64).saturating_mul(self.prepared.span.steps_per_epoch);
        let expected = format!("at most the {most} of its epochs");
        archive.check("steps", self.steps <= most, &expected, self.steps)?;
        let Some(under_way) = self.under_way else { return Ok(()) };
        let may_be = self.epochs > 0 && self.search.is_none();
        archive.check("epochs", may_be, "an epoch that can be under way", self.epochs)?;
        let expected = format!("at most the {} of the run", self.steps);
        archive.check("epoch.steps", under_way.steps <= self.steps, &expected, under_way.steps)?;
        let (samples, all) = (under_way.score.samples, self.order.len());
        let expected = format!("at most the {all} of an epoch");
        archive.check("epoch.score.samples", samples <= all, &expected, samples)
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
            self.check_restored(archive)?;
        }
        Ok(())
    }
}
