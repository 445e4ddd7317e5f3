//! Classes by their probability.

/// All classes, the most probable first.
pub(super) fn ranked(probabilities: &[f32]) -> Vec<usize> {
    let mut classes: Vec<usize> = (0..probabilities.len()).collect();
    // Stable: of classes that are equally probable the first comes first.
    classes.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]));
    classes
}
