//! `embedding`: trained vectors in the place of codes.

use crate::data::table::encode::{MOST_WIDTH, embedding_width};
use crate::hyper::{HyperParameter, HyperValues};
use crate::init::Init;
use crate::kernels::image::Image;
use crate::layers::embedding::{Embedding, MOST_TABLES};
use crate::layers::kind::{Input, LayerKind, LayerSettings, Misfit, Refusal};
use crate::layers::layer::Layer;
use crate::layers::shape::Shape;
use crate::layers::windows;

/// The most rows of a table: all of them have a code that an f32 holds.
pub(super) const MOST_ROWS: usize = 1 << 24;

/// Small, as fastai has it for tables: what no sample trains then adds next to nothing.
const DEVIATION: f32 = 0.01;

/// What recipes call it.
pub(in crate::layers) static KIND: LayerKind = LayerKind::new("embedding", make)
    .input(Input::Features)
    .formula("the numbers of x, then for each code behind them its row of W, a table for each")
    .source("Guo, Berkhahn 2016; as torch.nn.Embedding")
    .hyper_parameters(&[
        HyperParameter::integers(
            "categories",
            MOST_TABLES,
            [1, MOST_ROWS],
            "rows of each table; of a table of data with columns that are embedded, without any theirs",
        ),
        HyperParameter::integers(
            "widths",
            MOST_TABLES,
            [1, MOST_WIDTH],
            "numbers of a row of each table, or of all; without any those of the data, or by the number of categories",
        ),
        HyperParameter::choice(
            "shared",
            false,
            "whether all inputs are codes of one table, so that a sequence of vectors comes out",
        ),
        HyperParameter::init(
            "weight_init",
            Init::Normal { mean: 0.0, deviation: DEVIATION },
            "what W begins as",
        ),
    ])
    .conflict(conflict)
    .output(output);

fn conflict(settings: &HyperValues) -> Option<Misfit> {
    let [tables, widths] = ["categories", "widths"].map(|key| settings.integers(key).len());
    let found = |count: usize| format!("{count} of them");
    if settings.choice("shared") && tables > 1 {
        return Some(("categories", "one with `shared`, which has one table".into(), found(tables)));
    }
    let most = if settings.choice("shared") { 1 } else { tables };
    let fits = widths <= 1 || widths == most || (most == 0 && !settings.choice("shared"));
    let expected = || match most {
        0 | 1 => "one".to_string(),
        several => format!("one, or {several}, as many as `categories`"),
    };
    (!fits).then(|| ("widths", expected(), found(widths)))
}

/// Rows and width of each table.
fn tables(settings: &HyperValues) -> Vec<[usize; 2]> {
    let widths = settings.integers("widths");
    let width = |(number, &rows): (usize, &usize)| {
        let said = widths.get(number).or(widths.first());
        [rows, said.copied().unwrap_or_else(|| embedding_width(rows))]
    };
    settings.integers("categories").iter().enumerate().map(width).collect()
}

fn output(settings: &HyperValues, input: Shape) -> Result<Shape, Refusal> {
    let (tables, inputs) = (tables(settings), input.features());
    if tables.is_empty() {
        let expected = "`categories`, how many there are for each code: only a table of data whose columns are embedded, by \
                        `data.embed` or `data.embeddings`, says so itself";
        return Err(Refusal { expected: expected.into(), found: Some("none".into()) });
    }
    if settings.choice("shared") {
        let image = Image::new(1, inputs, tables[0][1]);
        windows::check_size(inputs as u128 * image.pitch as u128)?;
        return Ok(Shape::Image(image));
    }
    let Some(numbers) = inputs.checked_sub(tables.len()) else {
        return Err(format!("at least {} numbers, a code for each of `categories`", tables.len()).into());
    };
    Ok(Shape::Features(numbers + tables.iter().map(|[_, width]| width).sum::<usize>()))
}

fn make(settings: &HyperValues, input: Shape) -> Box<dyn Layer> {
    let (tables, init) = (tables(settings), settings.init("weight_init"));
    match tables[..] {
        [table] if settings.choice("shared") => Box::new(Embedding::shared(input.features(), table, init)),
        _ => Box::new(Embedding::new(input.features(), &tables, init)),
    }
}

#[doc(hidden)]
impl LayerSettings {
    /// For each code that the layer reads of a sample, how many rows its table has, and how many numbers a row; and whether
    /// all inputs are codes of the one. None of a layer that is no embedding.
    pub fn embedded(&self) -> Option<(Vec<[usize; 2]>, bool)> {
        (*self.kind() == KIND).then(|| (tables(self.values()), self.values().choice("shared")))
    }

    /// The embedding with one table of so many rows, of which nothing was said.
    pub fn embedding_of_tokens(self, rows: usize) -> LayerSettings {
        self.having("categories", vec![rows])
    }

    /// The embedding with what is not said of its tables as `known` has it, `[rows, width]` of each.
    pub fn embedding_of(self, known: &[[usize; 2]]) -> LayerSettings {
        let is_unsaid = |key: &str| self.values().integers(key).is_empty();
        let of = |side: usize| known.iter().map(|table| table[side]).collect::<Vec<usize>>();
        let [categories, widths] = ["categories", "widths"].map(is_unsaid);
        let settings = if categories { self.having("categories", of(0)) } else { self };
        if widths { settings.having("widths", of(1)) } else { settings }
    }
}
