//! Networks whose output layer has the table of the embedding at the front for its weights. The output layer owns them, in
//! the form in which products read them; the embedding reads its rows there.

use super::Builder;
use crate::layers::{Built, Embedding, Incoming, LayerSettings, Node};
use crate::model::network::Tied;
use crate::{Error, Result};

impl Builder {
    /// What stands in the network for layer number `index` of its list, of an input that it takes.
    pub(super) fn built_of(&self, settings: &LayerSettings, index: usize, input: Incoming) -> Result<Built> {
        let Some(tie) = self.tie else { return Ok(settings.build(input)) };
        let [_, width] = tie.table;
        if settings.is_tied_output() {
            if input.shape.channels() != width {
                return Err(Error::Shape {
                    index,
                    layer: settings.kind().name().into(),
                    expected: format!("{width} channels, as many as the `embedding` at the front gives"),
                    found: input.shape.to_string(),
                });
            }
            return Ok(Built::Nodes(vec![settings.tied_output(input.shape, tie.init)]));
        }
        let embedding = settings.tied_embedding(input.shape).filter(|_| input.is_data);
        Ok(match embedding {
            Some(embedding) => Built::Nodes(vec![Node::layer(Box::new(embedding))]),
            None => settings.build(input),
        })
    }

    /// Gives the embedding at the front the storage of the last layer, if both have one matrix.
    pub(super) fn tie_ends(&mut self) {
        let (Some(tie), [first, .., last]) = (self.tie, &mut self.layers[..]) else { return };
        let positions = first.layer.image().map_or(0, |image| image.pixels());
        first.storage = last.storage.clone();
        let owner = self.layers.len() - 1;
        self.layers[0].tied = Some(Tied { owner, embedding: Embedding::tied(positions, tie.table) });
    }
}
