//! Numbers in texts.

/// A number as one writes it by hand: as few digits as it takes to tell it from others.
pub(super) fn short(number: f64) -> String {
    let text = format!("{number:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}
