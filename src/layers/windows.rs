//! What windows make of images: checked before anything is allocated.

use super::kind::Refusal;
use super::shape::Shape;
use crate::hyper::{padding_text, pair_text};
use crate::kernels::image::{Image, Window};

/// The most numbers of a sample between two layers of images, padding included.
const MOST_COLUMNS: usize = 1 << 24;

/// The image that a window makes of another, with so many channels.
pub(super) fn placed(window: Window, input: Shape, channels: usize) -> Result<Image, Refusal> {
    let Shape::Image(input) = input else { return Err("an image".into()) };
    let [rows, columns] = window.sides();
    let [tall, wide] = [rows.framed(input.height), columns.framed(input.width)];
    let most = [(tall - 1) / rows.dilation + 1, (wide - 1) / columns.dilation + 1];
    if rows.kernel > most[0] || columns.kernel > most[1] {
        let with = if window.is_padded() || window.is_dilated() {
            let dilation = pair_text(window.dilation, window);
            format!(", padding {} and dilation {dilation}", padding_text(window))
        } else {
            String::new()
        };
        let (most, found) = if window.one_dimensional {
            (format!("from 1 to {}", most[1]), window.to_string())
        } else if rows.kernel == columns.kernel {
            (format!("from 1 to {}", most[0].min(most[1])), rows.kernel.to_string())
        } else {
            (format!("of at most {}x{}", most[0], most[1]), window.to_string())
        };
        let expected = format!("`kernel` {most} on an image of {input}{with}");
        return Err(Refusal { expected, found: Some(found) });
    }
    // The frame around the input and the patches of one row are memory too.
    let framed = tall as u128 * wide as u128;
    let output = window.output(input, channels);
    let columns = (output.height * output.width) as u128 * output.pitch as u128;
    let patch = window.area() as u128 * input.channels as u128;
    let largest = columns.max(framed * input.pitch as u128).max(patch);
    check_size(largest)?;
    Ok(output)
}

/// That the largest of what a window needs, in numbers of a sample, is no more than there may be.
pub(super) fn check_size(largest: u128) -> Result<(), Refusal> {
    if largest <= MOST_COLUMNS as u128 {
        return Ok(());
    }
    let expected = format!("at most {MOST_COLUMNS} numbers in an image with its padding, and in a kernel");
    Err(Refusal { expected, found: Some(largest.to_string()) })
}

/// The image that a pool makes of another: each place must see a pixel of it, and not only padding.
pub(super) fn pooled(window: Window, input: Shape) -> Result<Image, Refusal> {
    let output = placed(window, input, input.channels())?;
    let Shape::Image(input) = input else { return Ok(output) };
    let [rows, columns] = window.sides();
    for (side, pixels) in [(rows, input.height), (columns, input.width)] {
        if (0..side.places(pixels)).any(|place| side.kernel_inside(place, pixels).is_empty()) {
            let expected =
                format!("`padding` with which every window of {window} sees a pixel of an image of {input}");
            return Err(Refusal { expected, found: Some(padding_text(window)) });
        }
    }
    Ok(output)
}
