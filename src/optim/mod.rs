//! Update rules: how parameters follow their gradients, schedules of their rates, and averages of
//! parameters. A rule knows nothing of layers.

mod rule;
mod elementwise;
mod adabelief;
mod adadelta;
mod adafactor;
mod adagrad;
mod adam;
mod adamax;
mod adan;
pub mod average;
pub mod full_batch;
mod lamb;
mod lion;
mod muon;
mod nadam;
mod radam;
pub mod reference;
mod rmsprop;
mod rprop;
pub mod schedule;
mod schedule_free;
mod sgd;
mod whole;
mod yogi;

pub use rule::{Coefficients, MOST_SLOTS, Rule, StepSettings, coefficients};
pub use elementwise::{each_0, each_1, each_2, each_3, each_4};
pub use adabelief::Adabelief;
pub use adadelta::Adadelta;
pub use adafactor::Adafactor;
pub use adagrad::Adagrad;
pub use adam::Adam;
pub use adamax::Adamax;
pub use adan::Adan;
pub use average::{Ema, Lookahead};
pub use full_batch::FullBatch;
pub use lamb::Lamb;
pub use lion::Lion;
pub use muon::Muon;
pub use nadam::Nadam;
pub use radam::Radam;
pub use rmsprop::Rmsprop;
pub use rprop::Rprop;
pub use schedule_free::ScheduleFree;
pub use sgd::Sgd;
pub use whole::{Adjustment, Factored, Orthogonal, Whole};
pub use yogi::Yogi;

