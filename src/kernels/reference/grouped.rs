//! The naive twin of convolutions in groups: one convolution for each, of its part of the channels.

use super::image::{Convolution, ImageGradients, Shape};
use crate::kernels::activation::Activation;
use crate::kernels::image::Window;

/// A convolution in groups, `y = activation(w ⋆ x + bias)`.
#[derive(Clone, Debug)]
pub struct Grouped {
    /// The shape of an input sample.
    pub input: Shape,
    pub groups: usize,
    pub window: Window,
    /// The weights, `[out, channels / groups, kernel height, kernel width]`.
    pub weight: Vec<f64>,
    /// The bias, `[out]`.
    pub bias: Vec<f64>,
    pub activation: Activation,
}

/// The part of a group of each of `rows` rows of `values`.
fn part(values: &[f64], rows: usize, group: usize, groups: usize) -> Vec<f64> {
    let row = values.len() / rows;
    let of_row = |values: &[f64]| values[group * (row / groups)..(group + 1) * (row / groups)].to_vec();
    values.chunks_exact(row).flat_map(of_row).collect()
}

/// The inverse of [`part`], over all groups.
fn joined(parts: &[Vec<f64>], rows: usize) -> Vec<f64> {
    let of_row = |row: usize| {
        let len = |part: &Vec<f64>| part.len() / rows;
        parts.iter().flat_map(move |part| part[row * len(part)..(row + 1) * len(part)].to_vec())
    };
    (0..rows).flat_map(of_row).collect()
}

impl Grouped {
    /// One group alone.
    fn group(&self, group: usize) -> Convolution {
        let [channels, height, width] = self.input;
        Convolution {
            input: [channels / self.groups, height, width],
            window: self.window,
            weight: part(&self.weight, 1, group, self.groups),
            bias: part(&self.bias, 1, group, self.groups),
            activation: self.activation,
        }
    }

    fn rows(&self, x: &[f64]) -> usize {
        x.len() / self.input.iter().product::<usize>()
    }

    /// The output of `x`, `[rows, channels, height, width]`.
    pub fn forward(&self, x: &[f64]) -> Vec<f64> {
        let rows = self.rows(x);
        let of_group = |group| self.group(group).forward(&part(x, rows, group, self.groups));
        joined(&(0..self.groups).map(of_group).collect::<Vec<_>>(), rows)
    }

    /// The gradients at `x`, `[rows, channels, height, width]`, given `dy`, that of the output.
    pub fn backward(&self, dy: &[f64], x: &[f64]) -> ImageGradients {
        let rows = self.rows(x);
        let of_group = |group| {
            let of = |values| part(values, rows, group, self.groups);
            self.group(group).backward(&of(dy), &of(x))
        };
        let all: Vec<ImageGradients> = (0..self.groups).map(of_group).collect();
        ImageGradients {
            x: joined(&all.iter().map(|of| of.x.clone()).collect::<Vec<_>>(), rows),
            weight: all.iter().flat_map(|of| of.weight.clone()).collect(),
            bias: all.iter().flat_map(|of| of.bias.clone()).collect(),
        }
    }
}
