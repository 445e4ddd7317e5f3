//! What a run has come to, beside its session.

use super::divergence::{Reference, Untrained};
use super::epochs::Epochs;
use crate::Result;
use crate::checkpoint::{Archive, Bits, State};
use crate::model::InitialState;
use crate::train::record::Ending;
use crate::train::record::epoch::Evaluation;
use crate::train::record::norms::{Health, Warning};
use crate::train::session::stop::Watch;

/// What a run has come to after some of its epochs.
pub(super) struct Course<'a> {
    /// What the optimizer began with, if that was kept elsewhere.
    pub optimizer: Option<InitialState>,
    /// The loss of the untrained model, where it is wanted.
    pub untrained: Option<Untrained>,
    pub watch: Watch<'a>,
    pub epochs: Epochs,
    pub train_seconds: f64,
    /// The validation of the last epoch.
    pub validation: Option<Evaluation>,
    pub health: Health,
    pub warnings: Vec<Warning>,
    /// The training loss that the run has come to, and what it is compared with.
    pub last: Option<(Reference, f64)>,
    /// Why it is over, if a rule has ended it.
    pub ended: Option<Ending>,
}

impl<'a> Course<'a> {
    /// Nothing so far.
    pub fn new(watch: Watch<'a>, searches: bool) -> Course<'a> {
        Course {
            optimizer: None,
            untrained: None,
            watch,
            epochs: Epochs::new(),
            train_seconds: 0.0,
            validation: None,
            health: Health::new(searches),
            warnings: Vec::new(),
            last: None,
            ended: None,
        }
    }
}

impl State for Course<'_> {
    fn visit(&mut self, archive: &mut Archive) -> Result<()> {
        archive.option("untrained", &mut self.untrained, Untrained::default)?;
        archive.state("stop", &mut self.watch)?;
        archive.state("epochs", &mut self.epochs)?;
        archive.double("train_seconds", &mut self.train_seconds)?;
        // A loss that is not finite is `null` in JSON, and so would be infinity.
        let mut loss = self.validation.as_ref().map(|seen| seen.loss);
        archive.maybe("validation_loss", &mut loss)?;
        archive.value("validation", &mut self.validation)?;
        if let Some((seen, loss)) = self.validation.as_mut().zip(loss) {
            seen.loss = loss;
        }
        archive.state("health", &mut self.health)?;
        visit_warnings(archive, &mut self.warnings)?;
        let (mut reference, mut loss) = (self.last.map(|last| last.0), self.last.map(|last| last.1));
        archive.option("reference", &mut reference, Reference::default)?;
        archive.maybe("last_loss", &mut loss)?;
        self.last = reference.zip(loss);
        archive.value("ended", &mut self.ended)
    }
}

/// Their ratios need not be finite.
fn visit_warnings(archive: &mut Archive, warnings: &mut Vec<Warning>) -> Result<()> {
    let mut ratios: Vec<Bits> = warnings.iter().map(|warning| Bits(warning.ratio)).collect();
    archive.value("warning_ratios", &mut ratios)?;
    warnings.iter_mut().for_each(|warning| warning.ratio = 0.0);
    let outcome = archive.value("warnings", warnings);
    warnings.iter_mut().zip(ratios).for_each(|(warning, ratio)| warning.ratio = ratio.0);
    outcome
}
