//! How the machine is built, as Linux tells in `/proc` and `/sys`. What it does not tell, as in some
//! containers and on other systems, is 0 or absent.

use std::fs;
use std::path::{Path, PathBuf};

use super::record::{Cache, Topology};
use crate::kernels::simd::isa;
use crate::train::machine::{allowed_cpus, cpu_list, distinct_cores};

/// The machine that this process runs on.
pub fn current() -> Topology {
    let mut topology = read(Path::new("/"));
    if topology.processors == 0 {
        topology.processors = std::thread::available_parallelism().map_or(0, usize::from);
    }
    Topology { hypervisor: isa::hypervisor(), ..topology }
}

/// What the files under `root` say; they do not name the hypervisor.
pub fn read(root: &Path) -> Topology {
    let text = |path: &str| fs::read_to_string(root.join(path)).unwrap_or_default();
    let list = |path: &str| cpu_list(&text(path)).unwrap_or_default();
    let allowed = allowed_cpus(&text("proc/self/status")).unwrap_or_default();
    let processor = |number: usize| format!("sys/devices/system/cpu/cpu{number}");
    let siblings: Vec<String> = allowed
        .iter()
        .map(|&number| text(&format!("{}/topology/thread_siblings_list", processor(number))))
        .filter(|list| !list.is_empty())
        .collect();
    let first = allowed.first().map(|&number| processor(number));
    let of_first = |path: &str| first.as_ref().map(|first| format!("{first}/{path}"));
    Topology {
        processors: list("sys/devices/system/cpu/online").len(),
        cores: distinct_cores(&siblings),
        threads_per_core: siblings.first().and_then(|list| cpu_list(list)).map_or(0, |list| list.len()),
        numa_nodes: list("sys/devices/system/node/online").len(),
        caches: of_first("cache").map(|folder| caches(&root.join(folder))).unwrap_or_default(),
        quota: quota(root, &text("proc/self/cgroup")),
        governor: of_first("cpufreq/scaling_governor")
            .map(|path| text(&path).trim().to_string())
            .filter(|name| !name.is_empty()),
        hypervisor: None,
        memory_bytes: total_memory(&text("proc/meminfo")).unwrap_or(0),
        allowed,
    }
}

/// The caches in a processor's folder `cache`, those next to the core first.
fn caches(folder: &Path) -> Vec<Cache> {
    let cache = |folder: PathBuf| {
        let text = |name: &str| fs::read_to_string(folder.join(name)).ok();
        Some(Cache {
            level: text("level")?.trim().parse().ok()?,
            kind: text("type")?.trim().to_string(),
            bytes: size(&text("size")?)?,
            shared_by: text("shared_cpu_list").and_then(|list| cpu_list(&list)).map_or(1, |list| list.len()),
        })
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let indices = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("index"));
    let mut caches: Vec<Cache> = indices.filter_map(|entry| cache(entry.path())).collect();
    caches.sort_by(|a, b| (a.level, &a.kind).cmp(&(b.level, &b.kind)));
    caches
}

/// The bytes of "48K" or "32M".
fn size(text: &str) -> Option<usize> {
    let text = text.trim();
    let (digits, shift) = match text.as_bytes().last()? {
        b'K' => (&text[..text.len() - 1], 10),
        b'M' => (&text[..text.len() - 1], 20),
        b'G' => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    digits.parse::<usize>().ok()?.checked_mul(1 << shift)
}

/// The bytes of the line `MemTotal`.
fn total_memory(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The smallest quota of CPU time among this process's control groups and those around them, in
/// processors. `membership`: `/proc/self/cgroup`, a line `number:controllers:path` for each.
fn quota(root: &Path, membership: &str) -> Option<f64> {
    let mounts = root.join("sys/fs/cgroup");
    let groups = membership.lines().filter_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        Some((parts.next()?, parts.next()?.trim_start_matches('/')))
    });
    let mut quotas = Vec::new();
    for (controllers, group) in groups {
        let around = Path::new(group).ancestors();
        match controllers {
            // Version 2 has one tree for all controllers, in some systems beside version 1.
            "" => {
                for group in around {
                    let limit = |mount: PathBuf| fs::read_to_string(mount.join(group).join("cpu.max")).ok();
                    let text = limit(mounts.clone()).or_else(|| limit(mounts.join("unified")));
                    quotas.extend(text.as_deref().and_then(quota_of_version_2));
                }
            }
            _ if controllers.split(',').any(|name| name == "cpu") => {
                for group in around {
                    quotas.extend(["cpu", controllers].iter().find_map(|mount| {
                        let group = mounts.join(mount).join(group);
                        let number =
                            |name: &str| fs::read_to_string(group.join(name)).ok()?.trim().parse().ok();
                        portion(number("cpu.cfs_quota_us")?, number("cpu.cfs_period_us")?)
                    }));
                }
            }
            _ => {}
        }
    }
    quotas.into_iter().reduce(f64::min)
}

/// The processors of "150000 100000"; none of "max 100000".
fn quota_of_version_2(text: &str) -> Option<f64> {
    let mut numbers = text.split_whitespace().map(|number| number.parse().ok());
    portion(numbers.next()??, numbers.next()??)
}

/// Microseconds of CPU time in a period of so many; a quota of -1 is none.
fn portion(quota: i64, period: i64) -> Option<f64> {
    (quota > 0 && period > 0).then(|| quota as f64 / period as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A made-up root folder with these files.
    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    const CPU2: &str = "sys/devices/system/cpu/cpu2";

    #[test]
    fn a_machine_is_read_from_its_files() {
        let at = |name: &str| format!("{CPU2}/{name}");
        let root = tree(&[
            ("proc/self/status", "Name:\tx\nCpus_allowed_list:\t2-3,6\n"),
            ("proc/meminfo", "MemTotal:  2048 kB\nMemFree: 1 kB\n"),
            ("proc/self/cgroup", "0::/a/b\n"),
            ("sys/fs/cgroup/a/b/cpu.max", "max 100000\n"),
            ("sys/fs/cgroup/a/cpu.max", "150000 100000\n"),
            ("sys/devices/system/cpu/online", "0-7\n"),
            ("sys/devices/system/node/online", "0-1\n"),
            (&at("topology/thread_siblings_list"), "2,6\n"),
            ("sys/devices/system/cpu/cpu3/topology/thread_siblings_list", "3,7\n"),
            ("sys/devices/system/cpu/cpu6/topology/thread_siblings_list", "2,6\n"),
            (&at("cpufreq/scaling_governor"), "schedutil\n"),
            (&at("cache/index1/level"), "3\n"),
            (&at("cache/index1/type"), "Unified\n"),
            (&at("cache/index1/size"), "32M\n"),
            (&at("cache/index1/shared_cpu_list"), "0-7\n"),
            (&at("cache/index0/level"), "1\n"),
            (&at("cache/index0/type"), "Data\n"),
            (&at("cache/index0/size"), "48K\n"),
            (&at("cache/index0/shared_cpu_list"), "2,6\n"),
            (&at("cache/index7/level"), "4\n"),
            (&at("cache/uevent"), ""),
        ]);
        let expected = Topology {
            processors: 8,
            allowed: vec![2, 3, 6],
            cores: 2,
            threads_per_core: 2,
            numa_nodes: 2,
            caches: vec![
                Cache { level: 1, kind: "Data".into(), bytes: 48 << 10, shared_by: 2 },
                Cache { level: 3, kind: "Unified".into(), bytes: 32 << 20, shared_by: 8 },
            ],
            quota: Some(1.5),
            governor: Some("schedutil".into()),
            hypervisor: None,
            memory_bytes: 2 << 20,
        };
        assert_eq!(read(root.path()), expected);
    }

    #[test]
    fn what_is_missing_is_absent() {
        assert_eq!(read(tree(&[]).path()), Topology::default());
        let root = tree(&[
            ("proc/self/status", "Cpus_allowed_list:\tnone\n"),
            ("proc/meminfo", "MemTotal: much\n"),
            ("proc/self/cgroup", "what\n\n:\n0::\n"),
            ("sys/fs/cgroup/cpu.max", "\n"),
            ("sys/devices/system/cpu/online", "-\n"),
        ]);
        assert_eq!(read(root.path()), Topology::default());
    }

    #[test]
    fn both_versions_of_control_groups_have_quotas() {
        let old = "3:cpuset:/c\n2:cpu,cpuacct:/docker/x\n0::/\n";
        for (mount, membership) in [("cpu", old), ("cpu,cpuacct", old), ("cpu", "1:cpu:/docker/x\n")] {
            let at = |name: &str| format!("sys/fs/cgroup/{mount}/docker/x/{name}");
            let root = tree(&[(&at("cpu.cfs_quota_us"), "50000\n"), (&at("cpu.cfs_period_us"), "100000\n")]);
            assert_eq!(quota(root.path(), membership), Some(0.5), "{mount}");
            fs::write(root.path().join(at("cpu.cfs_quota_us")), "-1\n").unwrap();
            assert_eq!(quota(root.path(), membership), None, "{mount}");
        }
        // Inside a container the group's own folder is the mount.
        let root = tree(&[("sys/fs/cgroup/cpu.max", "200000 100000\n")]);
        assert_eq!(quota(root.path(), "0::/../elsewhere\n"), Some(2.0));
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!(
            ["48K", "32M\n", "1G", "512"].map(size),
            [Some(48 << 10), Some(32 << 20), Some(1 << 30), Some(512)]
        );
        assert_eq!(["", "K", "x", "-1K", "99999999999999999G"].map(size), [None; 5]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_machine_has_processors_and_memory() {
        let topology = current();
        assert!(topology.processors >= topology.allowed.len() && !topology.allowed.is_empty());
        assert!(topology.memory_bytes > 1 << 20);
    }
}
