//! The keys of `[data]` of small sets that need no file.

use toml::Value;

use super::super::super::section::{Range, Section, between};
use super::super::values::integer;
use crate::data::small::{Count, Generated, MOST_NOISE, SmallSet};
use crate::error::Result;

/// Keys that say how a file is read, or that there is one more.
const OF_FILES: [&str; 8] =
    ["file", "test_file", "delimiter", "header", "columns", "types", "missing", "encoding"];

/// Keys of generated sets alone.
const OF_GENERATED: [&str; 3] = ["noise", "dimensions", "classes"];

/// Keys of series alone.
const OF_SERIES: [&str; 5] = ["window", "horizon", "step", "known", "season"];

/// The small set of this name with what the keys say of it, if there is one.
pub(super) fn read(section: &mut Section, set: &str) -> Result<Option<SmallSet>> {
    let Some(small) = SmallSet::named(set) else { return Ok(None) };
    let refuse = |section: &Section, keys: &[&str], why: &str| {
        let given = keys.iter().find(|key| section.has(key));
        let refused =
            |key: &&str| Err(section.setting(key, &format!("none with the set `{set}`, {why}"), "one"));
        given.map_or(Ok(()), refused)
    };
    refuse(section, &OF_FILES, "which needs no file")?;
    match small {
        SmallSet::Embedded(_) => {
            refuse(section, &OF_GENERATED, "which is not generated")?;
            Ok(Some(small))
        }
        SmallSet::Generated(drawn) => {
            refuse(section, &["test"], "which draws test samples of its own, `test_samples` of them")?;
            refuse(section, &OF_SERIES, "whose samples are no series")?;
            let features = count(section, "dimensions", drawn.generator.features, set)?;
            let classes = count(section, "classes", drawn.generator.classes, set)?;
            let noise = section.number("noise", drawn.noise, noise_range())?;
            Ok(Some(SmallSet::Generated(Generated { noise, features, classes, ..drawn })))
        }
    }
}

/// The standard deviation of noise.
fn noise_range() -> Range {
    between(0.0, MOST_NOISE, "a number from 0 to 1e9")
}

/// A whole number that a generator may take.
fn count(section: &mut Section, key: &'static str, count: Count, set: &str) -> Result<usize> {
    if section.has(key) && !count.is_open() {
        let expected = match count.default {
            0 => format!("none with the set `{set}`, whose targets are values"),
            fixed => format!("none with the set `{set}`, which always has {fixed}"),
        };
        return Err(section.setting(key, &expected, "one"));
    }
    if !count.is_open() {
        return Ok(count.default);
    }
    section.integer(key, count.default, count.least, count.most)
}

/// The keys of a small set with their values, those that are as they are by default, too.
pub(super) fn values(small: &SmallSet) -> Vec<(&'static str, Value)> {
    let SmallSet::Generated(set) = small else { return Vec::new() };
    let counts = [
        ("dimensions", set.generator.features, set.features),
        ("classes", set.generator.classes, set.classes),
    ];
    let open = counts.into_iter().filter(|(_, count, _)| count.is_open());
    let counts = open.map(|(key, _, number)| (key, integer(number as u64)));
    counts.chain([("noise", set.noise.into())]).collect()
}

#[cfg(test)]
mod tests {
    use super::super::DATA_SETS;
    use crate::data::small;
    use crate::model::Recipe;

    fn parsed(data: &str) -> Result<Recipe, String> {
        let text = format!(
            "name = \"x\"\n[data]\n{data}\n[model]\nlayers = [{{ type = \"dense\", units = 1 }}]\n\
             [optimizer]\nname = \"sgd\"\n[train]"
        );
        Recipe::parse(&text, "test").map_err(|error| error.to_string())
    }

    #[test]
    fn every_small_set_can_be_named_and_is_written_back_equal() {
        let known = DATA_SETS[11..].to_vec();
        assert_eq!(known, small::names().collect::<Vec<_>>());
        for name in known {
            let recipe = parsed(&format!("set = \"{name}\"\nscaling = \"none\"\nseed = 7")).unwrap();
            assert_eq!(
                recipe.data.table.as_ref().and_then(|table| table.small.as_ref()).unwrap().name(),
                name
            );
            assert_eq!(Recipe::parse(&recipe.to_toml(), "copy").unwrap(), recipe, "{}", recipe.to_toml());
        }
        let recipe =
            parsed("set = \"blobs\"\nclasses = 5\ndimensions = 3\nnoise = 0.5\ntrain_samples = 9").unwrap();
        let text = recipe.to_toml();
        assert!(
            text.contains("classes = 5") && text.contains("dimensions = 3") && text.contains("noise = 0.5")
        );
        assert_eq!(Recipe::parse(&text, "copy").unwrap(), recipe);
    }

    #[test]
    fn keys_that_make_no_sense_are_refused() {
        for (data, expected) in [
            (
                "set = \"line\"\ndimensions = 2",
                "`data.dimensions`: expected none with the set `line`, which always has 1",
            ),
            (
                "set = \"line\"\nclasses = 2",
                "`data.classes`: expected none with the set `line`, whose targets are values",
            ),
            ("set = \"line\"\nnoise = -1", "`data.noise`: expected a number from 0 to 1e9, found -1"),
            (
                "set = \"line\"\ntest = 0.5",
                "`data.test`: expected none with the set `line`, which draws test samples",
            ),
            (
                "set = \"sine\"\nwindow = 5",
                "`data.window`: expected none with the set `sine`, whose samples are no series",
            ),
            ("set = \"friedman-1\"\ndimensions = 4", "`data.dimensions`: expected an integer from 5 to 1000"),
            ("set = \"blobs\"\nclasses = 257", "`data.classes`: expected an integer from 2 to 256"),
            (
                "set = \"iris\"\nfile = \"x.csv\"",
                "`data.file`: expected none with the set `iris`, which needs no file",
            ),
            (
                "set = \"iris\"\nnoise = 0.1",
                "`data.noise`: expected none with the set `iris`, which is not generated",
            ),
            ("set = \"moon\"", "did you mean `moons`?"),
            ("set = \"digits\"\nnoise = 0.1", "unknown key `data.noise`"),
        ] {
            let refused = parsed(data).unwrap_err();
            assert!(refused.contains(expected), "{data}: {refused}");
        }
    }
}
