//! Sequences of different lengths: how many positions of each sample count.

use super::checks::mismatch;
use super::samples::{Samples, Targets};
use crate::error::Result;
use crate::kernels::loss::{NO_TOKEN, Tokens};

impl Samples {
    /// Positions of a sample: its pixels or, where there is only one, its numbers.
    pub fn positions(&self) -> usize {
        positions_of(self.shape())
    }

    /// The samples, of which the first `lengths[i]` positions of sample `i` count. What lies behind them is padding:
    /// attention, recurrent layers, and layers that make one vector of all positions leave it out, and of layers that act on
    /// each position alone the gradient there is 0. Layers that take positions together in another way see it:
    /// convolutions, pools with windows, `flatten` and normalisations over all positions.
    ///
    /// ```
    /// use fallline::Samples;
    /// use fallline::data::Targets;
    ///
    /// // Two sequences of up to three positions, with one number at each.
    /// let values = vec![0.1, 0.2, 0.3, 0.4, 0.0, 0.0];
    /// let samples = Samples::floats(values, [1, 3, 1], Targets::Classes(vec![0, 1]), 2)?;
    /// let samples = samples.with_lengths(vec![3, 1])?;
    /// assert_eq!(samples.lengths(), [3, 1]);
    /// # Ok::<(), fallline::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Mismatch`](crate::Error::Mismatch) if there are not as many lengths as samples, one is 0 or more than
    /// the positions of a sample, or a position behind one has a target.
    pub fn with_lengths(mut self, lengths: Vec<u32>) -> Result<Samples> {
        check_lengths("lengths of samples", &lengths, self.len(), self.positions())?;
        self.check_targets_behind(&lengths)?;
        let positions = self.positions();
        let are_whole = lengths.iter().all(|&length| length as usize == positions);
        self.lengths = if are_whole { Vec::new() } else { lengths };
        Ok(self)
    }

    /// How many positions of each sample count, `[samples]`; empty where all do.
    pub fn lengths(&self) -> &[u32] {
        &self.lengths
    }

    /// Refuses targets of positions that do not count.
    fn check_targets_behind(&self, lengths: &[u32]) -> Result<()> {
        match self.targets() {
            Targets::Tokens(tokens) => check_targets_behind(tokens.view(), lengths, self.positions()),
            _ => Ok(()),
        }
    }
}

/// Refuses targets of positions that do not count, of samples of so many.
pub(crate) fn check_targets_behind(targets: Tokens, lengths: &[u32], positions: usize) -> Result<()> {
    if targets.positions != positions {
        let expected = format!("one for each of the {positions} positions");
        return Err(mismatch("targets of samples with lengths", expected, targets.positions));
    }
    let has_target = |(sample, &length): (usize, &u32)| {
        targets.of(sample)[length as usize..].iter().any(|&id| id != NO_TOKEN)
    };
    match lengths.iter().enumerate().position(has_target) {
        None => Ok(()),
        Some(sample) => {
            let what = format!("targets of sample {sample} behind its {} positions", lengths[sample]);
            Err(mismatch(what, "none", "some"))
        }
    }
}

/// Positions of a sample of this height, width and number of channels.
pub(crate) fn positions_of([height, width, channels]: [usize; 3]) -> usize {
    if height * width > 1 { height * width } else { channels }
}

/// Checks lengths of so many samples of so many positions each.
pub(crate) fn check_lengths(what: &str, lengths: &[u32], count: usize, positions: usize) -> Result<()> {
    if lengths.len() != count {
        return Err(mismatch(what, format!("{count}, one for each"), lengths.len()));
    }
    match lengths.iter().position(|&length| !(1..=positions).contains(&(length as usize))) {
        None => Ok(()),
        Some(i) => {
            let expected = format!("from 1 to the {positions} positions");
            Err(mismatch(what, expected, format!("{} at index {i}", lengths[i])))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Features, Tokens};

    fn samples() -> Samples {
        Samples::floats(vec![0.0; 24], [1, 4, 2], Targets::Classes(vec![0, 1, 0]), 2).unwrap()
    }

    #[test]
    fn lengths_are_checked_and_go_along() {
        let message = |lengths: &[u32]| samples().with_lengths(lengths.to_vec()).unwrap_err().to_string();
        assert_eq!(message(&[1, 2]), "lengths of samples: expected 3, one for each, found 2");
        let range = "lengths of samples: expected from 1 to the 4 positions, found";
        assert_eq!(message(&[1, 0, 2]), format!("{range} 0 at index 1"));
        assert_eq!(message(&[1, 2, 5]), format!("{range} 5 at index 2"));
        let some = samples().with_lengths(vec![4, 1, 3]).unwrap();
        assert_eq!(some.lengths(), [4, 1, 3]);
        assert_eq!(some.take(&[2, 0, 2]).unwrap().lengths(), [3, 4, 3]);
        assert_eq!(some.clone().first(2).unwrap().lengths(), [4, 1]);
        // Where all are whole, none need to be told.
        assert_eq!(samples().with_lengths(vec![4; 3]).unwrap(), samples());
    }

    #[test]
    fn what_does_not_count_has_no_target() {
        let of = |ids: Vec<u32>, lengths: Vec<u32>| {
            let tokens = Targets::Tokens(Tokens { ids, positions: 2, step: 2, vocabulary: 3 });
            Samples::windows(Features::Bytes(vec![0; 4]), 2, 2, tokens, 2).unwrap().with_lengths(lengths)
        };
        assert_eq!(of(vec![1, NO_TOKEN, 1, 1], vec![1, 2]).unwrap().lengths(), [1, 2]);
        assert_eq!(
            of(vec![1, 0, 1, NO_TOKEN], vec![1, 1]).unwrap_err().to_string(),
            "targets of sample 0 behind its 1 positions: expected none, found some"
        );
    }
}
