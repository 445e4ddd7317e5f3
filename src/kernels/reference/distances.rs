//! Squared distances to centres, and the least of them.

/// ‖x - c‖² for each centre c: `x` `[n]`, `centres` `[centres, n]`.
pub fn squared_distances(x: &[f64], centres: &[f64]) -> Vec<f64> {
    let distance = |centre: &[f64]| x.iter().zip(centre).map(|(x, c)| (x - c).powi(2)).sum();
    centres.chunks_exact(x.len()).map(distance).collect()
}

/// The gradients by `x` `[n]` and by `centres` `[centres, n]`, for `dy` `[centres]`.
pub fn squared_distances_gradients(x: &[f64], centres: &[f64], dy: &[f64]) -> [Vec<f64>; 2] {
    let mut of_x = vec![0.0; x.len()];
    let mut of_centres = Vec::with_capacity(centres.len());
    for (centre, dy) in centres.chunks_exact(x.len()).zip(dy) {
        for (i, c) in centre.iter().enumerate() {
            of_x[i] += 2.0 * dy * (x[i] - c);
            of_centres.push(2.0 * dy * (c - x[i]));
        }
    }
    [of_x, of_centres]
}

/// The least of some outputs, and its gradient: 1 at the first of the least, 0 elsewhere.
pub fn minimum(y: &[f64]) -> (f64, Vec<f64>) {
    let least = y.iter().copied().fold(f64::INFINITY, f64::min);
    let place = y.iter().position(|&y| y == least);
    (least, (0..y.len()).map(|index| f64::from(Some(index) == place)).collect())
}
