//! Nonlinear conjugate gradient: the direction before has a part in the next one.

use super::vector::dot;

/// FR directions begin anew where the gradients of two steps are less orthogonal than this (Nocedal,
/// Wright, equation 5.52).
const NOT_ORTHOGONAL: f64 = 0.1;

/// The formula for the part of the direction before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Formula {
    /// Fletcher, Reeves: Function minimization by conjugate gradients (1964).
    FletcherReeves,
    /// Polak, Ribière: Note sur la convergence de méthodes de directions conjuguées (1969), not below 0.
    PolakRibiere,
    /// Hestenes, Stiefel: Methods of conjugate gradients for solving linear systems (1952).
    HestenesStiefel,
}

impl Formula {
    /// The names, in the order of the formulas.
    pub const NAMES: [&str; 3] = ["fletcher-reeves", "polak-ribiere", "hestenes-stiefel"];

    /// The formula of a name.
    pub fn named(name: &str) -> Option<Formula> {
        let all = [Formula::FletcherReeves, Formula::PolakRibiere, Formula::HestenesStiefel];
        Formula::NAMES.iter().position(|known| *known == name).map(|place| all[place])
    }

    /// The part β of equations 5.41a, 5.44 with 5.45, and 5.46: `gradient` now and `before`, and the direction
    /// between them; all \[n\]. 0, which is a restart, where β is not finite.
    pub fn part(self, gradient: &[f64], before: &[f64], direction: &[f64]) -> f64 {
        let (now, mixed) = (dot(gradient, gradient), dot(gradient, before));
        let beta = match self {
            Formula::FletcherReeves if mixed.abs() >= NOT_ORTHOGONAL * now => 0.0,
            Formula::FletcherReeves => now / dot(before, before),
            Formula::PolakRibiere => ((now - mixed) / dot(before, before)).max(0.0),
            Formula::HestenesStiefel => (now - mixed) / (dot(gradient, direction) - dot(before, direction)),
        };
        if beta.is_finite() { beta } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_formulas_are_those_of_the_book() {
        let (before, direction) = ([3.0, 4.0], [-3.0, -4.0]);
        let part = |formula: Formula, gradient: [f64; 2]| formula.part(&gradient, &before, &direction);
        // Orthogonal gradients, as after an exact search of a quadratic: all agree.
        for formula in [Formula::FletcherReeves, Formula::PolakRibiere, Formula::HestenesStiefel] {
            assert_eq!(part(formula, [4.0, -3.0]), 1.0, "{formula:?}");
        }
        // g · g = 2, g · g' = 7, g' · g' = 25, d · (g - g') = -7 + 25.
        assert_eq!(part(Formula::FletcherReeves, [1.0, 1.0]), 0.0);
        assert_eq!(part(Formula::PolakRibiere, [1.0, 1.0]), 0.0);
        assert_eq!(part(Formula::HestenesStiefel, [1.0, 1.0]), -5.0 / 18.0);
        // g · g = 2, g · g' = -1, d · (g - g') = 1 + 25.
        assert_eq!(part(Formula::PolakRibiere, [1.0, -1.0]), 3.0 / 25.0);
        assert_eq!(part(Formula::HestenesStiefel, [1.0, -1.0]), 3.0 / 26.0);
        assert_eq!(part(Formula::FletcherReeves, [4.1, -3.0]), 25.81 / 25.0);
        assert_eq!(Formula::HestenesStiefel.part(&[1.0], &[1.0], &[1.0]), 0.0);
    }

    #[test]
    fn names_are_in_the_order_of_the_formulas() {
        assert_eq!(Formula::named("polak-ribiere"), Some(Formula::PolakRibiere));
        assert_eq!(Formula::named("fletcher-reeves"), Some(Formula::FletcherReeves));
        assert_eq!(Formula::named("hestenes-stiefel"), Some(Formula::HestenesStiefel));
        assert_eq!(Formula::named("dai-yuan"), None);
    }
}
