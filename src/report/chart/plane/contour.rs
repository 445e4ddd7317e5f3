//! Lines of equal height, and the areas of classes, on a grid: marching squares. Places are pairs of a column and a row,
//! with fractions.

use std::collections::BTreeMap;

use crate::tour::figure::Grid;

pub(super) type Place = (f64, f64);

/// Lines of equal height in a picture.
const LEVELS: usize = 12;

/// Above this many times the median height, the highest point is so far up that only logarithms show what lies below.
const STEEP: f64 = 12.0;
/// Below it, heights are spread as evenly as those of a plane or of a saddle.
const EVEN: f64 = 2.5;
/// The part of all places that lie below the lowest line, where lines follow logarithms.
const LOWEST: f64 = 0.005;

/// Heights for lines, from below. By how far the highest place lies above the median they are apart by equal steps; by
/// steps that grow, as the rings of a bowl are equally far from each other; or by equal factors over the lowest place.
pub(super) fn levels(grid: &Grid) -> Vec<f64> {
    let mut values: Vec<f64> = grid.values.iter().copied().filter(|value| value.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    let (Some(&low), Some(&high)) = (values.first(), values.last()) else { return Vec::new() };
    let range = high - low;
    if !(range > 0.0 && range.is_finite()) {
        return Vec::new();
    }
    let steepness = range / (values[values.len() / 2] - low);
    let part = |index: usize| index as f64 / (LEVELS + 1) as f64;
    let height = |index: usize| match steepness {
        steepness if steepness < EVEN => part(index) * range,
        steepness if steepness <= STEEP => part(index).powi(2) * range,
        _ => {
            let least = (values[(LOWEST * values.len() as f64) as usize] - low).max(1e-9 * range);
            least * (range / least).powf(part(index - 1))
        }
    };
    (1..=LEVELS).map(|index| low + height(index)).collect()
}

/// The corners of the square right above a grid point, around it from the grid point itself.
fn corners(column: usize, row: usize) -> [(usize, usize); 4] {
    [(column, row), (column + 1, row), (column + 1, row + 1), (column, row + 1)]
}

/// A side of a square: the grid point at which it begins, and whether it goes upwards.
type Edge = (usize, usize, bool);

/// The sides of a square, each between a corner and the next.
fn edges(column: usize, row: usize) -> [Edge; 4] {
    [(row, column, false), (row, column + 1, true), (row + 1, column, false), (row, column, true)]
}

/// The lines on which the height is `level`, each from a side of the grid to another or back to its first place. Squares
/// with a corner that is not finite have none.
pub(super) fn lines(grid: &Grid, level: f64) -> Vec<Vec<Place>> {
    let value = |(column, row): (usize, usize)| grid.values[row * grid.columns + column];
    // Each side that a line crosses has the sides that it comes from and goes to.
    let mut joined: BTreeMap<Edge, Vec<Edge>> = BTreeMap::new();
    for row in 0..grid.rows().saturating_sub(1) {
        for column in 0..grid.columns.saturating_sub(1) {
            let heights = corners(column, row).map(value);
            if heights.iter().all(|height| height.is_finite()) {
                for (from, to) in crossings(heights, level) {
                    let [from, to] = [from, to].map(|side| edges(column, row)[side]);
                    joined.entry(from).or_default().push(to);
                    joined.entry(to).or_default().push(from);
                }
            }
        }
    }
    let place = |&(row, column, upward): &Edge| {
        let [first, second] =
            [value((column, row)), value((column + usize::from(!upward), row + usize::from(upward)))];
        let part = ((level - first) / (second - first)).clamp(0.0, 1.0);
        let (x, y) = (column as f64, row as f64);
        if upward { (x, y + part) } else { (x + part, y) }
    };
    chains(joined).iter().map(|chain| chain.iter().map(place).collect()).collect()
}

/// The pairs of sides of a square that lines connect, by the heights of its corners.
fn crossings(heights: [f64; 4], level: f64) -> Vec<(usize, usize)> {
    let is_above = heights.map(|height| height >= level);
    let crossed: Vec<usize> = (0..4).filter(|&side| is_above[side] != is_above[(side + 1) % 4]).collect();
    match crossed[..] {
        [from, to] => vec![(from, to)],
        // Opposite corners are above, the others below: the middle decides which of them are connected.
        [_, _, _, _] => {
            let middle = heights.iter().map(|height| height / 4.0).sum::<f64>() >= level;
            if middle == is_above[0] { vec![(0, 1), (2, 3)] } else { vec![(0, 3), (1, 2)] }
        }
        _ => Vec::new(),
    }
}

/// The ways along joined sides: first those that have ends, then those that come back.
fn chains(mut joined: BTreeMap<Edge, Vec<Edge>>) -> Vec<Vec<Edge>> {
    let ends: Vec<Edge> =
        joined.iter().filter(|(_, others)| others.len() == 1).map(|(edge, _)| *edge).collect();
    let all: Vec<Edge> = joined.keys().copied().collect();
    let mut chains = Vec::new();
    for start in ends.into_iter().chain(all) {
        let mut chain = vec![start];
        let mut at = start;
        while let Some(next) = joined.get_mut(&at).and_then(Vec::pop) {
            if let Some(back) = joined.get_mut(&next) {
                let place = back.iter().position(|edge| *edge == at);
                place.map(|place| back.swap_remove(place));
            }
            chain.push(next);
            at = next;
        }
        if chain.len() > 1 {
            chains.push(chain);
        }
    }
    chains
}

/// How far an area reaches over the next column and row, which are drawn over it: without it, gaps would shine through.
const OVERLAP: f64 = 0.5;

/// The areas of classes, whose indices are the values at the grid points: corners of shapes to be drawn in this order, which
/// together cover the grid.
pub(super) fn areas(grid: &Grid) -> Vec<(usize, Vec<Place>)> {
    let class = |(column, row): (usize, usize)| grid.values[row * grid.columns + column].max(0.0) as usize;
    let [last_column, last_row] = [grid.columns, grid.rows()].map(|count| count.saturating_sub(1));
    let mut areas = Vec::new();
    for row in 0..last_row {
        let top = (row as f64 + 1.0 + OVERLAP).min(last_row as f64);
        let mut column = 0;
        while column < last_column {
            let classes = corners(column, row).map(class);
            let is_one =
                |column: usize| corners(column, row).iter().all(|&corner| class(corner) == classes[0]);
            let begin = column;
            column += 1;
            let is_mixed = !is_one(begin);
            while !is_mixed && column < last_column && is_one(column) {
                column += 1;
            }
            let (left, bottom) = (begin as f64, row as f64);
            let right = (column as f64 + OVERLAP).min(last_column as f64);
            areas.push((classes[0], vec![(left, bottom), (right, bottom), (right, top), (left, top)]));
            if is_mixed {
                let place = |(x, y): Place| {
                    (if x > left + 0.75 { right } else { x }, if y > bottom + 0.75 { top } else { y })
                };
                areas.extend(
                    others(classes, (left, bottom))
                        .into_iter()
                        .map(|(class, shape)| (class, shape.into_iter().map(place).collect())),
                );
            }
        }
    }
    areas
}

/// The parts of a square that belong to other classes than its first corner's, cut in the middles of its sides.
fn others(classes: [usize; 4], (x, y): Place) -> Vec<(usize, Vec<Place>)> {
    let at = [(x, y), (x + 1.0, y), (x + 1.0, y + 1.0), (x, y + 1.0)];
    let mut found: Vec<usize> = classes.into_iter().filter(|&class| class != classes[0]).collect();
    found.sort_unstable();
    found.dedup();
    let part = |class: usize| {
        let mut shape = Vec::new();
        for (corner, next) in [(0, 1), (1, 2), (2, 3), (3, 0)] {
            if classes[corner] == class {
                shape.push(at[corner]);
            }
            if (classes[corner] == class) != (classes[next] == class) {
                shape.push(((at[corner].0 + at[next].0) / 2.0, (at[corner].1 + at[next].1) / 2.0));
            }
        }
        (class, shape)
    };
    found.into_iter().map(part).collect()
}

/// The lines between classes.
pub(super) fn borders(grid: &Grid) -> Vec<Vec<Place>> {
    let class = |value: f64| value.max(0.0) as usize;
    let classes = grid.values.iter().map(|&value| class(value)).max().unwrap_or(0);
    let of = |own: usize| {
        let values = grid.values.iter().map(|&value| f64::from(u8::from(class(value) == own))).collect();
        lines(&Grid { columns: grid.columns, values }, 0.5)
    };
    (1..=classes).flat_map(of).map(|line| smoothed(&line)).collect()
}

/// The line, each place the mean of those around it: what lies between grid points is not known, and corners would be
/// those of the grid.
fn smoothed(line: &[Place]) -> Vec<Place> {
    const REACH: usize = 3;
    let is_closed = line.len() > 2 * REACH + 1 && line.first() == line.last();
    let count = if is_closed { line.len() - 1 } else { line.len() };
    let mean = |index: usize| {
        // Towards an end the mean is over fewer places, so that the ends stay.
        let reach = if is_closed { REACH } else { REACH.min(index).min(count - 1 - index) };
        let around = (0..=2 * reach).map(|offset| line[(index + count + offset - reach) % count]);
        let (x, y) = around.fold((0.0, 0.0), |sum, place| (sum.0 + place.0, sum.1 + place.1));
        let of = (2 * reach + 1) as f64;
        (x / of, y / of)
    };
    let mut smooth: Vec<Place> = (0..count).map(mean).collect();
    if is_closed {
        smooth.push(smooth[0]);
    }
    smooth
}
