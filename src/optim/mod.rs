//! Update rules: how parameters follow their gradients. A rule knows nothing of layers.

mod adam;
mod sgd;

pub use adam::Adam;
pub use sgd::Sgd;

/// The most slots that a rule may have.
pub const MOST_SLOTS: usize = 4;

/// When an update happens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment {
    /// The number of this step, from 1.
    pub step: u64,
    /// The learning rate of this step.
    pub learning_rate: f64,
}

/// What a rule needs that is the same for all parameters in a step; each rule knows its own order.
pub type Coefficients = [f32; 8];

/// An update rule: immutable hyper-parameters and, in essence, one function.
pub trait Rule: Send + Sync + std::fmt::Debug {
    /// Numbers it keeps for each parameter.
    fn slots(&self) -> usize;

    /// The coefficients of one step. They are made once a step: powers cost as much as hundreds of
    /// updates.
    fn coefficients(&self, moment: Moment) -> Coefficients;

    /// Updates some parameters. All slices have the same length; `slots` are as the last step left
    /// them, zeros at first. `gradients` may be overwritten. An element's result depends on that
    /// element and the coefficients alone.
    fn apply(
        &self,
        coefficients: &Coefficients,
        parameters: &mut [f32],
        gradients: &mut [f32],
        slots: &mut [&mut [f32]],
    );

    /// One step of some parameters: [`coefficients`](Rule::coefficients), then
    /// [`apply`](Rule::apply).
    fn update(
        &self,
        parameters: &mut [f32],
        gradients: &mut [f32],
        slots: &mut [&mut [f32]],
        moment: Moment,
    ) {
        self.apply(&self.coefficients(moment), parameters, gradients, slots);
    }
}
