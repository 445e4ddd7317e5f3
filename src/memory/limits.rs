//! What bounds the memory that this process may still take, as Linux tells in `/proc` and in the control
//! groups' files.

use std::path::{Path, PathBuf};
use std::{fmt, fs};

use super::bytes::{size, status_bytes};

/// What sets a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// The machine's memory that can be taken without swapping.
    Free,
    /// The limit of a control group, as containers have it.
    ControlGroup,
    /// RLIMIT_AS.
    AddressSpace,
    /// RLIMIT_DATA.
    DataSegment,
}

/// How much is left within a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    pub bytes: u64,
    pub bound: Bound,
}

impl fmt::Display for Room {
    /// "the 476 MiB that `ulimit -v` leaves"
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let left = match self.bound {
            Bound::Free => "are free",
            Bound::ControlGroup => "the memory limit of the control group leaves",
            Bound::AddressSpace => "`ulimit -v` leaves",
            Bound::DataSegment => "`ulimit -d` leaves",
        };
        write!(f, "the {} that {left}", size(self.bytes))
    }
}

/// The smallest of all bounds that the files under `root` tell of; none on other systems.
pub fn room(root: &Path) -> Option<Room> {
    let text = |path: &str| fs::read_to_string(root.join(path)).unwrap_or_default();
    let free = status_bytes(&text("proc/meminfo"), "MemAvailable:");
    let group = left_in_groups(root, &text("proc/self/cgroup"), &text("proc/self/mountinfo"));
    let (limits, status) = (text("proc/self/limits"), text("proc/self/status"));
    let left = |limit: &str, used: &str| {
        Some(soft_limit(&limits, limit)?.saturating_sub(status_bytes(&status, used).unwrap_or(0)))
    };
    let bounds = [
        (Bound::Free, free),
        (Bound::ControlGroup, group),
        (Bound::AddressSpace, left("Max address space", "VmSize:")),
        (Bound::DataSegment, left("Max data size", "VmData:")),
    ];
    let rooms = bounds.into_iter().filter_map(|(bound, bytes)| Some(Room { bytes: bytes?, bound }));
    rooms.min_by_key(|room| room.bytes)
}

/// The soft limit of this name in `/proc/self/limits`, in bytes; none where it is unlimited.
fn soft_limit(limits: &str, name: &str) -> Option<u64> {
    limits.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

/// A mounted tree of control groups.
struct Tree {
    /// Whether it is of version 2, which has one tree for all controllers.
    unified: bool,
    /// The group that the folder below shows: in a container that may be its own.
    root: String,
    folder: PathBuf,
}

/// The least that is left to this process's control groups and those around them. `membership`:
/// `/proc/self/cgroup`, a line `number:controllers:path` for each tree; `mounts`:
/// `/proc/self/mountinfo` (proc(5)).
fn left_in_groups(root: &Path, membership: &str, mounts: &str) -> Option<u64> {
    let trees: Vec<Tree> = mounts.lines().filter_map(tree).collect();
    let groups = membership.lines().filter_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        Some((parts.next()?, parts.next()?))
    });
    let mut least = None;
    for (controllers, path) in groups {
        let unified = controllers.is_empty();
        if !unified && controllers.split(',').all(|name| name != "memory") {
            continue;
        }
        for tree in trees.iter().filter(|tree| tree.unified == unified) {
            // A path that is not below the root of the tree is not seen from here; the tree's own root is.
            let below = path.strip_prefix(tree.root.trim_end_matches('/')).unwrap_or("");
            let below = Path::new(below.trim_start_matches('/'));
            let below = if below.starts_with("..") { Path::new("") } else { below };
            let folder = root.join(tree.folder.strip_prefix("/").unwrap_or(&tree.folder));
            let lefts = below.ancestors().filter_map(|group| left_in_group(&folder.join(group), unified));
            least = lefts.chain(least).min();
        }
    }
    least
}

/// The tree of a line of `/proc/self/mountinfo`, if it is one with the memory of control groups.
fn tree(line: &str) -> Option<Tree> {
    let (mount, kind) = line.split_once(" - ")?;
    let mut kind = kind.split(' ');
    let unified = match kind.next()? {
        "cgroup2" => true,
        "cgroup" if kind.nth(1)?.split(',').any(|option| option == "memory") => false,
        _ => return None,
    };
    let mut mount = mount.split(' ').skip(3);
    Some(Tree { unified, root: mount.next()?.to_string(), folder: mount.next()?.into() })
}

/// What one group may still take: its limit less what it has, where file contents that the system would
/// give up for it do not count. None without a limit.
fn left_in_group(folder: &Path, unified: bool) -> Option<u64> {
    let text = |name: &str| fs::read_to_string(folder.join(name)).ok();
    // "max", where there is no limit, is no number.
    let number = |name: &str| text(name)?.trim().parse::<u64>().ok();
    let (limits, used, given_up): (&[&str], _, _) = match unified {
        // Above the high limit the system slows a group down until it hardly moves.
        true => (&["memory.max", "memory.high"], "memory.current", ["inactive_file ", "active_file "]),
        false => (
            &["memory.limit_in_bytes"],
            "memory.usage_in_bytes",
            ["total_inactive_file ", "total_active_file "],
        ),
    };
    let limit = limits.iter().filter_map(|name| number(name)).min()?;
    let statistics = text("memory.stat").unwrap_or_default();
    let statistic = |key: &str| {
        let value = statistics.lines().find_map(|line| line.strip_prefix(key));
        value.and_then(|value| value.trim().parse::<u64>().ok()).unwrap_or(0)
    };
    let cached: u64 = given_up.iter().map(|key| statistic(key)).fold(0, u64::saturating_add);
    Some(limit.saturating_sub(number(used).unwrap_or(0).saturating_sub(cached)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    /// What is left on a made-up machine with these files, and with 8 GiB free.
    fn room_of(files: &[(&str, &str)]) -> Room {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in [("proc/meminfo", "MemAvailable: 8388608 kB\n")].iter().chain(files) {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        room(root.path()).unwrap()
    }

    const STATUS: (&str, &str) =
        ("proc/self/status", "Name:\tx\nVmSize:\t  102400 kB\nVmData:\t   51200 kB\n");
    const UNLIMITED: &str = "Limit                     Soft Limit           Hard Limit           Units     \n\
        Max data size             unlimited            unlimited            bytes     \n\
        Max address space         unlimited            unlimited            bytes     \n";

    #[test]
    fn limits_of_the_process_count_less_what_it_has() {
        let with = |limit: &str, bytes: &str| {
            let limits = UNLIMITED
                .lines()
                .map(|line| match line.starts_with(limit) {
                    true => line.replacen("unlimited", bytes, 1) + "\n",
                    false => format!("{line}\n"),
                })
                .collect::<String>();
            room_of(&[("proc/self/limits", &limits), STATUS])
        };
        assert_eq!(with("none", "0"), Room { bytes: 8 << 30, bound: Bound::Free });
        let space = with("Max address space", "512000000");
        assert_eq!(space, Room { bytes: 512_000_000 - 100 * MIB, bound: Bound::AddressSpace });
        assert_eq!(space.to_string(), "the 388 MiB that `ulimit -v` leaves");
        let data = with("Max data size", "209715200");
        assert_eq!(data, Room { bytes: 150 * MIB, bound: Bound::DataSegment });
        assert_eq!(data.to_string(), "the 150 MiB that `ulimit -d` leaves");
        assert_eq!(with("Max address space", "1").bytes, 0, "more is taken than is allowed now");
    }

    const V2: (&str, &str) = (
        "proc/self/mountinfo",
        "24 30 0:22 / /proc rw - proc proc rw\n30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n",
    );

    #[test]
    fn limits_of_control_groups_count_and_those_around_them() {
        let at = |name: &'static str, text: &'static str| (name, text);
        let room = room_of(&[
            V2,
            at("proc/self/cgroup", "0::/a/b\n"),
            at("sys/fs/cgroup/a/b/memory.max", "max\n"),
            at("sys/fs/cgroup/a/memory.max", "536870912\n"),
            at("sys/fs/cgroup/a/memory.current", "314572800\n"),
            at("sys/fs/cgroup/a/memory.stat", "anon 9\ninactive_file 104857600\nactive_file 1048576\n"),
        ]);
        assert_eq!(room, Room { bytes: (512 - 300 + 101) * MIB, bound: Bound::ControlGroup });
        assert_eq!(room.to_string(), "the 313 MiB that the memory limit of the control group leaves");
        // The high limit of the innermost group is smaller still.
        let room = room_of(&[
            V2,
            at("proc/self/cgroup", "0::/a/b\n"),
            at("sys/fs/cgroup/a/b/memory.high", "104857600\n"),
            at("sys/fs/cgroup/a/b/memory.current", "4194304\n"),
            at("sys/fs/cgroup/a/memory.max", "536870912\n"),
        ]);
        assert_eq!(room.bytes, 96 * MIB);
    }

    #[test]
    fn the_older_control_groups_are_read_too() {
        let mounts = "33 30 0:30 /docker/x /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n\
            34 30 0:31 /docker/x /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n";
        let files = |limit: &'static str| {
            [
                ("proc/self/mountinfo", mounts),
                ("proc/self/cgroup", "5:cpu:/docker/x\n4:memory:/docker/x\n"),
                ("sys/fs/cgroup/memory/memory.limit_in_bytes", limit),
                ("sys/fs/cgroup/memory/memory.usage_in_bytes", "209715200\n"),
                ("sys/fs/cgroup/memory/memory.stat", "inactive_file 1\ntotal_inactive_file 104857600\n"),
                ("sys/fs/cgroup/cpu/memory.limit_in_bytes", "1\n"),
            ]
        };
        assert_eq!(room_of(&files("314572800\n")).bytes, 200 * MIB);
        // What these files say where there is no limit.
        assert_eq!(room_of(&files("9223372036854771712\n")).bound, Bound::Free);
    }

    #[test]
    fn a_container_that_sees_its_own_group_as_the_root_is_bounded() {
        let room = room_of(&[
            V2,
            ("proc/self/cgroup", "0::/\n"),
            ("sys/fs/cgroup/memory.max", "104857600\n"),
            ("sys/fs/cgroup/memory.current", "0\n"),
        ]);
        assert_eq!(room.bytes, 100 * MIB);
        let outside =
            room_of(&[V2, ("proc/self/cgroup", "0::/../x\n"), ("sys/fs/cgroup/memory.max", "104857600\n")]);
        assert_eq!(outside.bytes, 100 * MIB);
    }

    #[test]
    fn files_that_make_no_sense_bound_nothing() {
        for text in ["", "\n", "0::\n", "::::\n", "0:memory\n", "what - cgroup2"] {
            let room = room_of(&[("proc/self/cgroup", text), ("proc/self/mountinfo", text), V2, STATUS]);
            assert_eq!(room.bound, Bound::Free, "{text:?}");
        }
        assert_eq!(super::room(Path::new("/nowhere")), None);
    }
}
