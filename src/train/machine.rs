//! What a run was made on, and how many cores it may use.

use std::collections::BTreeSet;
use std::fs;

use serde::{Deserialize, Serialize};

use crate::kernels::simd::isa::Isa;

/// The machine of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The maker's name of the processor, or its architecture where it cannot be told.
    pub cpu: String,
    /// [`usable_cores`]
    pub cores: usize,
    /// The instruction set that the kernels run on.
    pub instruction_set: String,
    /// Operating system and architecture: "linux x86_64".
    pub os: String,
}

impl Machine {
    /// The machine that this process runs on.
    pub fn current() -> Machine {
        let information = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let architecture = std::env::consts::ARCH;
        Machine {
            cpu: model_name(&information).unwrap_or(architecture).to_string(),
            cores: usable_cores(),
            instruction_set: Isa::current().name().to_string(),
            os: format!("{} {architecture}", std::env::consts::OS),
        }
    }
}

/// The cores that this process may use, at least 1: those that its affinity mask allows, two
/// hardware threads of one core counted once (they share the arithmetic units), and no more than
/// its control group's quota of CPU time.
pub fn usable_cores() -> usize {
    // The standard library knows the affinity mask and the quotas, but not which CPUs share a core.
    let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get());
    match linux_cores() {
        Some(cores) => cores.clamp(1, threads),
        None => threads,
    }
}

/// The cores of the CPUs that this process may run on, where Linux tells.
fn linux_cores() -> Option<usize> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let allowed = allowed_cpus(&status)?;
    let siblings = |cpu: &usize| {
        fs::read_to_string(format!("/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")).ok()
    };
    let siblings: Option<Vec<String>> = allowed.iter().map(siblings).collect();
    Some(distinct_cores(&siblings?))
}

/// The value of the first `model name` line of `/proc/cpuinfo`.
fn model_name(information: &str) -> Option<&str> {
    let (_, name) = information
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.trim() == "model name")?;
    Some(name.trim()).filter(|name| !name.is_empty())
}

/// The CPUs of the line `Cpus_allowed_list` of `/proc/self/status`.
pub(crate) fn allowed_cpus(status: &str) -> Option<Vec<usize>> {
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    cpu_list(list)
}

/// The CPUs of a list such as `0-3,8`.
pub(crate) fn cpu_list(text: &str) -> Option<Vec<usize>> {
    /// More CPUs than any machine has; a list that promises more is not believed.
    const MOST: usize = 1 << 16;
    let mut cpus = Vec::new();
    for part in text.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (usize, usize) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        if first > last || last > MOST {
            return None;
        }
        cpus.extend(first..=last);
    }
    Some(cpus)
}

/// How many different lists of sibling threads there are: CPUs of one core have the same list.
pub(crate) fn distinct_cores(siblings: &[String]) -> usize {
    siblings.iter().map(|list| list.trim()).collect::<BTreeSet<_>>().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_is_named() {
        let text = "processor\t: 0\nmodel\t\t: 17\nmodel name\t: AMD EPYC 9R14\nflags\t: fpu\n";
        assert_eq!(model_name(text), Some("AMD EPYC 9R14"));
        assert_eq!(model_name("processor : 0\nFeatures : asimd\n"), None);
        assert_eq!(model_name("model name :  \n"), None);
    }

    #[test]
    fn lists_of_cpus_are_read() {
        assert_eq!(cpu_list("0-3,8\n"), Some(vec![0, 1, 2, 3, 8]));
        assert_eq!(cpu_list("5"), Some(vec![5]));
        for text in ["", "3-1", "a", "0-4294967296", "0,,1", "0-18446744073709551616"] {
            assert_eq!(cpu_list(text), None, "{text}");
        }
        let status = "Name:\tx\nCpus_allowed:\t5\nCpus_allowed_list:\t0,2\nMems_allowed:\t1\n";
        assert_eq!(allowed_cpus(status), Some(vec![0, 2]));
        assert_eq!(allowed_cpus("Name:\tx\n"), None);
    }

    #[test]
    fn threads_of_one_core_count_once() {
        let lists = |lists: &[&str]| lists.iter().map(|list| format!("{list}\n")).collect::<Vec<_>>();
        assert_eq!(distinct_cores(&lists(&["0,4", "1,5", "0,4", "1,5"])), 2);
        assert_eq!(distinct_cores(&lists(&["0", "1", "2"])), 3);
        // One thread of each of two cores is allowed.
        assert_eq!(distinct_cores(&lists(&["0-1", "2-3"])), 2);
    }

    #[test]
    fn this_machine_has_a_core_and_a_name() {
        let machine = Machine::current();
        let threads = std::thread::available_parallelism().unwrap().get();
        assert!((1..=threads).contains(&machine.cores));
        assert!(!machine.cpu.is_empty() && !machine.instruction_set.is_empty());
    }
}
