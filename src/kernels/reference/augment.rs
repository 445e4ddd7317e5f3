//! The naive twins of the deformations of images, and the definitions that their statistics are held against.

/// The value at a place of an image `[height, width]`: linear between the middles of pixels, which are
/// whole numbers, and 0 beyond the image.
pub fn bilinear(image: &[f64], [height, width]: [usize; 2], [y, x]: [f64; 2]) -> f64 {
    let mut sum = 0.0;
    for row in 0..height {
        for column in 0..width {
            let [down, across] = [(y - row as f64).abs(), (x - column as f64).abs()];
            sum += (1.0 - down).max(0.0) * (1.0 - across).max(0.0) * image[row * width + column];
        }
    }
    sum
}

/// The affine part of a deformation: pixels are stretched by `zoom` `[across, down]`, then sheared, then
/// rotated by so many degrees, x towards y, all about the middle of the image, and shifted
/// `[across, down]`.
#[derive(Clone, Copy, Debug)]
pub struct Motion {
    pub shift: [f64; 2],
    pub degrees: f64,
    pub shear: f64,
    pub zoom: [f64; 2],
}

impl Motion {
    /// The place to which the point `[x, y]` of an image `[height, width]` moves.
    pub fn forward(&self, [height, width]: [usize; 2], [x, y]: [f64; 2]) -> [f64; 2] {
        let middle = [(width as f64 - 1.0) / 2.0, (height as f64 - 1.0) / 2.0];
        let [x, y] = [self.zoom[0] * (x - middle[0]), self.zoom[1] * (y - middle[1])];
        let x = x + self.shear * y;
        let (sine, cosine) = self.degrees.to_radians().sin_cos();
        let [x, y] = [cosine * x - sine * y, sine * x + cosine * y];
        [x + middle[0] + self.shift[0], y + middle[1] + self.shift[1]]
    }

    /// The point that moves to `[x, y]`: the inverse of [`forward`](Motion::forward), step by step.
    pub fn backward(&self, [height, width]: [usize; 2], [x, y]: [f64; 2]) -> [f64; 2] {
        let middle = [(width as f64 - 1.0) / 2.0, (height as f64 - 1.0) / 2.0];
        let [x, y] = [x - middle[0] - self.shift[0], y - middle[1] - self.shift[1]];
        let (sine, cosine) = self.degrees.to_radians().sin_cos();
        let [x, y] = [cosine * x + sine * y, cosine * y - sine * x];
        let x = x - self.shear * y;
        [x / self.zoom[0] + middle[0], y / self.zoom[1] + middle[1]]
    }

    /// The image `[height, width]` after the motion.
    pub fn moved(&self, image: &[f64], size: [usize; 2]) -> Vec<f64> {
        let [height, width] = size;
        let pixels = (0..height).flat_map(|y| (0..width).map(move |x| [x as f64, y as f64]));
        let value = |place| {
            let [x, y] = self.backward(size, place);
            bilinear(image, size, [y, x])
        };
        pixels.map(value).collect()
    }
}

/// The Gaussian of this deviation over whole numbers from -reach to reach, its sum being 1.
pub fn gaussian(deviation: f64, reach: usize) -> Vec<f64> {
    let place = |index: usize| index as f64 - reach as f64;
    let values: Vec<f64> =
        (0..=2 * reach).map(|index| (-place(index).powi(2) / (2.0 * deviation.powi(2))).exp()).collect();
    let sum: f64 = values.iter().sum();
    values.iter().map(|value| value / sum).collect()
}

/// An elastic field as it is defined: `noise` `[height + 2 reach, width + 2 reach]`, uniform on ±1,
/// convolved with the Gaussian across and down, times `alpha` (Simard, Steinkraus and Platt 2003).
pub fn elastic(
    noise: &[f64],
    [height, width]: [usize; 2],
    deviation: f64,
    alpha: f64,
    reach: usize,
) -> Vec<f64> {
    let gaussian = gaussian(deviation, reach);
    let pitch = width + 2 * reach;
    let mut field = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let mut sum = 0.0;
            for (i, down) in gaussian.iter().enumerate() {
                for (j, across) in gaussian.iter().enumerate() {
                    sum += down * across * noise[(y + i) * pitch + x + j];
                }
            }
            field.push(alpha * sum);
        }
    }
    field
}

/// A line of a field from `noise` `[points]` that lie `spacing` apart, the first of them `reach` points before
/// pixel 0: each adds the Gaussian around it, as far as `reach` points, and all are multiplied by the factor that
/// gives the mean square that the convolution of all pixels has.
pub fn elastic_line(noise: &[f64], pixels: usize, deviation: f64, spacing: f64, reach: usize) -> Vec<f64> {
    let value = |pixel: usize, point: usize| {
        let distance = pixel as f64 - (point as f64 - reach as f64) * spacing;
        let inside = distance.abs() < (reach as f64 + 1e-6) * spacing;
        if inside { (-distance.powi(2) / (2.0 * deviation.powi(2))).exp() } else { 0.0 }
    };
    // As many points as can be in reach of a pixel.
    let points = (pixels as f64 / spacing) as usize + 2 * reach + 2;
    let squares = |pixel: usize| (0..points).map(|point| value(pixel, point).powi(2)).sum::<f64>();
    let mean = (0..pixels).map(squares).sum::<f64>() / pixels as f64;
    let wanted: f64 =
        gaussian(deviation, (8.0 * deviation).ceil() as usize).iter().map(|weight| weight * weight).sum();
    let at = |pixel| {
        let terms = noise.iter().enumerate().map(|(point, noise)| value(pixel, point) * noise);
        (wanted / mean).sqrt() * terms.sum::<f64>()
    };
    (0..pixels).map(at).collect()
}

/// The covariance of the displacements of two pixels that lie `[down, across]` apart, in such a field: of
/// noise that is 1/3 for itself and 0 for all other, convolved with the Gaussian twice.
pub fn elastic_covariance(deviation: f64, alpha: f64, lag: [usize; 2]) -> f64 {
    let gaussian = gaussian(deviation, (8.0 * deviation).ceil() as usize);
    let along =
        |lag: usize| -> f64 { gaussian.iter().zip(gaussian.iter().skip(lag)).map(|(a, b)| a * b).sum() };
    alpha * alpha / 3.0 * along(lag[0]) * along(lag[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_motion_and_its_inverse_cancel() {
        let motion = Motion { shift: [1.5, -2.0], degrees: 33.0, shear: 0.3, zoom: [1.2, 0.7] };
        for place in [[0.0, 0.0], [3.0, 9.5], [11.0, 4.0]] {
            let [x, y] = motion.backward([9, 14], motion.forward([9, 14], place));
            assert!((x - place[0]).abs() < 1e-12 && (y - place[1]).abs() < 1e-12);
        }
        // A quarter turn moves a point right of the middle below it.
        let turn = Motion { shift: [0.0; 2], degrees: 90.0, shear: 0.0, zoom: [1.0; 2] };
        let [x, y] = turn.forward([5, 5], [4.0, 2.0]);
        assert!((x - 2.0).abs() < 1e-12 && (y - 4.0).abs() < 1e-12);
    }

    #[test]
    fn between_pixels_values_are_linear() {
        let image = [0.0, 10.0, 20.0, 30.0];
        let at = |y, x| bilinear(&image, [2, 2], [y, x]);
        assert_eq!([at(0.0, 1.0), at(0.5, 0.5), at(1.0, 1.5), at(-0.75, 1.0)], [10.0, 15.0, 15.0, 2.5]);
        assert_eq!([at(-1.0, 0.0), at(2.0, 7.0)], [0.0, 0.0]);
    }

    /// The covariance is that of the convolution: by the fields of single points of noise.
    #[test]
    fn the_covariance_is_that_of_the_definition() {
        let (size, deviation, alpha, reach) = ([1, 4], 1.1, 3.0, 5);
        let points = (1 + 2 * reach) * (4 + 2 * reach);
        let mut sums = [0.0; 4];
        for point in 0..points {
            let mut noise = vec![0.0; points];
            noise[point] = 1.0;
            let field = elastic(&noise, size, deviation, alpha, reach);
            (0..4).for_each(|lag| sums[lag] += field[0] * field[lag] / 3.0);
        }
        for (lag, sum) in sums.into_iter().enumerate() {
            let exact = elastic_covariance(deviation, alpha, [0, lag]);
            assert!((sum / exact - 1.0).abs() < 1e-3, "{lag}: {sum} {exact}");
        }
    }
}
