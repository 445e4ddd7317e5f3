//! Columns of many categories, of which a network learns an embedding.

use super::encoder::Encoder;
use super::feature::Feature;

/// The most columns that are embedded.
pub const MOST_EMBEDDED: usize = 64;

/// The most numbers where nothing is said of them.
const USUAL_WIDTH: f64 = 50.0;

/// The numbers that so many categories are embedded in where nothing is said: 1.6 n^0.56, which is the rule of thumb of
/// fastai (`emb_sz_rule`), and at most 50, since tables seldom have rows for more; at least 1.
pub fn embedding_width(categories: usize) -> usize {
    (1.6 * (categories as f64).powf(0.56)).round().clamp(1.0, USUAL_WIDTH) as usize
}

impl Encoder {
    /// For each column that is embedded, in their order, its categories and the numbers that each of them becomes: of a
    /// sample these columns are the last numbers, whole ones from 0 on. 0 is any other category.
    pub fn embeddings(&self) -> Vec<[usize; 2]> {
        self.features.iter().filter_map(Feature::embedding).collect()
    }

    /// What is wrong with the embedded columns, if the encoder was read from somewhere else.
    pub(super) fn check_embeddings(&self) -> Result<(), String> {
        let embedded = || self.features.iter().map(|feature| feature.embedding().is_some());
        let count = embedded().filter(|is_embedded| *is_embedded).count();
        if count > MOST_EMBEDDED {
            return Err(format!("{count} columns that are embedded"));
        }
        if !embedded().is_sorted() {
            return Err("a column that is embedded before one that is not".into());
        }
        if count > 0 && self.windows.is_some() {
            return Err("a column that is embedded in windows of a series".into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_follow_the_rule_of_thumb() {
        for (categories, width) in [(1, 2), (2, 2), (10, 6), (100, 21), (467, 50), (2_000, 50), (100_000, 50)]
        {
            assert_eq!(embedding_width(categories), width, "{categories}");
        }
    }
}
