//! What an optimizer keeps of each parameter, beside the parameters in a state dict: `optimizer.state.NAME.exp_avg` and so on,
//! with the number of steps and the options of PyTorch's optimizer in the metadata, as JSON under `optimizer`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};

use super::export::{self, Exported, Style};
use super::pairing::{Options, Source, Targets, pair};
use crate::checkpoint::{Checkpoint, newest};
use crate::foreign;
use crate::model::checkpoint::STATE;
use crate::model::recipe::Optimizer;
use crate::model::{Frozen, Model, ModelFile, NamedTensor, Recipe, check_input, checkpoint};
use crate::train::identity::Identity;
use crate::train::{OptimizerState, Trainer};
use crate::{Error, Result};

/// The key of the metadata.
const ABOUT: &str = "optimizer";

/// The moments of Adam, and the largest second one so far.
const MOMENTS: [&str; 3] = ["exp_avg", "exp_avg_sq", "max_exp_avg_sq"];

/// What PyTorch calls the slots of a rule, in their order.
///
/// # Errors
/// [`Error::Mismatch`] for rules other than those that are PyTorch's Adam, AdamW or SGD.
fn slots_of(optimizer: &Optimizer) -> Result<Vec<&'static str>> {
    let mut names = match optimizer.name() {
        "adam" | "adamw" | "amsgrad" => MOMENTS.to_vec(),
        "sgd" | "momentum" | "nesterov" => vec!["momentum_buffer"],
        other => {
            return Err(Error::Mismatch {
                what: "optimizer whose state goes to PyTorch or comes from it".into(),
                expected: "adam, amsgrad, adamw, sgd, momentum or nesterov".into(),
                found: other.into(),
            });
        }
    };
    names.truncate(optimizer.rule().slots());
    Ok(names)
}

/// The options of PyTorch's optimizer, with the number of steps.
fn about(optimizer: &Optimizer, steps: u64) -> Value {
    let values = optimizer.values();
    let number = |key: &str| values.get(key).map_or(0.0, |_| values.number(key));
    let choice = |key: &str| values.get(key).is_some_and(|_| values.choice(key));
    let name = optimizer.name();
    let mut about = json!({
        "step": steps,
        "lr": optimizer.learning_rate,
        "weight_decay": number("weight_decay"),
    });
    let of_rule = match name {
        "adam" | "adamw" | "amsgrad" => json!({
            "betas": [number("beta1"), number("beta2")],
            "eps": number("epsilon"),
            "amsgrad": name == "amsgrad" || choice("amsgrad"),
            "decoupled_weight_decay": name == "adamw",
        }),
        _ => json!({
            "momentum": number("momentum"),
            "dampening": number("dampening"),
            "nesterov": name == "nesterov" || choice("nesterov"),
        }),
    };
    if let (Some(all), Value::Object(more)) = (about.as_object_mut(), of_rule) {
        all.extend(more);
    }
    about
}

impl OptimizerState {
    /// Reads what an optimizer has kept from a state dict that has it, such as `scripts/pt_to_safetensors.py --optimizer` or
    /// `fallline export` of a checkpoint writes: for a training of `model` by `trainer`, which can
    /// [begin with it](Trainer::optimizer_state). Of the layers that it [freezes](Trainer::freeze) none is needed, and none is
    /// taken.
    ///
    /// ```no_run
    /// use fallline::record::OptimizerState;
    /// use fallline::{Activation, Fit, Loss, Model, Optimizer, Samples, Trainer};
    ///
    /// # let samples = Samples::from_rows(vec![0.0, 1.0], 1).values(vec![1.0, 3.0])?;
    /// let mut model =
    ///     Model::sequential(1).dense(1, Activation::IDENTITY).loss(Loss::MEAN_SQUARED_ERROR).build()?;
    /// model.initialise("state.safetensors", Fit::All)?;
    /// let trainer = Trainer::new().optimizer(Optimizer::adam(0.05));
    /// let state = OptimizerState::read("state.safetensors", &model, &trainer)?;
    /// trainer.optimizer_state(state).fit(&mut model, &samples)?;
    /// # Ok::<(), fallline::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Format`] if it is no safetensors file, or the state is missing, of other names or shapes, or has
    /// numbers that cannot be; [`Error::Mismatch`] of a rule other than PyTorch's Adam, AdamW and SGD; [`Error::Setting`] if a
    /// setting of the trainer is out of its range.
    pub fn read(path: impl AsRef<Path>, model: &Model, trainer: &Trainer) -> Result<OptimizerState> {
        let recipe = trainer.recipe_for(model)?;
        read(path.as_ref(), model, &model.frozen(&recipe)?, &recipe.optimizer, &Options::default())
    }
}

/// Reads the state of a rule for a model from a state dict that has it. Of frozen layers, which have none, what the file
/// has is passed over.
///
/// # Errors
/// Those of [`ModelFile::open`] and [`ModelFile::read`]; [`Error::Format`] if the state is missing, of other shapes, or has numbers that cannot be;
/// [`Error::Mismatch`] for rules that PyTorch does not have so.
pub fn read(
    path: &Path,
    model: &Model,
    frozen: &Frozen,
    optimizer: &Optimizer,
    options: &Options,
) -> Result<OptimizerState> {
    let slots = slots_of(optimizer)?;
    let file = ModelFile::open_any(path)?;
    let metadata = file.metadata().clone();
    let wrong = |place: &str, expected: &str, found: &str| {
        let (path, place, expected, found) = (path.into(), place.into(), expected.into(), found.into());
        Err(Error::Format { path, place, expected, found })
    };
    let expected = "the state of an optimizer as JSON, with the steps that it has done under `step`";
    let Some(text) = metadata.get(ABOUT) else { return wrong("metadata `optimizer`", expected, "nothing") };
    let steps = foreign::json::<Value>(text.as_bytes()).ok().and_then(|about| about.get("step")?.as_u64());
    let Some(steps) = steps else {
        return wrong("metadata `optimizer`", expected, &foreign::shortened(text));
    };
    // The rest of the file is passed over, whatever its numbers are.
    let file = file.renamed(|name| name.starts_with(STATE).then(|| name.into()));
    file.check_types()?;
    let tensors = file.read()?;
    let wanted =
        Wanted { all: model.shapes(), trained: model.trained_shapes(), frozen: model.names_of(frozen) };
    let slots = slots.into_iter().map(|slot| of_slot(path, &wanted, slot, &tensors, options, &metadata));
    let slots = slots.collect::<Result<_>>()?;
    Ok(OptimizerState { steps, slots, path: Some(path.display().to_string()) })
}

/// The tensors of a model, by names and shapes.
struct Wanted {
    all: Vec<(String, Vec<usize>)>,
    trained: Vec<(String, Vec<usize>)>,
    /// The names of those that are frozen.
    frozen: BTreeSet<String>,
}

/// The tensors of a slot, by the names of this model's parameters; zeros for what is frozen.
fn of_slot(
    path: &Path,
    wanted: &Wanted,
    slot: &str,
    tensors: &[NamedTensor],
    options: &Options,
    metadata: &BTreeMap<String, String>,
) -> Result<Vec<NamedTensor>> {
    let ending = format!(".{slot}");
    let name_of =
        |tensor: &NamedTensor| tensor.name.strip_prefix(STATE)?.strip_suffix(&ending).map(String::from);
    let own: BTreeMap<String, &NamedTensor> =
        tensors.iter().filter_map(|tensor| Some((name_of(tensor)?, tensor))).collect();
    let wrong = |place: String, expected: String, found: String| {
        Err(Error::Format { path: path.into(), place, expected, found })
    };
    if own.is_empty() {
        let expected = format!("{STATE}NAME{ending} for each trained parameter, as the optimizer needs it");
        return wrong("tensors".into(), expected, "none".into());
    }
    let source = |(name, tensor): (&String, &&NamedTensor)| Source {
        name: name.clone(),
        shape: tensor.shape.clone(),
        kind: "F32".into(),
        is_read: true,
    };
    let sources: Vec<Source> = own.iter().map(source).collect();
    let targets = Targets { wanted: &wanted.trained, all: &wanted.all, optional: &wanted.frozen };
    let pairing = pair(path, &sources, targets, options, metadata)?;
    let mut taken = Vec::new();
    for pair in pairing.pairs.into_iter().filter(|pair| !wanted.frozen.contains(&pair.to)) {
        let values = own.get(&pair.from).map_or(Vec::new(), |tensor| tensor.values.clone());
        // What is a mean of squares, or the largest of these.
        let is_square = slot.ends_with("_sq");
        let is_right = |value: f32| value.is_finite() && (!is_square || value >= 0.0);
        if let Some(index) = values.iter().position(|&value| !is_right(value)) {
            let place = format!("tensor {STATE}{}{ending}", super::misfits::shown(&pair.from));
            let expected = if is_square { "finite numbers of at least 0" } else { "finite numbers" };
            return wrong(place, expected.into(), format!("{} at index {index}", values[index]));
        }
        taken.push(NamedTensor { name: pair.to, shape: pair.shape, values });
    }
    let frozen = wanted.trained.iter().filter(|(name, _)| wanted.frozen.contains(name)).cloned();
    taken.extend(frozen.map(|(name, shape)| {
        let values = vec![0.0; shape.iter().product()];
        NamedTensor { name, shape, values }
    }));
    Ok(taken)
}

/// The checkpoint at a path, or the newest one in a folder; nothing if it is another file.
///
/// # Errors
/// [`Error::Format`] if it is damaged or of a later version; [`Error::Mismatch`] for a folder without; [`Error::Io`].
pub fn checkpoint_at(path: &Path) -> Result<Option<Checkpoint>> {
    if path.is_dir() {
        let found = newest(path)?.checkpoint.ok_or_else(|| Error::Mismatch {
            what: path.display().to_string(),
            expected: "a checkpoint, or a folder with some".into(),
            found: "a folder without".into(),
        });
        return found.map(Some);
    }
    if Checkpoint::is_at(path)? { Checkpoint::open(path).map(Some) } else { Ok(None) }
}

/// Writes the parameters of a training and what its optimizer keeps of them, as a checkpoint of it has them, to a state
/// dict; of frozen layers it keeps nothing. Says what the parameters are called.
///
/// # Errors
/// [`Error::Format`] if it does not hold what its recipe says; [`Error::Mismatch`] for rules that PyTorch does not have so,
/// and where the parameters are an average; [`Error::Io`].
pub fn export_checkpoint(checkpoint: &Checkpoint, to: &Path, style: Style) -> Result<Vec<Exported>> {
    let from = checkpoint.path();
    let identity = Identity::read(checkpoint.about(), from)?;
    let recipe = Recipe::parse(&identity.recipe, &format!("{}: recipe", from.display()))?;
    let slots = slots_of(&recipe.optimizer)?;
    if recipe.average.is_some() || recipe.lookahead.is_some() {
        return Err(Error::Mismatch {
            what: format!("training of {}", from.display()),
            expected: "one without averages, which PyTorch's optimizers do not keep".into(),
            found: "`average` or `lookahead`".into(),
        });
    }
    let parameters = checkpoint.floats("session.parameters")?;
    let mut model = model_of(from, &recipe, &identity, parameters.len())?;
    put(from, model.parts_mut().1, &parameters)?;
    let mut steps: u64 = checkpoint.value("session.steps")?;
    if checkpoint.has("session.begun") {
        steps = steps.saturating_add(checkpoint.value("session.begun")?);
    }

    let frozen = model.names_of(&model.frozen(&recipe)?);
    let exported = export::names(&model, style);
    let names: BTreeMap<&str, &str> = exported.iter().map(|tensor| (&*tensor.from, &*tensor.to)).collect();
    let to_torch = |name: &str| names.get(name).map_or(name.to_string(), |to| to.to_string());
    let mut tensors = model.tensors();
    tensors.iter_mut().for_each(|tensor| tensor.name = to_torch(&tensor.name));
    for (number, slot) in slots.iter().enumerate() {
        let stored = checkpoint.floats(&format!("session.optimizer.slots.{number}"))?;
        if stored.len() != parameters.len() {
            return Err(other_len(from, parameters.len(), stored.len()));
        }
        let named = |tensor: NamedTensor| {
            let name = format!("{STATE}{}.{slot}", to_torch(&tensor.name));
            NamedTensor { name, ..tensor }
        };
        let kept = model.trained_tensors(&stored).into_iter();
        tensors.extend(kept.filter(|tensor| !frozen.contains(&tensor.name)).map(named));
    }
    let mut metadata = export::metadata(&exported);
    metadata.insert(ABOUT.into(), about(&recipe.optimizer, steps).to_string());
    checkpoint::save(to, &tensors, &metadata)?;
    Ok(exported)
}

/// The model of a checkpoint that holds so many numbers of parameters: a small file must not ask for a large model.
fn model_of(from: &Path, recipe: &Recipe, identity: &Identity, stored: usize) -> Result<Model> {
    // It is multiplied with what layers have.
    check_input(identity.input())?;
    let numbers = recipe.model.parameters(identity.input())?;
    if numbers > stored {
        return Err(other_len(from, numbers, stored));
    }
    Model::of_config(&recipe.model, identity.input(), recipe.train.seed)
}

fn put(from: &Path, to: &mut [f32], parameters: &[f32]) -> Result<()> {
    if to.len() != parameters.len() {
        return Err(other_len(from, to.len(), parameters.len()));
    }
    to.copy_from_slice(parameters);
    Ok(())
}

fn other_len(path: &Path, expected: usize, found: usize) -> Error {
    Error::Format {
        path: path.into(),
        place: "parameters".into(),
        expected: format!("{expected} numbers, as its recipe has"),
        found: found.to_string(),
    }
}
