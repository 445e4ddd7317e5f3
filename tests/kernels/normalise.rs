//! The kernels of normalisation against naive sums, with the same bits on every instruction set.

use crate::common::compare::each_close;
use crate::{on_every_isa, spread};
use fallline::engine::kernels::activation::Activation;
use fallline::engine::kernels::normalisation::normalise::{self, Scaling, Slopes};
use fallline::engine::kernels::normalisation::per_row;
use fallline::engine::tensor::{MatrixMut, MatrixRef, padded};

/// Observations and columns, the latter in the end not whole vectors.
const SHAPES: [(usize, usize); 9] =
    [(1, 16), (3, 16), (4, 32), (49, 128), (600, 48), (1025, 16), (1, 1), (7, 17), (130, 33)];

fn padded_with_zeros(values: &[f32], columns: usize) -> Vec<f32> {
    let mut padded = vec![0.0; padded(columns)];
    padded[..columns].copy_from_slice(&values[..columns]);
    padded
}

/// The sum of a term over all observations of each column.
fn naive(rows: usize, columns: usize, term: impl Fn(usize, usize) -> f64) -> Vec<f64> {
    (0..padded(columns))
        .map(|c| if c < columns { (0..rows).map(|row| term(row, c)).sum() } else { 0.0 })
        .collect()
}

#[test]
fn sums_of_columns() {
    for (rows, columns) in SHAPES {
        let x: Vec<f32> = spread(rows * columns, 3.0).iter().map(|x| x + 5.0).collect();
        let matrix = MatrixRef::new(&x, rows, columns, columns);
        let mean = padded_with_zeros(&vec![5.25; columns], columns);
        let at = |row: usize, c: usize| f64::from(x[row * columns + c]);
        let found = on_every_isa(|| {
            let mut result = vec![f32::NAN; padded(columns)];
            normalise::column_sums(&mut result, matrix);
            result
        });
        assert!(each_close(&found, &naive(rows, columns, at), 1e-5), "{rows} x {columns}");
        let found = on_every_isa(|| {
            let mut result = vec![f32::NAN; padded(columns)];
            normalise::squared_deviations(&mut result, matrix, &mean);
            result
        });
        assert!(each_close(&found, &naive(rows, columns, |row, c| (at(row, c) - 5.25).powi(2)), 1e-5));
        let found = on_every_isa(|| {
            let mut moments = vec![f64::NAN; 2 * padded(columns)];
            // In two parts.
            let half = rows.div_ceil(2);
            normalise::add_moments(&mut moments, 0, matrix.block(0..half, 0..columns));
            normalise::add_moments(&mut moments, half, matrix.block(half..rows, 0..columns));
            moments.iter().map(|&x| x as f32).collect()
        });
        let means = naive(rows, columns, |row, c| at(row, c) / rows as f64);
        let squares = naive(rows, columns, |row, c| (at(row, c) - means[c]).powi(2));
        assert!(each_close(&found, &[means, squares].concat(), 1e-5), "{rows} x {columns}");
        let mut wrong = found.clone();
        wrong[0] *= 1.0001;
        assert!(!each_close(&wrong[..1], &[naive(rows, columns, at)[0] / rows as f64], 1e-5));
    }
}

#[test]
fn forward_and_backward_of_columns() {
    for (rows, columns) in SHAPES {
        let pitch = padded(columns);
        let x = spread(rows * columns, 3.0);
        let matrix = MatrixRef::new(&x, rows, columns, columns);
        let array = |reach: f32, shift: f32| -> Vec<f32> {
            padded_with_zeros(&spread(columns, reach).iter().map(|x| x + shift).collect::<Vec<_>>(), columns)
        };
        let (mean, scale, bias) = (array(0.5, 0.1), array(1.0, 0.6), array(0.3, 0.2));
        let scaling = Scaling { mean: &mean, scale: &scale, bias: &bias };
        let dy = spread(rows * pitch, 2.0);
        let z = |row: usize, c: usize| {
            let x = f64::from(x[row * columns + c]);
            (x - f64::from(mean[c])) * f64::from(scale[c]) + f64::from(bias[c])
        };
        for activation in [Activation::RELU, Activation::IDENTITY, Activation::leaky_relu(0.5)] {
            let y = on_every_isa(|| {
                let mut y = vec![f32::NAN; rows * pitch];
                normalise::forward(
                    activation,
                    MatrixMut::new(&mut y, rows, pitch, pitch),
                    matrix,
                    scaling,
                    columns,
                );
                y
            });
            let slope = match (activation.name(), activation.parameter()) {
                ("relu", _) => 0.0,
                (_, Some((_, slope))) => f64::from(slope),
                _ => 1.0,
            };
            let each = (0..rows * pitch).map(|index| (index / pitch, index % pitch));
            let exact: Vec<f64> = each
                .map(|(row, c)| match c < columns {
                    true if z(row, c) > 0.0 => z(row, c),
                    true => slope * z(row, c),
                    false => 0.0,
                })
                .collect();
            assert!(each_close(&y, &exact, 1e-5), "{rows} x {columns} {activation:?}");
            let outputs = MatrixRef::new(&y, rows, pitch, pitch);
            let found = on_every_isa(|| {
                let (mut sums, mut dy) = (vec![f32::NAN; 2 * pitch], dy.clone());
                let gradients = MatrixMut::new(&mut dy, rows, pitch, pitch);
                normalise::backward_sums(activation, &mut sums, gradients, matrix, outputs, &mean);
                let mut again = vec![f32::NAN; 2 * pitch];
                normalise::gradient_sums(&mut again, MatrixRef::new(&dy, rows, pitch, pitch), matrix, &mean);
                assert_eq!(sums, again);
                sums
            });
            let dz = |row: usize, c: usize| {
                let slope = if y[row * pitch + c] > 0.0 { 1.0 } else { slope };
                slope * f64::from(dy[row * pitch + c])
            };
            let of_products = naive(rows, columns, |row, c| {
                dz(row, c) * (f64::from(x[row * columns + c]) - f64::from(mean[c]))
            });
            // Of padding the sums of gradients are what these are.
            let of_dz = naive(rows, pitch, dz);
            assert!(each_close(&found[..pitch], &of_dz, 1e-4), "{rows} x {columns} {activation:?}");
            assert!(each_close(&found[pitch..pitch + columns], &of_products[..columns], 1e-4));
        }
        // The gradient of the input is that of layers behind another, whose rows are whole vectors.
        let x = spread(rows * pitch, 3.0);
        let (slope, offset) = (array(0.4, -0.1), array(0.2, 0.3));
        let found = on_every_isa(|| {
            let mut dx = vec![f32::NAN; rows * pitch];
            let slopes = Slopes { mean: &mean, scale: &scale, slope: &slope, offset: &offset };
            let [dz, x] = [&dy, &x].map(|values| MatrixRef::new(values, rows, pitch, pitch));
            normalise::backward(MatrixMut::new(&mut dx, rows, pitch, pitch), dz, x, slopes);
            dx
        });
        let exact = (0..rows * pitch).map(|index| {
            let [mean, scale, slope, offset] =
                [&mean, &scale, &slope, &offset].map(|array| f64::from(array[index % pitch]));
            scale * f64::from(dy[index]) + (f64::from(x[index]) - mean) * slope + offset
        });
        assert!(each_close(&found, &exact.collect::<Vec<_>>(), 1e-5));
    }
}

#[test]
fn rows_as_a_whole() {
    for (pixels, channels) in [(1, 1), (1, 7), (1, 700), (1, 1024), (9, 16), (12, 5), (49, 33)] {
        let pitch = if pixels == 1 { channels } else { padded(channels) };
        let row = |seed: f32| -> Vec<f32> {
            let mut values = spread(pixels * pitch, 2.0);
            values.iter_mut().for_each(|x| *x += seed);
            values.chunks_mut(pitch).for_each(|pixel| pixel[channels..].fill(0.0));
            values
        };
        let (x, weight, dy, bias) = (row(3.0), row(0.5), row(0.1), row(-0.2));
        let is_padding = |index: usize| index % pitch >= channels;
        let count = (pixels * channels) as f64;
        let found = on_every_isa(|| {
            let moments = per_row::moments(&x, pitch, channels);
            vec![moments.mean as f32, moments.squares as f32]
        });
        let mean = x.iter().map(|&x| f64::from(x)).sum::<f64>() / count;
        let real = || (0..x.len()).filter(|&index| !is_padding(index));
        let squares: f64 = real().map(|index| (f64::from(x[index]) - mean).powi(2)).sum();
        assert!(each_close(&found, &[mean, squares], 1e-6), "{found:?} {mean} {squares}");

        let of = [mean as f32, 0.7];
        let normalised = |index: usize| (f64::from(x[index]) - f64::from(of[0])) * 0.7;
        let (w, g) = (|index: usize| f64::from(weight[index]), |index: usize| f64::from(dy[index]));
        let y = on_every_isa(|| {
            let mut y = vec![f32::NAN; x.len()];
            per_row::forward(Activation::RELU, &mut y, &x, of, &weight, &bias);
            y
        });
        let exact: Vec<f64> =
            (0..x.len()).map(|i| (normalised(i) * w(i) + f64::from(bias[i])).max(0.0)).collect();
        assert!(each_close(&y, &exact, 1e-5));
        let sums = on_every_isa(|| {
            per_row::backward_sums(&dy, &x, of, &weight).iter().map(|&sum| sum as f32).collect()
        });
        let exact = [
            (0..x.len()).map(|i| w(i) * g(i)).sum::<f64>(),
            (0..x.len()).map(|i| w(i) * g(i) * normalised(i)).sum::<f64>(),
        ];
        assert!(each_close(&sums, &exact, 1e-5));
        let found = on_every_isa(|| {
            let mut dx = vec![f32::NAN; x.len()];
            per_row::backward(&mut dx, &dy, &x, of, &weight, [0.3, -0.4]);
            let (mut dweight, mut dbias) = (vec![1.0; x.len()], vec![2.0; x.len()]);
            per_row::add_gradient(&mut dweight, &mut dbias, &dy, &x, of);
            [dx, dweight, dbias].concat()
        });
        let dx = (0..x.len()).map(|i| 0.7 * (w(i) * g(i) - 0.3 + 0.4 * normalised(i)));
        let dweight = (0..x.len()).map(|i| 1.0 + g(i) * normalised(i));
        let exact: Vec<f64> = dx.chain(dweight).chain((0..x.len()).map(|i| 2.0 + g(i))).collect();
        assert!(each_close(&found, &exact, 1e-5));
    }
}
