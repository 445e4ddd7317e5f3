//! What the parameters of recurrent layers are called: as in PyTorch, by the number of the layer in its stack.

/// The most layers of a stack.
pub const MOST_LAYERS: usize = 16;

/// The names of a layer's parameters, each for both directions.
pub struct Names {
    /// Of W_ih and b_ih, which the projection has.
    pub input: [[&'static str; 2]; 2],
    /// Of W_hh and b_hh.
    pub state: [[&'static str; 2]; 2],
    /// Of the trained state, and the cell state, before the first position. PyTorch, which is given these, has no names for
    /// them.
    pub initial: [[&'static str; 2]; 2],
}

/// Two names for each direction.
macro_rules! pairs {
    ($first:literal $second:literal $layer:literal) => {
        [
            [concat!($first, "_l", $layer), concat!($second, "_l", $layer)],
            [concat!($first, "_l", $layer, "_reverse"), concat!($second, "_l", $layer, "_reverse")],
        ]
    };
}

/// The names of the layers of these numbers.
macro_rules! names {
    ($($layer:literal)*) => {
        [$(Names {
            input: pairs!("weight_ih" "bias_ih" $layer),
            state: pairs!("weight_hh" "bias_hh" $layer),
            initial: pairs!("h0" "c0" $layer),
        }),*]
    };
}

/// Those of each layer of a stack.
pub static NAMES: [Names; MOST_LAYERS] = names!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_their_numbers() {
        for (number, names) in NAMES.iter().enumerate() {
            assert_eq!(names.input[0], [format!("weight_ih_l{number}"), format!("bias_ih_l{number}")]);
            assert_eq!(names.state[1][1], format!("bias_hh_l{number}_reverse"));
            assert_eq!(names.initial[1], [format!("h0_l{number}_reverse"), format!("c0_l{number}_reverse")]);
        }
    }
}
