//! How much memory the machine, or the container, has left. Known on Linux; elsewhere nothing is said.

use std::fs;

/// A part of all memory that is kept free: one in so many.
const SPARED: u64 = 12;

/// Hardly any is left.
pub(crate) fn is_short() -> bool {
    let machine = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let left = |total: Option<u64>, free: Option<u64>| match (total, free) {
        (Some(total), Some(free)) => free < total / SPARED,
        _ => false,
    };
    left(field(&machine, "MemTotal:"), field(&machine, "MemAvailable:")) || {
        let most = number("/sys/fs/cgroup/memory.max");
        let stat = fs::read_to_string("/sys/fs/cgroup/memory.stat").unwrap_or_default();
        let free = most
            .zip(field(&stat, "anon"))
            .map(|(most, used)| most.saturating_sub(used));
        left(most, free)
    }
}

/// A number behind a name. The units of a file are the same.
fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line?.split_whitespace().next()?.parse().ok()
}

/// None where there is no limit.
fn number(file: &str) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_behind_its_name() {
        let text = "MemTotal:       24626432 kB\nMemFree:  100 kB\nMemAvailable:   22 kB\n";
        assert_eq!(field(text, "MemTotal:"), Some(24_626_432));
        assert_eq!(field(text, "MemAvailable:"), Some(22));
        assert_eq!(field("anon 7\nanon_thp 9\n", "anon"), Some(7));
        assert_eq!(field(text, "Other:"), None);
    }
}
