//! Images taken from other places: by an affine map and a field of displacements, bilinearly, in one
//! pass from bytes to the numbers that a network takes.

use crate::kernels::simd::vectorise::vectorise;
use crate::tensor::{LANES, padded};

/// The longest side of an image: places are computed in single precision, and counted in 32 bits.
pub const MOST_SIDE: usize = 1 << 14;

/// From a pixel of the result to the place in the image that its value is taken from. Pixel (x, y) has
/// its middle at (x, y).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Affine {
    /// The place's x by x, by y, and at (0, 0).
    pub x: [f32; 3],
    /// The place's y by x, by y, and at (0, 0).
    pub y: [f32; 3],
}

/// What is added to the place of each pixel: \[height, padded width\] each.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    pub x: &'a [f32],
    pub y: &'a [f32],
}

/// Bytes to floats.
#[derive(Clone, Copy, Debug)]
pub struct Normalised {
    pub scale: f32,
    pub shift: f32,
}

/// The words that [`pack`] makes of an image of this height and width.
pub const fn words_len([height, width]: [usize; 2]) -> usize {
    (height + 1) * (width + 1)
}

/// Packs the four pixels around each corner between pixels, those of the border included, into one word:
/// `words` \[height + 1, width + 1\], from the low byte up the upper left, upper right, lower left and
/// lower right pixel, 0 beyond the image. So a bilinear sample is one load.
///
/// `bytes` \[height, width, channels\], of which one channel is taken.
pub fn pack(words: &mut [u32], bytes: &[u8], [height, width, channels]: [usize; 3], channel: usize) {
    debug_assert_eq!(bytes.len(), height * width * channels);
    debug_assert_eq!(words.len(), words_len([height, width]));
    let pitch = width + 1;
    vectorise(
        #[inline(always)]
        || {
            words[..pitch].fill(0);
            for (row, line) in bytes.chunks_exact(width * channels).enumerate() {
                let (above, below) = words[row * pitch..(row + 2) * pitch].split_at_mut(pitch);
                let byte = |column: usize| u32::from(line[column * channels + channel]);
                below[0] = byte(0) << 8;
                if channels == 1 {
                    for (word, pair) in below[1..width].iter_mut().zip(line.windows(2)) {
                        *word = u32::from(pair[0]) | (u32::from(pair[1]) << 8);
                    }
                } else {
                    for (column, word) in below[1..width].iter_mut().enumerate() {
                        *word = byte(column) | (byte(column + 1) << 8);
                    }
                }
                below[width] = byte(width - 1);
                for (word, pair) in above.iter_mut().zip(&*below) {
                    *word |= *pair << 16;
                }
            }
        },
    )
}

/// Takes each pixel of a channel of `out` \[height, width, channels\] from its place in the image that
/// [`pack`] has made `words` of: bilinearly, 0 beyond the image, and then normalised.
///
/// # Panics
/// If an array is too short, or a side longer than [`MOST_SIDE`].
pub fn sample(
    out: &mut [f32],
    words: &[u32],
    size: [usize; 3],
    channel: usize,
    map: &Affine,
    field: Option<Field>,
    to: Normalised,
) {
    let [height, width, channels] = size;
    assert!(height.max(width) <= MOST_SIDE && words.len() >= words_len([height, width]), "packed image");
    assert!(channel < channels && out.len() >= height * width * channels, "{size:?}");
    match field {
        None => vectorise(
            #[inline(always)]
            || each::<false>(out, words, size, channel, map, Field { x: &[], y: &[] }, to),
        ),
        Some(field) => {
            assert!(field.x.len().min(field.y.len()) >= height * padded(width), "field");
            vectorise(
                #[inline(always)]
                || each::<true>(out, words, size, channel, map, field, to),
            )
        }
    }
}

/// Where the vectors of a line of pixels begin: the last one overlaps the one before rather than the
/// end, unless the line is shorter than a vector.
#[inline(always)]
pub(in crate::kernels) fn starts(width: usize) -> impl Iterator<Item = usize> {
    (0..width).step_by(LANES).map(move |start| start.min(width.saturating_sub(LANES)))
}

#[inline(always)]
fn each<const FIELD: bool>(
    out: &mut [f32],
    words: &[u32],
    [height, width, channels]: [usize; 3],
    channel: usize,
    map: &Affine,
    field: Field,
    to: Normalised,
) {
    let pitch = width + 1;
    // One further than the outermost pixels everything is 0.
    let (right, bottom) = (width as f32, height as f32);
    let count = LANES.min(width);
    for row in 0..height {
        let y = row as f32;
        let (x_of_row, y_of_row) = (map.x[1].mul_add(y, map.x[2]), map.y[1].mul_add(y, map.y[2]));
        for start in starts(width) {
            let (mut dx, mut dy) = ([0.0; LANES], [0.0; LANES]);
            if FIELD {
                let place = row * padded(width) + start;
                dx.copy_from_slice(&field.x[place..place + LANES]);
                dy.copy_from_slice(&field.y[place..place + LANES]);
            }
            let (mut across, mut down) = ([0.0; LANES], [0.0; LANES]);
            let mut places = [0i32; LANES];
            for i in 0..LANES {
                let x = (start as i32 + i as i32) as f32;
                let (column, line);
                (column, across[i]) = cut(map.x[0].mul_add(x, x_of_row) + dx[i], right, width);
                (line, down[i]) = cut(map.y[0].mul_add(x, y_of_row) + dy[i], bottom, height);
                places[i] = line * pitch as i32 + column;
            }
            let mut corners = [0u32; LANES];
            for i in 0..LANES {
                // Safety: by `cut`, at most height * pitch + width, the last of the words.
                corners[i] = unsafe { *words.get_unchecked(places[i] as usize) };
            }
            let mut values = [0.0; LANES];
            for i in 0..LANES {
                let pixel = |place: u32| ((corners[i] >> (8 * place)) & 0xff) as i32 as f32;
                let upper = across[i].mul_add(pixel(1) - pixel(0), pixel(0));
                let lower = across[i].mul_add(pixel(3) - pixel(2), pixel(2));
                values[i] = down[i].mul_add(lower - upper, upper).mul_add(to.scale, to.shift);
            }
            let first = row * width + start;
            if channels == 1 && count == LANES {
                out[first..first + LANES].copy_from_slice(&values);
            } else {
                for (pixel, value) in values[..count].iter().enumerate() {
                    out[(first + pixel) * channels + channel] = *value;
                }
            }
        }
    }
}

/// A coordinate as the number of the gap between two pixels, that before the first being 0, and how far it
/// lies across it, in [0, 1]. `end`, the number of pixels, is also the last gap.
#[inline(always)]
fn cut(place: f32, end: f32, last: usize) -> (i32, f32) {
    // NaN, which no checked setting makes, becomes -1, too.
    let place = if place > -1.0 { place } else { -1.0 };
    let place = if place < end { place } else { end } + 1.0;
    // Safety: in [0, end + 1].
    let gap: i32 = unsafe { place.to_int_unchecked() };
    let gap = gap.min(last as i32);
    (gap, place - gap as f32)
}
