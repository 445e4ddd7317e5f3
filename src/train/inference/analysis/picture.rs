//! A sample as a small picture, and as a PNG file.

use png::{BitDepth, ColorType, Encoder};

use crate::data::{Features, Samples};

/// The largest side of a picture that is kept, so that a record of many stays small.
pub const LARGEST_SIDE: usize = 256;

/// A sample that can be looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// `[height, width]` if grey, `[height, width, 3]` if coloured
    pub pixels: Vec<u8>,
    /// Rows of pixels; neither side is 0.
    pub height: usize,
    pub width: usize,
}

impl Picture {
    /// Red, green and blue of a pixel.
    pub fn colour(&self, row: usize, column: usize) -> [u8; 3] {
        let channels = self.pixels.len() / (self.height * self.width);
        let at = (row * self.width + column) * channels;
        if channels == 3 { [0, 1, 2].map(|channel| self.pixels[at + channel]) } else { [self.pixels[at]; 3] }
    }

    /// The mean of the colours of each pixel: `[height, width]`
    pub fn grey(&self) -> Vec<u8> {
        let channels = (self.pixels.len() / (self.height * self.width)).max(1);
        let mean =
            |pixel: &[u8]| (pixel.iter().map(|&part| usize::from(part)).sum::<usize>() / channels) as u8;
        self.pixels.chunks_exact(channels).map(mean).collect()
    }
}

/// Sample `index` as a picture: grey if it has one channel, coloured if it has three. Floats are
/// stretched between black for the smallest and white for the largest of the sample.
///
/// Nothing if it has other channels, no height or no width to speak of, or a side above
/// [`LARGEST_SIDE`].
pub fn picture_of(samples: &Samples, index: usize) -> Option<Picture> {
    let [height, width, channels] = samples.shape();
    if ![1, 3].contains(&channels) || height.min(width) < 2 || height.max(width) > LARGEST_SIDE {
        return None;
    }
    let size = samples.features_per_sample();
    let part = index * size..(index + 1) * size;
    let pixels = match samples.features() {
        Features::Bytes(bytes) => bytes[part].to_vec(),
        Features::Floats(values) => stretched(&values[part]),
    };
    Some(Picture { pixels, height, width })
}

/// [`picture_of`] as a PNG file.
pub fn png_of(samples: &Samples, index: usize) -> Option<Vec<u8>> {
    let Picture { pixels, height, width } = picture_of(samples, index)?;
    let colour = if pixels.len() == height * width { ColorType::Grayscale } else { ColorType::Rgb };
    let mut file = Vec::new();
    // Both sides are at most LARGEST_SIDE.
    let mut encoder = Encoder::new(&mut file, width as u32, height as u32);
    encoder.set_color(colour);
    encoder.set_depth(BitDepth::Eight);
    let mut writer = encoder.write_header().ok()?;
    writer.write_image_data(&pixels).ok()?;
    writer.finish().ok()?;
    Some(file)
}

/// The values as bytes, from 0 for the smallest to 255 for the largest.
fn stretched(values: &[f32]) -> Vec<u8> {
    let least = values.iter().copied().fold(f32::INFINITY, f32::min);
    let most = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    // In f64 no difference of two floats overflows. One of 0 makes all values 0.
    let (least, span) = (f64::from(least), (f64::from(most) - f64::from(least)).max(f64::MIN_POSITIVE));
    values.iter().map(|&value| ((f64::from(value) - least) / span * 255.0).round() as u8).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Targets;

    /// Pixels and colour type of a PNG file.
    fn read(file: &[u8]) -> (Vec<u8>, ColorType, [u32; 2]) {
        let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        (pixels, info.color_type, [info.height, info.width])
    }

    #[test]
    fn bytes_come_back_from_the_file() {
        let grey = Samples::images((0..12).collect(), [2, 3, 1], vec![0, 0], 1).unwrap();
        assert_eq!(
            read(&png_of(&grey, 1).unwrap()),
            ((6..12).collect(), ColorType::Grayscale, [2, 3]),
            "the second of two"
        );
        let coloured = Samples::images((0..18).collect(), [3, 2, 3], vec![0], 1).unwrap();
        assert_eq!(read(&png_of(&coloured, 0).unwrap()), ((0..18).collect(), ColorType::Rgb, [3, 2]));
    }

    #[test]
    fn floats_are_stretched() {
        let values = vec![-1.0, 0.0, 1.0, 0.5];
        let samples = Samples::floats(values, [2, 2, 1], Targets::Classes(vec![0]), 1).unwrap();
        assert_eq!(read(&png_of(&samples, 0).unwrap()).0, [0, 128, 255, 191]);
        assert_eq!(stretched(&[7.0, 7.0]), [0, 0]);
        assert_eq!(stretched(&[f32::MIN, f32::MAX]), [0, 255]);
    }

    #[test]
    fn what_is_no_small_picture_is_left_out() {
        for shape in [[1, 1, 20], [1, 20, 1], [2, 2, 2], [257, 2, 1]] {
            let pixels = vec![0; shape.iter().product()];
            assert_eq!(png_of(&Samples::images(pixels, shape, vec![0], 1).unwrap(), 0), None, "{shape:?}");
        }
    }
}
