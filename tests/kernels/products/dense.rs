//! The products of a dense layer on every instruction set: bit for bit the chains that
//! `kernels::products::gemm` promises, and near the product in f64.

use super::naive::{Naive, noise};
use super::surrounded::Surrounded;
use crate::common::isa::on_each;
use fallline::engine::kernels::products::gemm::{self, Epilogue};
use fallline::engine::kernels::simd::isa::Isa;
use fallline::engine::kernels::simd::prefetch::PrefetchQueue;
use fallline::engine::tensor::LANES;

/// The instruction sets that this CPU has by the standard library's account.
fn expected_instruction_sets() -> Vec<Isa> {
    #[allow(unused_mut)]
    let mut expected = vec![Isa::Baseline];
    #[cfg(target_arch = "x86_64")]
    {
        use std::is_x86_feature_detected as has;
        if has!("avx2") && has!("fma") {
            expected.push(Isa::Avx2);
        }
        let foundation = has!("avx512f") && has!("avx512bw") && has!("avx512cd");
        if foundation && has!("avx512dq") && has!("avx512vl") {
            expected.push(Isa::Avx512);
        }
    }
    expected
}

/// Instruction sets on which something was run.
#[derive(Default)]
pub struct Coverage(Vec<Isa>);

impl Coverage {
    /// Runs `check` on every instruction set.
    pub fn run(&mut self, mut check: impl FnMut(Isa)) {
        self.0.clear();
        on_each(|isa| {
            self.0.push(isa);
            check(isa);
        });
    }

    /// # Panics
    /// Unless everything that the CPU has was covered.
    pub fn report(&self, what: &str, cases: usize) {
        let names: Vec<_> = self.0.iter().map(|isa| isa.name()).collect();
        println!("{what}: {cases} cases on each of {}", names.join(", "));
        assert_eq!(self.0, expected_instruction_sets());
    }
}

/// Rows, panels and inner dimension of a product.
type Shape = [usize; 3];

/// Nothing, one, the sizes of register tiles and of blocks and their neighbours, and long ones.
fn shapes() -> Vec<Shape> {
    let mut shapes = Vec::new();
    let mut all = |rows: &[usize], panels: &[usize], inner: &[usize]| {
        for &rows in rows {
            for &panels in panels {
                shapes.extend(inner.iter().map(|&inner| [rows, panels, inner]));
            }
        }
    };
    all(&Vec::from_iter(0..=18), &[0, 1, 2, 3], &Vec::from_iter(0..=6));
    all(&[7, 13, 14, 15, 16, 17, 28, 29, 30, 33, 57, 113], &[1, 2, 3, 5], &[7, 16, 17, 64, 101]);
    all(&[1, 14, 15, 31], &[1, 2, 3], &[255, 256, 257, 511, 513, 784]);
    shapes.extend([[14, 1, 10_000], [3, 3, 10_000], [29, 2, 4097], [113, 8, 784], [300, 1, 129]]);
    shapes.extend([[2048, 2, 3], [1, 65, 257], [1000, 3, 1]]);
    shapes
}

const FINISHES: [Epilogue; 3] = [Epilogue::Plain, Epilogue::Relu, Epilogue::LeakyRelu { slope: 0.01 }];

/// One call of `gemm::product`: its factors, and what it should do.
struct Product {
    x: Surrounded,
    /// `[out / 16][in][16]`
    weights: Surrounded,
    /// `[1, out]`
    bias: Option<Surrounded>,
    epilogue: Epilogue,
    gap: usize,
}

impl Product {
    /// The variants of a shape differ by number.
    fn new([rows, panels, inner]: Shape, variant: usize) -> Product {
        let gap = [0, 1, 16, 7][variant % 4];
        Product {
            x: Surrounded::new(rows, inner, gap, noise(1)),
            weights: Surrounded::new(panels, inner * LANES, 0, noise(2)),
            bias: variant.is_multiple_of(2).then(|| Surrounded::new(1, panels * LANES, 0, noise(3))),
            epilogue: FINISHES[variant % 3],
            gap,
        }
    }

    fn outputs(&self) -> usize {
        self.weights.rows * LANES
    }

    fn naive(&self) -> Naive {
        let weight = |i: usize, out: usize| self.weights.at(out / LANES, i * LANES + out % LANES);
        let bias = self.bias.as_ref().map(|bias| move |out| bias.at(0, out));
        let bias: Option<&dyn Fn(usize) -> f32> = bias.as_ref().map(|bias| bias as _);
        let shape = [self.x.rows, self.outputs(), self.x.columns];
        let product = Naive::product(shape, |row, i| self.x.at(row, i), weight, bias);
        match self.epilogue {
            Epilogue::Plain => product,
            Epilogue::Relu => product.rectified(0.0),
            Epilogue::LeakyRelu { slope } => product.rectified(slope),
        }
    }

    fn fast(&self) -> Vec<f32> {
        let mut y = Surrounded::new(self.x.rows, self.outputs(), self.gap, |_, _| f32::NAN);
        let bias = self.bias.as_ref().map(Surrounded::slice);
        gemm::product(y.view_mut(), self.x.view(), self.weights.slice(), bias, self.epilogue);
        assert!(y.is_tidy(), "written beside the result");
        y.values()
    }
}

#[test]
fn products_have_the_bits_of_nested_loops() {
    let (mut coverage, mut cases) = (Coverage::default(), 0);
    for shape in shapes() {
        // Twelve variants are all combinations; of the larger shapes one each, by turns.
        let variants = if shape.iter().product::<usize>() < 300 { 0..12 } else { cases % 12..cases % 12 + 1 };
        for variant in variants {
            let product = Product::new(shape, variant);
            let naive = product.naive();
            coverage.run(|isa| {
                let fast = product.fast();
                let about = || format!("{} {shape:?} variant {variant}", isa.name());
                naive.check_bits(&fast).unwrap_or_else(|error| panic!("{}: {error}", about()));
                naive.check_bounds(&fast).unwrap_or_else(|error| panic!("{}: {error}", about()));
            });
            cases += 1;
        }
    }
    assert!(shapes().len() >= 500);
    coverage.report("products", cases);
}

#[test]
fn products_pass_on_what_is_not_finite() {
    let mut coverage = Coverage::default();
    let mut cases = 0;
    for shape in [[1, 1, 1], [5, 1, 3], [15, 2, 4], [31, 3, 20]] {
        for variant in 0..12 {
            let mut product = Product::new(shape, variant);
            let [rows, panels, inner] = shape;
            for (place, value) in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0].into_iter().enumerate() {
                product.x.set((3 * place + variant) % rows, place % inner, value);
                product.weights.set(place % panels, (7 * place + variant) % (inner * LANES), value);
            }
            let naive = product.naive();
            assert!(naive.chain.iter().any(|value| value.is_nan()), "ReLU lost a NaN");
            coverage.run(|_| naive.check_bits(&product.fast()).unwrap());
            cases += 1;
        }
    }
    coverage.report("products of NaN and infinities", cases);
}

/// One call of `gemm::gradient` and one of `gemm::column_sums`. The inner dimension is the batch.
struct Gradient {
    /// `[batch, out]`
    dy: Surrounded,
    /// `[batch, in]`
    x: Surrounded,
}

impl Gradient {
    fn new([inputs, panels, batch]: Shape, variant: usize) -> Gradient {
        let gap = [0, 1, 16, 7][variant % 4];
        Gradient {
            dy: Surrounded::new(batch, panels * LANES, gap, noise(4)),
            x: Surrounded::new(batch, inputs, gap + 3, noise(5)),
        }
    }

    /// `[out x batch] * [batch x in] -> [out x in]`, in the order of panels: `[out / 16][in][16]`.
    fn naive(&self) -> Naive {
        let (inputs, batch) = (self.x.columns, self.x.rows);
        // Of the row (panel, input) of the result.
        let x = |row: usize, i: usize| self.x.at(i, row % inputs);
        let panel = |panel: usize| {
            let dy = |i: usize, lane: usize| self.dy.at(i, panel * LANES + lane);
            Naive::product([inputs, LANES, batch], x, dy, None)
        };
        let mut all = Naive { chain: Vec::new(), exact: Vec::new(), bounds: Vec::new() };
        for part in (0..self.dy.columns / LANES).map(panel) {
            all.chain.extend(part.chain);
            all.exact.extend(part.exact);
            all.bounds.extend(part.bounds);
        }
        all
    }

    /// The rows in two parts, of which the second carries on from the first.
    fn halves(&self) -> [(std::ops::Range<usize>, bool); 2] {
        let cut = self.x.rows / 2;
        [(0..cut, false), (cut..self.x.rows, true)]
    }

    fn fast(&self) -> Vec<f32> {
        let mut dw = Surrounded::new(1, self.dy.columns * self.x.columns, 0, |_, _| f32::NAN);
        for (rows, accumulate) in self.halves() {
            let dy = self.dy.view().block(rows.clone(), 0..self.dy.columns);
            gemm::gradient(
                dw.slice_mut(),
                dy,
                self.x.view().block(rows, 0..self.x.columns),
                accumulate,
                &PrefetchQueue::default(),
            );
        }
        assert!(dw.is_tidy(), "written beside the gradient");
        dw.values()
    }

    /// `[1 x batch] * [batch x out] -> [1 x out]`, the left factor being ones.
    fn naive_sums(&self) -> Naive {
        Naive::product([1, self.dy.columns, self.dy.rows], |_, _| 1.0, |i, out| self.dy.at(i, out), None)
    }

    fn fast_sums(&self) -> Vec<f32> {
        let mut db = Surrounded::new(1, self.dy.columns, 0, |_, _| f32::NAN);
        for (rows, accumulate) in self.halves() {
            gemm::column_sums(db.slice_mut(), self.dy.view().block(rows, 0..self.dy.columns), accumulate);
        }
        assert!(db.is_tidy(), "written beside the sums");
        db.values()
    }
}

#[test]
fn gradients_have_the_bits_of_nested_loops() {
    let mut coverage = Coverage::default();
    for (variant, shape) in shapes().into_iter().enumerate() {
        let gradient = Gradient::new(shape, variant);
        let (naive, naive_sums) = (gradient.naive(), gradient.naive_sums());
        coverage.run(|isa| {
            for (what, naive, fast) in
                [("gradient", &naive, gradient.fast()), ("sums", &naive_sums, gradient.fast_sums())]
            {
                let about = || format!("{} {what} {shape:?}", isa.name());
                naive.check_bits(&fast).unwrap_or_else(|error| panic!("{}: {error}", about()));
                naive.check_bounds(&fast).unwrap_or_else(|error| panic!("{}: {error}", about()));
            }
        });
    }
    coverage.report("gradients and sums", shapes().len());
}

#[test]
fn gradients_pass_on_what_is_not_finite() {
    let mut coverage = Coverage::default();
    for shape in [[1, 1, 1], [3, 2, 5], [29, 3, 300]] {
        let mut gradient = Gradient::new(shape, 1);
        for (place, value) in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY].into_iter().enumerate() {
            gradient.dy.set(place % shape[2], 5 * place, value);
            gradient.x.set((2 * place) % shape[2], place % shape[0], -value);
        }
        let (naive, naive_sums) = (gradient.naive(), gradient.naive_sums());
        assert!(naive.chain.iter().any(|value| value.is_nan()));
        coverage.run(|_| {
            naive.check_bits(&gradient.fast()).unwrap();
            naive_sums.check_bits(&gradient.fast_sums()).unwrap();
        });
    }
    coverage.report("gradients of NaN and infinities", 3);
}

#[test]
fn a_wrong_element_or_index_is_seen() {
    let product = Product::new([16, 1, 16], 3);
    let gradient = Gradient::new([16, 1, 16], 0);
    for (naive, right) in [(product.naive(), product.fast()), (gradient.naive(), gradient.fast())] {
        let mut off = right.clone();
        off[naive.largest()] *= 1.001;
        let transposed: Vec<f32> = (0..256).map(|i| right[i % 16 * 16 + i / 16]).collect();
        let mut swapped = right.clone();
        swapped.swap(2 * 16 + 3, 3 * 16 + 2);
        for wrong in [off, transposed, swapped] {
            assert!(naive.check_bits(&wrong).is_err() && naive.check_bounds(&wrong).is_err());
        }
        // What only the bits show: another order of the sum.
        let mut rounded = right;
        rounded[0] = f32::from_bits(rounded[0].to_bits() + 1);
        assert!(naive.check_bits(&rounded).is_err() && naive.check_bounds(&rounded).is_ok());
    }
}

/// `[rows, columns]`, with zeros from column `from` on.
fn padded(rows: usize, columns: usize, from: usize, seed: u64) -> Surrounded {
    let value = noise(seed);
    Surrounded::new(rows, columns, 5, |row, column| if column < from { value(row, column) } else { 0.0 })
}

/// Vectors along the inputs give the bits that vectors along the outputs give.
#[test]
fn gradients_of_few_outputs_have_the_same_bits() {
    let (mut coverage, mut cases) = (Coverage::default(), 0);
    for outputs in 1..=gemm::FEW {
        for inputs in [1usize, 15, 16, 17, 112, 113, 230] {
            for batch in [1, 2, 67] {
                let dy = padded(batch, LANES, outputs, 4);
                let x = padded(batch, inputs.next_multiple_of(LANES), inputs, 5);
                let before =
                    |_: usize, place: usize| if place % LANES < outputs { noise(6)(0, place) } else { 0.0 };
                let sums = Surrounded::new(1, inputs * LANES, 0, before);
                coverage.run(|isa| {
                    for accumulate in [false, true] {
                        let fill =
                            |row: usize, place: usize| if accumulate { before(row, place) } else { f32::NAN };
                        let mut dw = Surrounded::new(1, sums.columns, 0, fill);
                        let mut expected = dw.slice().to_vec();
                        let ahead = PrefetchQueue::default();
                        let of_inputs = x.view().block(0..batch, 0..inputs);
                        gemm::gradient(&mut expected, dy.view(), of_inputs, accumulate, &ahead);
                        let of_outputs = dy.view().block(0..batch, 0..outputs);
                        gemm::gradient_of_few(dw.slice_mut(), of_outputs, x.view(), accumulate, &ahead);
                        assert!(dw.is_tidy(), "written beside the gradient");
                        let bits =
                            |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
                        let about = format!("{} {outputs} x {inputs}, {batch} rows", isa.name());
                        assert!(bits(dw.slice()) == bits(&expected), "{about}, accumulate {accumulate}");
                    }
                });
                cases += 1;
            }
        }
    }
    coverage.report("gradients of few outputs", cases);
}

/// The rows of panels beyond the columns of the left factor are padding, and not read.
#[test]
fn products_leave_out_the_padding_of_the_inner_dimension() {
    for (rows, panels, inner) in [(1, 1, 2), (14, 2, 10), (33, 3, 1), (5, 7, 15)] {
        let (left, value) = (Surrounded::new(rows, inner, 3, noise(1)), noise(2));
        let beyond = |_: usize, place: usize| if place / LANES < inner { value(0, place) } else { f32::NAN };
        let with = Surrounded::new(panels, LANES * LANES, 0, beyond);
        let without = Surrounded::new(panels, inner * LANES, 0, |_, place| value(0, place));
        let product = |weights: &Surrounded| {
            let mut y = Surrounded::new(rows, panels * LANES, 1, |_, _| f32::NAN);
            gemm::product(y.view_mut(), left.view(), weights.slice(), None, Epilogue::Plain);
            y.values().iter().map(|value| value.to_bits()).collect::<Vec<_>>()
        };
        assert_eq!(product(&with), product(&without), "{rows} x {panels} x {inner}");
    }
}
