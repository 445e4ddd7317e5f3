//! A trained model in use: shared by threads, and without allocations from call to call.

use std::ops::Range;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::data::idx::ElementType;
use crate::data::{FeaturesRef, check_lengths, positions_of};
use crate::kernels::loss;
use crate::losses::Targets;
use crate::model::Model;
use crate::team::{Shared, Team, Worker, flushed};
use crate::tensor::Buffer;
use crate::train::inference::evaluate::rows_of;
use crate::train::inference::forward::{ForwardPass, Network};
use crate::train::source::Source;
use crate::train::targets::{check_finite, mismatch};
use crate::{Result, memory};

/// Makes predictions with a model. Any number of threads may share one: each call computes on the thread that makes
/// it, and takes its memory from a pool, so that only the first call, or the first of so many at the same time,
/// allocates.
///
/// A sample's prediction has the same bits alone and among others, on any thread, and those of `fallline predict`.
///
/// ```
/// use fallline::{Activation, Model, Predictor};
///
/// let model = Model::sequential(3).dense(2, Activation::IDENTITY).build()?;
/// let predictor = Predictor::new(model)?.with_softmax();
/// let mut probabilities = [0.0; 4];
/// predictor.predict(&[0.1, 0.2, 0.3, 0.4, 0.5, 0.6], &mut probabilities)?; // two samples
/// assert!((probabilities[0] + probabilities[1] - 1.0).abs() < 1e-6);
/// # Ok::<(), fallline::Error>(())
/// ```
pub struct Predictor {
    network: Network<Model>,
    softmax: bool,
    /// The factor and the shift of the input, for floats and for bytes: value * factor + shift.
    seen: [[f32; 2]; 2],
    /// Samples that go through the network together.
    rows: usize,
    pool: Mutex<Vec<Place>>,
    /// The threads of calls with many samples, if the caller's is not to do all.
    team: Option<Mutex<Team>>,
}

/// The memory of a call.
struct Place {
    pass: ForwardPass,
    /// The softmax of a block, rows padded.
    probabilities: Buffer<f32>,
}

impl Predictor {
    /// A predictor of the outputs of `model`.
    ///
    /// # Errors
    /// If memory is short.
    pub fn new(model: Model) -> Result<Predictor> {
        let rows = ForwardPass::rows(&model);
        let data = model.seen().normalisation.data();
        let seen = [ElementType::F32, ElementType::U8].map(|of| data.factor_and_shift(of));
        let (network, pool) = (Network::new(model)?, Mutex::default());
        Ok(Predictor { network, softmax: false, seen, rows, pool, team: None })
    }

    /// A predictor with the model of a file that [`Model::save`], or `fallline train --save`, has written.
    ///
    /// # Errors
    /// Those of [`Model::load`]; if memory is short.
    pub fn load(path: impl AsRef<Path>) -> Result<Predictor> {
        Predictor::new(Model::load(path)?)
    }

    /// Predicts the softmax of the outputs: probabilities, if the loss was one of logits of classes.
    pub fn with_softmax(mut self) -> Predictor {
        self.softmax = true;
        self
    }

    /// Lets a call with more samples than go through the network together share them among so many threads, which
    /// are started here; at least 1. A call that comes while another has these threads computes on its own. The
    /// predictions have the same bits; a shared call allocates a little each time.
    ///
    /// # Errors
    /// [`Error::Mismatch`](crate::Error::Mismatch) if there are none, or the system refuses so many.
    pub fn with_threads(mut self, threads: usize) -> Result<Predictor> {
        self.team = Some(Mutex::new(Team::new(threads)?));
        Ok(self)
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.network.model
    }

    /// The model, to be trained on.
    pub fn into_model(self) -> Model {
        self.network.model
    }

    /// Writes the predictions for the samples `x` `[samples, features]`, floats or bytes, to `out`
    /// `[samples, outputs]`. There may be any number of samples. They are normalised as in training; floats and bytes
    /// mean the same only if the model has a [`scale`](crate::Normalisation::scale).
    ///
    /// # Errors
    /// [`Error::Mismatch`](crate::Error::Mismatch) if the sizes disagree or are not those of the model, a number is
    /// not finite, or the model was trained on bytes and is given floats, or the other way round, and does not say
    /// what they are divided by. If memory is short, in a first call. `out` is unchanged then.
    pub fn predict<'a>(&self, x: impl Into<FeaturesRef<'a>>, out: &mut [f32]) -> Result<()> {
        self.predict_all(x.into(), None, out)
    }

    /// [`predict`](Predictor::predict) of sequences of which the first `lengths[i]` positions of sample `i` count,
    /// `[samples]`: as [`Samples::with_lengths`](crate::Samples::with_lengths) has it.
    ///
    /// ```
    /// use fallline::{LayerConfig, Model, Predictor};
    ///
    /// let lstm = LayerConfig::named("lstm")?.with("units", 4)?.with("returns", "last")?;
    /// let predictor = Predictor::new(Model::of_sequences(3, 1).layer(lstm).build()?)?;
    /// let (mut one, mut other) = ([0.0; 4], [0.0; 4]);
    /// predictor.predict_sequences(&[0.1, 0.2, 7.0], &[2], &mut one)?;
    /// predictor.predict_sequences(&[0.1, 0.2, 8.0], &[2], &mut other)?;
    /// assert_eq!(one, other);
    /// # Ok::<(), fallline::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`predict`](Predictor::predict); also if there are not as many lengths as samples, or one is 0 or more
    /// than the positions of a sample.
    pub fn predict_sequences<'a>(
        &self,
        x: impl Into<FeaturesRef<'a>>,
        lengths: &[u32],
        out: &mut [f32],
    ) -> Result<()> {
        self.predict_all(x.into(), Some(lengths), out)
    }

    fn predict_all(&self, x: FeaturesRef, lengths: Option<&[u32]>, out: &mut [f32]) -> Result<()> {
        let model = self.model();
        let (width, outputs) = (model.input().iter().product(), model.outputs());
        let count = x.len() / width;
        if x.len() != count * width {
            return Err(mismatch("number of features", format!("rows of {width}"), x.len()));
        }
        if out.len() != count * outputs {
            return Err(mismatch("length of the output slice", format!("{count} x {outputs}"), out.len()));
        }
        let positions = positions_of(model.input());
        if let Some(lengths) = lengths {
            check_lengths("lengths of samples", lengths, count, positions)?;
        }
        let source = Source::of(x, width, Targets::None, self.factor_and_shift(x)?)
            .with_lengths(lengths.unwrap_or_default(), positions);
        // Whoever waited for the threads would do better to compute alone.
        let team = self.team.as_ref().filter(|_| count > self.rows).and_then(|team| team.try_lock().ok());
        let Some(team) = team else {
            let mut place = self.place()?;
            flushed(|| self.run(&source, 0..count, out, &mut place));
            self.pool.lock().unwrap_or_else(PoisonError::into_inner).push(place);
            return Ok(());
        };
        let places = (0..team.threads()).map(|_| self.place().map(Mutex::new)).collect::<Result<Vec<_>>>()?;
        let shared = Shared::matrix(out, count, outputs, outputs);
        let work = |worker: &Worker| {
            let share = worker.share(count);
            let own = shared.rows_mut(worker, share.clone());
            // No other worker locks it.
            let mut place = places[worker.index()].lock().unwrap_or_else(PoisonError::into_inner);
            self.run(&source, share, own, &mut place);
        };
        team.run(work, None);
        let places =
            places.into_iter().map(|place| place.into_inner().unwrap_or_else(PoisonError::into_inner));
        self.pool.lock().unwrap_or_else(PoisonError::into_inner).extend(places);
        Ok(())
    }

    /// Writes the predictions of some samples to `out` `[samples, outputs]`.
    fn run(&self, source: &Source, samples: Range<usize>, out: &mut [f32], place: &mut Place) {
        let form = rows_of(self.model());
        let mut rest = out;
        for start in samples.clone().step_by(self.rows) {
            let block = start..(start + self.rows).min(samples.end);
            let (own, after) = std::mem::take(&mut rest).split_at_mut(block.len() * self.model().outputs());
            let mut predictions = place.pass.run(&self.network, None, source, block);
            if self.softmax {
                let probabilities = &mut place.probabilities[..predictions.len()];
                loss::softmax(probabilities, predictions, form);
                predictions = probabilities;
            }
            for (to, prediction) in
                own.chunks_exact_mut(form.classes).zip(predictions.chunks_exact(form.stride))
            {
                to.copy_from_slice(&prediction[..form.classes]);
            }
            rest = after;
        }
    }

    /// The factor and the shift by which these numbers are normalised, if they are known.
    fn factor_and_shift(&self, x: FeaturesRef) -> Result<[f32; 2]> {
        let are_bytes = matches!(x, FeaturesRef::Bytes(_));
        if let FeaturesRef::Floats(floats) = x {
            check_finite("features", floats)?;
        }
        let seen = self.model().seen();
        // Elements that were not u8 in their file have become f32.
        let trained_on_bytes = seen.element_type.map(|trained| trained == ElementType::U8);
        if trained_on_bytes.is_some_and(|bytes| bytes != are_bytes) && seen.normalisation.scale.is_none() {
            let name = |bytes| if bytes { "bytes" } else { "floats" };
            let expected = format!("{}, as in the training, or a model with a scale", name(!are_bytes));
            return Err(mismatch("type of the features", expected, name(are_bytes)));
        }
        Ok(self.seen[usize::from(are_bytes)])
    }

    /// Memory that no other call uses.
    fn place(&self) -> Result<Place> {
        let unused = self.pool.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(place) = unused {
            return Ok(place);
        }
        let model = self.model();
        let stride = rows_of(model).stride * model.positions();
        let floats = ForwardPass::floats(model, self.rows).saturating_add(self.rows * stride);
        memory::check("a prediction", floats.saturating_mul(size_of::<f32>()))?;
        Ok(Place {
            pass: ForwardPass::new(model, self.rows)?,
            probabilities: Buffer::try_zeros("a prediction", self.rows * stride)?,
        })
    }
}
