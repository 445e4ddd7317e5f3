//! What training makes small. Value and gradient come together; the mean is taken over the batch.
//!
//! - cross-entropy of the softmax: -ln(e^logits\[label\] / sum of e^logits)
//! - mean squared error: mean over the outputs of (y - t)^2, t being 1 at the label and 0 elsewhere
//!
//! The kernels are in [`crate::kernels::loss`], with mean squared error against values as well.

use crate::error::{Error, Result};
use crate::kernels::loss::{self, Rows};

/// A loss over integer labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Softmax cross-entropy; the network's outputs are logits.
    CrossEntropy,
    /// Mean squared error against one-hot targets.
    MeanSquaredError,
}

impl Loss {
    /// The names that [`Loss::from_name`] knows.
    pub const NAMES: &[&str] = &["cross-entropy", "mse"];

    /// The loss of this name; `place` is where the name stands, for the error.
    ///
    /// # Errors
    /// An unknown name.
    pub fn from_name(place: &str, name: &str) -> Result<Loss> {
        match name {
            "cross-entropy" => Ok(Loss::CrossEntropy),
            "mse" => Ok(Loss::MeanSquaredError),
            _ => Err(Error::unknown(place, "loss", name, Loss::NAMES.iter().copied())),
        }
    }

    /// The name in recipes.
    pub fn name(self) -> &'static str {
        match self {
            Loss::CrossEntropy => "cross-entropy",
            Loss::MeanSquaredError => "mse",
        }
    }

    /// The losses of a block of rows and the gradient by the outputs, times `scale` = 1 / batch:
    /// with it, the gradient is that of the mean over the batch. The losses are not scaled; whoever
    /// adds them up does so in the order of the rows.
    ///
    /// `doutputs`, `outputs` \[rows, stride\]; `losses`, `labels` \[rows\]; `correct` \[rows\] 1
    /// where the largest output, the first of several, is the label's.
    pub fn gradient(
        self,
        doutputs: &mut [f32],
        scores: Scores,
        outputs: &[f32],
        labels: &[u8],
        rows: Rows,
        scale: f32,
    ) {
        let Scores { losses, correct } = scores;
        match self {
            Loss::CrossEntropy => {
                loss::softmax_cross_entropy(doutputs, losses, correct, outputs, labels, rows, scale)
            }
            Loss::MeanSquaredError => {
                loss::mean_squared_error_one_hot(doutputs, losses, correct, outputs, labels, rows, scale)
            }
        }
    }

    /// [`Loss::gradient`] without the gradient, for evaluation.
    pub fn value(self, scores: Scores, outputs: &[f32], labels: &[u8], rows: Rows) {
        let Scores { losses, correct } = scores;
        match self {
            Loss::CrossEntropy => loss::softmax_cross_entropy_value(losses, correct, outputs, labels, rows),
            Loss::MeanSquaredError => {
                loss::mean_squared_error_one_hot_value(losses, correct, outputs, labels, rows)
            }
        }
    }
}

/// What is known of each row after a pass.
#[derive(Debug)]
pub struct Scores<'a> {
    /// \[rows\]
    pub losses: &'a mut [f32],
    /// \[rows\] 1 or 0
    pub correct: &'a mut [u8],
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: Rows = Rows { classes: 3, stride: 16 };

    fn block(rows: [[f32; 3]; 2]) -> Vec<f32> {
        let mut block = vec![f32::NAN; 32];
        block[..3].copy_from_slice(&rows[0]);
        block[16..19].copy_from_slice(&rows[1]);
        block
    }

    fn run(loss: Loss) -> (Vec<f32>, [f32; 2], [u8; 2]) {
        let outputs = block([[0.0, 0.0, 0.0], [1.0, 0.0, 2.0]]);
        let (mut gradient, mut losses, mut correct) = (vec![f32::NAN; 32], [0.0; 2], [9; 2]);
        let scores = Scores { losses: &mut losses, correct: &mut correct };
        loss.gradient(&mut gradient, scores, &outputs, &[0, 1], ROWS, 0.5);
        let (mut values, mut hits) = ([0.0; 2], [9; 2]);
        let scores = Scores { losses: &mut values, correct: &mut hits };
        loss.value(scores, &outputs, &[0, 1], ROWS);
        assert_eq!((losses, correct), (values, hits));
        (gradient, losses, correct)
    }

    #[test]
    fn each_name_reaches_its_kernel() {
        for name in Loss::NAMES {
            assert_eq!(Loss::from_name("recipe", name).unwrap().name(), *name);
        }
        let error = Loss::from_name("recipe", "crossentropy").unwrap_err().to_string();
        assert_eq!(error, "recipe: unknown loss `crossentropy`; did you mean `cross-entropy`?");

        let (gradient, losses, correct) = run(Loss::CrossEntropy);
        assert!((losses[0] - 3f32.ln()).abs() < 1e-6);
        assert!((gradient[0] - 0.5 * (1.0 / 3.0 - 1.0)).abs() < 1e-6);
        assert_eq!(correct, [1, 0]);

        let (gradient, losses, correct) = run(Loss::MeanSquaredError);
        assert!((losses[0] - 1.0 / 3.0).abs() < 1e-6 && (losses[1] - 2.0).abs() < 1e-6);
        assert!((gradient[18] - 0.5 * 2.0 / 3.0 * 2.0).abs() < 1e-6);
        assert_eq!(correct, [1, 0]);
    }
}
