//! Embeddings by products with one-hot vectors, which is what they stand for.

/// Rows of samples in which `numbers` come first and then a code for each of the `tables`; of tables that are shared, all
/// codes are of the first.
#[derive(Clone, Debug)]
pub struct Embedding {
    pub numbers: usize,
    pub codes: usize,
    /// Each `[rows, width]`, with both sides.
    pub tables: Vec<(Vec<f64>, [usize; 2])>,
}

impl Embedding {
    fn table(&self, code: usize) -> &(Vec<f64>, [usize; 2]) {
        &self.tables[code.min(self.tables.len() - 1)]
    }

    /// Numbers of what comes out for a sample.
    pub fn outputs(&self) -> usize {
        self.numbers + (0..self.codes).map(|code| self.table(code).1[1]).sum::<usize>()
    }

    fn one_hot(&self, code: usize, value: f64) -> Vec<f64> {
        let rows = self.table(code).1[0];
        let known = value.round();
        let hot = if known >= 0.0 && known < rows as f64 { known } else { 0.0 };
        (0..rows).map(|row| if row as f64 == hot { 1.0 } else { 0.0 }).collect()
    }

    /// The output of a sample.
    pub fn forward(&self, x: &[f64]) -> Vec<f64> {
        let mut y = x[..self.numbers].to_vec();
        for code in 0..self.codes {
            let (table, [rows, width]) = self.table(code);
            let hot = self.one_hot(code, x[self.numbers + code]);
            y.extend(
                (0..*width).map(|at| (0..*rows).map(|row| hot[row] * table[row * width + at]).sum::<f64>()),
            );
        }
        y
    }

    /// The gradient of the input of a sample, and what it adds to those of the tables.
    pub fn backward(&self, x: &[f64], dy: &[f64], gradients: &mut [Vec<f64>]) -> Vec<f64> {
        let mut start = self.numbers;
        for code in 0..self.codes {
            let width = self.table(code).1[1];
            let hot = self.one_hot(code, x[self.numbers + code]);
            let gradient = &mut gradients[code.min(self.tables.len() - 1)];
            for (row, hot) in hot.iter().enumerate() {
                (0..width).for_each(|at| gradient[row * width + at] += hot * dy[start + at]);
            }
            start += width;
        }
        // A step of a code changes nothing.
        dy[..self.numbers].iter().copied().chain((0..self.codes).map(|_| 0.0)).collect()
    }
}
