//! The settings of a fit.

/// What is fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinearKind {
    /// Least squares.
    Linear,
    /// Least squares with a penalty on the squares of the weights.
    Ridge,
    /// Least squares with a penalty on the magnitudes of the weights, which makes some of them exactly 0.
    Lasso,
    /// Softmax regression.
    Logistic,
    /// A linear support vector machine for each class, against all others.
    Svm,
    /// Huber's robust regression.
    Huber,
}

impl LinearKind {
    pub const ALL: [LinearKind; 6] = [
        LinearKind::Linear,
        LinearKind::Ridge,
        LinearKind::Lasso,
        LinearKind::Logistic,
        LinearKind::Svm,
        LinearKind::Huber,
    ];

    /// The name in recipes.
    pub fn name(self) -> &'static str {
        match self {
            LinearKind::Linear => "linear",
            LinearKind::Ridge => "ridge",
            LinearKind::Lasso => "lasso",
            LinearKind::Logistic => "logistic",
            LinearKind::Svm => "svm",
            LinearKind::Huber => "huber",
        }
    }

    /// Whether there is a penalty.
    pub fn is_penalised(self) -> bool {
        self != LinearKind::Linear
    }

    /// Whether outputs are classes.
    pub fn is_of_classes(self) -> bool {
        matches!(self, LinearKind::Logistic | LinearKind::Svm)
    }
}

/// A fit with its settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Linear {
    pub kind: LinearKind,
    /// Target values of a sample, or classes.
    pub outputs: usize,
    /// λ, at least 0; 0 without a penalty.
    pub penalty: f64,
    /// δ of Huber's loss, above 0.
    pub delta: f32,
    /// Whether a support vector machine squares what is lacking.
    pub squared: bool,
}

/// The penalties that training adds to the mean loss of a batch: on weights, never on biases.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Penalty {
    /// The factor of the sum of the magnitudes.
    pub l1: f32,
    /// The factor of half the sum of the squares.
    pub l2: f32,
}

impl Linear {
    /// A fit with its defaults: a penalty of 0.001, but none of `linear` and `huber`; δ = 1; squared hinge.
    pub fn new(kind: LinearKind, outputs: usize) -> Linear {
        let penalty = if matches!(kind, LinearKind::Linear | LinearKind::Huber) { 0.0 } else { 1e-3 };
        Linear { kind, outputs, penalty, delta: 1.0, squared: true }
    }

    /// The loss that training minimises is the objective's times this: the losses of the table are means over the
    /// outputs, and the squared error is not halved.
    pub fn loss_factor(&self) -> f64 {
        let outputs = self.outputs as f64;
        match self.kind {
            LinearKind::Linear | LinearKind::Ridge | LinearKind::Lasso => 2.0 / outputs,
            LinearKind::Svm | LinearKind::Huber => 1.0 / outputs,
            LinearKind::Logistic => 1.0,
        }
    }

    /// The penalties beside the loss of training, so that both have their least where the objective has its.
    pub fn penalty_in_training(&self) -> Penalty {
        let factor = (self.penalty * self.loss_factor()) as f32;
        match self.kind {
            LinearKind::Linear => Penalty::default(),
            LinearKind::Lasso => Penalty { l1: factor, l2: 0.0 },
            _ => Penalty { l1: 0.0, l2: factor },
        }
    }

    /// How it is solved exactly; None of the hinge loss without its square, which has no second derivative.
    pub fn method(&self) -> Option<&'static str> {
        match self.kind {
            LinearKind::Linear => Some("QR"),
            LinearKind::Ridge => Some("Cholesky"),
            LinearKind::Lasso => Some("coordinate descent"),
            LinearKind::Svm if !self.squared => None,
            LinearKind::Logistic | LinearKind::Svm | LinearKind::Huber => Some("Newton's method"),
        }
    }

    /// Multiply-adds of the largest products on the way to the exact solution, for so many samples and features.
    pub fn work(&self, samples: usize, features: usize) -> f64 {
        let outputs = self.outputs as f64;
        // Unknowns that are solved for together, and how often.
        let [together, times] = match self.kind {
            LinearKind::Logistic => [outputs, 1.0],
            LinearKind::Svm | LinearKind::Huber => [1.0, outputs],
            LinearKind::Linear | LinearKind::Ridge | LinearKind::Lasso => [1.0, 1.0],
        };
        let size = (features as f64 + 1.0) * together;
        (samples as f64).max(size) * size * (size * times).max(outputs)
    }
}
