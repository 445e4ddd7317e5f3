//! Checks of a layer: that it keeps the promises on which training relies.

mod differences;
mod pass;
mod whole;
mod wrong;

use crate::error::Result;
use crate::kernels::products::panels::packed_len;
use crate::layers::{Built, Incoming, Layer, Layout, Node, ParameterSpec, Partitioning, Shape, Sharding};
use crate::model::recipe::LayerConfig;
use crate::tensor::{LANES, padded};
use pass::{Answer, Pass, ROWS};
use wrong::{same_bits, wrong};

/// Checks a layer of one's own, or a built-in one, on samples of a shape that it takes:
///
/// - its parameters lie one behind the other, and what is fixed behind them; its shards have each parameter once, and
///   its output has the shape that its kind says;
/// - all of the output and of the gradient of the input is written, padding with zeros, whatever was in memory before; the
///   gradient of what pads parameters is 0;
/// - a row's results depend on nothing but that row, and gradients of parameters are summed row by row, so that
///   training has the same bits on any number of threads: which is also seen in a small network, on one, two and three;
/// - however [shards](crate::extend::Sharding) are cut, the bits are the same, and so they are where some columns of the
///   output are asked for, or only what the forward pass reads is [derived](crate::extend::Derived);
/// - the gradients are what finite differences of its output say, taken in f64;
/// - training leaves alone what is fixed, and a network with the layer that is saved and loaded again predicts with the
///   same bits. For that the kind is
///   [registered](crate::layers::LayerKind::register).
///
/// It is for layers that read one input row by row: not for a residual or a squeeze-excite block, which are several
/// layers beside their input, nor for normalisation by batch.
///
/// # Errors
/// [`Error::Mismatch`](crate::Error::Mismatch) with what was expected and found, and where; those of training, saving and loading.
pub fn check_layer(config: &LayerConfig, input: Shape) -> Result<()> {
    let output = config.output(0, Incoming { shape: input, is_data: false })?;
    let Some((settings, nodes)) = config.settings().zip(made(config, input)) else {
        let expected = "a layer that reads one input row by row".into();
        return Err(wrong("layer", expected, config.kind().to_string()));
    };
    check_alone(&nodes, input, output)?;
    settings.kind().register()?;
    whole::check(config, input, output)
}

/// The layer, and its activation if that is a layer of its own; none if one of them reads more than rows of one input.
fn made(config: &LayerConfig, shape: Shape) -> Option<Vec<Node>> {
    match config.settings()?.build(Incoming { shape, is_data: false }) {
        Built::Nodes(nodes) | Built::Chain(nodes) => {
            Some(nodes).filter(|nodes| nodes.iter().all(|node| node.as_layer().is_some()))
        }
        Built::Branch(_) | Built::Stack(_) => None,
    }
}

/// What can be seen without a network, of layers one after the other.
fn check_alone(nodes: &[Node], mut input: Shape, of_all: Shape) -> Result<()> {
    for (number, node) in nodes.iter().enumerate() {
        let Some(layer) = node.as_layer() else { continue };
        // Of a chain only the last gives what the kind says.
        let own = layer.image().map_or(Shape::Features(layer.outputs()), Shape::Image);
        let output = if number + 1 == nodes.len() { of_all } else { own };
        let all = check_one(layer, input, output)?;
        // Results do not depend on how shards are cut.
        for whole in [true, false] {
            let wanted = Partitioning { whole_columns: whole, by_inputs: !whole, sparse_input: false };
            let Some(sharding) = layer.partition(wanted) else { break };
            check_shards(layer, &*sharding)?;
            let pass = Pass::new(layer, input, output).partitioned(&*sharding);
            same("with shards cut in another way", &all, &pass.run(0..ROWS, f32::NAN))?;
        }
        input = output;
    }
    Ok(())
}

fn check_one(layer: &dyn Layer, input: Shape, output: Shape) -> Result<Answer> {
    check_shape(layer, output)?;
    check_parameters(layer)?;
    if layer.sharding().is_some() != layer.partition(Partitioning::default()).is_some() {
        let expected = "both `sharding` and `partition`, or neither".into();
        return Err(wrong("shards of the layer", expected, "one of them".into()));
    }
    if let Some(sharding) = layer.sharding() {
        check_shards(layer, sharding)?;
    }
    let pass = Pass::new(layer, input, output);
    let all = pass.run(0..ROWS, f32::NAN);
    check_written(&all, &pass)?;
    check_repeats(&pass, &all)?;
    check_parts(&pass, &all)?;
    differences::check(&pass, &all)?;
    Ok(all)
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
    let (specs, mut end) = ([layer.parameters(), layer.fixed()].concat(), 0);
    for (index, spec) in specs.iter().enumerate() {
        let what = format!("parameter {index}, \"{}\"", spec.name);
        if spec.name.is_empty() || specs[..index].iter().any(|other| other.name == spec.name) {
            return Err(wrong(&what, "a name of its own".into(), format!("\"{}\"", spec.name)));
        }
        let found = || format!("{:?} for shape {:?}", spec.range, spec.shape);
        let Some(needed) = stored_len(spec) else {
            return Err(wrong(&what, format!("a shape of numbers for {:?}", spec.layout), found()));
        };
        let (is_plain, len) = (spec.layout == Layout::Plain, spec.range.len());
        if spec.range.start != end || len < needed || len > needed && !is_plain {
            let more = if is_plain { "at least " } else { "" };
            return Err(wrong(&what, format!("storage from {end} on, of {more}{needed} floats"), found()));
        }
        end = spec.range.end;
    }
    Ok(())
}

/// Floats that a parameter fills as it lies; none if its shape is none that lies so.
fn stored_len(spec: &ParameterSpec) -> Option<usize> {
    let kernels = |groups: usize| {
        let [outputs, channels, area] = spec.kernels();
        groups * packed_len(outputs / groups, channels * area)
    };
    let len = match (spec.layout, &spec.shape[..]) {
        (Layout::Plain, shape) => padded(shape.iter().product()),
        (Layout::Panels, &[outputs, inputs]) => packed_len(outputs, inputs),
        (Layout::Kernels, [_, _, _, ..]) => kernels(1),
        (Layout::GroupedKernels { groups }, [outputs, _, _, ..]) if groups > 0 && outputs % groups == 0 => {
            kernels(groups)
        }
        (Layout::Pixels, [_, _, _]) => spec.pixels().columns(),
        (Layout::Rows { pitch }, [rows, columns]) if *columns <= pitch => rows * pitch,
        _ => 0,
    };
    Some(len).filter(|len| *len > 0)
}

/// Checks that each float of storage is in one shard.
fn check_shards(layer: &dyn Layer, sharding: &dyn Sharding) -> Result<()> {
    let mut parts: Vec<_> = (0..sharding.shards()).flat_map(|shard| sharding.shard_parts(shard)).collect();
    parts.retain(|part| !part.is_empty());
    parts.sort_by_key(|part| part.start);
    let (len, mut end) = (layer.parameters().last().map_or(0, |last| last.range.end), 0);
    parts.push(len..len);
    for part in parts {
        if part.start != end {
            let expected = format!("each float of storage in one of them: the next from {end} on");
            return Err(wrong("shards of the parameters", expected, format!("{part:?}")));
        }
        end = part.end;
    }
    Ok(())
}

/// Checks that outputs and gradients are finite, and their padding zeros.
fn check_written(all: &Answer, pass: &Pass) -> Result<()> {
    let (input, output) = (pass.input, pass.output);
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
    for (at, (value, is_number)) in all.gradient.iter().zip(&pass.is_parameter).enumerate() {
        if *is_number && value.is_finite() || !is_number && *value == 0.0 {
            continue;
        }
        let what = format!("gradient of the parameters, float {at} of storage");
        let expected = if *is_number { "a finite number" } else { "0, which pads" };
        return Err(wrong(&what, expected.into(), value.to_string()));
    }
    Ok(())
}

/// Checks that neither memory nor other rows matter, and that sums over rows can be accumulated row by row.
fn check_repeats(pass: &Pass, all: &Answer) -> Result<()> {
    let again = pass.run(0..ROWS, 1.0e3);
    same("with other numbers in memory", all, &again)?;
    let mut by_row = Answer::default();
    for row in 0..ROWS {
        let one = pass.run_after(row..row + 1, f32::NAN, std::mem::take(&mut by_row.sums));
        by_row.y.extend(one.y);
        by_row.dx.extend(one.dx);
        (by_row.gradient, by_row.sums) = (one.gradient, one.sums);
    }
    same("with each row by itself", all, &by_row)
}

/// Checks that a part of the output, or of what is derived, is as it is with all of it.
fn check_parts(pass: &Pass, all: &Answer) -> Result<()> {
    let columns = pass::columns(pass.output);
    let panels = if pass.layer.splits_features() { columns / LANES } else { 0 };
    for panel in (0..panels).map(|panel| panel * LANES..(panel + 1) * LANES) {
        let expected: Vec<f32> = all.y.chunks(columns).flat_map(|row| row[panel.clone()].to_vec()).collect();
        let what = format!("output in columns {panel:?} alone");
        same_bits(&what, &expected, &pass.output_of(0..ROWS, panel.clone()))?;
    }
    let [alone, by_shards] = pass.derived_twice();
    same_bits("what is derived for the forward pass alone", &by_shards, &alone)
}

/// Checks that both have the same bits.
fn same(how: &str, expected: &Answer, found: &Answer) -> Result<()> {
    let parts = [
        ("output", &expected.y, &found.y),
        ("gradient of the input", &expected.dx, &found.dx),
        ("gradient of the parameters", &expected.gradient, &found.gradient),
    ];
    parts.iter().try_for_each(|(what, expected, found)| same_bits(&format!("{what} {how}"), expected, found))
}

#[cfg(test)]
mod tests;
