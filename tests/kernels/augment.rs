//! What deforms images.

use crate::common::compare::bits_but_of_nan;
use crate::{on_every_isa, spread};
use fallline::engine::kernels::augmentation::elastic::{self, Axis};
use fallline::engine::kernels::augmentation::warp::{self, Affine, Field, Normalised};
use fallline::engine::kernels::elementwise::convert;
use fallline::engine::kernels::reference::augment as reference;
use fallline::engine::tensor::padded;
use reference::Motion;

const IDENTITY: Affine = Affine { x: [1.0, 0.0, 0.0], y: [0.0, 1.0, 0.0] };
const PLAIN: Normalised = Normalised { scale: 1.0, shift: 0.0 };

/// Height, width, channels.
const SIZES: [[usize; 3]; 9] = [
    [1, 1, 1],
    [2, 2, 1],
    [2, 3, 3],
    [5, 17, 1],
    [16, 16, 2],
    [28, 28, 1],
    [33, 15, 1],
    [9, 40, 3],
    [64, 31, 1],
];

/// Bytes in no order, with smallest and largest.
fn image([height, width, channels]: [usize; 3]) -> Vec<u8> {
    let byte = |i: usize| if i % 7 == 3 { 255 } else { (i * i * 31 + i * 97) as u8 };
    (0..height * width * channels).map(byte).collect()
}

fn warped(
    bytes: &[u8],
    size: [usize; 3],
    map: &Affine,
    field: Option<&[Vec<f32>; 2]>,
    to: Normalised,
) -> Vec<f32> {
    on_every_isa(|| {
        let [height, width, channels] = size;
        let mut words = vec![u32::MAX; warp::words_len([height, width])];
        let mut out = vec![f32::NAN; bytes.len()];
        let field = field.map(|[x, y]| Field { x, y });
        for channel in 0..channels {
            warp::pack(&mut words, bytes, size, channel);
            warp::sample(&mut out, &words, size, channel, map, field, to);
        }
        out
    })
}

/// The inverse of a motion as the kernel takes it.
fn affine(motion: &Motion, size: [usize; 2]) -> Affine {
    let at = |place| motion.backward(size, place);
    let (zero, across, down) = (at([0.0, 0.0]), at([1.0, 0.0]), at([0.0, 1.0]));
    let row = |axis: usize| {
        [across[axis] - zero[axis], down[axis] - zero[axis], zero[axis]].map(|number| number as f32)
    };
    Affine { x: row(0), y: row(1) }
}

fn motions() -> [Motion; 4] {
    [
        Motion { shift: [0.5, -0.25], degrees: 0.0, shear: 0.0, zoom: [1.0; 2] },
        Motion { shift: [0.0; 2], degrees: 17.0, shear: 0.0, zoom: [1.0; 2] },
        Motion { shift: [1.3, 2.2], degrees: -15.0, shear: 0.2, zoom: [0.85, 1.15] },
        Motion { shift: [-9.0, 3.0], degrees: 100.0, shear: -1.0, zoom: [3.0, 0.4] },
    ]
}

#[test]
fn the_identity_is_the_plain_conversion_bit_by_bit() {
    let to = Normalised { scale: 1.0 / (255.0 * 0.3081), shift: -0.1307 / 0.3081 };
    for size in SIZES {
        let bytes = image(size);
        let mut plain = vec![0.0; bytes.len()];
        convert::bytes_to_floats(&mut plain, &bytes, to.scale, to.shift);
        assert_eq!(
            bits_but_of_nan(&warped(&bytes, size, &IDENTITY, None, to)),
            bits_but_of_nan(&plain),
            "{size:?}"
        );
        let still = [(); 2].map(|()| vec![0.0; size[0] * padded(size[1])]);
        assert_eq!(
            bits_but_of_nan(&warped(&bytes, size, &IDENTITY, Some(&still), to)),
            bits_but_of_nan(&plain),
            "{size:?}"
        );
        // One pixel to the right: what comes in is the background, exactly.
        let map = Affine { x: [1.0, 0.0, -1.0], ..IDENTITY };
        let moved = warped(&bytes, size, &map, None, to);
        for (moved, plain) in moved.chunks(size[1] * size[2]).zip(plain.chunks(size[1] * size[2])) {
            assert!(moved[..size[2]].iter().all(|value| *value == to.shift));
            assert_eq!(moved[size[2]..], plain[..plain.len() - size[2]]);
        }
    }
}

#[test]
fn deformed_images_are_those_of_the_reference() {
    for size in SIZES {
        let [height, width, channels] = size;
        let bytes = image(size);
        let displacements = spread(2 * height * padded(width), 3.0);
        let (x, y) = displacements.split_at(height * padded(width));
        let field = [x.to_vec(), y.to_vec()];
        for motion in motions() {
            let map = affine(&motion, [height, width]);
            for field in [None, Some(&field)] {
                let fast = warped(&bytes, size, &map, field, PLAIN);
                for channel in 0..channels {
                    let plane = |values: &mut dyn Iterator<Item = f64>| -> Vec<f64> {
                        values.skip(channel).step_by(channels).collect()
                    };
                    let exact = plane(&mut bytes.iter().map(|&byte| byte.into()));
                    for (pixel, value) in plane(&mut fast.iter().map(|&v| v.into())).into_iter().enumerate() {
                        let (row, column) = (pixel / width, pixel % width);
                        let [mut px, mut py] = motion.backward([height, width], [column as f64, row as f64]);
                        if let Some([dx, dy]) = field {
                            px += f64::from(dx[row * padded(width) + column]);
                            py += f64::from(dy[row * padded(width) + column]);
                        }
                        let expected = reference::bilinear(&exact, [height, width], [py, px]);
                        // Places are exact to some 10^-6 of a side, and neighbours differ by up to 255.
                        let error = (value - expected).abs();
                        assert!(error < 0.02, "{size:?} {motion:?} {pixel}: {value} {expected}");
                    }
                }
            }
        }
    }
    // The tolerance notices an eighth of a pixel.
    let (size, motion) = ([28, 28, 1], motions()[0]);
    let bytes = image(size);
    let exact: Vec<f64> = bytes.iter().map(|&byte| byte.into()).collect();
    let wrong = Motion { shift: [0.625, -0.25], ..motion }.moved(&exact, [28, 28]);
    let fast = warped(&bytes, size, &affine(&motion, [28, 28]), None, PLAIN);
    let worst = fast.iter().zip(&wrong).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max);
    assert!(worst > 1.0, "{worst}");
}

/// Turned by the kernel and turned back by the reference, a smooth image is what it was.
#[test]
fn a_turn_is_undone_by_the_opposite_turn() {
    let size = [41, 41];
    let hill = |y: f64, x: f64| 255.0 * (-((y - 17.0) / 6.0).powi(2) - ((x - 23.0) / 4.0).powi(2)).exp();
    let bytes: Vec<u8> = (0..41 * 41).map(|i| hill((i / 41) as f64, (i % 41) as f64).round() as u8).collect();
    for degrees in [5.0, 15.0, 33.0, 90.0] {
        let turn = Motion { shift: [0.0; 2], degrees, shear: 0.0, zoom: [1.0; 2] };
        let there = warped(&bytes, [41, 41, 1], &affine(&turn, size), None, PLAIN);
        let there: Vec<f64> = there.iter().map(|&value| value.into()).collect();
        let worst = |degrees| {
            let back = Motion { degrees, ..turn }.moved(&there, size);
            let difference = |i: usize| (back[i] - f64::from(bytes[i])).abs();
            (0..41 * 41).map(difference).fold(0.0, f64::max)
        };
        // What two interpolations take off the top of the hill.
        assert!(worst(-degrees) < 12.0, "{degrees}: {}", worst(-degrees));
        assert!(worst(degrees) > 30.0, "{degrees}: {}", worst(degrees));
    }
}

#[test]
fn places_far_away_are_the_background() {
    let size = [28, 28, 1];
    let bytes = image(size);
    for far in [1e9, -1e30, f32::INFINITY, f32::NEG_INFINITY, f32::NAN] {
        let map = Affine { x: [1.0, 0.0, far], ..IDENTITY };
        let out = warped(&bytes, size, &map, None, Normalised { scale: 1.0, shift: 7.0 });
        assert!(out.iter().all(|value| *value == 7.0), "{far}");
    }
}

/// Spacing of the points and how many lie on each side, as documented.
fn points_of(deviation: f64) -> (f64, usize) {
    let spacing = if deviation < 2.0 { 1.0 } else { deviation };
    (spacing, (3.0 * deviation / spacing).ceil() as usize)
}

const DEVIATIONS: [f64; 8] = [0.3, 1.0, 1.9, 2.0, 3.3, 4.0, 6.0, 40.0];

#[test]
fn smooth_fields_are_those_of_the_reference() {
    for [height, width, _] in SIZES {
        for deviation in DEVIATIONS {
            let (rows, columns) = (Axis::new(height, deviation), Axis::new(width, deviation));
            let (down, across) = (rows.points(), columns.points());
            let noise = spread(elastic::noise_len(&rows, &columns), 1.0);
            let pitch = padded(width);
            let fields = on_every_isa(|| {
                let mut fields = vec![f32::NAN; 2 * height * pitch];
                let mut line = vec![f32::NAN; elastic::line_len(&columns)];
                elastic::smooth(&mut fields, &noise, &mut line, &rows, &columns);
                fields
            });
            let (spacing, reach) = points_of(deviation);
            for (which, field) in fields.chunks_exact(height * pitch).enumerate() {
                let lines: Vec<Vec<f64>> = (0..down)
                    .map(|point| {
                        let start = (2 * point + which) * padded(across);
                        let line: Vec<f64> = noise[start..start + across].iter().map(|&n| n.into()).collect();
                        reference::elastic_line(&line, width, deviation, spacing, reach)
                    })
                    .collect();
                for x in 0..width {
                    let column: Vec<f64> = lines.iter().map(|line| line[x]).collect();
                    let exact = reference::elastic_line(&column, height, deviation, spacing, reach);
                    for (y, exact) in exact.into_iter().enumerate() {
                        let fast = f64::from(field[y * pitch + x]);
                        assert!(
                            (fast - exact).abs() < 3e-6,
                            "{height}x{width} {deviation} ({y}, {x}): {fast} {exact}"
                        );
                    }
                }
            }
        }
    }
}

/// White noise on the points gives the covariance of the definition: deviation and length of correlation.
#[test]
fn fields_have_the_covariance_of_their_definition() {
    const SIDE: usize = 28;
    /// The largest error of the covariance of two pixels, as a part of the variance, and how much the
    /// variance is wrong on average.
    fn errors(axis: &Axis, deviation: f64) -> (f64, f64) {
        let alpha_of_one = 3f64.sqrt();
        // Both directions are alike: of one the covariance is the square root.
        let exact = |lag: usize| reference::elastic_covariance(deviation, alpha_of_one, [lag, lag]).sqrt();
        let found = |a: usize, b: usize| {
            let ((first, own), (from, other)) = (axis.of_pixel(a), axis.of_pixel(b));
            let terms = own.iter().enumerate().filter_map(|(index, weight)| {
                let other = other.get((first + index).checked_sub(from)?)?;
                Some(f64::from(*weight) * f64::from(*other))
            });
            terms.sum::<f64>()
        };
        let variance = exact(0);
        let pairs = (0..SIDE).flat_map(|a| (0..SIDE).map(move |b| (a, b)));
        let worst = pairs.map(|(a, b)| (found(a, b) - exact(a.abs_diff(b))).abs()).fold(0.0, f64::max);
        let mean = (0..SIDE).map(|a| found(a, a)).sum::<f64>() / SIDE as f64;
        (worst / variance, (mean / variance - 1.0).abs())
    }
    for deviation in DEVIATIONS {
        let (worst, mean) = errors(&Axis::new(SIDE, deviation), deviation);
        assert!(worst < 0.01 && mean < 1e-5, "{deviation}: {worst} {mean}");
    }
    // A tenth more is noticed.
    let (worst, mean) = errors(&Axis::new(SIDE, 4.4), 4.0);
    assert!(worst > 0.03 && mean > 0.05, "{worst} {mean}");
}
