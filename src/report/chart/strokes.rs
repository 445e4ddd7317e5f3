//! The parts of lines.

/// A line in parts that each end where it turns by more than a right angle.
pub(super) fn turns(points: &[(f64, f64)]) -> Vec<&[(f64, f64)]> {
    let mut parts = Vec::new();
    let mut begin = 0;
    for (index, corner) in points.windows(3).enumerate() {
        let [from, at, to] = [corner[0], corner[1], corner[2]];
        if (at.0 - from.0) * (to.0 - at.0) + (at.1 - from.1) * (to.1 - at.1) < 0.0 {
            parts.push(&points[begin..=index + 1]);
            begin = index + 1;
        }
    }
    parts.push(&points[begin..]);
    parts
}

/// The parts of a line that a pattern of dashes and gaps, all of this length, leaves of it.
pub(super) fn dashes(points: &[(f64, f64)], dash: f64) -> Vec<Vec<(f64, f64)>> {
    let mut parts = Vec::new();
    let mut part: Vec<(f64, f64)> = points.first().copied().into_iter().collect();
    // What is left of the dash or the gap under way.
    let (mut left, mut is_gap) = (dash, false);
    for pair in points.windows(2) {
        let (mut at, to) = (pair[0], pair[1]);
        loop {
            let distance = (to.0 - at.0).hypot(to.1 - at.1);
            if !distance.is_finite() || distance < left {
                left -= if distance.is_finite() { distance } else { 0.0 };
                part.extend((!is_gap).then_some(to));
                break;
            }
            let step = left / distance;
            at = (at.0 + step * (to.0 - at.0), at.1 + step * (to.1 - at.1));
            if is_gap {
                part = vec![at];
            } else {
                part.push(at);
                parts.push(std::mem::take(&mut part));
            }
            (left, is_gap) = (dash, !is_gap);
        }
    }
    parts.extend((part.len() > 1).then_some(part));
    parts
}

#[cfg(test)]
mod tests {
    use super::{dashes, turns};

    #[test]
    fn dashes_and_gaps_go_around_corners() {
        let found = dashes(&[(0.0, 0.0), (5.0, 0.0), (5.0, 6.0)], 2.0);
        let expected = [
            vec![(0.0, 0.0), (2.0, 0.0)],
            vec![(4.0, 0.0), (5.0, 0.0), (5.0, 1.0)],
            vec![(5.0, 3.0), (5.0, 5.0)],
        ];
        assert_eq!(found, expected);
        assert_eq!(dashes(&[(0.0, 0.0), (1.0, 0.0)], 2.0), [vec![(0.0, 0.0), (1.0, 0.0)]]);
        assert!(dashes(&[], 2.0).is_empty() && dashes(&[(1.0, 1.0)], 2.0).is_empty());
    }

    #[test]
    fn lines_are_cut_at_sharp_turns() {
        let points = [(0.0, 0.0), (2.0, 0.0), (3.0, 1.0), (0.0, 1.0), (0.0, 9.0)];
        assert_eq!(turns(&points), [&points[..3], &points[2..]]);
        assert_eq!(turns(&points[..1]), [&points[..1]]);
    }
}
