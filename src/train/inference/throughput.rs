//! Inference for its speed alone: batches of samples through a network, again and again.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use crate::data::{Samples, Targets};
use crate::kernels::loss;
use crate::model::Model;
use crate::model::recipe::DataConfig;
use crate::probe::{Cost, Operation, Probes};
use crate::team::{Shared, Team};
use crate::train::inference::evaluate::rows_of;
use crate::train::inference::forward::{ForwardPass, Network};
use crate::train::observer::Observer;
use crate::train::source::Source;
use crate::train::targets::targets_for;
use crate::{Result, memory};

/// Runs batches of `batch` samples through the network, whole ones in their order and from the beginning again,
/// until the observer, or another thread, sets `halt`: at least one. The observer is told of each. What the probes
/// see is added to `probes`, a batch being a step.
///
/// # Panics
/// If there are fewer samples than a batch has.
///
/// # Errors
/// If the samples do not fit the model, or memory is short.
pub fn run(
    model: &Model,
    samples: &Samples,
    data: &DataConfig,
    team: &Team,
    batch: usize,
    (halt, observer): (&AtomicBool, &mut (dyn Observer + Send)),
    probes: Option<&mut Probes>,
) -> Result<()> {
    let source = Source::new(samples, targets_for(model, samples)?, data);
    let batches = samples.len() / batch;
    assert!(batches > 0, "{} samples are less than a batch of {batch}", samples.len());
    let network = Network::new(model)?;
    let form = rows_of(model);
    let rows = ForwardPass::rows(model);
    let floats = ForwardPass::floats(model, rows).saturating_mul(team.threads());
    let floats = floats.saturating_add(batch.saturating_mul(form.stride));
    memory::check("inference", floats.saturating_mul(size_of::<f32>()))?;
    // Made here, where a refusal is an error, and each taken by its worker.
    let passes = (0..team.threads()).map(|_| ForwardPass::new(model, rows).map(Mutex::new));
    let passes = passes.collect::<Result<Vec<_>>>()?;
    let are_classes = model.loss().takes_targets() && matches!(samples.targets(), Targets::Classes(_));
    let mut predictions = memory::filled("inference", 0.0, batch.saturating_mul(form.stride))?;
    let predictions = Shared::matrix(&mut predictions, batch, form.stride, form.stride);
    let observer = Mutex::new(observer);
    team.run(
        |worker| {
            // No other worker locks it.
            let mut pass = passes[worker.index()].lock().unwrap_or_else(PoisonError::into_inner);
            let share = worker.share(batch);
            worker.barrier();
            for number in 0.. {
                worker.begin_step(number, Some(batch as u64));
                let first = (number % batches as u64) as usize * batch;
                for start in share.clone().step_by(rows) {
                    let block = start..(start + rows).min(share.end);
                    let outputs =
                        pass.run(&network, Some(worker), &source, first + block.start..first + block.end);
                    let cost = || Cost::local(2 * size_of_val(outputs));
                    worker.probe(Operation::Predict, None, cost, || {
                        let predictions = predictions.rows_mut(worker, block.clone());
                        match are_classes {
                            true => loss::softmax(predictions, outputs, form),
                            false => predictions.copy_from_slice(outputs),
                        }
                    });
                }
                if worker.index() == 0 {
                    observer.lock().unwrap_or_else(PoisonError::into_inner).step(number + 1, 0.0);
                }
                worker.barrier();
                worker.end_step();
                // All have read it before it is written again.
                let is_over = halt.load(Relaxed);
                worker.barrier();
                if is_over {
                    break;
                }
            }
        },
        probes,
    );
    Ok(())
}
