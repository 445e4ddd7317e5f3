//! Shift, rotation, zoom, stretch and shear: one affine map.

use super::draw::fraction;
use crate::kernels::augmentation::warp::Affine;
use crate::rng::Stream;

/// How far an image is moved at most. Each is drawn uniformly between it and its negative, on its own.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Motion {
    /// Across and down, in pixels; at least 0.
    pub shift: f32,
    /// In degrees; at least 0.
    pub rotation: f32,
    /// Both sides become 1 + it as long; in [0, 1).
    pub zoom: f32,
    /// Each side on its own becomes 1 + it as long; in [0, 1).
    pub stretch: f32,
    /// Pixels across for a pixel down; at least 0.
    pub shear: f32,
}

impl Motion {
    /// A map for an image of this height and width: about its middle it is stretched and zoomed, then
    /// sheared, then turned, and then shifted.
    pub fn draw(&self, [height, width]: [usize; 2], stream: &mut Stream) -> Affine {
        let mut around = |range: f32| {
            if range == 0.0 { 0.0 } else { f64::from(range) * (2.0 * fraction(stream) - 1.0) }
        };
        let (sine, cosine) = around(self.rotation).to_radians().sin_cos();
        let shear = around(self.shear);
        let zoom = 1.0 + around(self.zoom);
        let [across, down] = [(); 2].map(|()| zoom * (1.0 + around(self.stretch)));
        let shift = [(); 2].map(|()| around(self.shift));
        // The inverse of [cosine, -sine; sine, cosine] [1, shear; 0, 1] [across, 0; 0, down].
        let by_x = [(sine * shear + cosine) / across, -sine / down];
        let by_y = [(sine - cosine * shear) / across, cosine / down];
        let middle = [width, height].map(|side| 0.5 * (side as f64 - 1.0));
        let from = [middle[0] + shift[0], middle[1] + shift[1]];
        let row = |axis: usize| {
            let rest = middle[axis] - by_x[axis] * from[0] - by_y[axis] * from[1];
            [by_x[axis], by_y[axis], rest].map(|number| number as f32)
        };
        Affine { x: row(0), y: row(1) }
    }
}
