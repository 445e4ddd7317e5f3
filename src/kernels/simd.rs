//! Instruction sets, vectors and what is made of them: functions, sums, prefetches, measured peaks.

pub mod isa;
pub(in crate::kernels) mod lanes;
pub mod math;
pub mod peak;
pub mod prefetch;
pub mod reduce;
pub mod stream;
pub mod vectorise;
