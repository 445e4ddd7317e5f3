//! The windows of convolutions and pools, as a recipe writes them.

use toml::{Table, Value};

use crate::error::Result;
use crate::hyper::{MOST_PIXELS, pair_text, shortest_padding, shortest_pair};
use crate::kernels::image::Window;
use crate::model::recipe::values::{integer, table_of};
use crate::model::section::{Section, integer_text, shortened};

/// The padding of a causal convolution.
const CAUSAL: &str = "causal";

/// A window of an image, or of a sequence. Without a `stride` it moves by one pixel; that of a `pool` by
/// as many as it has.
pub(super) fn read(section: &mut Section, one_dimensional: bool, pool: bool) -> Result<Window> {
    let Some(kernel) = read_pair(section, "kernel", one_dimensional)? else {
        return Err(section.setting("kernel", &expected_pair(one_dimensional), "nothing"));
    };
    let default = if pool { kernel } else { [1, 1] };
    let stride = read_pair(section, "stride", one_dimensional)?.unwrap_or(default);
    let dilation = read_pair(section, "dilation", one_dimensional)?.unwrap_or([1, 1]);
    let window = Window { kernel, stride, padding: [[0; 2]; 2], dilation, one_dimensional };
    Ok(Window { padding: read_padding(section, window, pool)?, ..window })
}

/// Height and width, of a sequence 1 and its length.
fn read_pair(section: &mut Section, key: &'static str, one_dimensional: bool) -> Result<Option<[usize; 2]>> {
    let lengths: &[usize] = if one_dimensional { &[] } else { &[2] };
    let values = section.integers(key, lengths, [1, MOST_PIXELS], &expected_pair(one_dimensional))?;
    Ok(values.map(|values| match values[..] {
        [height, width] => [height, width],
        [length, ..] if one_dimensional => [1, length],
        [both, ..] => [both, both],
        [] => [1, 1],
    }))
}

fn expected_pair(one_dimensional: bool) -> String {
    let one = integer_text(1, MOST_PIXELS);
    if one_dimensional { one } else { format!("{one}, or [height, width] of such") }
}

/// Pixels above and below the image, to its left and to its right. `"same"` is what makes the output of a
/// window that moves by single pixels as large as the input; of an odd number the last side gets one more, as
/// in PyTorch. `"causal"`, of a convolution of sequences, is as large, and all of it stands in front.
fn read_padding(section: &mut Section, window: Window, pool: bool) -> Result<[[usize; 2]; 2]> {
    let one = integer_text(0, MOST_PIXELS);
    let knows_causal = window.one_dimensional && !pool;
    let (lengths, expected): (&[usize], _) = if window.one_dimensional {
        let causal = if knows_causal { ", or \"causal\"" } else { "" };
        (&[2], format!("{one}, [before, after] of such, or \"same\"{causal}"))
    } else {
        let sides = "[height, width] or [above, below, left, right] of such";
        (&[2, 4], format!("{one}, {sides}, or \"same\""))
    };
    if section.is_text("padding") {
        let name = section.text("padding", &expected)?;
        let is_causal = knows_causal && name == CAUSAL;
        if name != "same" && !is_causal {
            return Err(section.setting("padding", &expected, &format!("the text \"{}\"", shortened(&name))));
        }
        if window.stride != [1, 1] {
            let expected = format!("none with \"{name}\" padding but 1");
            return Err(section.setting("stride", &expected, &pair_text(window.stride, window)));
        }
        if is_causal {
            return Ok(window.causal().padding);
        }
        return Ok(window.sides().map(|side| [side.reach() / 2, side.reach().div_ceil(2)]));
    }
    let values = section.integers("padding", lengths, [0, MOST_PIXELS], &expected)?.unwrap_or(vec![0]);
    Ok(match values[..] {
        [above, below, left, right] => [[above, below], [left, right]],
        [before, after] if window.one_dimensional => [[0; 2], [before, after]],
        [height, width] => [[height; 2], [width; 2]],
        [both, ..] if window.one_dimensional => [[0; 2], [both; 2]],
        [all, ..] => [[all; 2]; 2],
        [] => [[0; 2]; 2],
    })
}

/// The integers of a pair's height and width, each between `low` and `high`, both included; `expected` says so.
pub(super) fn read_sides(
    section: &mut Section,
    key: &'static str,
    bounds: [usize; 2],
    expected: &str,
) -> Result<Option<[usize; 2]>> {
    let values = section.integers(key, &[2], bounds, expected)?;
    Ok(values.map(|values| match values[..] {
        [height, width] => [height, width],
        [both, ..] => [both, both],
        [] => [bounds[0]; 2],
    }))
}

/// The keys of a window. What a program has set and no recipe can say comes out in a form that reading
/// refuses.
pub(super) fn table(window: Window, pool: bool) -> Table {
    let pair = |pair| value(shortest_pair(pair, window));
    let mut keys = table_of([("kernel", pair(window.kernel)), ("stride", pair(window.stride))]);
    // Files of pools without them stay as they were before pools could have them.
    if !pool || window.is_padded() {
        // Of a large dilation it may be more than numbers can say.
        let is_causal = !pool && window.is_padded() && window.is_causal();
        let padding = if is_causal { Value::from(CAUSAL) } else { value(shortest_padding(window)) };
        keys.insert("padding".into(), padding);
    }
    if !pool || window.is_dilated() {
        keys.insert("dilation".into(), pair(window.dilation));
    }
    keys
}

/// One integer by itself.
pub(super) fn value(values: Vec<usize>) -> Value {
    match values[..] {
        [one] => integer(one as u64),
        _ => values.into_iter().map(|value| integer(value as u64)).collect::<Vec<Value>>().into(),
    }
}
