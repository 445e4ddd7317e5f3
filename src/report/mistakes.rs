//! The worst mistakes of a model, as pictures in a terminal and as a contact sheet.

use console::{measure_text_width, truncate_str};

use super::chart::{Tile, contact_sheet};
use super::markup::for_terminal;
use super::numbers::{counted, thousands};
use super::picture::{self, Palette};
use crate::train::analysis::{Mistake, Picture};

/// The caption of a mistake: "7 read as 2, 98.2 %"; without the probability where the network's outputs are no numbers.
/// `names`: of the classes, or none.
pub fn caption(mistake: &Mistake, names: &[String]) -> String {
    let probability = mistake.probability;
    let sure =
        if probability.is_finite() { format!(", {:.1} %", 100.0 * probability) } else { String::new() };
    read_as(mistake, names) + &sure
}

/// "7 read as 2", by the names of the classes where they have some.
fn read_as(mistake: &Mistake, names: &[String]) -> String {
    let name = |class: usize| {
        names.get(class).map_or_else(|| class.to_string(), |name| for_terminal(name).replace('\n', " "))
    };
    format!("{} read as {}", name(mistake.label), name(mistake.predicted))
}

/// A mistake with its picture and name.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown<'a> {
    pub mistake: Mistake,
    /// The picture; absent if the sample is none.
    pub picture: Option<Picture>,
    /// The name of the sample: "sample 247".
    pub name: String,
    /// The names of all classes; empty where they have none.
    pub class_names: &'a [String],
}

impl Shown<'_> {
    /// The caption: "7 read as 2, 98.2 %".
    fn caption(&self) -> String {
        caption(&self.mistake, self.class_names)
    }

    fn drawn(&self, palette: Palette) -> String {
        let draw = |shown: &Picture| picture::draw(&shown.grey(), shown.width, palette);
        self.picture.as_ref().map_or(String::new(), draw)
    }
}

/// "318 mistakes in 10,000 samples; the 8 worst:", and these side by side as far as `columns` allow, the
/// worst first, each with its class, the class that it was read as with its probability, and its name.
pub fn terminal(shown: &[Shown], count: usize, samples: usize, palette: Palette, columns: usize) -> String {
    let among = format!("{} in {}", counted(count, "mistake"), counted(samples, "sample"));
    let many = match shown.len() {
        all if all == count => String::new(),
        1 => "; the worst".into(),
        some => format!("; the {} worst", thousands(some as u64)),
    };
    let mut text = format!("{among}{many}{}\n", if shown.is_empty() { "" } else { ":" });
    let blocks: Vec<Vec<String>> = shown.iter().map(|shown| block(shown, palette)).collect();
    text += &picture::beside(&blocks, columns);
    text
}

/// The lines of one mistake: its picture, and its captions.
fn block(shown: &Shown, palette: Palette) -> Vec<String> {
    let mut lines: Vec<String> = shown.drawn(palette).lines().map(String::from).collect();
    let caption = shown.caption();
    let room = lines.first().map_or(usize::MAX, |line| measure_text_width(line).max(caption.len()));
    lines.push(caption);
    lines.push(truncate_str(&for_terminal(&shown.name).replace('\n', " "), room, "…").into_owned());
    lines
}

/// The mistakes of which there is a picture, as a PNG file; `of` says whose they are.
pub fn sheet(shown: &[Shown], count: usize, of: &str) -> Vec<u8> {
    let tile = |shown: &Shown| {
        let read = read_as(&shown.mistake, shown.class_names);
        let lines = [read, format!("{:.1} %", 100.0 * shown.mistake.probability), shown.name.clone()];
        Some(Tile { picture: shown.picture.clone()?, lines })
    };
    let tiles: Vec<Tile> = shown.iter().filter_map(tile).collect();
    let title = format!("{of}: the worst {} of {}", thousands(tiles.len() as u64), counted(count, "mistake"));
    contact_sheet(&title, &tiles)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(index: usize) -> Shown<'static> {
        let mistake = Mistake { index, label: 7, predicted: 2, probability: 0.9819, loss: 4.0, png: None };
        let picture = Picture { pixels: vec![0, 255, 255, 0], height: 2, width: 2 };
        Shown { mistake, picture: Some(picture), name: format!("#{index}"), class_names: &[] }
    }

    #[test]
    fn pictures_stand_side_by_side_as_far_as_there_is_room() {
        let three: Vec<Shown> = (8..11).map(shown).collect();
        let expected = "\
12 mistakes in 1,000 samples; the 3 worst:

  @@                   @@
@@                   @@
7 read as 2, 98.2 %  7 read as 2, 98.2 %
#8                   #9

  @@
@@
7 read as 2, 98.2 %
#10
";
        assert_eq!(terminal(&three, 12, 1000, Palette::Ascii, 60), expected);
        assert_eq!(terminal(&three, 3, 1000, Palette::Ascii, 61).matches("\n\n").count(), 1);
        let narrow = terminal(&three, 3, 1000, Palette::Ascii, 10);
        assert!(narrow.starts_with("3 mistakes in 1,000 samples:\n\n"), "{narrow}");
        assert_eq!(narrow.matches("\n\n").count(), 3, "at least one in a row");
    }

    #[test]
    fn colours_are_closed_and_names_are_cut() {
        let mut one = shown(8);
        one.name = "a very long name of a\u{7} file.idx:17".into();
        let text = terminal(std::slice::from_ref(&one), 1, 1, Palette::TrueColour, 80);
        assert!(text.contains("▀\x1b[0m"), "{text:?}");
        assert!(text.ends_with("7 read as 2, 98.2 %\na very long name o…\n"), "{text}");
        one.picture = None;
        let text = terminal(&[one], 1, 1, Palette::Ascii, 80);
        assert_eq!(
            text,
            "1 mistake in 1 sample:\n\n7 read as 2, 98.2 %\na very long name of a\u{fffd} file.idx:17\n"
        );
        let names: Vec<String> = (0..8).map(|class| format!("class\u{7}{class}")).collect();
        let named = Shown { class_names: &names, ..shown(8) };
        assert_eq!(named.caption(), "class\u{fffd}7 read as class\u{fffd}2, 98.2 %");
        assert_eq!(terminal(&[], 0, 7, Palette::Ascii, 80), "0 mistakes in 7 samples\n");
    }

    #[test]
    fn a_sheet_holds_what_can_be_looked_at() {
        let height = |shown: &[Shown]| {
            let file = sheet(shown, 20, "mnist-mlp");
            png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap().info().height
        };
        let many: Vec<Shown> = (0..9).map(shown).collect();
        let without = Shown { picture: None, ..shown(9) };
        let one_row = height(&many[..1]);
        assert_eq!(height(&many[..8]), one_row);
        assert!(height(&many) > one_row);
        assert_eq!(height(&[shown(0), without]), one_row);
        assert!(height(&[]) < one_row);
    }
}
