//! Embeddings: each code stands for a trained vector (Guo, Berkhahn: Entity Embeddings of Categorical Variables, 2016), as
//! `torch.nn.Embedding`.
//!
//! A sample is some numbers, and behind them a code for each table, as rows of a table with columns of many categories are;
//! or all of it are codes of one table, as tokens of a text are. Codes are whole numbers in f32, exact below 2^24.

use std::ops::Range;

use super::in_order::Along;
use super::layer::{Backward, Forward, Layer};
use super::parameter::{Layout, ParameterSpec};
use super::sharding::{MOST_PARTS, Partitioning, Sharding};
use crate::data::table::MOST_EMBEDDED;
use crate::init::Init;
use crate::kernels::elementwise::embedding::{self, Places};
use crate::kernels::image::Image;
use crate::kernels::products::panels::packed_len;
use crate::kernels::simd::prefetch::PrefetchQueue;
use crate::tensor::{LANES, MatrixRef, padded};

/// The most floats of a shard, if that is some rows: 64 KiB. Each shard looks through all codes of a batch, which of a
/// thousand rows takes less than the update of so many parameters.
const SHARD_LEN: usize = 16 << 10;

/// The most tables of a layer: one for each column of a table of data that is embedded.
pub const MOST_TABLES: usize = MOST_EMBEDDED;

macro_rules! numbered {
    ($($number:literal)*) => { [$(concat!($number, ".weight")),*] };
}

/// The names of several tables, as those of a `torch.nn.ModuleList`.
static NAMES: [&str; MOST_TABLES] = numbered!(
    0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31
    32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63
);

/// Tables of vectors, whose rows codes stand for. The row of a code that is none of its table's is the first one.
#[derive(Clone, Debug)]
pub struct Embedding {
    /// Numbers of a sample: those before the codes pass through.
    inputs: usize,
    tables: Vec<Table>,
    /// Whether all inputs are codes of the one table, and a sequence of vectors comes out.
    is_shared: bool,
    /// Whether the one table is the weights of the output layer, which lie in panels: storage is that layer's then, and
    /// parameters are none of its own.
    is_tied: bool,
    init: Init,
    /// Whether a shard is a whole table. It is that of a partition: each training has its own.
    whole_tables: bool,
}

#[derive(Clone, Debug)]
struct Table {
    rows: usize,
    width: usize,
    /// Its place in storage.
    range: Range<usize>,
    places: Places,
}

impl Table {
    /// Rows of a shard: whole groups of 16, so that shards begin on whole vectors.
    fn rows_of_shard(&self, whole: bool) -> usize {
        if whole { self.rows } else { (SHARD_LEN / self.width / LANES * LANES).max(LANES) }
    }

    fn shards(&self, whole: bool) -> usize {
        self.rows.div_ceil(self.rows_of_shard(whole))
    }
}

impl Embedding {
    /// Tables of so many rows and numbers to a row, for samples of so many numbers: at least one of each, and as many codes
    /// as tables are the last of the inputs.
    pub fn new(inputs: usize, tables: &[[usize; 2]], init: Init) -> Embedding {
        debug_assert!((1..=MOST_TABLES.min(inputs)).contains(&tables.len()));
        let numbers = inputs - tables.len();
        let (mut end, mut first) = (0, numbers);
        let table = |(number, &[rows, width]): (usize, &[usize; 2])| {
            let places = Places { codes: numbers + number..numbers + number + 1, first, pitch: 0 };
            let range = end..end + padded(rows * width);
            (end, first) = (range.end, first + width);
            Table { rows, width, range, places }
        };
        let tables = tables.iter().enumerate().map(table).collect();
        Embedding { inputs, tables, is_shared: false, is_tied: false, init, whole_tables: false }
    }

    /// One table for all inputs, each of which is a code of it: a sequence of as many vectors comes out.
    pub fn shared(inputs: usize, [rows, width]: [usize; 2], init: Init) -> Embedding {
        let places = Places { codes: 0..inputs, first: 0, pitch: padded(width) };
        let tables = vec![Table { rows, width, range: 0..padded(rows * width), places }];
        Embedding { inputs, tables, is_shared: true, is_tied: false, init, whole_tables: false }
    }

    /// The same where the table is the weights `[rows, width]` of the output layer, whose storage it reads.
    pub fn tied(inputs: usize, [rows, width]: [usize; 2]) -> Embedding {
        let mut shared = Embedding::shared(inputs, [rows, width], Init::Zeros);
        shared.tables[0].range = 0..packed_len(rows, width);
        Embedding { is_tied: true, ..shared }
    }

    /// Adds the gradient of a tied table to `sums`, which has `parts` of the output layer's storage one after the other, over
    /// rows of codes `x` `[rows, inputs]` and the gradient of the output `dy` `[rows, out]`, in the order of the rows.
    pub fn add_tied_gradient(&self, sums: &mut [f32], parts: &[Range<usize>], [x, dy]: [MatrixRef; 2]) {
        let Table { rows, width, range, places } = &self.tables[0];
        let mut rest = sums;
        for part in parts {
            let (sums, after) = rest.split_at_mut(part.len());
            rest = after;
            // The bias lies behind the weights.
            if part.start < range.end {
                embedding::add_gradient_in_panels(sums, part, [x, dy], places, [*rows, *width]);
            }
        }
    }

    /// Inputs that are no codes.
    fn numbers(&self) -> usize {
        if self.is_shared { 0 } else { self.inputs - self.tables.len() }
    }

    /// The table of a shard, and which of its rows the shard has.
    fn shard(&self, shard: usize) -> (&Table, Range<usize>) {
        let mut before = 0;
        for table in &self.tables {
            let (shards, each) = (table.shards(self.whole_tables), table.rows_of_shard(self.whole_tables));
            if shard < before + shards {
                let start = (shard - before) * each;
                return (table, start..(start + each).min(table.rows));
            }
            before += shards;
        }
        unreachable!("shard {shard} of {before}")
    }
}

impl Layer for Embedding {
    fn kind(&self) -> String {
        match &self.tables[..] {
            [table] if self.is_tied => format!("tied embedding {}x{}", table.rows, table.width),
            [table] => format!("embedding {}x{}", table.rows, table.width),
            tables => format!("embedding of {} codes", tables.len()),
        }
    }

    fn outputs(&self) -> usize {
        let width: usize = self.tables.iter().map(|table| table.width).sum();
        if self.is_shared { self.inputs * width } else { self.numbers() + width }
    }

    fn image(&self) -> Option<Image> {
        self.is_shared.then(|| Image::new(1, self.inputs, self.tables[0].width))
    }

    fn parameters(&self) -> Vec<ParameterSpec> {
        if self.is_tied {
            return Vec::new();
        }
        let spec = |(number, table): (usize, &Table)| ParameterSpec {
            name: if self.tables.len() == 1 { "weight" } else { NAMES[number] },
            shape: vec![table.rows, table.width],
            range: table.range.clone(),
            layout: Layout::Plain,
            init: Some(self.init),
        };
        self.tables.iter().enumerate().map(spec).collect()
    }

    fn forward(&self, Forward { mut y, x, storage, .. }: Forward) {
        let numbers = self.numbers();
        for row in 0..y.rows() {
            let (y, x) = (y.row(row), &x.row(row)[..self.inputs]);
            y[..numbers].copy_from_slice(&x[..numbers]);
            let mut end = numbers;
            for Table { rows, width, range, places } in &self.tables {
                for (number, &code) in x[places.codes.clone()].iter().enumerate() {
                    let start = places.first + number * places.pitch;
                    y[end..start].fill(0.0);
                    end = start + width;
                    let (y, table) = (&mut y[start..end], &storage[range.clone()]);
                    match self.is_tied {
                        true => embedding::forward_in_panels(y, table, code, *rows),
                        false => embedding::forward(y, table, code, *rows),
                    }
                }
            }
            y[end..].fill(0.0);
        }
    }

    fn prepares_gradient(&self) -> bool {
        false
    }

    fn along(&self) -> Along<'_> {
        if self.is_shared { Along::Apart } else { Along::Together }
    }

    /// Inverts what passes through: a code has no gradient.
    fn backward(&self, Backward { dx, dy, .. }: Backward) {
        let Some(mut dx) = dx else { return };
        let (dy, numbers) = (dy.as_ref(), self.numbers());
        for row in 0..dx.rows() {
            let (dx, codes) = dx.row(row).split_at_mut(numbers);
            dx.copy_from_slice(&dy.row(row)[..numbers]);
            codes.fill(0.0);
        }
    }

    fn sums_rows(&self) -> bool {
        false
    }

    fn sharding(&self) -> Option<&dyn Sharding> {
        (!self.is_tied).then_some(self as &dyn Sharding)
    }

    fn partition(&self, wanted: Partitioning) -> Option<Box<dyn Sharding>> {
        if self.is_tied {
            return None;
        }
        // What acts on all of a parameter takes a table for one vector, as it does a bias.
        Some(Box::new(Embedding { whole_tables: wanted.whole_columns, ..self.clone() }))
    }
}

impl Sharding for Embedding {
    fn shards(&self) -> usize {
        self.tables.iter().map(|table| table.shards(self.whole_tables)).sum()
    }

    fn shard_parts(&self, shard: usize) -> [Range<usize>; MOST_PARTS] {
        let (table, rows) = self.shard(shard);
        let place = |row: usize| table.range.start + row * table.width;
        // What pads a table belongs to its last shard.
        let end = if rows.end == table.rows { table.range.end } else { place(rows.end) };
        let mut parts: [Range<usize>; MOST_PARTS] = Default::default();
        parts[0] = place(rows.start)..end;
        parts
    }

    fn shard_inputs(&self, shard: usize) -> Range<usize> {
        self.shard(shard).0.places.codes.clone()
    }

    fn shard_gradient(
        &self,
        shard: usize,
        out: &mut [f32],
        dy: MatrixRef,
        x: MatrixRef,
        accumulate: bool,
        ahead: &PrefetchQueue,
    ) {
        ahead.ask();
        // Rows that no code stands for have a gradient of 0.
        if !accumulate {
            out.fill(0.0);
        }
        let (table, own) = self.shard(shard);
        embedding::add_gradient(out, [x, dy], &table.places, table.width, table.rows, &own);
    }
}
