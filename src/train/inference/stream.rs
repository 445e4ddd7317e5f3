//! A model of sequences, one position after the other: each layer keeps what it has to know of the positions before, keys and
//! values of an attention or the state of a recurrent layer, so that a position costs what it costs alone.

use crate::layers::{Advance, Along, Forward, Node};
use crate::model::{Model, Origin};
use crate::team::flushed;
use crate::tensor::{Buffer, MatrixMut, MatrixRef, padded};
use crate::train::inference::forward::Network;
use crate::train::targets::mismatch;
use crate::{Result, memory};

/// What a stream takes memory for, in messages.
const USE: &str = "what layers keep of earlier positions";

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

/// A model at some position of a sequence of tokens.
pub(in crate::train) struct Stream<'m> {
    network: Network<&'m Model>,
    /// The same layers for a sequence of one position: those that go by each position alone compute it.
    one: Model,
    /// Each layer's output at the position, `[padded channels]`.
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
        let one = Model::build(model.config(), [1, 1, 1], model.classes(), 0)?;
        let layers = model.layers();
        let in_order = |node: &Node| match node.as_layer()?.along() {
            Along::InOrder(layer) => {
                Some((layer.state_len(), layer.work_len(), layer.most().unwrap_or(usize::MAX)))
            }
            _ => None,
        };
        let needs: Vec<_> =
            layers.iter().map(|placed| in_order(&placed.layer).unwrap_or((0, 0, usize::MAX))).collect();
        memory::check(USE, needs.iter().map(|need| need.0).sum::<usize>().saturating_mul(size_of::<f32>()))?;
        let own = |placed: &crate::model::PlacedLayer| placed.layer.scratch_len() + placed.layer.saved_len(1);
        let scratch = needs.iter().map(|need| need.1).chain(one.layers().iter().map(own)).max().unwrap_or(0);
        let zeros = |len: usize| Buffer::try_zeros(USE, len);
        let widths = one.layers().iter().map(|placed| zeros(placed.layer.columns()));
        let most = needs.iter().map(|need| need.2).min().filter(|&most| most < usize::MAX);
        let seen = model.seen();
        let data = seen.normalisation.data();
        let element = seen.element_type.unwrap_or(crate::data::ElementType::I32);
        Ok(Stream {
            outputs: widths.collect::<Result<_>>()?,
            states: needs.iter().map(|need| zeros(need.0)).collect::<Result<_>>()?,
            scratch: zeros(scratch)?,
            network: Network::new(model)?,
            one,
            factor_and_shift: data.factor_and_shift(element),
            at: 0,
            most,
        })
    }

    /// Positions done since the first.
    pub fn at(&self) -> usize {
        self.at
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

    /// The outputs behind one more token, `[classes]`. There are no more positions than [`most`](Stream::most).
    pub fn advance(&mut self, token: u32) -> &[f32] {
        debug_assert!(self.most.is_none_or(|most| self.at < most));
        let [factor, shift] = self.factor_and_shift;
        let code = [(token as f32).mul_add(factor, shift)];
        flushed(|| {
            for index in 0..self.outputs.len() {
                self.layer(index, &code);
            }
        });
        self.at += 1;
        let last = self.outputs.len() - 1;
        &self.outputs[last][..self.one.classes()]
    }

    fn layer(&mut self, index: usize, code: &[f32]) {
        let model = self.network.model;
        let placed = &model.layers()[index];
        let (before, after) = self.outputs.split_at_mut(index);
        let read = |input: Origin| match input {
            Origin::Data => code,
            Origin::Output(earlier) => &before[earlier][..],
        };
        let (x, y) = (read(placed.inputs.main), &mut after[0][..]);
        let storage = &model.storage()[placed.storage.clone()];
        let (derived, scratch) = (self.network.derived(index), &mut self.scratch[..]);
        if let Some(Along::InOrder(layer)) = placed.layer.as_layer().map(|layer| layer.along()) {
            let (state, at) = (&mut self.states[index][..], self.at);
            return layer.advance(Advance { y, x, at, state, storage, derived, scratch });
        }
        let columns = y.len();
        let pass = Forward {
            y: MatrixMut::new(y, 1, columns, columns),
            x: MatrixRef::new(x, 1, x.len(), x.len()),
            storage,
            derived,
            columns: 0..columns,
            scratch,
            training: None,
            lengths: &[],
            carried: None,
        };
        let other = placed.inputs.other.map(|other| {
            let other = read(other);
            MatrixRef::new(other, 1, other.len(), other.len())
        });
        debug_assert!(columns == padded(columns));
        self.one.layers()[index].layer.forward(pass, other);
    }
}
