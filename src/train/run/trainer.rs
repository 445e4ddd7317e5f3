//! How a program trains: settings with defaults, then whole epochs or its own steps.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use crate::data::Samples;
use crate::losses::Loss;
use crate::model::recipe::{ALL_SAMPLES, GradientConfig, Held, ModelConfig, Optimizer, Patience, Watched};
use crate::model::{Model, Normalisation, Recipe};
use crate::optim::schedule::Schedule;
use crate::team::Team;
use crate::train::inference::evaluate::evaluate_in;
use crate::train::inference::order::Order;
use crate::train::observer::Observer;
use crate::train::record::Divergence;
use crate::train::record::TrainRecord;
use crate::train::record::epoch::Evaluation;
use crate::train::record::exact::ExactRecord;
use crate::train::record::lloyd::LloydRecord;
use crate::train::record::machine::usable_cores;
use crate::train::run::centres::place_centres;
use crate::train::run::checkpoints::{Checkpoints, KEPT};
use crate::train::run::clusters::lloyd;
use crate::train::run::every::Every;
use crate::train::run::exact::exact;
use crate::train::run::fit::{Control, fit, split};
use crate::train::run::training_set::TrainingSet;
use crate::train::session::{OptimizerState, Stepper};
use crate::{Error, Result};

/// The name of a trainer in errors about its settings.
const PLACE: &str = "trainer";

/// The settings of a training. Those that are not named have the defaults of a recipe: ten epochs of batches of 64
/// samples with Adam, a constant learning rate, seed 1, on all cores that the process may use.
///
/// The training is that of a recipe of these settings, with the same bits on any number of threads. Wrong
/// settings are reported when the training begins.
///
/// ```
/// use fallline::{Activation, Loss, Model, Optimizer, Samples, Trainer};
///
/// let x: Vec<f32> = (0..100).map(|i| i as f32 / 100.0).collect();
/// let y = x.iter().map(|x| 3.0 * x - 1.0).collect();
/// let samples = Samples::from_rows(x, 1).values(y)?;
/// let mut model =
///     Model::sequential(1).dense(1, Activation::IDENTITY).loss(Loss::MEAN_SQUARED_ERROR).build()?;
/// let trainer = Trainer::new().optimizer(Optimizer::adam(0.05)).batch(20).epochs(60);
/// let record = trainer.fit(&mut model, &samples)?;
/// assert_eq!(record.epochs.len(), 60);
/// assert!(trainer.evaluate(&model, &samples)?.loss < 0.01);
/// # Ok::<(), fallline::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Trainer {
    /// The settings as a recipe; its model is replaced by that of each training.
    recipe: Recipe,
    /// The batch size, if it was set.
    batch: Option<usize>,
    threads: Option<usize>,
    /// Steps of an epoch where the caller hands in the batches.
    steps_per_epoch: Option<u64>,
    /// The normalisation of the samples, if it is not the one that the model was trained with before.
    normalisation: Option<Normalisation>,
    kept: Option<Kept>,
    /// What the optimizer begins with, if it is not to begin anew.
    state: Option<OptimizerState>,
}

/// Where the state of a training is kept.
#[derive(Clone, Debug)]
struct Kept {
    folder: PathBuf,
    every: Every,
    /// Whether a training goes on from what is there.
    goes_on: bool,
}

impl Kept {
    fn open(&self) -> Result<Checkpoints> {
        match self.goes_on {
            true => Checkpoints::resume(&self.folder, self.every, KEPT),
            false => Checkpoints::begin(&self.folder, self.every, KEPT),
        }
    }
}

impl Default for Trainer {
    fn default() -> Trainer {
        Trainer::new()
    }
}

impl Trainer {
    /// A trainer with all defaults.
    pub fn new() -> Trainer {
        let model = ModelConfig::of_layers(Vec::new(), Loss::default());
        let recipe = Recipe::of_model(model);
        Trainer {
            recipe,
            batch: None,
            threads: None,
            steps_per_epoch: None,
            normalisation: None,
            kept: None,
            state: None,
        }
    }

    /// A trainer with the settings of a recipe: all but its model and its data set, which are given to each training.
    /// The normalisation of the data is the recipe's.
    pub fn from_recipe(recipe: &Recipe) -> Trainer {
        let mut recipe = recipe.clone();
        // The samples that are given are those to train on.
        (recipe.data.train_samples, recipe.data.test_samples) = (None, None);
        let (batch, normalisation) = (recipe.train.batch, Normalisation::of(&recipe.data));
        let normalisation = Some(normalisation);
        Trainer { batch: Some(batch), normalisation, ..Trainer { recipe, ..Trainer::new() } }
    }

    /// The update rule, with its learning rate: the highest one, if there is a schedule.
    pub fn optimizer(mut self, optimizer: Optimizer) -> Trainer {
        self.recipe.optimizer = optimizer;
        self
    }

    /// The course of the learning rate over all epochs.
    pub fn schedule(mut self, schedule: Schedule) -> Trainer {
        self.recipe.schedule.learning_rate = schedule;
        self
    }

    /// The most passes over the samples; at least 1.
    pub fn epochs(mut self, epochs: usize) -> Trainer {
        self.recipe.train.epochs = epochs;
        self
    }

    /// Samples of a step; at least 1. With more than there are, all of them make a step. An update rule for all
    /// samples takes all unless this is set.
    pub fn batch(mut self, batch: usize) -> Trainer {
        self.batch = Some(batch);
        self
    }

    /// The seed of the order of the samples, of samples set aside, and of dropout.
    pub fn seed(mut self, seed: u64) -> Trainer {
        self.recipe.train.seed = seed;
        self
    }

    /// Whether each epoch takes the samples in a new order; it does unless this is set.
    pub fn shuffle(mut self, shuffle: bool) -> Trainer {
        self.recipe.train.shuffle = shuffle;
        self
    }

    /// Whether recurrent layers go on with the states that the batch before has left, row by row, and not with zeros (truncated
    /// back-propagation through time): of samples each of which begins where the one before it ends. With `n` samples and
    /// batches of `b`, row `i` of batch `k` is sample `i * (n / b) + k`; what is left over is not trained on. Samples are not
    /// [shuffled](Trainer::shuffle) then. In [`steps`](Trainer::steps) of one's own, row `i` of a batch goes on where row `i` of
    /// the batch before has ended. Setting it to false does not shuffle them again.
    pub fn carry_state(mut self, carry: bool) -> Trainer {
        let train = &mut self.recipe.train;
        train.carry_state = carry;
        train.shuffle &= !carry;
        self
    }

    /// Whether samples of about the same [length](crate::Samples::with_lengths) are put into the same batch, so that
    /// little padding is computed; they are not unless this is set. Batches are then still drawn by the seed, but no longer
    /// of all samples.
    pub fn buckets(mut self, buckets: bool) -> Trainer {
        self.recipe.train.buckets = buckets;
        self
    }

    /// Threads that train together, at least 1. No result depends on how many.
    pub fn threads(mut self, threads: usize) -> Trainer {
        self.threads = Some(threads);
        self
    }

    /// How many steps of one's own make an epoch, at least 1: for schedules, which end with the last of all
    /// [`epochs`](Trainer::epochs), for Lookahead, averages and rules that keep one. Each epoch's last step puts the
    /// average into the model. It says nothing to [`fit`](Trainer::fit).
    pub fn steps_per_epoch(mut self, steps: u64) -> Trainer {
        self.steps_per_epoch = Some(steps);
        self
    }

    /// Scales gradients down to this Euclidean norm, above 0, where theirs is larger.
    pub fn clip_norm(mut self, norm: f32) -> Trainer {
        self.recipe.gradient = GradientConfig { clip_norm: Some(norm), ..self.recipe.gradient };
        self
    }

    /// Sets this part of the samples aside, in (0, 1), for validation after each epoch.
    pub fn validation(mut self, part: f64) -> Trainer {
        self.recipe.data.validation = Some(Held::Part(part));
        self
    }

    /// Ends the training after so many epochs in which the loss on the samples set aside was not better than before,
    /// and takes the best parameters back.
    pub fn patience(mut self, epochs: usize) -> Trainer {
        self.recipe.stop.patience = Some(Patience { epochs, watched: Watched::Loss });
        self
    }

    /// The normalisation of each value of the data. Without it the one that the model was trained with before holds;
    /// at first, floats stay as they are and bytes are divided by 255. The model keeps it, for predictions and in
    /// files.
    pub fn normalise(mut self, normalisation: Normalisation) -> Trainer {
        self.normalisation = Some(normalisation);
        self
    }

    /// Keeps the state of [`fit`](Trainer::fit) in this folder, made if it is not there: at the beginning, every so often,
    /// when it is stopped, and at the end. The newest two checkpoints stay. It is an error if the folder holds some
    /// already, so that no training is lost: [`resume`](Trainer::resume) goes on with it.
    ///
    /// A checkpoint that cannot be written, but for the first one, does not end the training, and only
    /// [`Observer::checkpoint`] hears of it: use [`fit_with`](Trainer::fit_with) to be told. Each is as large as the parameters
    /// and what the optimizer keeps of them.
    ///
    /// A training that goes on from a checkpoint, be it from the middle of an epoch and with another number of threads,
    /// ends with the same bits as one that was never interrupted.
    ///
    /// ```
    /// use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
    ///
    /// use fallline::{Activation, Every, Loss, Model, Observer, Samples, Trainer};
    ///
    /// let x: Vec<f32> = (0..100).map(|i| i as f32 / 100.0).collect();
    /// let y = x.iter().map(|x| 3.0 * x - 1.0).collect();
    /// let samples = Samples::from_rows(x, 1).values(y)?;
    /// let model =
    ///     || Model::sequential(1).dense(1, Activation::IDENTITY).loss(Loss::MEAN_SQUARED_ERROR).build();
    /// let trainer = Trainer::new().batch(10).epochs(5);
    /// let mut whole = model()?;
    /// trainer.fit(&mut whole, &samples)?;
    ///
    /// // Something stops another one in the middle of its third epoch.
    /// struct Power<'a>(&'a AtomicBool);
    /// impl Observer for Power<'_> {
    ///     fn step(&mut self, step: u64, _loss: f64) {
    ///         self.0.store(step == 25, Relaxed);
    ///     }
    /// }
    /// # let scratch = std::env::temp_dir().join(format!("fallline-checkpoint-{}", std::process::id()));
    /// # let folder = scratch.as_path();
    /// let (stop, kept) = (AtomicBool::new(false), trainer.clone().checkpoint(folder, Every::Steps(20)));
    /// kept.fit_with(&mut model()?, &samples, &stop, &mut Power(&stop))?;
    ///
    /// // Later, perhaps in another process:
    /// let mut again = model()?;
    /// let record = trainer.resume(folder).fit(&mut again, &samples)?;
    /// assert_eq!(again.storage(), whole.storage());
    /// assert_eq!(record.epochs.len(), 5);
    /// # std::fs::remove_dir_all(folder).ok();
    /// # Ok::<(), fallline::Error>(())
    /// ```
    pub fn checkpoint(mut self, folder: impl AsRef<Path>, every: Every) -> Trainer {
        let goes_on = self.kept.is_some_and(|kept| kept.goes_on);
        self.kept = Some(Kept { folder: folder.as_ref().into(), every, goes_on });
        self
    }

    /// [`fit`](Trainer::fit) goes on from the newest checkpoint in this folder that is whole, and begins anew if it holds
    /// none. Settings, model and samples must be those that it was begun with, but for threads and, where no schedule goes
    /// by them, epochs. It goes on writing checkpoints there: as often as [`checkpoint`](Trainer::checkpoint) says, or else
    /// after each epoch.
    pub fn resume(mut self, folder: impl AsRef<Path>) -> Trainer {
        let every = self.kept.map_or(Every::default(), |kept| kept.every);
        self.kept = Some(Kept { folder: folder.as_ref().into(), every, goes_on: true });
        self
    }

    /// Leaves the parameters of these layers as they are, to train the others only: each by the name of its module, which
    /// [`Model::summary`] shows, with all that lies in it; a range of numbers with both ends, such as `0..3`; or
    /// `all-but-last`, all but the last layer that has parameters. It replaces what was said before.
    ///
    /// No gradient is computed for them, and the backward pass ends at the lowest layer that is trained. No penalty, decay or
    /// limit applies to them, and their gradients are no part of a norm. Normalisations by batch among them go by their running
    /// statistics, and do not renew these.
    ///
    /// ```
    /// use fallline::{Activation, Loss, Model, Samples, Trainer};
    ///
    /// let x: Vec<f32> = (0..100).map(|i| i as f32 / 100.0).collect();
    /// let y = x.iter().map(|x| 3.0 * x - 1.0).collect();
    /// let samples = Samples::from_rows(x, 1).values(y)?;
    /// let model = Model::sequential(1).dense(8, Activation::TANH).dense(1, Activation::IDENTITY);
    /// let mut model = model.loss(Loss::MEAN_SQUARED_ERROR).build()?;
    /// let before = model.tensors();
    /// let record = Trainer::new().freeze(["0"]).epochs(2).fit(&mut model, &samples)?;
    /// assert_eq!(model.tensors()[..2], before[..2]);
    /// assert!(model.tensors()[2..] != before[2..]);
    /// assert_eq!(record.model.trained, Some(9));
    /// # Ok::<(), fallline::Error>(())
    /// ```
    pub fn freeze<T: Into<String>>(mut self, layers: impl IntoIterator<Item = T>) -> Trainer {
        self.recipe.train.freeze = layers.into_iter().map(Into::into).collect();
        self
    }

    /// Lets the optimizer begin with what one of another training has kept, such as Adam's moments, and count its steps on:
    /// [read](OptimizerState::read) from a file, or taken from [steps](Stepper::optimizer_state) of one's own. Schedules, epochs
    /// and random numbers begin anew. Frozen layers take nothing of it. It is an error of the training if the state is not one
    /// of its rule and its model; one that [goes on](Trainer::resume) goes by its checkpoint.
    ///
    /// ```
    /// use fallline::{Activation, Loss, Model, Samples, Trainer};
    ///
    /// let samples = Samples::from_rows(vec![0.0, 1.0], 1).values(vec![1.0, 3.0])?;
    /// let mut model =
    ///     Model::sequential(1).dense(1, Activation::IDENTITY).loss(Loss::MEAN_SQUARED_ERROR).build()?;
    /// let trainer = Trainer::new().batch(2);
    /// let mut steps = trainer.steps(&mut model)?;
    /// steps.step(&[0.0, 1.0], &[1.0, 3.0])?;
    /// let state = steps.optimizer_state()?;
    /// let record = trainer.optimizer_state(state).epochs(1).fit(&mut model, &samples)?;
    /// assert_eq!(record.init_optimizer.map(|begun| begun.steps), Some(1));
    /// # Ok::<(), fallline::Error>(())
    /// ```
    pub fn optimizer_state(mut self, state: OptimizerState) -> Trainer {
        self.state = Some(state);
        self
    }

    /// Changes any other setting that a recipe has: averages, Lookahead, accumulation, penalties, constraints, schedules of
    /// momentum and weight decay. Their types are in [`settings`](crate::settings).
    ///
    /// ```
    /// use fallline::settings::{AverageConfig, AverageMethod};
    ///
    /// let trainer = fallline::Trainer::new().change(|recipe| {
    ///     recipe.gradient.l1 = 1e-4;
    ///     recipe.average = Some(AverageConfig { method: AverageMethod::Swa, start: 5 });
    /// });
    /// # let _ = trainer;
    /// ```
    pub fn change(mut self, change: impl FnOnce(&mut Recipe)) -> Trainer {
        let batch = self.recipe.train.batch;
        change(&mut self.recipe);
        if self.recipe.train.batch != batch {
            self.batch = Some(self.recipe.train.batch);
        }
        self
    }

    /// Trains `model` on `samples` until all epochs are done, or a setting ends it before. The record has the loss of
    /// each epoch; so that it says nothing of other samples, [`evaluate`](Trainer::evaluate) them.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) if a setting is out of its range, [`Error::Mismatch`](crate::Error::Mismatch) if the samples do not fit the model or
    /// its loss, or memory is short: nothing has been trained then. [`Error::Diverged`](crate::Error::Diverged) if something is no longer
    /// finite.
    pub fn fit(&self, model: &mut Model, samples: &Samples) -> Result<TrainRecord> {
        struct Quiet;
        impl Observer for Quiet {}
        self.fit_with(model, samples, &AtomicBool::new(false), &mut Quiet)
    }

    /// [`fit`](Trainer::fit), and tells `observer` of the progress, each epoch among it. Whoever sets `stop`, the
    /// observer or another thread, ends the training after the step under way.
    ///
    /// # Errors
    /// Those of [`fit`](Trainer::fit).
    pub fn fit_with(
        &self,
        model: &mut Model,
        samples: &Samples,
        stop: &AtomicBool,
        observer: &mut (dyn Observer + Send),
    ) -> Result<TrainRecord> {
        let (recipe, team) = (self.recipe_for(model)?, self.team()?);
        let split = split(samples, &recipe)?;
        let training = TrainingSet { name: &recipe.name, train: samples, validation: None };
        let mut checkpoints = self.kept.as_ref().map(Kept::open).transpose()?;
        let (checkpoints, optimizer) = (checkpoints.as_mut(), self.state.as_ref());
        let control = Control { checkpoints, optimizer, ..Control::new(stop, observer) };
        let record = fit(model, &training, split, &recipe, &team, control)?;
        match record.diverged.as_ref().and_then(Divergence::error) {
            Some(error) => Err(error),
            None => Ok(record),
        }
    }

    /// Begins a training whose batches the caller hands in. It takes the update rule, the clipping of gradients, the
    /// most samples of a step and the threads from here; what goes by epochs too, if
    /// [`steps_per_epoch`](Trainer::steps_per_epoch) says how long they are, and is an error otherwise. The caller
    /// alone decides when the training ends.
    ///
    /// ```
    /// use fallline::{Activation, Loss, Model, Optimizer, Trainer};
    ///
    /// let mut model =
    ///     Model::sequential(2).dense(1, Activation::IDENTITY).loss(Loss::MEAN_SQUARED_ERROR).build()?;
    /// let mut steps = Trainer::new().optimizer(Optimizer::sgd(0.1)).batch(4).steps(&mut model)?;
    /// let first = steps.step(&[0.0, 1.0, 1.0, 0.0], &[1.0, -1.0])?; // two samples
    /// let second = steps.step(&[0.0, 1.0, 1.0, 0.0], &[1.0, -1.0])?;
    /// assert!(second.loss < first.loss && first.gradient_norm > 0.0);
    /// # Ok::<(), fallline::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) if a setting is out of its range or goes by epochs; an error if memory is short.
    pub fn steps<'a>(&self, model: &'a mut Model) -> Result<Stepper<'a>> {
        let (recipe, team) = (self.recipe_for(model)?, self.team()?);
        if self.steps_per_epoch == Some(0) {
            return Err(Error::Setting {
                place: PLACE.into(),
                key: "steps_per_epoch".into(),
                expected: "at least 1".into(),
                found: "0".into(),
            });
        }
        let mut stepper = Stepper::new(model, recipe, self.steps_per_epoch, team)?;
        if let Some(state) = &self.state {
            stepper.set_optimizer_state(state)?;
        }
        Ok(stepper)
    }

    /// A linear fit that was trained on these samples, beside its exact solution; None of any other model, and where
    /// there is no exact method or it would take long.
    ///
    /// ```
    /// use fallline::settings::{Linear, LinearKind};
    /// use fallline::{Model, Optimizer, Samples, Trainer};
    ///
    /// let samples = Samples::from_rows(vec![0.0, 1.0, 2.0, 3.0], 1).values(vec![1.0, 3.5, 4.5, 7.0])?;
    /// let mut model = Model::linear(1, Linear::new(LinearKind::Linear, 1))?;
    /// let trainer = Trainer::new().optimizer(Optimizer::named("lbfgs")?).epochs(20);
    /// trainer.fit(&mut model, &samples)?;
    /// let exact = trainer.exact(&model, &samples)?.expect("a linear fit");
    /// assert!(exact.distance.is_some_and(|distance| distance < 1e-4));
    /// # Ok::<(), fallline::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the samples do not fit the model, or memory is short.
    pub fn exact(&self, model: &Model, samples: &Samples) -> Result<Option<ExactRecord>> {
        exact(model, samples, &self.recipe_for(model)?)
    }

    /// Puts the centres of a k-means at some of these samples, as [`fit`](Trainer::fit) does before it begins, for steps of
    /// one's own; does nothing to centres that are not all zeros, and to any other model.
    ///
    /// # Errors
    /// If the samples do not fit the model, or fewer of them are different than there are clusters.
    pub fn place_centres(&self, model: &mut Model, samples: &Samples) -> Result<()> {
        let recipe = self.recipe_for(model)?;
        let subset = split(samples, &recipe)?.map(|split| split.subset);
        place_centres(model, samples, subset.as_deref(), &recipe)
    }

    /// A k-means that was trained on these samples, beside what Lloyd's algorithm makes of the same first centres; None of
    /// any other model, and where it would take long.
    ///
    /// ```
    /// use fallline::settings::KMeans;
    /// use fallline::{Curve, Model, Optimizer, Samples, Schedule, Trainer};
    ///
    /// let x = vec![0.0, 0.2, 0.1, 5.0, 5.2, 5.1];
    /// let samples = Samples::from_rows(x, 1).without_targets()?;
    /// let mut model = Model::k_means(1, KMeans::new(2))?;
    /// let falling = Schedule::of(Curve::Cosine { end_factor: 0.0 });
    /// let trainer = Trainer::new().optimizer(Optimizer::sgd(0.5)).schedule(falling).epochs(100);
    /// trainer.fit(&mut model, &samples)?;
    /// let lloyd = trainer.lloyd(&model, &samples)?.expect("a k-means");
    /// assert!(lloyd.excess.is_some_and(|excess| excess < 0.01));
    /// # Ok::<(), fallline::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the samples do not fit the model, or memory is short.
    pub fn lloyd(&self, model: &Model, samples: &Samples) -> Result<Option<LloydRecord>> {
        lloyd(model, samples, &self.recipe_for(model)?)
    }

    /// Mean loss of `model` on samples, which are normalised as the model was trained; and the accuracy, or how close it
    /// comes to values. If states are [carried](Trainer::carry_state), the samples are cut into as many streams as a batch has
    /// rows, of at least 16 samples each but for the last, and in each of them a sample goes on with the states that the one before it has left.
    ///
    /// # Errors
    /// [`Error::Mismatch`](crate::Error::Mismatch) if they do not fit the model or its loss, or memory is short.
    pub fn evaluate(&self, model: &Model, samples: &Samples) -> Result<Evaluation> {
        let mut train = self.recipe.train.clone();
        train.batch = self.batch.unwrap_or(train.batch);
        let order = Order::of(&train, model, samples);
        evaluate_in(order, model, samples, &model.seen().normalisation.data(), &self.team()?)
    }

    fn team(&self) -> Result<Team> {
        Team::new(self.threads.unwrap_or_else(usable_cores))
    }

    /// The recipe of the training of a model.
    ///
    /// # Errors
    /// [`Error::Setting`] if a setting is out of its range.
    pub(crate) fn recipe_for(&self, model: &Model) -> Result<Recipe> {
        let mut recipe = self.recipe.clone();
        recipe.model = model.config().clone();
        self.normalisation.unwrap_or(model.seen().normalisation).put_into(&mut recipe.data);
        recipe.train.batch = match self.batch {
            Some(batch) => batch,
            None if recipe.optimizer.kind().full_batch => ALL_SAMPLES,
            None => recipe.train.batch,
        };
        recipe.check(PLACE)?;
        Ok(recipe)
    }
}
