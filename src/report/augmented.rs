//! Samples beside their augmented versions, in a terminal and as a contact sheet.

use super::chart::{Tile, contact_sheet};
use super::picture::{self, Palette};
use crate::train::analysis::{Picture, Versions};

/// Versions that stand beside a sample on a sheet: they fill a row of it.
pub const VERSIONS: usize = 7;

/// The pictures of a sample, each with its caption: "sample 3", "7", or "epoch 2".
fn pictures(of: &Versions) -> Vec<(&Picture, [String; 2])> {
    let label = of.label.map_or(String::new(), |label| label.to_string());
    let mut pictures = vec![(&of.original, [label, format!("sample {}", of.index)])];
    for (epoch, made) in of.made.iter().enumerate() {
        pictures.push((made, [String::new(), format!("epoch {}", epoch + 1)]));
    }
    pictures
}

/// Each sample with its versions, side by side as far as `columns` allow.
pub fn terminal(versions: &[Versions], palette: Palette, columns: usize) -> String {
    let block = |(picture, words): (&Picture, [String; 2])| {
        let drawn = picture::draw(&picture.grey(), picture.width, palette);
        let [label, name] = words;
        let caption = if label.is_empty() { name } else { format!("{name}: {label}") };
        drawn.lines().map(String::from).chain([caption]).collect()
    };
    let rows = versions.iter().map(|of| {
        let blocks: Vec<Vec<String>> = pictures(of).into_iter().map(block).collect();
        picture::beside(&blocks, columns)
    });
    rows.collect::<String>().trim_start_matches('\n').to_string()
}

/// The sheet as a PNG file, each sample beginning a row if all have [`VERSIONS`]; `of` says whose samples they are.
pub fn sheet(versions: &[Versions], of: &str) -> Vec<u8> {
    let tile = |(picture, [label, name]): (&Picture, [String; 2])| Tile {
        picture: picture.clone(),
        lines: [label, name, String::new()],
    };
    let tiles: Vec<Tile> = versions.iter().flat_map(pictures).map(tile).collect();
    contact_sheet(&format!("{of}: training samples"), &tiles)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions() -> Versions {
        let picture = |value: u8| Picture { pixels: vec![0, value, value, 0], height: 2, width: 2 };
        Versions { index: 4, label: Some(9), original: picture(255), made: vec![picture(128), picture(30)] }
    }

    #[test]
    fn versions_stand_beside_their_sample() {
        let text = terminal(&[versions(), versions()], Palette::Ascii, 40);
        let expected =
            "  @@           ==         ..\n@@           ==         ..\nsample 4: 9  epoch 1      epoch 2\n";
        let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let once = squeezed(expected);
        assert_eq!(squeezed(&text), format!("{once} {once}"));
        assert_eq!(text.lines().count(), 7, "{text}");
        let unlabelled = Versions { label: None, made: Vec::new(), ..versions() };
        assert_eq!(terminal(&[unlabelled], Palette::Ascii, 40), "  @@\n@@\nsample 4\n");
    }

    #[test]
    fn a_sheet_has_a_row_for_each_sample() {
        let height =
            |file: Vec<u8>| png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap().info().height;
        let whole = Versions { made: vec![versions().original; VERSIONS], ..versions() };
        let one = height(sheet(std::slice::from_ref(&whole), "x"));
        let empty = height(sheet(&[], "x"));
        assert_eq!(height(sheet(&[whole.clone(), whole], "x")) - one, one - empty);
    }
}
