//! What flows between two layers of a graph, and in which order its numbers lie. Layers of images want the channels first,
//! those of sequences last: a value is put in the order that its reader wants, and stays in the one that its writer gave
//! where both agree.

use super::graph::Graph;
use crate::exchange::onnx::proto::DataType;
use crate::kernels::image::Image;
use crate::layers::Shape;

/// The order of the numbers of a batch of N samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `[N, F]`; of an image its pixels one after the other, each with its channels side by side.
    Features,
    /// `[N, C, H, W]`
    Planes,
    /// `[N, C, H W]`
    Line,
    /// `[N, H W, C]`
    Positions,
    /// `[N, F]`, whole numbers and not floats.
    Codes,
}

impl Layout {
    fn has_channels_first(self) -> bool {
        matches!(self, Layout::Planes | Layout::Line)
    }

    /// Where channels, or features, lie among the axes.
    pub fn channel_axis(self) -> i64 {
        match self {
            Layout::Positions => 2,
            _ => 1,
        }
    }
}

/// A value of the graph.
#[derive(Clone, Debug)]
pub struct Value {
    pub name: String,
    /// Of a sample.
    pub shape: Shape,
    pub layout: Layout,
}

impl Value {
    /// The image that a sample is; features are one pixel.
    pub fn image(&self) -> Image {
        image_of(self.shape)
    }

    /// Another value of the same layout and shape.
    pub fn named(&self, name: String) -> Value {
        Value { name, ..self.clone() }
    }

    /// The same in this order.
    pub fn to(&self, graph: &mut Graph, layout: Layout) -> Value {
        if self.layout == layout {
            return self.clone();
        }
        if self.layout == Layout::Codes {
            let name = graph.cast(&self.name, DataType::Float);
            return Value { name, layout: Layout::Features, ..self.clone() }.to(graph, layout);
        }
        let image = self.image();
        let is_same_order = self.layout.has_channels_first() == layout.has_channels_first();
        if is_same_order || image.channels == 1 || image.pixels() == 1 {
            let name = graph.reshape(&self.name, &sizes(self.shape, layout));
            return Value { name, layout, ..self.clone() };
        }
        let (before, behind) = match self.layout.has_channels_first() {
            true => (Layout::Line, Layout::Positions),
            false => (Layout::Positions, Layout::Line),
        };
        let flat = self.to(graph, before);
        let name = graph.transpose(&flat.name, &[0, 2, 1]);
        Value { name, layout: behind, ..self.clone() }.to(graph, layout)
    }

    /// The same in an order that has an axis of channels, or features, of its own.
    pub fn by_channel(&self, graph: &mut Graph) -> Value {
        match (self.shape, self.layout) {
            (Shape::Features(_), _) => self.to(graph, Layout::Features),
            (Shape::Image(_), Layout::Features | Layout::Codes) => self.to(graph, Layout::Positions),
            _ => self.clone(),
        }
    }

    /// The same numbers as a sample of another shape, as layers at the front take the data.
    pub fn taken_as(&self, graph: &mut Graph, shape: Shape) -> Value {
        let (own, other) = (self.image(), image_of(shape));
        let sides = |image: Image| [image.height, image.width, image.channels];
        match shape {
            Shape::Features(_) if self.layout == Layout::Codes => Value { shape, ..self.clone() },
            Shape::Features(_) => Value { shape, ..self.to(graph, Layout::Features) },
            Shape::Image(_) if sides(own) == sides(other) => Value { shape, ..self.clone() },
            Shape::Image(_) if own.channels == other.channels && self.layout != Layout::Positions => {
                Value { shape, ..self.to(graph, Layout::Line) }
            }
            Shape::Image(_) if own.channels == other.channels => Value { shape, ..self.clone() },
            Shape::Image(_) => Value { shape, ..self.to(graph, Layout::Features) },
        }
    }
}

/// The image that samples of a shape are; features are one pixel.
pub fn image_of(shape: Shape) -> Image {
    shape.image().unwrap_or(Image::data([1, 1, shape.features()]))
}

/// The sizes of a batch in an order; 0 is that of the batch itself.
pub fn sizes(shape: Shape, layout: Layout) -> Vec<i64> {
    let Image { height, width, channels, .. } = image_of(shape);
    let sizes = match layout {
        Layout::Features | Layout::Codes => vec![0, shape.features()],
        Layout::Planes => vec![0, channels, height, width],
        Layout::Line => vec![0, channels, height * width],
        Layout::Positions => vec![0, height * width, channels],
    };
    sizes.into_iter().map(|size| size as i64).collect()
}
