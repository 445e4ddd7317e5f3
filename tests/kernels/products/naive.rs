//! Products by nested loops, and how a fast one is held against them.

/// A product `[rows x inner] * [inner x columns] -> [rows x columns]` by nested loops.
pub struct Naive {
    /// In f32: each element one chain of fused multiply-adds in the order of the inner dimension.
    pub chain: Vec<f32>,
    /// In f64.
    pub exact: Vec<f64>,
    /// How far from `exact` any summation in f32 may come: n · eps · the sum of the magnitudes.
    /// (Higham, Accuracy and Stability of Numerical Algorithms, 2002, §3.1, bounds it by half that.)
    pub bounds: Vec<f64>,
}

/// What the sums begin with: a bias of each column, or nothing.
pub type Begin<'a> = Option<&'a dyn Fn(usize) -> f32>;

impl Naive {
    /// The product of `left(row, i)` and `right(i, column)`, plus a bias.
    pub fn product(
        [rows, columns, inner]: [usize; 3],
        left: impl Fn(usize, usize) -> f32,
        right: impl Fn(usize, usize) -> f32,
        bias: Begin,
    ) -> Naive {
        let mut naive = Naive { chain: Vec::new(), exact: Vec::new(), bounds: Vec::new() };
        for row in 0..rows {
            for column in 0..columns {
                let begin = bias.map_or(0.0, |bias| bias(column));
                let (mut chain, mut exact, mut magnitude) = (begin, f64::from(begin), f64::from(begin).abs());
                for i in 0..inner {
                    let (a, b) = (left(row, i), right(i, column));
                    chain = a.mul_add(b, chain);
                    let term = f64::from(a) * f64::from(b);
                    exact += term;
                    magnitude += term.abs();
                }
                naive.chain.push(chain);
                naive.exact.push(exact);
                // One operation more for what may be done to a finished sum.
                naive.bounds.push((inner + 1) as f64 * f64::from(f32::EPSILON) * magnitude);
            }
        }
        naive
    }

    /// The product after a leaky ReLU of this slope: it moves no two numbers further apart.
    pub fn rectified(mut self, slope: f32) -> Naive {
        for (chain, exact) in self.chain.iter_mut().zip(&mut self.exact) {
            if *chain < 0.0 {
                *chain = if slope == 0.0 { 0.0 } else { slope * *chain };
            }
            if *exact < 0.0 {
                *exact *= f64::from(slope);
            }
        }
        self
    }

    /// That `fast` has the bits of the chain. All NaNs count as one.
    pub fn check_bits(&self, fast: &[f32]) -> Result<(), String> {
        let same = |a: f32, b: f32| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
        let wrong = |i: &usize| !same(fast[*i], self.chain[*i]);
        self.check(fast, wrong, |i| format!("{:e} in f32", self.chain[i]))
    }

    /// That `fast` is within the bounds of the product in f64.
    pub fn check_bounds(&self, fast: &[f32]) -> Result<(), String> {
        let near = |i: &usize| (f64::from(fast[*i]) - self.exact[*i]).abs() <= self.bounds[*i];
        self.check(fast, |i| !near(i), |i| format!("{:e} ± {:e}", self.exact[i], self.bounds[i]))
    }

    fn check(
        &self,
        fast: &[f32],
        wrong: impl Fn(&usize) -> bool,
        expected: impl Fn(usize) -> String,
    ) -> Result<(), String> {
        assert_eq!(fast.len(), self.chain.len());
        match (0..fast.len()).find(wrong) {
            None => Ok(()),
            Some(i) => Err(format!("element {i}: expected {}, found {:e}", expected(i), fast[i])),
        }
    }

    /// Where the largest element lies.
    pub fn largest(&self) -> usize {
        (0..self.exact.len()).max_by(|&a, &b| self.exact[a].abs().total_cmp(&self.exact[b].abs())).unwrap()
    }
}

/// A number in (-1, 1) for each row and column, in no order.
pub fn noise(seed: u64) -> impl Fn(usize, usize) -> f32 + Copy {
    move |row, column| {
        // Two rounds of the mixer of SplitMix64 (Steele, Lea, Flood 2014).
        let mut z = seed << 48 | (row as u64) << 24 | column as u64;
        for _ in 0..2 {
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^= z >> 31;
        }
        ((z >> 40) as f32 - 8_388_607.5) / 8_388_608.0
    }
}
