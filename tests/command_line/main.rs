//! The program as its users meet it, and what is shown of its results. What measures times is alone in its program:
//! `bench`, `calibrate`, `profile_measure`.

#[path = "../common/mod.rs"]
pub mod common;

mod bench_report;
mod cli;
mod export;
#[cfg(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64"))] // it reads registers
mod faults;
mod fine_tuning;
#[cfg(unix)]
mod interrupted;
mod kept;
mod onnx_import;
mod outputs;
#[cfg(unix)] // the fakes are shell scripts
mod peers;
mod profile_commands;
mod profile_report;
mod profile_runs;
mod profile_trace;
mod readme;
mod report;
mod reproduce;
#[cfg(unix)]
mod reproduce_resume;
#[cfg(unix)]
mod resume;
mod search;
mod text;
mod tour;
#[cfg(unix)]
mod working;
