//! Tells how much memory this process may have: limits on what it holds for others are derived from
//! that.
//!
//! Linux says so in the files of control groups, of which there are two versions: where they are is
//! in the list of what is mounted, and which group we are in, in a file of the process. A group has
//! no more than those that it lies in.

use rustix::process::{Resource, getrlimit};
use std::fs;
use std::path::{Path, PathBuf};

/// The names of a group's limit, and of the list of mounts and of our groups.
const FILES: [&str; 2] = ["memory.max", "memory.limit_in_bytes"];
const MOUNTS: &str = "/proc/self/mountinfo";
const GROUPS: &str = "/proc/self/cgroup";

/// Returns what a file says that is read by the system's own means. It is short, but for the list
/// of mounts.
type Read<'a> = &'a dyn Fn(&Path) -> Option<String>;

/// Returns the most bytes of memory this process may have: the least of what its control groups and
/// `RLIMIT_AS` say, if any of them says something.
pub(crate) fn memory_limit() -> Option<u64> {
    let read = |path: &Path| fs::read_to_string(path).ok();
    limit_of_groups(&read).into_iter().chain(getrlimit(Resource::As).current).min()
}

/// Gives the system the pages back that the allocator holds and nobody uses, also those between
/// others that are used, where the C library can do that: by itself it gives back the end of its
/// heap only, and one small block there keeps the rest.
pub(crate) fn give_pages_back() {
    #[cfg(target_env = "gnu")]
    let _gave_any = crate::host::os::poller::malloc_trim(0);
}

/// Returns the least limit of the groups that we are in.
fn limit_of_groups(read: Read<'_>) -> Option<u64> {
    let (mounts, groups) = (read(Path::new(MOUNTS))?, read(Path::new(GROUPS))?);
    let places = mounts.lines().filter_map(mount);
    places.filter_map(|place| limit_below(read, &place, &groups)).min()
}

/// A place where control groups of memory are mounted.
#[derive(Debug, PartialEq, Eq)]
struct Mount {
    /// The group that is at the top of it.
    root: String,
    at: PathBuf,
    /// True iff these are groups of version 2.
    unified: bool,
}

/// Reads a line such as `36 35 98:0 /root /mount/point rw - cgroup cgroup rw,memory`.
fn mount(line: &str) -> Option<Mount> {
    let (place, kind) = line.split_once(" - ")?;
    let mut place = place.split(' ').skip(3);
    let (root, at) = (place.next()?.to_owned(), PathBuf::from(place.next()?));
    let mut kind = kind.split(' ');
    let name = kind.next()?;
    let options = kind.nth(1)?;
    let of_memory = name == "cgroup" && options.split(',').any(|option| option == "memory");
    let unified = name == "cgroup2";
    (of_memory || unified).then_some(Mount { root, at, unified })
}

/// Returns the least limit from our group up to the top of a mount.
fn limit_below(read: Read<'_>, mount: &Mount, groups: &str) -> Option<u64> {
    let ours = groups.lines().find_map(|line| group(line, mount.unified))?;
    // A group that is not below the mounted one is seen from elsewhere: then ours is what is
    // mounted.
    let below = ours.strip_prefix(mount.root.trim_end_matches('/')).unwrap_or_default();
    let folder = mount.at.join(below.trim_start_matches('/'));
    let up = folder.ancestors().take_while(|path| path.starts_with(&mount.at));
    up.filter_map(|path| limit_at(read, path)).min()
}

/// Returns our group, from a line such as `5:memory:/group`, or `0::/group` of version 2.
fn group(line: &str, unified: bool) -> Option<&str> {
    let mut parts = line.splitn(3, ':');
    let (number, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
    let found = match unified {
        true => number == "0" && controllers.is_empty(),
        false => controllers.split(',').any(|controller| controller == "memory"),
    };
    found.then_some(path)
}

fn limit_at(read: Read<'_>, folder: &Path) -> Option<u64> {
    let text = FILES.iter().find_map(|name| read(&folder.join(name)))?;
    text.trim().parse().ok() // or "max"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(files: &[(&str, &str)]) -> Option<u64> {
        let read = |path: &Path| {
            let named = |(name, _): &&(&str, &str)| Path::new(name) == path;
            files.iter().find(named).map(|(_, text)| (*text).to_owned())
        };
        limit_of_groups(&read)
    }

    const V1: (&str, &str) = (
        MOUNTS,
        "22 1 0:20 / /proc rw - proc proc rw\n\
         31 22 0:27 / /sys/fs/cgroup/cpu rw shared:9 - cgroup cgroup rw,cpu\n\
         33 22 0:29 / /sys/fs/cgroup/memory rw shared:11 - cgroup cgroup rw,memory\n",
    );
    const V2: (&str, &str) =
        (MOUNTS, "30 23 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw,nsdelegate\n");

    #[test]
    fn the_limit_of_version_1_is_found_whatever_else_is_mounted() {
        let ours = (GROUPS, "4:cpu,cpuacct:/busy\n3:hugetlb,memory:/small/box\n0::/\n");
        let large = ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
        let small = ("/sys/fs/cgroup/memory/small/box/memory.limit_in_bytes", "67108864\n");
        assert_eq!(limit(&[V1, ours, large, small]), Some(64 << 20));
        let outer = ("/sys/fs/cgroup/memory/small/memory.limit_in_bytes", "33554432\n");
        assert_eq!(limit(&[V1, ours, large, outer, small]), Some(32 << 20), "no more than outside");
    }

    #[test]
    fn the_limit_of_version_2_is_found_and_may_be_none() {
        let ours = (GROUPS, "0::/system.slice/registry.service\n");
        let place = "/sys/fs/cgroup/system.slice/registry.service/memory.max";
        assert_eq!(limit(&[V2, ours, (place, "268435456\n")]), Some(256 << 20));
        assert_eq!(limit(&[V2, ours, (place, "max\n")]), None);
        let outer = ("/sys/fs/cgroup/system.slice/memory.max", "1048576\n");
        assert_eq!(limit(&[V2, ours, (place, "max\n"), outer]), Some(1 << 20));
        assert_eq!(limit(&[V2, ours]), None);
        assert_eq!((limit(&[V2]), limit(&[ours]), limit(&[])), (None, None, None));
    }

    #[test]
    fn inside_a_container_the_group_is_what_is_mounted() {
        let inner = "40 39 0:29 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n";
        let limit_file = ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "67108864\n");
        for group in ["3:memory:/docker/abc\n", "3:memory:/\n", "3:memory:/docker/other\n"] {
            assert_eq!(limit(&[(MOUNTS, inner), (GROUPS, group), limit_file]), Some(64 << 20));
        }
    }

    #[test]
    fn lines_that_are_something_else_are_passed_over() {
        for line in ["", "a b c", "1 2 3 4 5 - cgroup", "1 2 3 / /x rw - tmpfs tmpfs rw"] {
            assert_eq!(mount(line), None, "{line:?}");
        }
        for line in ["", "1", "1:memory", "0:cpu:/x"] {
            assert_eq!(group(line, false), None, "{line:?}");
        }
    }
}
