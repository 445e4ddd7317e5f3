//! (to come)
pub mod activation;
pub mod convert;
pub mod isa;
pub mod loss;
pub mod math;
pub mod reduce;
pub mod reference;
