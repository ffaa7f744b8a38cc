//! A network namespace without a name: nothing to collide with, and gone with the process.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    os::fd::AsRawFd,
    panic, process, thread,
    time::Duration,
};

use crust_core::rt;
use nix::{
    ifaddrs::getifaddrs,
    net::if_::InterfaceFlags,
    sched::{CloneFlags, setns, unshare},
};

/// A network namespace, for as long as this is held or a process or socket is in it.
#[derive(Debug)]
pub(super) struct Netns(File);

impl Netns {
    /// One with loopback alone, and that down.
    ///
    /// # Panics
    ///
    /// Where there can be none, or where it has a way out.
    pub(super) fn new() -> Self {
        let made = in_thread(|| {
            unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace can be made");
            assert_no_way_out();
            // An address that is being checked for duplicates cannot be used, for two seconds.
            sysctl("net/ipv6/conf/default/accept_dad", 0);
            // Nobody answers those that look for routers.
            sysctl("net/ipv6/conf/default/accept_ra", 0);
            File::open("/proc/thread-self/ns/net").expect("a namespace can be kept")
        });
        Self(made)
    }

    /// Runs `body` in a thread of its own inside. The sockets it makes and the processes it starts stay there.
    pub(super) fn run<T: Send>(&self, body: impl FnOnce() -> T + Send) -> T {
        in_thread(|| {
            setns(&self.0, CloneFlags::CLONE_NEWNET)
                .expect("a namespace that is held can be entered");
            body()
        })
    }

    /// What other programs enter it by, while this process holds it.
    pub(super) fn path(&self) -> String {
        format!("/proc/{}/fd/{}", process::id(), self.0.as_raw_fd())
    }

    /// Waits until all its interfaces that are up can carry packets: what is sent before that is lost.
    ///
    /// # Panics
    ///
    /// When that takes too long.
    pub(super) fn wait_running(&self) {
        self.run(|| {
            let start = rt::now();
            loop {
                let waiting = not_running();
                if waiting.is_empty() {
                    return;
                }
                let is_in_time = start.elapsed() < RUNNING_LIMIT;
                assert!(is_in_time, "interfaces that never run: {waiting:?}");
                thread::sleep(LOOK_EVERY);
            }
        });
    }
}

/// Whether this process may make namespaces.
pub(super) fn is_possible() -> bool {
    in_thread(|| unshare(CloneFlags::CLONE_NEWNET).is_ok())
}

/// Sets a variable below /proc/sys of the namespace that the calling thread is in.
///
/// # Panics
///
/// Where there is none.
pub(super) fn sysctl(name: &str, value: u64) {
    fs::write(format!("/proc/sys/{name}"), value.to_string())
        .unwrap_or_else(|error| panic!("{name} is not {value}: {error}"));
}

/// In a thread of the caller's name, which is that of the test where it panics.
fn in_thread<T: Send>(body: impl FnOnce() -> T + Send) -> T {
    let name = thread::current().name().unwrap_or("netlab").to_owned();
    thread::scope(|scope| {
        let thread = thread::Builder::new().name(name);
        let thread = thread
            .spawn_scoped(scope, body)
            .expect("a thread can be started");
        thread
            .join()
            .unwrap_or_else(|cause| panic::resume_unwind(cause))
    })
}

fn assert_no_way_out() {
    // Not /proc/net, which is the main thread's.
    let links = fs::read_to_string("/proc/thread-self/net/dev").expect("/proc is there");
    let links: Vec<_> = links.lines().skip(2).collect();
    let is_loopback_alone = links
        .iter()
        .all(|link| link.trim_start().starts_with("lo:"));
    assert!(is_loopback_alone, "the namespace has a way out: {links:?}");
}

fn not_running() -> BTreeSet<String> {
    let interfaces = getifaddrs().expect("interfaces can be listed");
    let is_waiting = |flags: InterfaceFlags| {
        flags.contains(InterfaceFlags::IFF_UP) && !flags.contains(InterfaceFlags::IFF_RUNNING)
    };
    interfaces
        .filter(|it| is_waiting(it.flags))
        .map(|it| it.interface_name)
        .collect()
}

/// The kernel may take a second to notice that a cable is plugged in.
const RUNNING_LIMIT: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(2);
