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

/// Which columns of a table are what, and what is done to them. Columns are named, or numbered from 1 on.
#[derive(Clone, Debug, PartialEq)]
pub struct Setup {
    /// What is to be predicted: one column, or several of numbers; the last column where this is empty.
    pub target: Vec<String>,
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
    /// Whether target values are standardised for training; predictions and metrics are put back.
    pub standardise_target: bool,
}

impl Default for Setup {
    fn default() -> Setup {
        Setup {
            target: Vec::new(),
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
            standardise_target: true,
        }
    }
}
