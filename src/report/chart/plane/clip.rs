//! Ways through a window: what lies outside is cut off.

/// A place on the way, and when it was reached: the number of the point, with a fraction between two.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Stop {
    pub at: (f64, f64),
    pub time: f64,
}

/// The pieces of a way that lie in the window. A point that is not finite interrupts it.
pub(super) fn pieces(points: &[[f64; 2]], window: [[f64; 2]; 2]) -> Vec<Vec<Stop>> {
    let mut pieces: Vec<Vec<Stop>> = Vec::new();
    let mut is_open = false;
    for (index, pair) in points.windows(2).enumerate() {
        let Some((begin, end)) = inside(pair[0], pair[1], window) else {
            is_open = false;
            continue;
        };
        let stop = |part: f64| {
            let between = |side: usize| pair[0][side] + part * (pair[1][side] - pair[0][side]);
            let at = if part == 1.0 { (pair[1][0], pair[1][1]) } else { (between(0), between(1)) };
            Stop { at, time: index as f64 + part }
        };
        match pieces.last_mut().filter(|_| is_open && begin == 0.0) {
            Some(piece) => piece.push(stop(end)),
            None => pieces.push(vec![stop(begin), stop(end)]),
        }
        is_open = end == 1.0;
    }
    pieces
}

/// From which to which part of a line it lies in the window (Liang, Barsky 1984).
fn inside(from: [f64; 2], to: [f64; 2], window: [[f64; 2]; 2]) -> Option<(f64, f64)> {
    if !from.iter().chain(&to).all(|value| value.is_finite()) {
        return None;
    }
    let (mut begin, mut end) = (0.0f64, 1.0f64);
    for side in 0..2 {
        let [low, high] = window[side];
        let (start, step) = (from[side], to[side] - from[side]);
        if step == 0.0 {
            if !(low..=high).contains(&start) {
                return None;
            }
            continue;
        }
        let [one, other] = [(low - start) / step, (high - start) / step];
        begin = begin.max(one.min(other));
        end = end.min(one.max(other));
    }
    (begin <= end).then_some((begin, end))
}

/// Whether a point lies in the window.
pub(super) fn holds(window: [[f64; 2]; 2], point: [f64; 2]) -> bool {
    window.iter().zip(point).all(|([low, high], value)| (*low..=*high).contains(&value))
}
