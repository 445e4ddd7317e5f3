//! The size of a chart, and its pixels.

/// The width of charts, in CSS pixels, and of those that need twice as much.
pub(super) const WIDTH: u32 = 660;

pub(super) const WIDE: u32 = 1270;

/// The width of the drawing that a page shows where its window is as narrow as a telephone's.
pub(super) const PHONE: u32 = 372;

/// Units of the drawing in a CSS pixel: plotters' coordinates are integers, and this makes them fine
/// enough for thin lines.
pub(super) const FINE: u32 = 4;

/// Pixels of a PNG in a CSS pixel; the remaining part of [`FINE`] is averaged, which smooths edges.
pub(super) const PNG_SCALE: u32 = 2;

/// The mean of each square of `side` times `side` pixels.
///
/// `pixels`: `[height, width, 3]`, `width` and height multiples of `side`.
pub(super) fn averaged(pixels: &[u8], width: usize, side: usize) -> Vec<u8> {
    let rows = pixels.chunks_exact(width * 3 * side);
    let of_rows = |rows: &[u8]| -> Vec<u8> {
        (0..width / side * 3)
            .map(|at| {
                let (column, channel) = (at / 3 * side, at % 3);
                let value =
                    |row: usize, next: usize| usize::from(rows[(row * width + column + next) * 3 + channel]);
                let sum: usize =
                    (0..side).map(|row| (0..side).map(|next| value(row, next)).sum::<usize>()).sum();
                (sum / (side * side)) as u8
            })
            .collect()
    };
    rows.flat_map(of_rows).collect()
}

/// The `pixels` `[height, width, 3]` as a PNG file.
pub(super) fn encoded(pixels: &[u8], width: u32, height: u32) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let written = encoder.write_header().and_then(|mut writer| writer.write_image_data(pixels));
    written.expect("memory takes every byte, and the pixels fill the picture");
    file
}
