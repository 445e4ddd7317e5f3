//! Contact sheets: small pictures in rows, with a caption below each.

use plotters::backend::BitMapBackend;

use super::canvas::{Canvas, QUIET, Side, TEXT};
use super::frame::{self, LABEL_SIZE};
use super::pixels::{FINE, PNG_SCALE, WIDTH, averaged, encoded};
use crate::train::analysis::Picture;

/// Pictures side by side.
const COLUMNS: usize = 8;
/// Room for the title, if there is one.
const TITLE: u32 = 40;
/// The side of the square for a picture, in CSS pixels, and the height of its row with its lines of text.
const SIDE: u32 = 70;
const ROW: u32 = 140;
/// The distance from the top of a row to its picture, and to the middles of the lines.
const ABOVE: u32 = 6;
const LINES: [f64; 3] = [88.0, 104.0, 120.0];

/// A picture and its caption.
#[derive(Clone, Debug, PartialEq)]
pub struct Tile {
    pub picture: Picture,
    /// The lines of the caption, the more important one first.
    pub lines: [String; 3],
}

/// The content of a PNG file of all tiles, eight in a row.
///
/// # Panics
/// If a picture has other pixels than its sides say.
pub fn contact_sheet(title: &str, tiles: &[Tile]) -> Vec<u8> {
    let mut pixels = strip(TITLE, |canvas| frame::draw_title(canvas, title));
    for row in tiles.chunks(COLUMNS) {
        let mut drawn = strip(ROW, |canvas| {
            for (column, tile) in row.iter().enumerate() {
                let (middle, room) = (middle_of(column), f64::from(WIDTH) / COLUMNS as f64 - 4.0);
                for ((text, height), ink) in tile.lines.iter().zip(LINES).zip([TEXT, QUIET, QUIET]) {
                    canvas.text_within(text, (middle, height), LABEL_SIZE, ink, Side::Middle, room);
                }
            }
        });
        for (column, tile) in row.iter().enumerate() {
            place(&mut drawn, &tile.picture, middle_of(column));
        }
        pixels.extend(drawn);
    }
    let rows = tiles.len().div_ceil(COLUMNS) as u32;
    encoded(&pixels, WIDTH * PNG_SCALE, (TITLE + rows * ROW) * PNG_SCALE)
}

/// The middle of a column, in CSS pixels.
fn middle_of(column: usize) -> f64 {
    f64::from(WIDTH) / COLUMNS as f64 * (column as f64 + 0.5)
}

/// A drawing as wide as the sheet: `[height, WIDTH, 3]` in pixels of the file. A sheet is drawn strip by
/// strip, because the fine drawing takes four times its memory.
fn strip(height: u32, draw: impl FnOnce(&mut Canvas<BitMapBackend>)) -> Vec<u8> {
    let size = (WIDTH * FINE, height * FINE);
    let mut pixels = vec![255; (size.0 * size.1 * 3) as usize];
    let mut canvas = Canvas::of_bitmap(BitMapBackend::with_buffer(&mut pixels, size), size);
    draw(&mut canvas);
    drop(canvas);
    averaged(&pixels, size.0 as usize, (FINE / PNG_SCALE) as usize)
}

/// Puts the picture into its row, centred in its square: whole numbers of pixels of the file for each of
/// its own, or if it is larger than the square, some of its pixels.
fn place(row: &mut [u8], picture: &Picture, middle: f64) {
    let side = (SIDE * PNG_SCALE) as usize;
    let longest = picture.height.max(picture.width);
    // Either `times` pixels for one, or one pixel for every `every`th.
    let (times, every) = ((side / longest).max(1), longest.div_ceil(side));
    let [height, width] = [picture.height, picture.width].map(|own| own.div_ceil(every) * times);
    let left = (middle * f64::from(PNG_SCALE)) as usize - width / 2;
    let top = (ABOVE * PNG_SCALE) as usize + (side - height) / 2;
    let row_width = (WIDTH * PNG_SCALE) as usize;
    for y in 0..height {
        for x in 0..width {
            let at = ((top + y) * row_width + left + x) * 3;
            row[at..at + 3].copy_from_slice(&picture.colour(y / times * every, x / times * every));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tile(height: usize, width: usize, pixels: Vec<u8>) -> Tile {
        let picture = Picture { pixels, height, width };
        Tile { picture, lines: ["7 read as 2".into(), "98.2 %".into(), "#5".into()] }
    }

    /// Pixels `[height, width, 3]`, height and width of a PNG file.
    fn decoded(file: &[u8]) -> (Vec<u8>, usize, usize) {
        let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        (pixels, info.height as usize, info.width as usize)
    }

    fn count(pixels: &[u8], colour: [u8; 3]) -> usize {
        pixels.chunks_exact(3).filter(|pixel| **pixel == colour).count()
    }

    #[test]
    fn every_pixel_becomes_a_square() {
        // Colours that letters do not have.
        let grey = tile(2, 3, vec![1, 2, 3, 4, 5, 6]);
        let (pixels, height, width) = decoded(&contact_sheet("", &[grey]));
        assert_eq!((height, width), (((TITLE + ROW) * PNG_SCALE) as usize, (WIDTH * PNG_SCALE) as usize));
        for value in 1..=6 {
            assert_eq!(count(&pixels, [value; 3]), 46 * 46, "{value}");
        }
        let coloured = tile(1, 2, vec![200, 0, 0, 0, 0, 200]);
        let (pixels, ..) = decoded(&contact_sheet("", &[coloured]));
        assert_eq!((count(&pixels, [200, 0, 0]), count(&pixels, [0, 0, 200])), (70 * 70, 70 * 70));
    }

    #[test]
    fn large_pictures_are_thinned_and_rows_follow_each_other() {
        let large = tile(300, 100, vec![77; 300 * 100]);
        let (pixels, ..) = decoded(&contact_sheet("", &[large]));
        assert_eq!(count(&pixels, [77; 3]), 100 * 34);

        let tiles: Vec<Tile> = (0..9).map(|value| tile(1, 1, vec![100 + value])).collect();
        let (pixels, height, width) = decoded(&contact_sheet("Mistakes", &tiles));
        assert_eq!(height, ((TITLE + 2 * ROW) * PNG_SCALE) as usize);
        let first = |value: u8| pixels.chunks_exact(3).position(|pixel| *pixel == [value; 3]).unwrap();
        let place = |value: u8| (first(value) / width, first(value) % width);
        assert!(place(100).1 < place(101).1 && place(107).1 < width);
        assert_eq!((place(107).0, place(108).1), (place(100).0, place(100).1), "the ninth begins a row");
        assert_eq!(place(108).0 - place(100).0, (ROW * PNG_SCALE) as usize);
    }

    #[test]
    fn words_are_drawn_and_a_sheet_may_be_empty() {
        let white = |tiles: &[Tile], title: &str| {
            let (pixels, height, width) = decoded(&contact_sheet(title, tiles));
            height * width - count(&pixels, [255; 3])
        };
        let quiet = Tile { lines: [const { String::new() }; 3], ..tile(1, 1, vec![9]) };
        assert!(white(&[tile(1, 1, vec![9])], "") > white(std::slice::from_ref(&quiet), "") + 100);
        assert!(white(std::slice::from_ref(&quiet), "Title") > white(&[quiet], "") + 100);
        assert_eq!(white(&[], ""), 0);
    }
}
