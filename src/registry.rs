//! Tables of kinds, of layers, losses or rules: those that are built in, and those that a program adds.

use std::sync::{PoisonError, RwLock};

use crate::error::{Error, Result};
use crate::hyper::{Allowed, HyperParameter, LONGEST_NAME};

/// What a table has entries of.
pub(crate) trait Kind: 'static {
    /// What recipes call it.
    fn name(&self) -> &'static str;

    /// What recipes may set.
    fn hyper_parameters(&self) -> &'static [HyperParameter];
}

/// All kinds of one sort.
pub(crate) struct Registry<T: 'static> {
    /// The sort, as errors call it: "layer".
    what: &'static str,
    built_in: fn() -> Vec<&'static T>,
    /// Names that mean something else, and keys that every entry has in a recipe.
    taken: fn() -> [Vec<&'static str>; 2],
    /// Those of the program, in the order in which they came.
    registered: RwLock<Vec<&'static T>>,
}

impl<T: Kind> Registry<T> {
    /// A table of what is built in. `taken` tells names that mean something else, and keys that every entry has.
    pub(crate) const fn new(
        what: &'static str,
        built_in: fn() -> Vec<&'static T>,
        taken: fn() -> [Vec<&'static str>; 2],
    ) -> Registry<T> {
        Registry { what, built_in, taken, registered: RwLock::new(Vec::new()) }
    }

    /// What is built in, then what is registered.
    pub(crate) fn all(&self) -> Vec<&'static T> {
        let registered = self.registered.read().unwrap_or_else(PoisonError::into_inner);
        (self.built_in)().into_iter().chain(registered.iter().copied()).collect()
    }

    /// The kind of this name.
    pub(crate) fn named(&self, name: &str) -> Option<&'static T> {
        self.all().into_iter().find(|kind| kind.name() == name)
    }

    /// Adds a kind; one that is there already is left as it is.
    ///
    /// # Errors
    /// [`Error::Setting`] if a recipe could not name it, or one of its keys, or would take it for another.
    pub(crate) fn register(&self, kind: &'static T) -> Result<()> {
        self.check(kind)?;
        let is_kind = |known: &&T| std::ptr::eq(*known, kind);
        let mut registered = self.registered.write().unwrap_or_else(PoisonError::into_inner);
        if registered.iter().any(is_kind) || (self.built_in)().iter().any(is_kind) {
            return Ok(());
        }
        // Another thread may have been faster since.
        if registered.iter().any(|known| known.name() == kind.name()) {
            return Err(self.duplicate(kind));
        }
        registered.push(kind);
        Ok(())
    }

    /// That recipes could name the kind and its keys, and would not take it for another.
    pub(crate) fn check(&self, kind: &'static T) -> Result<()> {
        let letters = |mark| format!("1 to {LONGEST_NAME} of a-z, 0-9 and {mark}, a letter first");
        if !is_name(kind.name(), b'-') {
            return Err(self.wrong(kind, "name", letters('-'), format!("{:?}", kind.name())));
        }
        let ([names, mut keys], mut choices) = ((self.taken)(), Vec::new());
        let is_other = |known: &&T| known.name() == kind.name() && !std::ptr::eq(*known, kind);
        if names.contains(&kind.name()) || self.all().iter().any(is_other) {
            return Err(self.duplicate(kind));
        }
        for parameter in kind.hyper_parameters() {
            for &key in parameter.keys() {
                if !is_name(key, b'_') {
                    let expected = format!("keys of {}", letters('_'));
                    return Err(self.wrong(kind, "hyper_parameters", expected, format!("{key:?}")));
                }
                if keys.contains(&key) {
                    let expected = "keys that differ".into();
                    return Err(self.wrong(kind, "hyper_parameters", expected, format!("`{key}` twice")));
                }
                keys.push(key);
            }
            let default = parameter.default();
            if !parameter.holds(&default) {
                let expected = format!("by default {}", parameter.range());
                return Err(self.wrong(kind, parameter.key, expected, default.to_string()));
            }
            if let Some(choice) = parameter.needs
                && !choices.contains(&choice)
            {
                let expected = "a choice before what needs it".into();
                return Err(self.wrong(kind, parameter.key, expected, format!("`{choice}`")));
            }
            if let Allowed::Choice(_) = parameter.allowed {
                choices.push(parameter.key);
            }
        }
        Ok(())
    }

    fn duplicate(&self, kind: &T) -> Error {
        self.wrong(kind, "name", format!("a name that no other {} has", self.what), kind.name().into())
    }

    /// The error that something of a kind is not as it should be.
    pub(crate) fn wrong(&self, kind: &T, key: &str, expected: String, found: String) -> Error {
        let name: String = kind.name().chars().take(LONGEST_NAME).filter(|c| !c.is_control()).collect();
        Error::Setting { place: format!("{} `{name}`", self.what), key: key.into(), expected, found }
    }
}

fn is_name(name: &str, mark: u8) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == mark;
    (1..=LONGEST_NAME).contains(&name.len())
        && name.bytes().all(fits)
        && name.as_bytes()[0].is_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hyper::unit;

    struct Named(&'static str, &'static [HyperParameter]);

    impl Kind for Named {
        fn name(&self) -> &'static str {
            self.0
        }

        fn hyper_parameters(&self) -> &'static [HyperParameter] {
            self.1
        }
    }

    static BUILT_IN: Named = Named("built-in", &[]);
    fn registry() -> Registry<Named> {
        Registry::new("thing", || vec![&BUILT_IN], || [vec!["dense"], vec!["type"]])
    }

    static ADDED: Named = Named("added", &[]);
    static SECOND: Named = Named("added", &[]);

    #[test]
    fn a_kind_is_known_once_it_is_registered() {
        let registry = registry();
        assert!(registry.named("added").is_none() && registry.named("built-in").is_some());
        registry.register(&ADDED).unwrap();
        registry.register(&ADDED).unwrap();
        let names: Vec<_> = registry.all().iter().map(|kind| kind.name()).collect();
        assert_eq!(names, ["built-in", "added"]);
    }

    #[test]
    fn names_that_mean_something_else_and_those_that_no_recipe_can_have_are_refused() {
        let registry = registry();
        registry.register(&ADDED).unwrap();
        let refused = |kind: &'static Named| registry.register(kind).unwrap_err().to_string();
        assert_eq!(
            refused(&SECOND),
            "thing `added`: `name`: expected a name that no other thing has, found added"
        );
        static TAKEN: Named = Named("built-in", &[]);
        assert!(refused(&TAKEN).contains("no other thing"));
        static OTHER: Named = Named("dense", &[]);
        assert!(refused(&OTHER).contains("no other thing"));
        for kind in [&Named("", &[]), &Named("Upper", &[]), &Named("two words", &[]), &Named("9", &[])] {
            assert!(refused(kind).contains("a letter first"), "{}", kind.0);
        }
        static DOUBLE: Named = Named(
            "double",
            &[HyperParameter::number("key", 0.5, unit(), ""), HyperParameter::number("key", 0.5, unit(), "")],
        );
        assert!(refused(&DOUBLE).contains("keys that differ"));
        static TYPE: Named = Named("typed", &[HyperParameter::number("type", 0.5, unit(), "")]);
        assert!(refused(&TYPE).contains("keys that differ"));
        assert_eq!(registry.all().len(), 2);
    }
}
