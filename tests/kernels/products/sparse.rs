//! Products without the terms that are 0, on every instruction set: bit for bit those with them.

use super::dense::Coverage;
use super::naive::{Naive, noise};
use super::surrounded::Surrounded;
use fallline::engine::kernels::products::gemm::{self, Epilogue};
use fallline::engine::kernels::products::sparse::{self, SparseColumns};
use fallline::engine::kernels::simd::prefetch::PrefetchQueue;
use fallline::engine::tensor::{LANES, SparseMatrix, SparseRef};

/// Rows, panels of outputs, inputs: none, one, all numbers of panels in a tile and beyond it, rows of one number and of
/// many.
const SHAPES: [[usize; 3]; 16] = [
    [0, 1, 5],
    [3, 0, 5],
    [2, 3, 0],
    [1, 1, 1],
    [5, 1, 40],
    [9, 2, 33],
    [4, 3, 17],
    [6, 4, 64],
    [7, 5, 20],
    [3, 6, 48],
    [200, 7, 108],
    [5, 8, 100],
    [2, 9, 90],
    [3, 16, 31],
    [1, 17, 50],
    [64, 1, 1000],
];

/// `[rows, inputs]` with zeros nearly everywhere, no number of some rows, all of others.
fn mostly_zeros(rows: usize, inputs: usize) -> Surrounded {
    let value = noise(5);
    Surrounded::new(rows, inputs, 3, |row, column| {
        let is_there = match row % 4 {
            0 => (row * 7 + column * 13).is_multiple_of(11),
            1 => column % 9 == row % 9 || column < 2,
            2 => row % 8 == 2,
            _ => (row + column).is_multiple_of(5),
        };
        if is_there { value(row, column) } else { 0.0 }
    })
}

fn sparse_of(x: &Surrounded) -> SparseMatrix {
    let row = |row: usize, line: &mut [f32]| line.copy_from_slice(x.view().row(row));
    SparseMatrix::from_rows([x.rows, x.columns], row).unwrap()
}

/// An order of the rows that is no order, for rows of a batch lie anywhere.
fn shuffled(rows: usize) -> Vec<u32> {
    (0..rows as u32).map(|row| (row * 7 + 3) % rows as u32).collect()
}

#[test]
fn products_have_the_bits_of_the_dense_ones() {
    let mut coverage = Coverage::default();
    for (case, [rows, panels, inputs]) in SHAPES.into_iter().enumerate() {
        let x = mostly_zeros(rows, inputs);
        let matrix = sparse_of(&x);
        // 7 rows in this order come twice.
        let order = if rows % 7 == 0 { vec![0; rows] } else { shuffled(rows) };
        let weights = Surrounded::new(panels, inputs * LANES, 0, noise(2));
        let bias = (case % 2 == 0).then(|| Surrounded::new(1, panels * LANES, 0, noise(3)));
        let epilogue = [Epilogue::Plain, Epilogue::Relu, Epilogue::LeakyRelu { slope: 0.01 }][case % 3];
        let naive = {
            let weight = |i: usize, out: usize| weights.at(out / LANES, i * LANES + out % LANES);
            let bias = bias.as_ref().map(|bias| move |out| bias.at(0, out));
            let bias: Option<&dyn Fn(usize) -> f32> = bias.as_ref().map(|bias| bias as _);
            let shape = [rows, panels * LANES, inputs];
            let product = Naive::product(shape, |row, i| x.at(order[row] as usize, i), weight, bias);
            match epilogue {
                Epilogue::Plain => product,
                Epilogue::Relu => product.rectified(0.0),
                Epilogue::LeakyRelu { slope } => product.rectified(slope),
            }
        };
        coverage.run(|isa| {
            let mut y = Surrounded::new(rows, panels * LANES, 5, |_, _| f32::NAN);
            let chosen = SparseRef::new(&matrix, &order);
            sparse::product(
                y.view_mut(),
                chosen,
                weights.slice(),
                bias.as_ref().map(Surrounded::slice),
                epilogue,
            );
            assert!(y.is_tidy(), "written beside the result");
            let about = format!("{} {rows} x {panels} x {inputs}", isa.name());
            let fast = y.values();
            naive.check_bits(&fast).unwrap_or_else(|error| panic!("{about}: {error}"));
            naive.check_bounds(&fast).unwrap_or_else(|error| panic!("{about}: {error}"));
        });
    }
    coverage.report("sparse products", SHAPES.len());
}

#[test]
fn gradients_have_the_bits_of_the_dense_ones() {
    let mut coverage = Coverage::default();
    for (case, [rows, panels, inputs]) in SHAPES.into_iter().enumerate() {
        let x = mostly_zeros(rows, inputs);
        let matrix = sparse_of(&x);
        let order: Vec<u32> = (0..rows as u32).collect();
        let dy = Surrounded::new(rows, panels * LANES, 2, noise(4));
        let some = inputs / 3..inputs - inputs / 4;
        for part in [0..inputs, some, 0..inputs / 2, inputs / 2..inputs] {
            let accumulate = (case + part.start) % 2 == 1;
            let before =
                |row: usize, column: usize| if accumulate { noise(6)(row, column) } else { f32::NAN };
            let sums = Surrounded::new(panels, part.len() * LANES, 0, before);
            let columns = x.view().block(0..rows, part.clone());
            coverage.run(|isa| {
                let (mut dense, mut fast) = (sums.slice().to_vec(), sums.slice().to_vec());
                gemm::gradient(&mut dense, dy.view(), columns, accumulate, &PrefetchQueue::default());
                // Columns around the part may have been sorted with it.
                let sorted = part.start.saturating_sub(case % 3)..(part.end + case % 2).min(inputs);
                let mut ends = vec![9; sorted.len()];
                let mut entries = vec![[9; 2]; rows * inputs + 1];
                let chosen = SparseRef::new(&matrix, &order);
                SparseColumns::sort(chosen, sorted.clone(), &mut ends, &mut entries);
                let columns = SparseColumns::new(sorted.start, &ends, &entries);
                sparse::gradient(&mut fast, dy.view(), columns, part.clone(), accumulate);
                let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
                assert_eq!(bits(&fast), bits(&dense), "{} {rows} x {panels} x {part:?}", isa.name());
            });
        }
    }
    coverage.report("sparse gradients", SHAPES.len());
}

/// What is left out is what is 0: a product that leaves out more has other bits.
#[test]
fn a_number_that_is_lost_is_noticed() {
    let x = mostly_zeros(9, 33);
    let lossy = |row: usize, line: &mut [f32]| {
        line.copy_from_slice(x.view().row(row));
        if row == 2 {
            line.fill(0.0);
        }
    };
    let lossy = SparseMatrix::from_rows([9, 33], lossy).unwrap();
    let (weights, order) = (Surrounded::new(2, 33 * LANES, 0, noise(2)), Vec::from_iter(0..9));
    let weight = |i: usize, out: usize| weights.at(out / LANES, i * LANES + out % LANES);
    let naive = Naive::product([9, 2 * LANES, 33], |row, i| x.at(row, i), weight, None);
    let mut y = Surrounded::new(9, 2 * LANES, 0, |_, _| f32::NAN);
    let chosen = SparseRef::new(&lossy, &order);
    sparse::product(y.view_mut(), chosen, weights.slice(), None, Epilogue::Plain);
    assert!(naive.check_bits(&y.values()).is_err());
}
