//! Checks of a layer: that it keeps the promises on which training relies.

mod differences;
mod pass;
mod whole;
mod wrong;

use crate::error::Result;
use crate::layers::{Incoming, Layer, Layout, Shape};
use crate::model::recipe::LayerConfig;
use crate::tensor::padded;
use pass::{Answer, Pass, ROWS};
use wrong::wrong;

/// Checks a layer of one's own, or a built-in one that is as simple, on samples of a shape that it takes:
///
/// - its parameters lie one behind the other, and its output has the shape that its kind says;
/// - all of the output and of the gradient of the input is written, padding with zeros, whatever was in memory before;
/// - a row's results depend on nothing but that row, and gradients of parameters are summed row by row, so that
///   training has the same bits on any number of threads: which is also seen in a small network, on one, two and three;
/// - the gradients are what finite differences of its output say, taken in f64;
/// - a network with the layer that is saved and loaded again predicts with the same bits. For that the kind is
///   [registered](crate::layers::LayerKind::register).
///
/// # Errors
/// [`Error::Mismatch`](crate::Error::Mismatch) with what was expected and found, and where; those of training, saving and loading.
pub fn check_layer(config: &LayerConfig, input: Shape) -> Result<()> {
    let is_simple = |layer: &dyn Layer| layer.sharding().is_none() && layer.derived().is_none();
    let settings = config.settings();
    let between = Incoming { shape: input, is_data: false };
    let output = config.output(0, between)?;
    let made = settings.and_then(|settings| settings.make(settings.takes(0, between).ok()?));
    let (Some(settings), Some(layer)) = (settings, made.filter(|layer| is_simple(layer.as_ref()))) else {
        let expected = "a layer by rows, which leaves sharding and derived storage to their defaults".into();
        return Err(wrong("layer", expected, config.kind().to_string()));
    };
    check_alone(layer.as_ref(), input, output)?;
    settings.kind().register()?;
    whole::check(config, input, output)
}

/// What can be seen without a network.
fn check_alone(layer: &dyn Layer, input: Shape, output: Shape) -> Result<()> {
    check_shape(layer, output)?;
    check_parameters(layer)?;
    let pass = Pass::new(layer, input, output);
    let all = pass.run(0..ROWS, f32::NAN);
    check_written(&all, input, output)?;
    check_repeats(&pass, &all)?;
    differences::check(&pass, &all)
}

fn check_shape(layer: &dyn Layer, output: Shape) -> Result<()> {
    let found = layer.image().map_or(Shape::Features(layer.outputs()), Shape::Image);
    if found == output && layer.outputs() == output.features() {
        return Ok(());
    }
    let found = format!("{found}, of {} features", layer.outputs());
    Err(wrong("output of the layer", format!("{output}, as its kind says"), found))
}

fn check_parameters(layer: &dyn Layer) -> Result<()> {
    let (specs, mut end) = (layer.parameters(), 0);
    for (index, spec) in specs.iter().enumerate() {
        let what = format!("parameter {index}, \"{}\"", spec.name);
        if spec.name.is_empty() || specs[..index].iter().any(|other| other.name == spec.name) {
            return Err(wrong(&what, "a name of its own".into(), format!("\"{}\"", spec.name)));
        }
        let numbers: usize = spec.shape.iter().product();
        let needed = if spec.layout == Layout::Plain { padded(numbers) } else { numbers };
        if spec.range.start != end || spec.range.len() < needed || numbers == 0 {
            let expected = format!("storage from {end} on, of at least {} floats", needed.max(1));
            return Err(wrong(&what, expected, format!("{:?} for shape {:?}", spec.range, spec.shape)));
        }
        end = spec.range.end;
    }
    Ok(())
}

/// Checks that outputs and gradients are finite, and their padding zeros.
fn check_written(all: &Answer, input: Shape, output: Shape) -> Result<()> {
    for (what, values, shape) in [("output", &all.y, output), ("gradient of the input", &all.dx, input)] {
        let columns = pass::columns(shape);
        for (index, value) in values.iter().enumerate() {
            let (row, column) = (index / columns, index % columns);
            let is_number = pass::is_number(shape, column);
            if is_number && value.is_finite() || !is_number && *value == 0.0 {
                continue;
            }
            let what = format!("{what}, row {row}, column {column}");
            let expected = if is_number { "a finite number" } else { "0, which pads" };
            return Err(wrong(&what, expected.into(), value.to_string()));
        }
    }
    match all.gradient.iter().position(|value| !value.is_finite()) {
        Some(at) => {
            let what = format!("gradient of the parameters, float {at} of storage");
            Err(wrong(&what, "a finite number".into(), all.gradient[at].to_string()))
        }
        None => Ok(()),
    }
}

/// Checks that neither memory nor other rows matter, and that sums over rows can be accumulated row by row.
fn check_repeats(pass: &Pass, all: &Answer) -> Result<()> {
    let again = pass.run(0..ROWS, 1.0e3);
    same("with other numbers in memory", all, &again)?;
    let mut by_row = Answer::default();
    for row in 0..ROWS {
        let one = pass.run_after(row..row + 1, f32::NAN, std::mem::take(&mut by_row.gradient));
        by_row.y.extend(one.y);
        by_row.dx.extend(one.dx);
        by_row.gradient = one.gradient;
    }
    same("with each row by itself", all, &by_row)
}

/// Checks that both have the same bits.
fn same(how: &str, expected: &Answer, found: &Answer) -> Result<()> {
    let parts = [
        ("output", &expected.y, &found.y),
        ("gradient of the input", &expected.dx, &found.dx),
        ("gradient of the parameters", &expected.gradient, &found.gradient),
    ];
    for (what, expected, found) in parts {
        let differ = expected.iter().zip(found).position(|(a, b)| a.to_bits() != b.to_bits());
        if let Some(at) = differ {
            let expected = format!("{:?}, as before", expected[at]);
            return Err(wrong(&format!("{what} {how}, float {at}"), expected, format!("{:?}", found[at])));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
