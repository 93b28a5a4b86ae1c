//! What Linux tells of a process: its CPU time and its memory.

use std::fs;
use std::time::Duration;

/// CPU time of this thread so far.
pub fn own_cpu() -> Duration {
    let text =
        fs::read_to_string("/proc/thread-self/schedstat").expect("Linux tells the CPU time of threads");
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

/// CPU time of a process so far, user and system, to a hundredth of a second.
pub fn cpu(process: u32) -> Duration {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).expect("the server lives");
    // The name in parentheses may hold anything; user and system time are the 14th and 15th field.
    let fields: Vec<&str> = text.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

/// Resident memory of a process, in MiB.
pub fn resident(process: u32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{process}/status")).expect("the server lives");
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
}
