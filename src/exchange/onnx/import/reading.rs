//! What the dimensions of a graph's input may be: the file says their sizes only.

use std::path::Path;

use super::flow::Axis;
use super::misfit::format_error;
use crate::error::Result;

/// The input, taken in one way.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    pub axes: Vec<Axis>,
    /// Height, width and channels of a sample.
    pub input: [usize; 3],
    /// The size of the batch, if the graph is for one alone.
    pub batch: Option<usize>,
}

/// The most numbers of a sample.
const MOST: usize = 1 << 30;

/// What a dimension may be, with its index in height, width and channels; none is the batch.
type Role = Option<(fn(usize) -> Axis, usize)>;

const BATCH: Role = None;
const CHANNELS: Role = Some((Axis::Channels, 2));
const FEATURES: Role = Some((Axis::Features, 2));
const HEIGHT: Role = Some((Axis::Height, 0));
const WIDTH: Role = Some((Axis::Width, 1));
const POSITIONS: Role = Some((Axis::Positions, 1));

/// The ways to take an input of so many dimensions, the most usual first.
fn ways(rank: usize) -> &'static [&'static [Role]] {
    match rank {
        2 => &[&[BATCH, FEATURES]],
        3 => &[
            &[BATCH, POSITIONS, CHANNELS],
            &[BATCH, CHANNELS, POSITIONS],
            &[POSITIONS, BATCH, CHANNELS],
            &[BATCH, HEIGHT, WIDTH],
        ],
        4 => &[&[BATCH, CHANNELS, HEIGHT, WIDTH], &[BATCH, HEIGHT, WIDTH, CHANNELS]],
        _ => &[],
    }
}

/// All ways to take an input of these sizes, where `given`, height, width and channels, may say what they do not.
///
/// # Errors
/// [`Error::Format`](crate::Error::Format) if there are none: too few or too many dimensions, or sizes that nobody says.
pub fn readings(
    path: &Path,
    name: &str,
    sizes: &[Option<usize>],
    given: Option<[usize; 3]>,
) -> Result<Vec<Reading>> {
    let place = format!("input {name}");
    let found: Vec<Reading> = ways(sizes.len()).iter().filter_map(|way| reading(way, sizes, given)).collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let shown: Vec<String> =
        sizes.iter().map(|size| size.map_or("?".into(), |size| size.to_string())).collect();
    let shown = format!("[{}]", shown.join(", "));
    let expected = match given {
        _ if ways(sizes.len()).is_empty() => "samples of one to three dimensions, and the batch".to_string(),
        Some(sizes) => format!("an input of {}", sizes.map(|size| size.to_string()).join("x")),
        None if sizes.iter().skip(1).all(Option::is_some) => format!("samples of at most {MOST} numbers"),
        None => "sizes of all dimensions but the batch; `--input HxWxC` says them".into(),
    };
    Err(format_error(path, &place, &expected, shown))
}

fn reading(way: &[Role], sizes: &[Option<usize>], given: Option<[usize; 3]>) -> Option<Reading> {
    let (mut axes, mut input, mut batch) = (Vec::new(), [1; 3], None);
    for (role, &size) in way.iter().zip(sizes) {
        let Some((axis, index)) = *role else {
            axes.push(Axis::Batch);
            batch = size;
            continue;
        };
        // A row of features may be said in any form.
        let said = given.map(|given| {
            if way.len() == 2 {
                given.iter().fold(1, |product: usize, &size| product.saturating_mul(size))
            } else {
                given[index]
            }
        });
        if size.zip(said).is_some_and(|(size, said)| size != said) {
            return None;
        }
        let size = size.or(said)?;
        axes.push(axis(size));
        input[index] = size;
    }
    input
        .iter()
        .try_fold(1usize, |product, &size| product.checked_mul(size))
        .filter(|&numbers| numbers <= MOST)?;
    match given {
        Some(given) if way.len() == 2 => input = given,
        Some(given) if given != input => return None,
        _ => {}
    }
    Some(Reading { axes, input, batch })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_taken_from_the_file_and_from_the_command_line() {
        let read = |sizes: &[Option<usize>], given| {
            readings(Path::new("m"), "x", sizes, given).map_err(|error| error.to_string())
        };
        let images = read(&[None, Some(3), Some(5), Some(7)], None).unwrap();
        assert_eq!((images[0].input, images[1].input), ([5, 7, 3], [3, 5, 7]));
        let chosen = read(&[None, Some(3), None, None], Some([5, 7, 3])).unwrap();
        assert_eq!((chosen.len(), chosen[0].input), (1, [5, 7, 3]));
        let row = read(&[Some(1), Some(784)], Some([28, 28, 1])).unwrap();
        assert_eq!((row[0].input, row[0].batch), ([28, 28, 1], Some(1)));
        assert!(read(&[None, None, Some(4)], None).unwrap_err().contains("--input HxWxC"));
        assert!(read(&[None, Some(4)], Some([1, 1, 5])).unwrap_err().contains("an input of 1x1x5"));
        assert!(read(&[None], None).unwrap_err().contains("one to three dimensions"));
    }
}
