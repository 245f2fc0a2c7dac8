//! What `/proc` says about a process, its threads and its children.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::time::Duration;

/// Clock ticks per second of `/proc/PID/stat`: fixed by Linux's ABI on every common architecture.
const TICKS: u64 = 100;

/// A process and all that descend from it.
pub(crate) fn tree(root: u32) -> io::Result<Vec<u32>> {
    let mut parents = HashMap::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        // A process may end while we look.
        if let Some(parent) = stat(pid).and_then(|fields| fields.get(1)?.parse::<u32>().ok()) {
            parents.insert(pid, parent);
        }
    }
    let mut pids = vec![root];
    let mut next = 0;
    while let Some(pid) = pids.get(next).copied() {
        let children = parents.iter().filter(|(_, parent)| **parent == pid);
        pids.extend(children.map(|(pid, _)| *pid));
        next += 1;
    }
    Ok(pids)
}

/// CPU time that each thread has used, user and system, by thread id.
pub(crate) type CpuTimes = HashMap<u32, Duration>;

/// User and system time of every thread of these processes. `/proc/PID/stat` counts ticks of
/// 10 ms; `schedstat` has the same time in nanoseconds, so it is read where the kernel keeps it.
pub(crate) fn cpu(pids: &[u32]) -> CpuTimes {
    let mut times = CpuTimes::new();
    for pid in pids {
        let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
            continue;
        };
        for thread in threads.flatten() {
            let Some(tid) = thread.file_name().to_str().and_then(|tid| tid.parse().ok()) else {
                continue;
            };
            let path = format!("/proc/{pid}/task/{tid}");
            if let Some(time) = precise(&path).or_else(|| ticked(&path)) {
                times.insert(tid, time);
            }
        }
    }
    times
}

/// CPU time between two readings; a thread that ended between them counts nothing.
pub(crate) fn between(before: &CpuTimes, after: &CpuTimes) -> Duration {
    let spent = after.iter().map(|(tid, time)| {
        let start = before.get(tid).copied().unwrap_or_default();
        time.saturating_sub(start)
    });
    spent.sum()
}

/// Resident memory of these processes in KiB: now, and the sum of their peaks.
pub(crate) fn memory(pids: &[u32]) -> (u64, u64) {
    let mut now = 0;
    let mut peak = 0;
    for pid in pids {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        now += kibibytes(&status, "VmRSS:");
        peak += kibibytes(&status, "VmHWM:");
    }
    (now, peak)
}

/// The first two processors that we may run on.
pub(crate) fn two_cores() -> Option<(usize, usize)> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let list = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    let mut cores = list.trim().split(',').flat_map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let first = first.parse::<usize>().unwrap_or(0);
        first..=last.parse::<usize>().unwrap_or(first)
    });
    Some((cores.next()?, cores.next()?))
}

fn precise(path: &str) -> Option<Duration> {
    let text = fs::read_to_string(format!("{path}/schedstat")).ok()?;
    let nanos = text.split(' ').next()?.parse().ok()?;
    Some(Duration::from_nanos(nanos))
}

fn ticked(path: &str) -> Option<Duration> {
    let text = fs::read_to_string(format!("{path}/stat")).ok()?;
    let fields = after_name(&text)?;
    let user = fields.get(11)?.parse::<u64>().ok()?;
    let system = fields.get(12)?.parse::<u64>().ok()?;
    Some(Duration::from_millis((user + system) * 1000 / TICKS))
}

fn stat(pid: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields = after_name(&text)?;
    Some(fields.into_iter().map(str::to_owned).collect())
}

/// The fields after the name, which may itself hold blanks and parentheses: state, parent, ...
fn after_name(stat: &str) -> Option<Vec<&str>> {
    let (_, fields) = stat.rsplit_once(") ")?;
    Some(fields.split_ascii_whitespace().collect())
}

fn kibibytes(status: &str, field: &str) -> u64 {
    let value = status.lines().find_map(|line| line.strip_prefix(field));
    let number = value.and_then(|value| value.split_ascii_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_process_has_memory_and_time() {
        let pids = tree(std::process::id()).unwrap();
        let (now, peak) = memory(&pids);
        assert!(now > 0 && peak >= now);
        assert!(!cpu(&pids).is_empty());
    }

    #[test]
    fn names_with_parentheses_do_not_shift_fields() {
        let fields = after_name("12 (a) b) c) S 7 12").unwrap();
        assert_eq!(fields, ["S", "7", "12"]);
    }
}
