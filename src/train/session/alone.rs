//! A kernel of a step by itself.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use super::Session;
use crate::model::{Frozen, Model};
use crate::probe::{Operation, Probes};
use crate::team::Worker;
use crate::tensor::Buffer;
use crate::train::observer::Observer;
use crate::train::source::Source;
use crate::train::step::Batch;
use crate::train::step::alone::ALONE;
use crate::train::step::augmented::Augmented;
use crate::train::step::averages::Due;

impl Session<'_> {
    /// Bytes that each worker reads before a kernel that is to be cold: more than a cache that one core
    /// has for itself.
    pub const SWEEP: usize = 32 << 20;

    /// The operations that [`alone`](Session::alone) can run by themselves, of each layer and of none, in the
    /// order of a step.
    pub fn kernels(&self) -> Vec<(Operation, Option<usize>)> {
        let places = || [None].into_iter().chain((0..self.model.layers().len()).map(Some));
        let all = ALONE.into_iter().flat_map(|operation| places().map(move |layer| (operation, layer)));
        let frozen = &self.prepared.plan.frozen;
        all.filter(|&(operation, layer)| Session::runs_alone(self.model, frozen, operation, layer)).collect()
    }

    /// Whether an operation of a layer, or of none, can be run by itself, in a training that leaves some layers as they are.
    pub fn runs_alone(model: &Model, frozen: &Frozen, operation: Operation, layer: Option<usize>) -> bool {
        let placed = layer.and_then(|index| model.layers().get(index));
        let is_frozen = layer.is_some_and(|index| frozen.is_frozen(index));
        let is_reached = layer.is_none_or(|index| frozen.reaches(index));
        let reads_reached =
            placed.is_some_and(|placed| placed.inputs.each().any(|input| frozen.reaches_input(input)));
        let layer = placed.map(|placed| &placed.layer);
        // The gradient of its parameters is among the statistics; where it is frozen, it has none.
        let is_norm = layer.is_some_and(|layer| layer.as_batch_norm().is_some()) && !is_frozen;
        match (operation, layer) {
            (Operation::Gather | Operation::Loss, None) => true,
            (Operation::Forward, Some(_)) => true,
            // The data have no gradient, nor has what is below all that is trained.
            (Operation::InputGradient, Some(layer)) => {
                is_reached && (reads_reached || (!is_norm && layer.prepares_gradient()))
            }
            (Operation::Statistics, Some(_)) => is_norm,
            (Operation::WeightGradient, Some(layer)) => !is_frozen && !is_norm && layer.has_parameters(),
            (Operation::Update, Some(layer)) => !is_frozen && layer.has_parameters(),
            (Operation::Derive, Some(layer)) => !is_frozen && layer.derived_lens()[0] > 0,
            _ => false,
        }
    }

    /// Runs all calls that a step makes for one of the [`kernels`](Session::kernels), on the memory of a real
    /// step, again and again until the observer, or another thread, sets `halt`: at least once. For the probes each
    /// repetition is a step. If `cold`, [`SWEEP`](Session::SWEEP) bytes of other memory are read before each. The model
    /// is of no use afterwards.
    pub fn alone(
        &mut self,
        kernel: (Operation, Option<usize>),
        cold: bool,
        (halt, observer): (&AtomicBool, &mut (dyn Observer + Send)),
        probes: Option<&mut Probes>,
    ) {
        self.prepared.clear_carried();
        self.draw(0);
        let train = &self.recipe.train;
        let augmented =
            self.augmenter.as_ref().map(|augmenter| Augmented { augmenter, seed: train.seed, epoch: 0 });
        let (recipe, size) = (self.recipe, self.prepared.batch);
        let (learning_rate, momentum) = (recipe.optimizer.learning_rate, self.prepared.rule.momentum());
        let settings = recipe.schedule.settings(1, self.prepared.span, learning_rate, momentum);
        let source = Source::new(self.samples, self.targets, &recipe.data).with_sparse(self.sparse.as_ref());
        let step = self.prepared.step(self.model, recipe, source, augmented, Due::default());
        let batch = Batch { order: &self.order, start: 0, size, mixing: self.mixing.as_ref() };
        let observer = Mutex::new(observer);
        let work = |worker: &Worker| {
            let mut sweep = cold.then(|| Buffer::<f32>::zeros(Self::SWEEP / size_of::<f32>()));
            step.derive_all(worker);
            worker.barrier();
            step.run(worker, batch, settings);
            worker.barrier();
            for number in 0.. {
                sweep.iter_mut().for_each(|memory| memory.fill(number as f32));
                worker.barrier();
                // The same step each time.
                worker.begin_step(number, Some(0));
                step.run_alone(worker, batch, settings, kernel);
                worker.end_step();
                if worker.index() == 0 {
                    observer.lock().unwrap_or_else(PoisonError::into_inner).step(number + 1, 0.0);
                }
                worker.barrier();
                // All have read it before it is written again.
                let is_over = halt.load(Relaxed);
                worker.barrier();
                if is_over {
                    break;
                }
            }
        };
        self.team.run(work, probes);
    }
}
