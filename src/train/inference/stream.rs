//! A model of sequences in order: each layer keeps what it has to know of the positions before, keys and values of an attention
//! or the state of a recurrent layer, so that a position costs what it costs alone. Where several tokens are there, as of a
//! prompt, they go through the network in chunks: what goes by each position alone is one product over the positions of a
//! chunk.

use crate::data::ElementType;
use crate::layers::{Advance, Along, Forward, InOrder, Node};
use crate::model::{Model, Origin, PlacedLayer};
use crate::team::flushed;
use crate::tensor::{Buffer, MatrixMut, MatrixRef};
use crate::train::inference::forward::Network;
use crate::train::targets::mismatch;
use crate::{Result, memory};

/// What a stream takes memory for, in messages.
const USE: &str = "what layers keep of earlier positions";

/// Positions that go through the network together, at most: a block of queries of an attention, and enough rows for products at
/// their full rate.
const CHUNK: usize = 64;

/// Whether an output at a position of a sequence may follow from positions behind it, in a model that is in use.
pub(in crate::train) fn takes_together(node: &Node) -> bool {
    if let Some(layer) = node.as_layer() {
        return matches!(layer.along(), Along::Together);
    }
    match (node.as_merge(), node.as_batch_norm()) {
        (Some(merge), _) => !merge.is_apart(),
        // By its running statistics each channel of each position is scaled alone; of features each has its own statistics.
        (_, Some(_)) => node.image().is_none(),
        _ => true,
    }
}

/// The layer, if it goes through a sequence in order.
fn in_order(node: &Node) -> Option<&dyn InOrder> {
    match node.as_layer()?.along() {
        Along::InOrder(layer) => Some(layer),
        _ => None,
    }
}

/// A model at some position of a sequence of tokens.
pub(in crate::train) struct Stream<'m> {
    network: Network<&'m Model>,
    /// The same layers for a sequence of one position: those that go by each position alone compute it, with positions as
    /// rows.
    one: Model,
    /// The first of the layers behind all that go in order. Nobody keeps what these make of a position, so they compute the
    /// last one alone.
    tail: usize,
    /// Positions that there is memory for.
    chunk: usize,
    /// The tokens of a chunk as the network reads them, `[chunk]`.
    codes: Buffer<f32>,
    /// Each layer's output, `[chunk, padded channels]`, or of the last position alone.
    outputs: Vec<Buffer<f32>>,
    /// What each layer keeps, of those that go in order.
    states: Vec<Buffer<f32>>,
    scratch: Buffer<f32>,
    factor_and_shift: [f32; 2],
    /// Positions done.
    at: usize,
    most: Option<usize>,
}

impl<'m> Stream<'m> {
    /// The model before the first position.
    ///
    /// # Errors
    /// [`Error::Mismatch`](crate::Error::Mismatch) if its samples are no tokens, or a layer takes positions together; if memory
    /// is short.
    pub fn new(model: &'m Model) -> Result<Stream<'m>> {
        check(model)?;
        let one = Model::build(model.config(), [1, 1, 1], model.classes(), 0)?;
        let ordered: Vec<_> = model.layers().iter().map(|placed| in_order(&placed.layer)).collect();
        let tail = ordered.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        let most = ordered.iter().flatten().filter_map(|layer| layer.most()).min();
        let chunk = CHUNK.min(most.unwrap_or(CHUNK));
        let rows = |index: usize| if index < tail { chunk } else { 1 };
        let works = ordered.iter().flatten().map(|layer| layer.work_len(chunk));
        let own = |(index, placed): (usize, &PlacedLayer)| {
            placed.layer.scratch_len() + placed.layer.saved_len(rows(index))
        };
        let scratch = works.chain(one.layers().iter().enumerate().map(own)).max().unwrap_or(0);
        let outputs = one.layers().iter().enumerate();
        let outputs: Vec<_> =
            outputs.map(|(index, placed)| rows(index).saturating_mul(placed.layer.columns())).collect();
        let states: Vec<_> = ordered.iter().map(|layer| layer.map_or(0, |layer| layer.state_len())).collect();
        let floats = outputs.iter().chain(&states).fold(scratch, |sum, &len| sum.saturating_add(len));
        memory::check(USE, floats.saturating_mul(size_of::<f32>()))?;
        let zeros = |len: usize| Buffer::try_zeros(USE, len);
        let seen = model.seen();
        let element = seen.element_type.unwrap_or(ElementType::I32);
        Ok(Stream {
            codes: zeros(chunk)?,
            outputs: outputs.into_iter().map(zeros).collect::<Result<_>>()?,
            states: states.into_iter().map(zeros).collect::<Result<_>>()?,
            scratch: zeros(scratch)?,
            network: Network::new(model)?,
            one,
            tail,
            chunk,
            factor_and_shift: seen.normalisation.data().factor_and_shift(element),
            at: 0,
            most,
        })
    }

    /// The most positions of a sequence, if some layer knows no more.
    pub fn most(&self) -> Option<usize> {
        self.most
    }

    /// Begins a sequence anew.
    pub fn restart(&mut self) {
        self.at = 0;
        self.states.iter_mut().for_each(|state| state.fill(0.0));
    }

    /// The outputs behind some more tokens, `[classes]`: at least one token, and no more positions than
    /// [`most`](Stream::most). They have the same bits however tokens are shared among calls.
    pub fn advance(&mut self, tokens: &[u32]) -> &[f32] {
        debug_assert!(!tokens.is_empty() && self.most.is_none_or(|most| self.at + tokens.len() <= most));
        let [factor, shift] = self.factor_and_shift;
        let mut n = 0;
        for first in (0..tokens.len()).step_by(self.chunk) {
            let tokens = &tokens[first..];
            n = tokens.len().min(self.chunk);
            for (code, &token) in self.codes.iter_mut().zip(&tokens[..n]) {
                *code = (token as f32).mul_add(factor, shift);
            }
            let layers = if n == tokens.len() { self.outputs.len() } else { self.tail };
            flushed(|| (0..layers).for_each(|index| self.layer(index, n)));
            self.at += n;
        }
        let last = self.outputs.len() - 1;
        let row = self.rows(last, n) - 1;
        &self.outputs[last][row * self.one.layers()[last].layer.columns()..][..self.one.classes()]
    }

    /// Rows of a layer's output, of a chunk of so many positions.
    fn rows(&self, index: usize, n: usize) -> usize {
        if index < self.tail { n } else { 1 }
    }

    fn layer(&mut self, index: usize, n: usize) {
        let (model, own) = (self.network.model, self.one.layers());
        let placed = &model.layers()[index];
        let rows = self.rows(index, n);
        let rows_before = |earlier: usize| if earlier < self.tail { n } else { 1 };
        let (before, after) = self.outputs.split_at_mut(index);
        let read = |input: Origin| {
            let (data, there, columns) = match input {
                Origin::Data => (&self.codes[..], n, 1),
                Origin::Output(earlier) => {
                    (&before[earlier][..], rows_before(earlier), own[earlier].layer.columns())
                }
            };
            // Of a chunk the last position alone, where only that goes on.
            MatrixRef::new(data, there, columns, columns).block(there - rows..there, 0..columns)
        };
        let x = read(placed.inputs.main);
        let columns = own[index].layer.columns();
        let y = MatrixMut::new(&mut after[0], rows, columns, columns);
        let storage = &model.storage()[placed.storage.clone()];
        let (derived, scratch) = (self.network.derived(index), &mut self.scratch[..]);
        if let Some(layer) = in_order(&placed.layer) {
            let (state, at) = (&mut self.states[index][..], self.at);
            return layer.advance(Advance { y, x, at, state, storage, derived, scratch });
        }
        let other = placed.inputs.other.map(read);
        let pass = Forward {
            y,
            x,
            storage,
            derived,
            columns: 0..columns,
            scratch,
            training: None,
            lengths: &[],
            carried: None,
        };
        own[index].layer.forward(pass, other);
    }
}

/// Refuses a model that does not go through tokens in order.
fn check(model: &Model) -> Result<()> {
    if let Some(placed) = model.layers().iter().find(|placed| takes_together(&placed.layer)) {
        let what = format!("layer {} ({})", placed.module, placed.layer.kind());
        let expected = "one that goes by each position, or through them in order".into();
        return Err(mismatch(&what, expected, "one that takes several positions together"));
    }
    let [height, width, _] = model.input();
    if [height, width] != [1, 1] || model.config().codes(model.input()[2]).is_empty() {
        let expected = "tokens, of which an `embedding` makes vectors".into();
        return Err(mismatch("samples of the model", expected, "others"));
    }
    Ok(())
}
