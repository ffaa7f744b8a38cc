//! What this process has taken from the machine.

use serde::{Deserialize, Serialize};

/// What a process has taken. `None` where the system does not tell.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Usage {
    /// Processor time so far, of all threads.
    pub(crate) cpu_s: Option<f64>,
    /// Resident memory now.
    pub(crate) rss_bytes: Option<u64>,
}

impl Usage {
    /// This process, now.
    pub(crate) fn now() -> Self {
        Self {
            cpu_s: cpu_s(),
            rss_bytes: rss_bytes(),
        }
    }

    /// Processor time since `before`.
    pub(crate) fn cpu_since(&self, before: &Self) -> Option<f64> {
        Some(self.cpu_s? - before.cpu_s?)
    }
}

#[cfg(unix)]
fn cpu_s() -> Option<f64> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Some(time.tv_sec as f64 + time.tv_nsec as f64 / 1e9)
}

#[cfg(not(unix))]
fn cpu_s() -> Option<f64> {
    None
}

#[cfg(target_os = "linux")]
fn rss_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kib * 1024)
}

#[cfg(not(target_os = "linux"))]
fn rss_bytes() -> Option<u64> {
    let bytes = memory_stats::memory_stats()?.physical_mem;
    u64::try_from(bytes).ok()
}

/// Allows as many open files as the system lets this process have. Returns how many, where it is known.
#[cfg(unix)]
pub(crate) fn raise_open_files() -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    }
}

/// Windows has no such limit.
#[cfg(not(unix))]
pub(crate) fn raise_open_files() -> Option<u64> {
    None
}
