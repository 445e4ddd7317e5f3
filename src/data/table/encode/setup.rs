//! How the columns of a table become features, weights and targets.

/// What is done to numbers; all but [`Scaling::None`] by what the training rows are like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scaling {
    /// (x - mean) / standard deviation.
    #[default]
    Standardise,
    /// (x - smallest) / (largest - smallest).
    MinMax,
    /// (x - median) / (third quartile - first quartile).
    Robust,
    /// ln(1 + x), then as [`Scaling::Standardise`]; of numbers above -1.
    Log1p,
    /// x.
    None,
}

impl Scaling {
    /// All of them, with their names in recipes.
    pub const ALL: [(&str, Scaling); 5] = [
        ("standardise", Scaling::Standardise),
        ("min-max", Scaling::MinMax),
        ("robust", Scaling::Robust),
        ("log1p", Scaling::Log1p),
        ("none", Scaling::None),
    ];

    /// The name in recipes.
    pub fn name(self) -> &'static str {
        Scaling::ALL.iter().find(|(_, scaling)| *scaling == self).map_or("", |(name, _)| name)
    }
}

/// What a missing number is taken for; all but a constant by the training rows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Fill {
    #[default]
    Median,
    Mean,
    MostFrequent,
    /// This finite number.
    Constant(f64),
}

impl Fill {
    /// Those that have names in recipes.
    pub const NAMED: [(&str, Fill); 3] =
        [("median", Fill::Median), ("mean", Fill::Mean), ("most-frequent", Fill::MostFrequent)];
}

/// Windows of a series: each sample is some rows, one after the other in time, and what follows them is predicted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WindowSetup {
    /// Rows that a sample reads, at least 1.
    pub window: usize,
    /// Rows behind them whose target is predicted, at least 1.
    pub horizon: usize,
    /// Rows from the start of a window to that of the next, at least 1.
    pub step: usize,
    /// Feature columns that are known ahead, in the rows of the horizon, too.
    pub known: Vec<String>,
    /// Rows of a season, at least 2, for the forecast that the last one comes again; without it what the dates suggest.
    pub season: Option<usize>,
    /// Whether a sample is a sequence, of a position for each row, and not features in one row. A recipe leaves it to what its
    /// first layer takes.
    pub sequence: bool,
}

impl WindowSetup {
    /// Windows of so many rows, each one row behind the last, that predict one row.
    pub fn of(window: usize) -> WindowSetup {
        WindowSetup { window, horizon: 1, step: 1, known: Vec::new(), season: None, sequence: false }
    }
}

/// Which columns of a table are what, and what is done to them. Columns are named, or numbered from 1 on.
#[derive(Clone, Debug, PartialEq)]
pub struct Setup {
    /// What is to be predicted: one column, or several of numbers; the last column where this is empty, or nothing of an
    /// unsupervised model.
    pub target: Vec<String>,
    /// Whether nothing is to be predicted: a target that is named is set aside, to compare with.
    pub unsupervised: bool,
    /// The columns that predictions are made of; where this is empty, all that nothing else is said of.
    pub features: Vec<String>,
    /// Columns that are left out.
    pub ignore: Vec<String>,
    /// A column that names the rows: no feature, and copied to predictions.
    pub id: Option<String>,
    /// A column of numbers of at least 0: the weight of each row in training.
    pub weights: Option<String>,
    /// Whether rows weigh so much that all classes weigh the same.
    pub balanced: bool,
    /// What is done to numbers...
    pub scaling: Scaling,
    /// ...and to those of some columns.
    pub scalings: Vec<(String, Scaling)>,
    /// What missing numbers are taken for...
    pub fill: Fill,
    /// ...and those of some columns.
    pub fills: Vec<(String, Fill)>,
    /// Whether a column of numbers with missing ones gives a feature that is 1 where one is missing.
    pub indicator: bool,
    /// Categories with fewer training rows than this are one: `other`.
    pub rare: usize,
    /// The most categories of a column that have a feature each: the most frequent ones; the rest are `other`.
    pub most_categories: usize,
    /// Columns of more categories than this in the training rows are embedded: a sample has a whole number for each, and
    /// what stands in their place a network learns (its first layer is an `embedding`). None without it. Not with windows.
    pub embed: Option<usize>,
    /// Columns of categories that are embedded however many they have, each with the numbers of a category. Not with
    /// windows.
    pub embeddings: Vec<(String, usize)>,
    /// Whether target values are standardised for training; predictions and metrics are put back.
    pub standardise_target: bool,
    /// Whether samples are windows of the rows as a series, and not rows.
    pub windows: Option<WindowSetup>,
}

impl Default for Setup {
    fn default() -> Setup {
        Setup {
            target: Vec::new(),
            unsupervised: false,
            features: Vec::new(),
            ignore: Vec::new(),
            id: None,
            weights: None,
            balanced: false,
            scaling: Scaling::default(),
            scalings: Vec::new(),
            fill: Fill::default(),
            fills: Vec::new(),
            indicator: true,
            rare: 2,
            most_categories: 100,
            embed: None,
            embeddings: Vec::new(),
            standardise_target: true,
            windows: None,
        }
    }
}
