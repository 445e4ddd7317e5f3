//! `fallline` trains neural networks by gradient descent on multicore CPUs, close to the speed of
//! the hardware.
//!
//! A network that learns a curve, of numbers that the program has itself:
//!
//! ```
//! use fallline::{Activation, Loss, Model, Optimizer, Predictor, Samples, Trainer};
//!
//! fn main() -> fallline::Result<()> {
//!     // 500 samples of one feature, and a value for each.
//!     let x: Vec<f32> = (0..500).map(|i| i as f32 / 250.0 - 1.0).collect();
//!     let y: Vec<f32> = x.iter().map(|x| (3.0 * x).sin()).collect();
//!     let samples = Samples::from_rows(x, 1).values(y)?;
//!
//!     let mut model = Model::sequential(1)
//!         .dense(32, Activation::TANH)
//!         .dense(1, Activation::IDENTITY)
//!         .loss(Loss::MEAN_SQUARED_ERROR)
//!         .build()?;
//!     let trainer = Trainer::new().optimizer(Optimizer::adam(0.01)).batch(50).epochs(100);
//!     let record = trainer.fit(&mut model, &samples)?;
//!     println!("loss {:.5} after {} epochs", record.epochs[99].train_loss, record.epochs.len());
//!
//!     let predictor = Predictor::new(model)?;
//!     let mut outputs = [0.0; 2];
//!     predictor.predict(&[0.0, 0.5], &mut outputs)?; // two new samples
//!     println!("sin(0) is about {:.3}, sin(1.5) about {:.3}", outputs[0], outputs[1]);
//!     assert!(outputs[0].abs() < 0.1 && (outputs[1] - 1.5_f32.sin()).abs() < 0.1);
//!     Ok(())
//! }
//! ```
//!
//! - **Data** are [`Samples`]: a matrix of one's own with values or classes, or images as bytes. [`data`] reads files.
//! - **A table** of numbers, categories and dates is read and turned into samples by [`data::table`]; a model keeps how.
//! - **A network** is a [`Model`]: layers in order, made with a [`ModelBuilder`] of [`LayerConfig`]s, and a [`Loss`].
//!   [`Model::save`] and [`Model::load`] keep it in a file. A [`LossKind`] may be a program's own; [`testing`] checks it.
//! - **A training** is a [`Trainer`]: an [`Optimizer`] and other settings. [`Trainer::fit`] does whole epochs, and tells
//!   an [`Observer`]; [`Trainer::steps`] gives a [`Stepper`], which takes one batch after the other from the caller, with
//!   schedules and averages once [`Trainer::steps_per_epoch`] says how long an epoch is. [`settings`] are for
//!   [`Trainer::change`]. One that may be interrupted goes on from its last [checkpoint](Trainer::checkpoint) as if it had
//!   never been.
//! - **An update rule of one's own** is a [`Rule`] and an [`OptimizerKind`]: [`Optimizer::of`] trains with it, and
//!   [`testing::check_rule`] tries it.
//! - **A function** of a few numbers is minimised by any rule with [`Optimizer::minimise`]; [`minimise`] has some.
//! - **A text** becomes tokens by a [`Vocabulary`](generate::Vocabulary); a model of them writes with a
//!   [`Generator`](generate::Generator).
//! - **In use** a model is in a [`Predictor`], which threads share; [`Predictor::with_threads`] shares many samples among
//!   several.
//! - **A [`Recipe`]** says all of it as a text; [`Recipe::built_in`] has some, and [`Trainer::from_recipe`] trains by one.
//!   A [`Search`] tries other settings of one and tells which are best.
//!
//! Whatever goes wrong is an [`Error`] that says what was expected, what was found, and where. Results have the same
//! bits on any number of threads.
//!
//! Stable are the names at the top of the crate and those that the pages of [`data`], [`settings`], [`record`], [`minimise`],
//! [`extend`] (layers, losses and rules of one's own), [`testing`] (which checks them) and [`cli`] show, with what these
//! pages show of them: an incompatible change to one of them is a new minor version until 1.0. All else is the
//! [`engine`]'s, the modules within [`data`] and what documentation hides too: it is open to be read and built upon, and
//! may change with any version.
//!
//! Programs that use the library are in `examples/`: `regression`, `own_loop`, `custom_layer`, `custom_loss`,
//! `custom_rule`, `minimise`, `search`, `tables`, `serve`, `train_digits`, `language`, and ten of `fallline tour`: `tour_line`,
//! `tour_two_features`, `tour_stop_rules`, `tour_paths`, `tour_rates`, `tour_gradients`, `tour_digits`, `tour_boundaries`,
//! `tour_forecast`, `tour_valleys`.

#[doc(hidden)]
pub mod atomic_file;
mod checkpoint;
#[doc(hidden)]
pub mod error;
#[doc(hidden)]
pub mod foreign;
mod hyper;
#[doc(hidden)]
pub mod memory;
#[doc(hidden)]
pub mod panics;
#[doc(hidden)]
pub mod pipe;
#[doc(hidden)]
pub mod probe;
mod registry;
#[doc(hidden)]
pub mod rng;
#[doc(hidden)]
pub mod stats;

#[doc(hidden)]
pub mod team;
#[doc(hidden)]
pub mod tensor;

#[doc(hidden)]
pub mod kernels;

#[doc(hidden)]
pub mod clustering;
pub mod data;
#[doc(hidden)]
pub mod init;
#[doc(hidden)]
pub mod layers;
#[doc(hidden)]
pub mod linear;
#[doc(hidden)]
pub mod losses;
#[doc(hidden)]
pub mod optim;

#[doc(hidden)]
pub mod model;

#[doc(hidden)]
pub mod train;

#[doc(hidden)]
pub mod exchange;

#[doc(hidden)]
pub mod search;

#[doc(hidden)]
pub mod tour;

pub mod extend;
pub mod testing;

#[doc(hidden)]
pub mod bench;

pub mod cli;
#[doc(hidden)]
pub mod report;

pub mod generate {
    //! Text of a model that was trained on one: token by token, as it is drawn.

    #[doc(inline)]
    pub use crate::data::text::{Vocabulary, Writing};
    #[doc(inline)]
    pub use crate::train::generate::{Generator, Sampling, prompt, vocabulary_of};
}

pub mod settings {
    //! The settings of a [`Recipe`](crate::Recipe) as plain data, for [`Trainer::change`](crate::Trainer::change), and the
    //! kinds of a [`Schedule`](crate::Schedule).

    #[doc(inline)]
    pub use crate::clustering::KMeans;
    #[doc(inline)]
    pub use crate::data::augment::{Augmentation, Elastic, Erase, Fill, Motion};
    #[doc(inline)]
    pub use crate::linear::{Linear, LinearKind};
    #[doc(inline)]
    pub use crate::model::recipe::{
        AverageConfig, AverageMethod, ConstraintConfig, DataConfig, GradientConfig, Held, ModelConfig,
        Override, Patience, ReproduceConfig, ResidualConfig, StopConfig, TableConfig, Tolerance, TrainConfig,
        Watched,
    };
    #[doc(inline)]
    pub use crate::optim::schedule::{Anneal, Length, OneCycle, Phase, Plateau, Schedules, Span, Warmup};
    #[doc(inline)]
    pub use crate::optim::{Ema, Lookahead};
}

pub mod minimise {
    //! Functions of a few numbers, minimised by any update rule, with the very steps that train networks:
    //! [`Optimizer::minimise`](crate::Optimizer::minimise); and functions on which rules are usually shown.

    #[doc(inline)]
    pub use crate::optim::full_batch::Ended;
    #[doc(inline)]
    pub use crate::optim::functions::{
        BEALE, BOWL, FUNCTIONS, Function, HIMMELBLAU, RASTRIGIN, ROSENBROCK, SADDLE, bowl,
    };
    #[doc(inline)]
    pub use crate::optim::minimise::{Minimisation, Path};
}

pub mod record {
    //! What a training leaves behind beside its [`TrainRecord`](crate::TrainRecord), what it tells an
    //! [`Observer`](crate::Observer), what an optimizer keeps, what a [`SearchRecord`](crate::SearchRecord) has, and what a [`Model`](crate::Model) shows of itself.

    #[doc(inline)]
    pub use crate::model::{InitialFile, InitialState, NamedTensor, SummaryRow};
    #[doc(inline)]
    pub use crate::search::importance::Importance;
    #[doc(inline)]
    pub use crate::search::{
        RangeTest, RatePoint, Rung, ScoredBy, SearchProgress, SearchWatcher, Searched, TrialState,
    };
    #[doc(inline)]
    pub use crate::train::analysis::{Analysis, ClassScore, Mistake};
    #[doc(inline)]
    pub use crate::train::folds::Spread;
    #[doc(inline)]
    pub use crate::train::machine::Machine;
    #[doc(inline)]
    pub use crate::train::metrics::{
        AutoregressionErrors, Cluster, ClusterMetrics, ForecastErrors, OutputMetrics, SeasonalErrors,
        SeriesMetrics, ValueMetrics,
    };
    #[doc(inline)]
    pub use crate::train::{
        ClusterSizes, CoefficientRecord, Divergence, Ending, ExactRecord, FoldsRecord, LayerNorms,
        LloydRecord, ModelFacts, NotFinite, OptimizerState, Phase, Progress, Resumed, Trouble, Warning,
    };
}

pub mod engine {
    //! What the front door stands on, for those who build the engine: open to be read and used, and not stable.
    //!
    //! A batch goes through the modules in this order: [`data`] → [`layers`] → [`losses`] → [`optim`], all on
    //! top of [`kernels`], which stand on [`team`] (the workers) and [`tensor`] (the memory). [`model`] builds networks,
    //! [`train`] runs the step and the epochs, [`mod@bench`] measures, [`report`] is what prints.

    pub mod data {
        //! How data sets are found, read, checked, split, augmented and cut into batches, each in a module of
        //! [`fallline::data`](crate::data).

        #[cfg(feature = "download")]
        #[doc(inline)]
        pub use crate::data::download;
        #[doc(inline)]
        pub use crate::data::{
            augment, batches, digits, files, folder, idx, inspect, known, samples, source, split,
        };
    }

    #[doc(inline)]
    pub use crate::{
        atomic_file, bench, clustering, error, foreign, init, kernels, layers, linear, losses, memory, model,
        optim, panics, pipe, probe, report, rng, search, stats, team, tensor, tour, train,
    };
}

#[doc(inline)]
pub use data::{FeaturesRef, SampleRows, Samples, Targets, TargetsRef};
pub use error::{Error, Result};
pub use exchange::onnx::export::OnnxOptions;
pub use hyper::{HyperParameter, HyperValue};
pub use init::Init;
pub use kernels::activation::Activation;
pub use kernels::image::Window;
pub use losses::{ElementwiseLoss, Loss, LossFunction, LossKind, RowLoss, Takes, Target};
pub use model::recipe::{LayerConfig, Optimizer, OptimizerKind};
pub use model::{Fit, Initialised, Model, ModelBuilder, Normalisation, Recipe};
pub use optim::schedule::{Curve, Schedule};
pub use optim::{Coefficients, Rule, StepSettings};
pub use search::{Search, SearchMethod, SearchRecord, TrialRecord};
pub use train::{
    EpochRecord, Evaluation, Every, Observer, Predictor, StepRecord, Stepper, TrainRecord, Trainer,
};

// Its program is compiled with the tests of the documentation.
#[cfg(doctest)]
#[doc = include_str!("../docs/profile.md")]
struct ProgramOfProfile;
