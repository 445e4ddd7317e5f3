//! The trait of update rules, and the settings of a step.

use super::per_tensor::PerTensor;
use super::search::FullBatch;

/// The most slots that a rule may have.
pub const MOST_SLOTS: usize = 4;

/// The settings of a step before its update: its number, and the rates after their schedules.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepSettings {
    /// The number of this step, from 1.
    pub step: u64,
    /// The learning rate of this step.
    pub learning_rate: f64,
    /// The momentum, or β₁, of this step in place of the rule's own, if it is scheduled.
    pub momentum: Option<f64>,
    /// The factor of the rule's own weight decay in this step; 1 unless it is scheduled.
    pub decay: f64,
}

impl StepSettings {
    /// The settings of a step without any schedule.
    pub fn new(step: u64, learning_rate: f64) -> StepSettings {
        StepSettings { step, learning_rate, momentum: None, decay: 1.0 }
    }
}

/// The coefficients of a rule that are the same for all parameters in a step; each rule knows its own order.
pub type Coefficients = [f32; 12];

/// Some coefficients, rounded, and zeros for the rest: at most 12.
pub fn coefficients<const N: usize>(values: [f64; N]) -> Coefficients {
    let mut all = [0.0; 12];
    all.iter_mut().zip(values).for_each(|(to, value)| *to = value as f32);
    all
}

/// An update rule: immutable hyper-parameters and, in essence, one function. A rule that works element by element
/// has three methods of its own, [`slots`](Rule::slots), [`coefficients`](Rule::coefficients) and
/// [`apply`](Rule::apply), and [`momentum`](Rule::momentum) if a schedule may replace it; averages, clipping,
/// schedules and threads are the engine's.
pub trait Rule: Send + Sync + std::fmt::Debug {
    /// Slots: how many numbers the rule keeps for each parameter; at most [`MOST_SLOTS`].
    fn slots(&self) -> usize;

    /// The momentum, or β₁, if a schedule may replace it.
    fn momentum(&self) -> Option<f64> {
        None
    }

    /// How far a gradient that stays the same moves a parameter in each step in the end, by the learning rate and the
    /// gradient; None of rules whose steps are no multiple of it. `momentum` is that of the step. By this the proximal
    /// step of a penalty is measured.
    fn gain(&self, _momentum: Option<f64>) -> Option<f64> {
        None
    }

    /// The search that moves the parameters between the steps, of a rule that only takes loss and gradient of
    /// all samples.
    #[doc(hidden)]
    fn full_batch(&self) -> Option<FullBatch> {
        None
    }

    /// The slot that the model is evaluated and saved with, of a rule that trains at another point than the
    /// one it arrives at. It begins as the parameters, not as zeros. Between epochs it has changed places with them.
    fn evaluated(&self) -> Option<usize> {
        None
    }

    /// The coefficients of one step. They are made once a step: powers cost as much as hundreds of
    /// updates.
    fn coefficients(&self, settings: StepSettings) -> Coefficients;

    /// The operation on whole tensors; None if the rule works element by element, which
    /// [`apply`](Rule::apply) then does. A step of a per-tensor rule has two halves:
    /// [`direct`](Rule::direct) makes gradients into directions; once that is done to all parameters,
    /// the directions are treated as this says; then `apply` gets them in place of gradients.
    fn per_tensor(&self) -> Option<PerTensor> {
        None
    }

    /// The first half of a step of a per-tensor rule: makes the gradients of some parameters into directions, and
    /// updates the slots; all slices are `[n]`. `matrix` says whether they are a matrix's that is made orthogonal then;
    /// matrices that are [factored](PerTensor::Factored) are not directed here, and all else has one slot with them. An
    /// element's result depends on that element and the coefficients alone.
    fn direct(
        &self,
        _coefficients: &Coefficients,
        _matrix: bool,
        _parameters: &[f32],
        _gradients: &mut [f32],
        _slots: &mut [&mut [f32]],
    ) {
    }

    /// Brings mean squares over rows or columns of a matrix up to date with those of a step, both `[n]`, for a rule
    /// that [factors](PerTensor::Factored) them.
    fn blend(&self, _coefficients: &Coefficients, _means: &mut [f32], _of_step: &[f32]) {}

    /// Updates some parameters. All slices are `[n]`; `slots` are as the last step left
    /// them, zeros at first. `gradients` may be overwritten. An element's result depends on that
    /// element and the coefficients alone.
    fn apply(
        &self,
        coefficients: &Coefficients,
        parameters: &mut [f32],
        gradients: &mut [f32],
        slots: &mut [&mut [f32]],
    );

    /// One step of some parameters, all slices `[n]`, by a rule that works element by element:
    /// [`coefficients`](Rule::coefficients), then [`apply`](Rule::apply).
    fn update(
        &self,
        parameters: &mut [f32],
        gradients: &mut [f32],
        slots: &mut [&mut [f32]],
        settings: StepSettings,
    ) {
        debug_assert!(self.per_tensor().is_none(), "half a step of {self:?}");
        self.apply(&self.coefficients(settings), parameters, gradients, slots);
    }
}
