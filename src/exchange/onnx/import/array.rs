//! Constants of an ONNX graph as arrays: weights as `f32`, shapes and indices as `i64`.

use half::{bf16, f16};

use super::super::proto::{DataType, TensorProto};
use crate::memory;

/// What something is, or why it cannot be used, in words for an error.
pub type Fit<T> = std::result::Result<T, String>;

/// The most dimensions of an array: those of the values of networks are five.
pub const MOST_DIMENSIONS: usize = 16;

/// What the memory of arrays is for, in messages.
const TENSORS: &str = "the tensors of an ONNX file";

/// `data_location` of values in another file.
const EXTERNAL: i32 = 1;

/// A constant, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    pub shape: Vec<usize>,
    /// As many as the product of the shape.
    pub values: Values,
}

/// The values of an array.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    Floats(Vec<f32>),
    Integers(Vec<i64>),
}

impl Array {
    pub fn floats(shape: Vec<usize>, values: Vec<f32>) -> Array {
        Array { shape, values: Values::Floats(values) }
    }

    /// A list of integers.
    pub fn integers(values: Vec<i64>) -> Array {
        Array { shape: vec![values.len()], values: Values::Integers(values) }
    }

    /// The values of a tensor, which is used up: so a file and its arrays are not in memory together for long. Numbers of
    /// another precision become `f32`.
    ///
    /// # Errors
    /// What is wrong with the tensor: values that are in another file, are not as many as its shape says, or are of a type that
    /// no layer takes.
    pub fn of(tensor: TensorProto) -> Fit<Array> {
        if tensor.data_location == EXTERNAL || !tensor.external_data.is_empty() {
            return Err("expected its values within the file, found them in another one; \
                        `onnx.save(onnx.load(FILE), OTHER)` puts them in"
                .into());
        }
        let shape = shape_of(&tensor.dims)?;
        let count = count_of(&shape)
            .ok_or_else(|| format!("expected a shape that can be held in memory, found {:?}", tensor.dims))?;
        let values = values_of(tensor, count)?;
        Ok(Array { shape, values })
    }

    pub fn len(&self) -> usize {
        match &self.values {
            Values::Floats(values) => values.len(),
            Values::Integers(values) => values.len(),
        }
    }

    /// The numbers, if they are floating-point ones.
    pub fn as_floats(&self) -> Option<&[f32]> {
        match &self.values {
            Values::Floats(values) => Some(values),
            Values::Integers(_) => None,
        }
    }

    /// The integers, if they are such.
    pub fn as_integers(&self) -> Option<&[i64]> {
        match &self.values {
            Values::Integers(values) => Some(values),
            Values::Floats(_) => None,
        }
    }

    /// The number, if there is one only.
    pub fn scalar(&self) -> Option<f32> {
        match &self.values {
            Values::Floats(values) if values.len() == 1 => Some(values[0]),
            // The least of all stands for the size of the batch, which is not known.
            Values::Integers(values) if values.len() == 1 && values[0] != i64::MIN => Some(values[0] as f32),
            _ => None,
        }
    }

    /// The same values in another shape of as many.
    pub fn reshaped(&self, shape: Vec<usize>) -> Array {
        debug_assert_eq!(count_of(&shape), Some(self.len()));
        Array { shape, values: self.values.clone() }
    }

    /// The floats with their dimensions in another order: `order` has for each new dimension the old one. Those of integers
    /// stay as they are, which have one dimension.
    pub fn transposed(&self, order: &[usize]) -> Array {
        let Values::Floats(values) = &self.values else { return self.clone() };
        let shape: Vec<usize> = order.iter().map(|&axis| self.shape[axis]).collect();
        let mut steps = vec![1; self.shape.len()];
        for axis in (1..self.shape.len()).rev() {
            steps[axis - 1] = steps[axis] * self.shape[axis];
        }
        let steps: Vec<usize> = order.iter().map(|&axis| steps[axis]).collect();
        let mut place = vec![0; shape.len()];
        let mut moved = Vec::with_capacity(values.len());
        for _ in 0..values.len() {
            moved.push(values[place.iter().zip(&steps).map(|(at, step)| at * step).sum::<usize>()]);
            for axis in (0..shape.len()).rev() {
                place[axis] += 1;
                if place[axis] < shape[axis] {
                    break;
                }
                place[axis] = 0;
            }
        }
        Array::floats(shape, moved)
    }

    /// With the numbers of each index of a dimension times a factor.
    pub fn scaled(&self, axis: usize, factors: &[f32]) -> Array {
        let Values::Floats(values) = &self.values else { return self.clone() };
        let inner: usize = self.shape[axis + 1..].iter().product();
        let factor = |index: usize| factors[index / inner.max(1) % factors.len()];
        let values = values.iter().enumerate().map(|(index, value)| value * factor(index)).collect();
        Array::floats(self.shape.clone(), values)
    }
}

/// The product of a shape, if it can be counted.
pub fn count_of(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1usize, |product, &size| product.checked_mul(size))
}

/// The sizes, none of which may be below 0.
pub fn shape_of(dims: &[i64]) -> Fit<Vec<usize>> {
    if dims.len() > MOST_DIMENSIONS {
        return Err(format!("expected at most {MOST_DIMENSIONS} dimensions, found {}", dims.len()));
    }
    let sizes: Option<Vec<usize>> = dims.iter().map(|&size| usize::try_from(size).ok()).collect();
    sizes.ok_or_else(|| format!("expected sizes of at least 0, found {dims:?}"))
}

/// The values of a tensor that has so many.
fn values_of(tensor: TensorProto, count: usize) -> Fit<Values> {
    let TensorProto { raw_data, float_data, double_data, int32_data, int64_data, .. } = tensor;
    let kind = DataType::try_from(tensor.data_type).unwrap_or(DataType::Undefined);
    let is_raw = !raw_data.is_empty();
    Ok(match kind {
        DataType::Float if !is_raw => Values::Floats(checked(float_data, count)?),
        DataType::Float => Values::Floats(from_raw(&raw_data, count, f32::from_le_bytes)?),
        DataType::Double if !is_raw => narrowed(&checked(double_data, count)?)?,
        DataType::Double => narrowed(&from_raw(&raw_data, count, f64::from_le_bytes)?)?,
        DataType::Float16 | DataType::Bfloat16 => {
            let widen = |bits: u16| match kind {
                DataType::Float16 => f16::from_bits(bits).to_f32(),
                _ => bf16::from_bits(bits).to_f32(),
            };
            Values::Floats(match is_raw {
                true => from_raw(&raw_data, count, |bytes: [u8; 2]| widen(u16::from_le_bytes(bytes)))?,
                // One in each, in the lower half.
                false => checked(int32_data, count)?.into_iter().map(|bits| widen(bits as u16)).collect(),
            })
        }
        DataType::Int64 if !is_raw => Values::Integers(checked(int64_data, count)?),
        DataType::Int64 => Values::Integers(from_raw(&raw_data, count, i64::from_le_bytes)?),
        DataType::Int32 if is_raw => {
            Values::Integers(from_raw(&raw_data, count, |bytes| i32::from_le_bytes(bytes).into())?)
        }
        DataType::Int8 if is_raw => {
            Values::Integers(from_raw(&raw_data, count, |bytes| i8::from_le_bytes(bytes).into())?)
        }
        DataType::Uint8 | DataType::Bool if is_raw => {
            Values::Integers(from_raw(&raw_data, count, |[byte]: [u8; 1]| byte.into())?)
        }
        DataType::Int32 | DataType::Int8 | DataType::Uint8 | DataType::Bool => {
            Values::Integers(checked(int32_data, count)?.into_iter().map(i64::from).collect())
        }
        DataType::Undefined => {
            let expected = "expected numbers of a type from 16 to 64 bits, bytes or booleans";
            return Err(format!("{expected}, found type {} of ONNX", tensor.data_type));
        }
    })
}

/// The values, if they are as many as the shape says.
fn checked<T>(values: Vec<T>, count: usize) -> Fit<Vec<T>> {
    match values.len() == count {
        true => Ok(values),
        false => Err(format!("expected {count} values, as its shape says, found {}", values.len())),
    }
}

/// The values of so many little-endian numbers of N bytes.
fn from_raw<T, const N: usize>(bytes: &[u8], count: usize, of: impl Fn([u8; N]) -> T) -> Fit<Vec<T>> {
    if count.checked_mul(N) != Some(bytes.len()) {
        let expected = format!("expected {count} values of {N} bytes, as its shape says");
        return Err(format!("{expected}, found {} bytes", bytes.len()));
    }
    let mut values = memory::reserved(TENSORS, count).map_err(|error| error.to_string())?;
    values.extend(bytes.as_chunks::<N>().0.iter().map(|chunk| of(*chunk)));
    Ok(values)
}

fn narrowed(values: &[f64]) -> Fit<Values> {
    let is_lost = |value: &&f64| value.is_finite() && !(**value as f32).is_finite();
    if let Some(value) = values.iter().find(is_lost) {
        return Err(format!("expected numbers within the range of f32, found {value:e}"));
    }
    Ok(Values::Floats(values.iter().map(|&value| value as f32).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(dims: &[i64], kind: DataType) -> TensorProto {
        TensorProto { dims: dims.to_vec(), data_type: kind as i32, ..TensorProto::default() }
    }

    #[test]
    fn each_type_is_read_from_both_places() {
        let floats = Array::floats(vec![2], vec![1.0, -2.0]);
        let raw =
            |kind, raw_data: Vec<u8>| Array::of(TensorProto { raw_data, ..tensor(&[2], kind) }).unwrap();
        let bytes = |values: [f32; 2]| values.iter().flat_map(|value| value.to_le_bytes()).collect();
        assert_eq!(raw(DataType::Float, bytes([1.0, -2.0])), floats);
        let doubles = [1.0f64, -2.0].iter().flat_map(|value| value.to_le_bytes()).collect();
        assert_eq!(raw(DataType::Double, doubles), floats);
        // 1 and -2: 0x3c00 and 0xc000 in f16, 0x3f80 and 0xc000 in bf16.
        assert_eq!(raw(DataType::Float16, vec![0x00, 0x3c, 0x00, 0xc0]), floats);
        assert_eq!(raw(DataType::Bfloat16, vec![0x80, 0x3f, 0x00, 0xc0]), floats);
        let typed = TensorProto { float_data: vec![1.0, -2.0], ..tensor(&[2], DataType::Float) };
        assert_eq!(Array::of(typed).unwrap(), floats);
        let halves = TensorProto { int32_data: vec![0x3c00, 0xc000], ..tensor(&[2], DataType::Float16) };
        assert_eq!(Array::of(halves).unwrap(), floats);
        let sizes = TensorProto { int64_data: vec![3, -1], ..tensor(&[2], DataType::Int64) };
        assert_eq!(Array::of(sizes).unwrap(), Array::integers(vec![3, -1]));
        assert_eq!(raw(DataType::Int8, vec![3, 0xff]), Array::integers(vec![3, -1]));
    }

    #[test]
    fn what_contradicts_itself_is_refused_before_memory_is_taken() {
        let refused = |dims: &[i64], kind| Array::of(tensor(dims, kind)).unwrap_err();
        assert_eq!(
            refused(&[1 << 40], DataType::Float),
            "expected 1099511627776 values, as its shape says, found 0"
        );
        assert!(refused(&[1 << 40, 1 << 40], DataType::Float).contains("held in memory"));
        assert!(refused(&[-1], DataType::Int64).contains("at least 0, found [-1]"));
        assert!(refused(&[0], DataType::Undefined).ends_with("found type 0 of ONNX"));
        let raw = TensorProto { raw_data: vec![0; 7], ..tensor(&[2], DataType::Float) };
        assert!(Array::of(raw).unwrap_err().ends_with("found 7 bytes"));
        let external = TensorProto { data_location: 1, ..tensor(&[2], DataType::Float) };
        assert!(Array::of(external).unwrap_err().contains("another one"));
        let large = TensorProto { double_data: vec![1e300], ..tensor(&[1], DataType::Double) };
        assert!(Array::of(large).unwrap_err().ends_with("found 1e300"));
    }

    #[test]
    fn dimensions_change_places() {
        let array = Array::floats(vec![2, 3, 1], (0..6).map(|value| value as f32).collect());
        let moved = array.transposed(&[2, 1, 0]);
        assert_eq!(moved, Array::floats(vec![1, 3, 2], vec![0.0, 3.0, 1.0, 4.0, 2.0, 5.0]));
        assert_eq!(array.scaled(0, &[1.0, 2.0]).as_floats().unwrap(), [0.0, 1.0, 2.0, 6.0, 8.0, 10.0]);
        assert_eq!(array.scaled(1, &[0.0, 1.0, 2.0]).as_floats().unwrap(), [0.0, 1.0, 4.0, 0.0, 4.0, 10.0]);
    }
}
