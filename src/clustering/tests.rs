use super::*;

/// Two features each: three groups, the last of two samples.
const X: [[f32; 2]; 8] =
    [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [10.0, 0.0], [10.0, 1.0], [11.0, 0.0], [0.0, 20.0], [0.0, 22.0]];

fn read(sample: usize, row: &mut [f32]) {
    row.copy_from_slice(&X[sample]);
}

fn points(weights: &[f32]) -> Points<'_> {
    Points::new([X.len(), 2], weights, &read)
}

#[test]
fn samples_go_to_the_nearest_centre_and_the_first_of_several() {
    let found = assign(&points(&[]), &[0.0, 0.0, 20.0, 0.0, 0.0, 20.0]).unwrap();
    assert_eq!(found.nearest, [0, 0, 0, 0, 0, 1, 2, 2]);
    assert_eq!(found.weights, [5.0, 1.0, 2.0]);
    assert_eq!(found.sums, [21.0, 2.0, 11.0, 0.0, 0.0, 42.0]);
    assert_eq!(found.inertia, (0.0 + 1.0 + 1.0 + 100.0 + 101.0 + 81.0 + 0.0 + 4.0) / 8.0);
}

#[test]
fn lloyd_comes_to_the_means_of_the_groups() {
    let found = lloyd(&points(&[]), &[0.0, 0.0, 10.0, 0.0, 0.0, 20.0], MOST_ITERATIONS).unwrap();
    assert_eq!((found.converged, found.iterations), (true, 1));
    let third = 1.0 / 3.0;
    let expected = [third, third, 31.0 / 3.0, third, 0.0, 21.0];
    assert!(found.centres.iter().zip(expected).all(|(c, e)| (c - e).abs() < 1e-12), "{found:?}");
    assert!((found.assignment.inertia - (4.0 / 3.0 + 4.0 / 3.0 + 2.0) / 8.0).abs() < 1e-12);
    // From elsewhere it takes longer, and nothing says that it comes to the same.
    let far = lloyd(&points(&[]), &[0.0, 0.0, 0.0, 1.0, 1.0, 0.0], MOST_ITERATIONS).unwrap();
    assert!(far.converged && far.iterations > 1 && far.assignment.inertia >= found.assignment.inertia);
    let cut = lloyd(&points(&[]), &[0.0, 0.0, 0.0, 1.0, 1.0, 0.0], 1).unwrap();
    assert!(!cut.converged && cut.assignment.inertia > far.assignment.inertia);
}

#[test]
fn a_centre_without_samples_stays() {
    let found = lloyd(&points(&[]), &[0.0, 0.0, 900.0, 0.0], MOST_ITERATIONS).unwrap();
    assert_eq!(found.centres[2..], [900.0, 0.0]);
    assert_eq!(found.assignment.weights, [8.0, 0.0]);
}

#[test]
fn a_sample_of_weight_2_is_as_good_as_two() {
    let twice = |sample: usize, row: &mut [f32]| read(sample % X.len(), row);
    let both = Points::new([2 * X.len(), 2], &[], &twice);
    let first = [0.0, 0.0, 10.0, 0.0];
    let weighted = lloyd(&points(&[2.0; 8]), &first, MOST_ITERATIONS).unwrap();
    let doubled = lloyd(&both, &first, MOST_ITERATIONS).unwrap();
    assert_eq!(weighted.centres, doubled.centres);
    assert!((weighted.assignment.inertia - doubled.assignment.inertia).abs() < 1e-12);
    let without = lloyd(&points(&[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0]), &first, MOST_ITERATIONS).unwrap();
    assert!((without.centres[1] - 1.0 / 3.0).abs() < 1e-12, "{without:?}");
}

#[test]
fn first_centres_are_different_samples_by_the_seed() {
    for seed in 0..50 {
        let centres = start(&points(&[]), 8, seed).unwrap();
        assert_eq!(centres, start(&points(&[]), 8, seed).unwrap());
        let mut rows: Vec<[f32; 2]> = centres.chunks_exact(2).map(|row| [row[0], row[1]]).collect();
        rows.sort_by(|a, b| a.partial_cmp(b).unwrap());
        let mut all = X.to_vec();
        all.sort_by(|a, b| a.partial_cmp(b).unwrap());
        assert_eq!(rows, all);
        // None without weight.
        let some = start(&points(&[1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]), 3, seed).unwrap();
        assert!(some.chunks_exact(2).all(|row| [X[0], X[3], X[7]].contains(&[row[0], row[1]])), "{some:?}");
    }
    assert_ne!(start(&points(&[]), 8, 0).unwrap(), start(&points(&[]), 8, 1).unwrap());
}

/// Of three groups that are far from each other k-means++ hardly ever takes two samples of one.
#[test]
fn first_centres_are_far_from_each_other() {
    let groups = |seed| {
        let nearest = assign(&points(&[]), &[0.0, 0.0, 10.0, 0.0, 0.0, 21.0]).unwrap().nearest;
        let centres = start(&points(&[]), 3, seed).unwrap();
        let of = |row: &[f32]| nearest[X.iter().position(|x| x[..] == *row).unwrap()];
        let mut groups: Vec<u32> = centres.chunks_exact(2).map(of).collect();
        groups.sort_unstable();
        groups
    };
    let apart = (0..200).filter(|&seed| groups(seed) == [0, 1, 2]).count();
    assert!(apart > 180, "{apart}");
}

#[test]
fn too_few_different_samples_are_refused() {
    let message = |points: &Points, clusters| start(points, clusters, 1).unwrap_err().to_string();
    let expected = |different| {
        format!(
            "`model.clusters`: expected at most {different}, as many as there are different samples to train on, found 9"
        )
    };
    assert_eq!(message(&points(&[]), 9), expected(8));
    let same = |_: usize, row: &mut [f32]| row.fill(1.5);
    assert_eq!(message(&Points::new([20, 2], &[], &same), 9), expected(1));
}
