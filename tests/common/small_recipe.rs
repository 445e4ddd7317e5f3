//! A recipe that is trained in no time.

pub const RECIPE: &str = "\
name = \"small\"
summary = \"a small network\"
[data]
set = \"digits\"
[model]
loss = \"cross-entropy\"
[[model.layers]]
type = \"dense\"
units = 10
[optimizer]
name = \"sgd\"
learning_rate = 0.1
[train]
epochs = 1
batch = 16
seed = 1
";
