//! The windows of convolutions and pools as recipes say them.

use crate::kernels::image::Window;

/// The most pixels along a side of a window, and of its stride, padding and dilation.
pub(crate) const MOST_PIXELS: usize = 1024;

/// The keys of a window in recipes.
pub(super) const KEYS: [&str; 4] = ["kernel", "stride", "padding", "dilation"];

/// The window of one pixel.
pub(super) fn smallest(one_dimensional: bool) -> Window {
    if one_dimensional { Window::line(1, 1, 0, 1) } else { Window::plain(1, 1) }
}

/// With so many pixels along each side in place of those under one of [`KEYS`]. The kernel of a `pool` is its stride,
/// too.
pub(super) fn with_part(mut window: Window, pool: bool, key: &str, pixels: usize) -> Window {
    let one_dimensional = window.one_dimensional;
    let pair = |of_height: usize| [if one_dimensional { of_height } else { pixels }, pixels];
    match key {
        "kernel" => {
            window.kernel = pair(1);
            if pool {
                window.stride = window.kernel;
            }
        }
        "stride" => window.stride = pair(1),
        "padding" => window.padding = pair(0).map(|pixels| [pixels; 2]),
        _ => window.dilation = pair(1),
    }
    window
}

/// Height and width, in one integer if it says both; of a sequence the length.
pub(crate) fn shortest_pair([height, width]: [usize; 2], window: Window) -> Vec<usize> {
    match window.one_dimensional {
        true if height == 1 => vec![width],
        true => vec![height, width],
        false => shortest_sides([height, width]),
    }
}

/// The same of images.
pub(crate) fn shortest_sides([height, width]: [usize; 2]) -> Vec<usize> {
    if height == width { vec![width] } else { vec![height, width] }
}

/// The padding, in the fewest integers that say all.
pub(crate) fn shortest_padding(window: Window) -> Vec<usize> {
    match (window.padding, window.one_dimensional) {
        ([[0, 0], [before, after]], true) if before == after => vec![after],
        ([[0, 0], sides], true) => sides.to_vec(),
        ([[above, below], [left, right]], false) if above == below && left == right => {
            shortest_pair([above, left], window)
        }
        (sides, _) => sides.as_flattened().to_vec(),
    }
}

/// [`shortest_pair`] as a recipe has it.
pub(crate) fn pair_text(pair: [usize; 2], window: Window) -> String {
    text(&shortest_pair(pair, window))
}

/// [`shortest_padding`] as a recipe has it.
pub(crate) fn padding_text(window: Window) -> String {
    text(&shortest_padding(window))
}

/// [`shortest_sides`] as a recipe has it.
pub(super) fn sides_text(sides: [usize; 2]) -> String {
    text(&shortest_sides(sides))
}

fn text(values: &[usize]) -> String {
    match values {
        [one] => one.to_string(),
        several => format!("{several:?}"),
    }
}
