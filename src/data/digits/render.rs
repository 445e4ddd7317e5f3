//! Ink on paper: how far each pixel is inside the pen's path decides how dark it is.

use super::size::{PIXELS, SIDE};
use super::strokes::Point;

/// A straight piece of the pen's path; pixel (column, row) covers (column, row) to
/// (column + 1, row + 1).
pub(super) struct Segment {
    pub from: Point,
    pub to: Point,
    /// Half the width of the pen at both ends, in pixels.
    pub radius: [f32; 2],
}

/// How deep each pixel's centre lies inside the drawn path, in pixels: the pen's radius less the
/// distance, at least `-margin`, which is also what pixels further away have.
pub(super) fn depths(path: &[Segment], margin: f32) -> [f32; PIXELS] {
    let mut depths = [-margin; PIXELS];
    for segment in path {
        deepen(&mut depths, segment, margin);
    }
    depths
}

/// Takes one segment into the depths, looking only at its surroundings.
fn deepen(depths: &mut [f32; PIXELS], segment: &Segment, margin: f32) {
    let Segment { from, to, radius } = segment;
    let reach = radius[0].max(radius[1]) + margin;
    let (columns, rows) = (span(from.0, to.0, reach), span(from.1, to.1, reach));
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let squared = dx * dx + dy * dy;
    // A segment of no length is a dot: every pixel is nearest to its start.
    let inverse = if squared > 0.0 { 1.0 / squared } else { 0.0 };
    let widening = radius[1] - radius[0];
    for row in rows {
        let y = row as f32 + 0.5 - from.1;
        let start = row * SIDE;
        for (pixel, column) in
            depths[start + columns.start..start + columns.end].iter_mut().zip(columns.clone())
        {
            let x = column as f32 + 0.5 - from.0;
            let t = ((x * dx + y * dy) * inverse).clamp(0.0, 1.0);
            let (away_x, away_y) = (x - t * dx, y - t * dy);
            let depth = radius[0] + t * widening - (away_x * away_x + away_y * away_y).sqrt();
            if depth > *pixel {
                *pixel = depth;
            }
        }
    }
}

/// The pixels of one axis whose centres may lie within `reach` of the interval from `a` to `b`.
fn span(a: f32, b: f32, reach: f32) -> std::ops::Range<usize> {
    // The cast takes everything below zero to zero.
    let end = ((a.max(b) + reach + 0.5) as usize).min(SIDE);
    let start = ((a.min(b) - reach) as usize).min(end);
    start..end
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The depths by their definition: every pixel against every segment.
    fn reference(path: &[Segment], margin: f32) -> Vec<f32> {
        let depth = |pixel: usize, segment: &Segment| {
            let (x, y) = ((pixel % SIDE) as f64 + 0.5, (pixel / SIDE) as f64 + 0.5);
            let from = (f64::from(segment.from.0), f64::from(segment.from.1));
            let (dx, dy) = (f64::from(segment.to.0) - from.0, f64::from(segment.to.1) - from.1);
            let squared = dx * dx + dy * dy;
            let along = if squared > 0.0 { ((x - from.0) * dx + (y - from.1) * dy) / squared } else { 0.0 };
            let t = along.clamp(0.0, 1.0);
            let [start, end] = segment.radius.map(f64::from);
            (start + t * (end - start) - (x - from.0 - t * dx).hypot(y - from.1 - t * dy)) as f32
        };
        (0..PIXELS).map(|pixel| path.iter().map(|s| depth(pixel, s)).fold(-margin, f32::max)).collect()
    }

    /// Lines in all directions, a dot, one that leaves the image and one outside it.
    fn path() -> Vec<Segment> {
        let segment = |from, to, radius| Segment { from, to, radius };
        vec![
            segment((4.0, 5.0), (20.0, 9.5), [1.0, 2.0]),
            segment((14.0, 25.0), (14.0, 3.0), [0.5, 0.5]),
            segment((20.0, 20.0), (20.0, 20.0), [1.5, 1.5]),
            segment((22.0, 6.0), (31.0, -4.0), [1.0, 0.4]),
            segment((-9.0, 40.0), (-3.0, 35.0), [1.0, 1.0]),
        ]
    }

    #[test]
    fn depths_agree_with_their_definition() {
        for margin in [0.0, 0.4, 1.0] {
            let expected = reference(&path(), margin);
            for (found, expected) in depths(&path(), margin).iter().zip(expected) {
                assert!((found - expected).abs() < 1e-5, "{found} is not {expected}");
            }
        }
    }

    #[test]
    fn every_segment_on_the_paper_counts() {
        let all = depths(&path(), 0.5);
        for left_out in 0..4 {
            let mut path = path();
            path.remove(left_out);
            assert_ne!(depths(&path, 0.5), all);
        }
    }
}
