//! Which layers a training leaves as they are, and so how far down its backward pass has to go.

use std::collections::BTreeSet;
use std::ops::Range;

use super::inputs::Origin;
use super::network::{Model, PlacedLayer};
use super::recipe::Recipe;
use super::section::shortened;
use crate::error::{Error, Result};
use crate::layers::ParameterSpec;

/// The key of a recipe that names the layers.
const KEY: &str = "train.freeze";

/// The name of all layers with parameters but the last.
pub const ALL_BUT_LAST: &str = "all-but-last";

/// Layers that an error lists.
const LISTED: usize = 40;

/// What a training leaves as it is of each layer; nothing by default.
///
/// The backward pass comes to a layer where something is to be trained in it or in one that it reads, directly or through
/// others. To all others it does not come: no gradient of their outputs is computed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Frozen {
    /// For each layer, whether its parameters are left as they are; empty where nothing is frozen.
    layers: Vec<bool>,
    /// For each layer, whether the gradient of its output is needed; empty where nothing is frozen.
    reached: Vec<bool>,
}

impl Model {
    /// What a training by this recipe leaves as it is of the model.
    ///
    /// # Errors
    /// [`Error::Setting`] if one of the names is that of no layer with parameters, an embedding is named without the layer
    /// whose weights its table is or the reverse, or nothing is left to train.
    pub fn frozen(&self, recipe: &Recipe) -> Result<Frozen> {
        let place = format!("recipe {}", recipe.name);
        Frozen::of(&recipe.train.freeze, &self.layers, &place)
    }

    /// The names of the parameters of frozen layers.
    #[doc(hidden)]
    pub fn names_of(&self, frozen: &Frozen) -> BTreeSet<String> {
        let places = frozen.places(&self.layers);
        let is_within = |spec: &ParameterSpec| {
            places.iter().any(|place| place.start <= spec.range.start && spec.range.end <= place.end)
        };
        self.trained().filter(|(_, spec)| is_within(spec)).map(|(name, _)| name).collect()
    }
}

impl Frozen {
    /// Resolves the names of layers, in a recipe that errors call `place`.
    fn of(names: &[String], layers: &[PlacedLayer], place: &str) -> Result<Frozen> {
        if names.is_empty() {
            return Ok(Frozen::default());
        }
        let refused = |expected: String, found: &str| Error::Setting {
            place: place.into(),
            key: KEY.into(),
            expected,
            found: found.into(),
        };
        let mut named = vec![false; layers.len()];
        for name in names {
            let of_name = layers_of(name, layers);
            if !layers.iter().zip(&of_name).any(|(placed, is_named)| *is_named && can_train(placed)) {
                let expected = format!(
                    "layers with parameters, as a whole: one of {}, a range of numbers such as 0..3 with both ends, or \
                     {ALL_BUT_LAST}",
                    list(layers)
                );
                return Err(refused(expected, &format!("\"{}\"", shortened(name))));
            }
            named.iter_mut().zip(of_name).for_each(|(named, is_named)| *named |= is_named);
        }
        if let Some((index, owner)) = tie(layers)
            && named[index] != named[owner]
        {
            let [one, other] = if named[index] { [index, owner] } else { [owner, index] };
            let (one, other) = (&layers[one].module, &layers[other].module);
            let expected = format!("layer {other} beside layer {one}, whose weights it has in common");
            return Err(refused(expected, "one of the two"));
        }
        let is_frozen = |(placed, named): (&PlacedLayer, &bool)| *named && placed.layer.has_parameters();
        let frozen: Vec<bool> = layers.iter().zip(&named).map(is_frozen).collect();
        let mut reached = vec![false; layers.len()];
        for (index, placed) in layers.iter().enumerate() {
            let trains = can_train(placed) && !named[index];
            let is_reached = |input: Origin| matches!(input, Origin::Output(before) if reached[before]);
            reached[index] = trains || placed.inputs.each().any(is_reached);
        }
        if !reached.last().is_some_and(|is_reached| *is_reached) {
            let expected = "at least one layer with parameters that is not named".to_string();
            return Err(refused(expected, &format!("all of {}", list(layers))));
        }
        Ok(Frozen { layers: frozen, reached })
    }

    /// Whether nothing is frozen.
    pub fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }

    /// Whether the parameters of the layer of this number are left as they are.
    pub fn is_frozen(&self, index: usize) -> bool {
        self.layers.get(index).copied().unwrap_or(false)
    }

    /// Whether the backward pass comes to the layer of this number: whether the gradient of its output is needed.
    pub fn reaches(&self, index: usize) -> bool {
        self.reached.get(index).copied().unwrap_or(true)
    }

    /// Whether the gradient of an input is needed; the data have none.
    pub fn reaches_input(&self, input: Origin) -> bool {
        match input {
            Origin::Data => false,
            Origin::Output(before) => self.reaches(before),
        }
    }

    /// Floats of the storage of all layers, from the first to the last, but for those of frozen ones.
    pub fn trained_len(&self, layers: &[PlacedLayer]) -> usize {
        let all = layers.last().map_or(0, |last| last.storage.end);
        all - self.places(layers).iter().map(Range::len).sum::<usize>()
    }

    /// Where the parameters, and what lies beside them, of frozen layers lie in the storage of all.
    pub fn places(&self, layers: &[PlacedLayer]) -> Vec<Range<usize>> {
        let all = layers.iter().enumerate();
        all.filter(|(index, _)| self.is_frozen(*index)).map(|(_, placed)| placed.storage.clone()).collect()
    }

    /// What is left of so many numbers, the storage of all layers, without the [places](Frozen::places) of frozen ones.
    pub fn rest(&self, layers: &[PlacedLayer], len: usize) -> Vec<Range<usize>> {
        let mut places = self.places(layers);
        places.sort_by_key(|place| place.start);
        let (mut from, mut rest) = (0, Vec::new());
        for place in places.into_iter().chain(std::iter::once(len..len)) {
            if from < place.start {
                rest.push(from..place.start);
            }
            from = from.max(place.end);
        }
        rest
    }

    /// Floating-point operations to train the layer of this number on one sample, as far as the training does them.
    pub(super) fn train_flops(&self, index: usize, placed: &PlacedLayer) -> f64 {
        let flops = placed.layer.flops();
        // A layer knows by itself that the data have no gradient.
        let to_input = self.is_empty() || placed.inputs.each().any(|input| self.reaches_input(input));
        let backward = if to_input { flops.backward } else { 0.0 };
        let gradient = if self.is_frozen(index) { 0.0 } else { flops.gradient };
        flops.forward + backward + gradient
    }
}

/// Whether a layer has parameters of its own or of another layer.
fn can_train(placed: &PlacedLayer) -> bool {
    placed.layer.has_parameters() || placed.tied.is_some()
}

/// The embedding whose table is the weights of another layer, and that layer.
fn tie(layers: &[PlacedLayer]) -> Option<(usize, usize)> {
    layers.iter().enumerate().find_map(|(index, placed)| Some((index, placed.tied.as_ref()?.owner)))
}

/// For each layer, whether a name is its, or that of a module that it lies in.
fn layers_of(name: &str, layers: &[PlacedLayer]) -> Vec<bool> {
    if name == ALL_BUT_LAST {
        let last = layers.iter().rposition(|placed| placed.layer.has_parameters());
        let is_last = |index: usize| {
            Some(index) == last || layers[index].tied.as_ref().is_some_and(|tied| Some(tied.owner) == last)
        };
        return (0..layers.len()).map(|index| !is_last(index)).collect();
    }
    if let Some((first, last)) = name.split_once("..") {
        let ends = first.trim().parse::<usize>().ok().zip(last.trim().parse::<usize>().ok());
        let within = |placed: &PlacedLayer| {
            let number = outermost(&placed.module).parse::<usize>().ok();
            ends.zip(number).is_some_and(|((first, last), number)| (first..=last).contains(&number))
        };
        return layers.iter().map(within).collect();
    }
    let is_within = |placed: &PlacedLayer| {
        let rest = placed.module.strip_prefix(name);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    layers.iter().map(is_within).collect()
}

/// The module of the recipe's list that a module lies in.
fn outermost(module: &str) -> &str {
    module.split('.').next().unwrap_or(module)
}

/// The modules that have parameters: each by itself, or where they are many, those of the recipe's list.
fn list(layers: &[PlacedLayer]) -> String {
    let modules = || layers.iter().filter(|placed| can_train(placed)).map(|placed| &*placed.module);
    let mut names: Vec<&str> = modules().collect();
    names.dedup();
    if names.len() > LISTED {
        names = modules().map(outermost).collect();
        names.dedup();
    }
    let more = if names.len() > LISTED { ", and so on" } else { "" };
    names.truncate(LISTED);
    names.join(", ") + more
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(layers: &str) -> (Model, Recipe) {
        let text = format!(
            "name = 'a'\n[data]\nset = 'digits'\n[optimizer]\nname = 'sgd'\n[model]\nlayers = [{layers}]\n"
        );
        let recipe = Recipe::parse(&text, "test").unwrap();
        (Model::build(&recipe.model, [28, 28, 1], 10, 1).unwrap(), recipe)
    }

    fn frozen(layers: &str, names: &[&str]) -> Result<(Vec<String>, Vec<String>)> {
        let (model, mut recipe) = model(layers);
        recipe.train.freeze = names.iter().map(|name| name.to_string()).collect();
        let frozen = model.frozen(&recipe)?;
        let of = |is: &dyn Fn(usize) -> bool| {
            let all = model.layers.iter().enumerate();
            all.filter(|(index, _)| is(*index)).map(|(_, placed)| placed.module.clone()).collect()
        };
        Ok((of(&|index| frozen.is_frozen(index)), of(&|index| frozen.reaches(index))))
    }

    const DENSE: &str = "{ type = 'dense', units = 6, activation = 'tanh' }, { type = 'dropout', rate = 0.5 }, \
                         { type = 'dense', units = 6, activation = 'tanh' }, { type = 'dense', units = 10 }";

    #[test]
    fn names_ranges_and_all_but_the_last() {
        let owned = |names: &[&str]| names.iter().map(|name| name.to_string()).collect::<Vec<_>>();
        let of = |names: &[&str]| frozen(DENSE, names).unwrap();
        // An activation is a module of its own.
        assert_eq!(of(&["0"]), (owned(&["0"]), owned(&["3", "5"])));
        assert_eq!(of(&["3"]), (owned(&["3"]), owned(&["0", "2", "3", "5"])));
        assert_eq!(of(&["0..3"]), (owned(&["0", "3"]), owned(&["5"])));
        assert_eq!(of(&[ALL_BUT_LAST]), of(&["0", "3"]));
        assert_eq!(of(&["5"]).0, owned(&["5"]));
        assert_eq!(of(&[]), (owned(&[]), owned(&["0", "2", "3", "5"])));
    }

    #[test]
    fn places_and_the_rest_are_all() {
        let (model, mut recipe) = model(DENSE);
        let all = model.storage().len();
        assert_eq!(Frozen::default().rest(&model.layers, all), std::slice::from_ref(&(0..all)));
        // Between two layers there are floats that are no layer's.
        for (names, parts) in [(&["0"][..], 1), (&["3"], 2), (&["0", "5"], 1), (&["0..3"], 2)] {
            recipe.train.freeze = names.iter().map(|name| name.to_string()).collect();
            let frozen = model.frozen(&recipe).unwrap();
            let rest = frozen.rest(&model.layers, all);
            let mut both = frozen.places(&model.layers);
            both.extend(rest.clone());
            both.sort_by_key(|place| place.start);
            assert_eq!(rest.len(), parts, "{names:?}");
            assert_eq!(both.iter().map(Range::len).sum::<usize>(), all, "{names:?}");
            assert!(both.windows(2).all(|pair| pair[0].end == pair[1].start), "{both:?}");
        }
        recipe.train.freeze = vec!["3".into()];
        let names: Vec<String> = model.names_of(&model.frozen(&recipe).unwrap()).into_iter().collect();
        assert_eq!(names, ["3.bias", "3.weight"]);
    }

    #[test]
    fn what_is_none_and_what_leaves_nothing_is_refused() {
        let refused = |names: &[&str]| frozen(DENSE, names).unwrap_err().to_string();
        for name in ["1", "2", "7", "0.weight", "0..", "..3", "4..4", "x", "", "03"] {
            let error = refused(&["0", name]);
            assert!(error.contains("train.freeze") && error.contains("one of 0, 3, 5, a range"), "{error}");
            assert!(error.ends_with(&format!("found \"{name}\"")), "{error}");
        }
        let error = refused(&["0..9"]);
        assert!(error.contains("not named, found all of 0, 3, 5"), "{error}");
    }

    #[test]
    fn blocks_are_named_as_a_whole_or_by_what_is_in_them() {
        let conv = "{ type = 'conv', channels = 4, kernel = 3, padding = 1, activation = 'relu' }";
        let layers = format!(
            "{conv}, {{ type = 'residual', layers = [{conv}, {conv}] }}, {{ type = 'flatten' }}, \
             {{ type = 'dense', units = 10 }}"
        );
        let (frozen, _) = frozen(&layers, &["2"]).unwrap();
        assert_eq!(frozen, ["2.layers.0", "2.layers.2"]);
        let (frozen, reached) = super::tests::frozen(&layers, &["0", "2.layers.0"]).unwrap();
        assert_eq!(frozen, ["0", "2.layers.0"]);
        assert_eq!(reached[0], "2.layers.2");
    }

    #[test]
    fn operations_that_are_not_done_are_not_counted() {
        let (model, mut recipe) = model(DENSE);
        let all = model.train_flops_per_sample();
        assert_eq!(model.train_flops_per_sample_with(&Frozen::default()), all);
        // 784 x 6 forward and gradient; 6 x 6 with the gradient of its input; 6 x 10 too.
        assert_eq!(all, 2.0 * (2.0 * 784.0 * 6.0 + 3.0 * 36.0 + 3.0 * 60.0));
        recipe.train.freeze = vec!["0".into()];
        let frozen = model.frozen(&recipe).unwrap();
        let left = model.train_flops_per_sample_with(&frozen);
        assert_eq!(left, 2.0 * (784.0 * 6.0 + 2.0 * 36.0 + 3.0 * 60.0));
        assert_eq!(model.trained_parameters(&frozen), 6 * 6 + 6 + 60 + 10);
    }
}
