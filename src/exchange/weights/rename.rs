//! Names of tensors that are changed or left out as the user says.

use std::str::FromStr;

use crate::foreign::shortened;
use crate::{Error, Result};

/// What stands for any one component of a name.
const ANY: &str = "*";

/// The components that a name begins with, such as `layers.*.linear1`; a `*` is any one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    components: Vec<String>,
}

impl Pattern {
    /// What the `*` stand for in a name that begins so, and its further components.
    fn fit<'a>(&self, name: &'a str) -> Option<(Vec<&'a str>, Vec<&'a str>)> {
        let mut left = name.split('.');
        let mut any = Vec::new();
        for component in &self.components {
            let found = left.next()?;
            if component == ANY {
                any.push(found);
            } else if component != found {
                return None;
            }
        }
        Some((any, left.collect()))
    }

    /// Whether a name begins so.
    pub fn fits(&self, name: &str) -> bool {
        self.fit(name).is_some()
    }

    /// As it was typed.
    pub fn text(&self) -> String {
        self.components.join(".")
    }

    fn stars(&self) -> usize {
        self.components.iter().filter(|component| *component == ANY).count()
    }

    /// A pattern of no component fits every name.
    fn of(text: &str, key: &str) -> Result<Pattern> {
        let components: Vec<String> = match text {
            "" => Vec::new(),
            text => text.split('.').map(String::from).collect(),
        };
        let is_wrong =
            |component: &&String| component.is_empty() || component.len() > 1 && component.contains('*');
        match components.iter().find(is_wrong) {
            None => Ok(Pattern { components }),
            Some(_) => {
                let expected =
                    "components with points between them, each a name or `*`, as in `layers.*.linear1`";
                Err(refused(key, expected, text))
            }
        }
    }
}

impl FromStr for Pattern {
    type Err = Error;

    /// # Errors
    /// [`Error::Setting`] if a component is empty, or has a `*` beside other letters.
    fn from_str(text: &str) -> Result<Pattern> {
        if text.is_empty() {
            return Err(refused(
                "--ignore",
                "the beginning of a name, since everything begins with nothing",
                text,
            ));
        }
        Pattern::of(text, "--ignore")
    }
}

/// Another beginning for the names that begin with a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rename {
    from: Pattern,
    to: Pattern,
}

impl Rename {
    /// The new name of a tensor whose name begins with the pattern: the first `*` of the new beginning is what the first
    /// one of the pattern stands for, and so on.
    pub fn renamed(&self, name: &str) -> Option<String> {
        let (any, rest) = self.from.fit(name)?;
        let mut any = any.into_iter();
        let to = self.to.components.iter();
        let begin = to.filter_map(|component| if component == ANY { any.next() } else { Some(&**component) });
        Some(begin.chain(rest).collect::<Vec<_>>().join("."))
    }

    /// The beginning of the names that it changes, as it was typed.
    pub fn from(&self) -> &Pattern {
        &self.from
    }
}

impl FromStr for Rename {
    type Err = Error;

    /// Reads `FROM=TO`; either side may be empty.
    ///
    /// # Errors
    /// [`Error::Setting`] if there is no `=`, a side is no pattern, or the new one has a `*` more.
    fn from_str(text: &str) -> Result<Rename> {
        let Some((from, to)) = text.split_once('=') else {
            return Err(refused("--map", "FROM=TO, as in `encoder.layers.*=*`", text));
        };
        let (from, to) = (Pattern::of(from, "--map")?, Pattern::of(to, "--map")?);
        if to.stars() > from.stars() {
            return Err(refused("--map", "no more `*` behind the `=` than before it", text));
        }
        Ok(Rename { from, to })
    }
}

fn refused(key: &str, expected: &str, found: &str) -> Error {
    let found = if found.is_empty() { "nothing".into() } else { shortened(found) };
    Error::Setting { place: "command line".into(), key: key.into(), expected: expected.into(), found }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn renamed(rename: &str, name: &str) -> Option<String> {
        rename.parse::<Rename>().unwrap().renamed(name)
    }

    #[test]
    fn beginnings_of_names_are_replaced_by_whole_components() {
        let known = [
            ("layers.*.linear1=*.0", "layers.3.linear1.weight", Some("3.0.weight")),
            ("layers.*.linear1=*.0", "layers.3.linear2.weight", None),
            ("a=b", "a.weight", Some("b.weight")),
            ("a=b", "ab.weight", None),
            ("a.weight=b", "a.weight", Some("b")),
            ("a.weight.x=b", "a.weight", None),
            ("a.b=", "a.b.weight", Some("weight")),
            ("=0", "weight", Some("0.weight")),
            ("*.x.*=2.*.y", "q.x.r.bias", Some("2.q.y.bias")),
        ];
        for (rename, name, expected) in known {
            assert_eq!(renamed(rename, name).as_deref(), expected, "{rename} of {name}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        let refusal = |text: &str| text.parse::<Rename>().unwrap_err().to_string();
        assert!(refusal("a").contains("`--map`: expected FROM=TO"));
        for text in ["a..b=c", "a=b.", "a*=b", "a.**=b"] {
            assert!(refusal(text).contains("each a name or `*`"), "{text}");
        }
        assert!(refusal("a=*").contains("no more `*`"));
        assert!("".parse::<Pattern>().unwrap_err().to_string().ends_with("found nothing"));
        assert!("a.*".parse::<Pattern>().unwrap().fits("a.b.c"));
        assert!(!"a.*".parse::<Pattern>().unwrap().fits("a"));
    }
}
