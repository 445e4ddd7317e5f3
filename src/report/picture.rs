//! Grey pictures in a terminal.

use std::io::IsTerminal;

use console::measure_text_width;

/// Spaces between two pictures.
const GAP: usize = 2;

/// The colours or characters that the output can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Palette {
    /// 24-bit colours, two pixels in a character.
    TrueColour,
    /// The 24 greys of the 256 colours, two pixels in a character.
    Greys,
    /// Characters of growing ink, two of them for a pixel.
    Ascii,
}

impl Palette {
    /// The palette of standard output: characters only if it is no terminal or colours are unwanted
    /// (`NO_COLOR`, see no-color.org).
    pub fn of_stdout() -> Palette {
        let variable = |name| std::env::var(name).unwrap_or_default();
        Palette::choose(
            std::io::stdout().is_terminal(),
            &variable("NO_COLOR"),
            &variable("TERM"),
            &variable("COLORTERM"),
        )
    }

    fn choose(terminal: bool, no_color: &str, term: &str, colorterm: &str) -> Palette {
        if !terminal || !no_color.is_empty() || term == "dumb" {
            Palette::Ascii
        } else if ["truecolor", "24bit"].contains(&colorterm) {
            Palette::TrueColour
        } else {
            Palette::Greys
        }
    }
}

/// The characters, from no ink to full ink.
const RAMP: &[u8; 10] = b" .:-=+*#%@";
/// The first of the 24 greys among the 256 colours.
const FIRST_GREY: usize = 232;

/// The picture as lines of text.
///
/// `pixels`: `[height, width]`, 0 is black.
///
/// # Panics
/// If `width` is 0 or does not divide the number of pixels.
pub fn draw(pixels: &[u8], width: usize, palette: Palette) -> String {
    assert!(width > 0 && pixels.len().is_multiple_of(width), "the pixels must fill rows of {width}");
    if palette == Palette::Ascii {
        return pixels.chunks(width).map(|row| ascii_line(row) + "\n").collect();
    }
    let black = vec![0; width];
    let mut text = String::new();
    for rows in pixels.chunks(2 * width) {
        let (upper, lower) = rows.split_at(width);
        let lower = if lower.is_empty() { &black } else { lower };
        for (&upper, &lower) in upper.iter().zip(lower) {
            text += &half_block(upper, lower, palette);
        }
        text += "\x1b[0m\n";
    }
    text
}

fn ascii_line(row: &[u8]) -> String {
    row.iter()
        .flat_map(|&pixel| {
            let ink = char::from(RAMP[usize::from(pixel) * (RAMP.len() - 1) / 255]);
            [ink, ink]
        })
        .collect()
}

/// One character whose foreground is the upper pixel and whose background is the lower one.
fn half_block(upper: u8, lower: u8, palette: Palette) -> String {
    let colour = |pixel: u8| match palette {
        Palette::TrueColour => format!("2;{pixel};{pixel};{pixel}"),
        _ => format!("5;{}", FIRST_GREY + usize::from(pixel) * 23 / 255),
    };
    format!("\x1b[38;{}m\x1b[48;{}m▀", colour(upper), colour(lower))
}

/// Blocks of lines, such as pictures, side by side as far as `columns` allow, an empty line before each row of
/// them.
pub fn beside(blocks: &[Vec<String>], columns: usize) -> String {
    let mut text = String::new();
    let width = blocks.iter().flatten().map(|line| measure_text_width(line)).max().unwrap_or(0);
    for row in blocks.chunks(((columns + GAP) / (width + GAP)).max(1)) {
        text.push('\n');
        for index in 0..row.iter().map(Vec::len).max().unwrap_or(0) {
            let cells = row.iter().map(|block| padded(block.get(index).map_or("", String::as_str), width));
            text += cells.collect::<Vec<_>>().join(&" ".repeat(GAP)).trim_end_matches(' ');
            text.push('\n');
        }
    }
    text
}

fn padded(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(measure_text_width(text))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ink_grows_with_the_pixels() {
        assert_eq!(draw(&[0, 128, 255, 30], 2, Palette::Ascii), "  ==\n@@..\n");
    }

    #[test]
    fn two_rows_make_one_line_and_an_odd_one_stands_on_black() {
        let text = draw(&[0, 255, 7], 1, Palette::TrueColour);
        let first = "\x1b[38;2;0;0;0m\x1b[48;2;255;255;255m▀\x1b[0m\n";
        let second = "\x1b[38;2;7;7;7m\x1b[48;2;0;0;0m▀\x1b[0m\n";
        assert_eq!(text, format!("{first}{second}"));
        assert_eq!(draw(&[0, 255], 1, Palette::Greys), "\x1b[38;5;232m\x1b[48;5;255m▀\x1b[0m\n");
    }

    #[test]
    fn colours_need_a_terminal_that_wants_them() {
        let cases = [
            ((true, "", "xterm", "truecolor"), Palette::TrueColour),
            ((true, "", "xterm", ""), Palette::Greys),
            ((true, "1", "xterm", "truecolor"), Palette::Ascii),
            ((true, "", "dumb", "truecolor"), Palette::Ascii),
            ((false, "", "xterm", "truecolor"), Palette::Ascii),
        ];
        for ((terminal, no_color, term, colorterm), palette) in cases {
            assert_eq!(Palette::choose(terminal, no_color, term, colorterm), palette);
        }
    }
}
