//! Memory shared by workers, built with debug assertions: what two of them claim at once is noticed.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use fallline::engine::team::{Shared, Team, Worker};

/// Whether two workers of whom each does `part` to a matrix of 10 rows and 10 columns get into each other's way.
fn race(part: impl Fn(&Worker, &Shared<f32>) + Sync) -> bool {
    let mut data = vec![0.0; 100];
    let shared = Shared::matrix(&mut data, 10, 10, 10);
    let team = Team::new(2).unwrap();
    catch_unwind(AssertUnwindSafe(|| team.run(|worker| part(worker, &shared), None))).is_err()
}

fn reads(shared: &Shared<f32>, worker: &Worker, rows: Range<usize>, columns: Range<usize>) {
    shared.announce(worker, rows, columns, false);
}

fn writes(shared: &Shared<f32>, worker: &Worker, rows: Range<usize>, columns: Range<usize>) {
    shared.announce(worker, rows, columns, true);
}

#[test]
fn overlapping_claims_are_caught_and_disjoint_ones_are_not() {
    let half = |worker: &Worker| worker.index() * 5..(worker.index() + 1) * 5;
    assert!(!race(|w, s| writes(s, w, half(w), 0..10)));
    assert!(!race(|w, s| writes(s, w, 0..10, half(w))));
    assert!(!race(|w, s| reads(s, w, 0..10, 0..10)));
    assert!(race(|w, s| writes(s, w, w.index()..w.index() + 2, 3..4)));
    assert!(race(|w, s| match w.index() {
        0 => reads(s, w, 4..5, 0..10),
        _ => writes(s, w, 0..10, 9..10),
    }));
}

#[test]
fn a_barrier_ends_all_claims() {
    assert!(!race(|w, s| {
        if w.index() == 0 {
            writes(s, w, 0..10, 0..10);
        }
        w.barrier();
        if w.index() == 1 {
            writes(s, w, 0..10, 0..10);
        }
    }));
}
