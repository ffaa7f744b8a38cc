//! The task of a beacon: follows the interfaces, and keeps the machine's time.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use crust_core::rt::{self, Task};
use futures::future::select;
use tracing::{info, warn};

use crate::{
    interface::Interface,
    interfaces, reader,
    shared::Shared,
    sockets::{SocketKind, Sockets},
};

/// Runs a beacon until it is closed, and says goodbye then.
pub(crate) async fn run(shared: Arc<Shared>, port: u16, loopback: bool) {
    let mut links = Links::new(shared.clone(), port);
    let mut look_at = rt::now();
    while !shared.is_closing() {
        if rt::now() >= look_at {
            links.update(list(loopback).await);
            look_at = rt::now() + LOOK_INTERVAL;
        }
        shared.with(|machine, now| machine.handle_timeout(now));
        wait(&shared, look_at).await;
    }
    shared.with(|machine, now| machine.goodbye(now));
    shared.set_sockets(BTreeMap::new());
    shared.end();
}

/// Waits until there is something to do.
async fn wait(shared: &Shared, look_at: Instant) {
    let timeout = shared.next_timeout();
    let until = timeout.map_or(look_at, |timeout| timeout.min(look_at));
    let changed = std::pin::pin!(shared.changed.notified());
    let slept = std::pin::pin!(rt::sleep_until(until));
    select(changed, slept).await;
}

async fn list(loopback: bool) -> io::Result<Vec<Interface>> {
    let listed = rt::unblock(move || interfaces::list(loopback)).await;
    listed.unwrap_or_else(|cancelled| Err(io::Error::other(cancelled)))
}

/// The links that are up, and the tasks that read their sockets.
struct Links {
    shared: Arc<Shared>,
    port: u16,
    open: BTreeMap<u32, Open>,
    /// What was warned of already: each kind of trouble once.
    warned: BTreeSet<Trouble>,
}

struct Open {
    interface: Interface,
    sockets: Arc<Sockets>,
    /// Dropping them closes the sockets.
    _readers: Vec<Task<()>>,
}

/// What an operator should know of, once.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Trouble {
    Interfaces,
    PortTaken,
    Socket(u32),
}

impl Links {
    fn new(shared: Arc<Shared>, port: u16) -> Self {
        Self {
            shared,
            port,
            open: BTreeMap::new(),
            warned: BTreeSet::new(),
        }
    }

    /// Opens and closes sockets so that they are those of `listed`, and tells the machine.
    fn update(&mut self, listed: io::Result<Vec<Interface>>) {
        let interfaces = match listed {
            Ok(interfaces) => interfaces,
            Err(error) => {
                return self.warn(Trouble::Interfaces, &error, "interfaces cannot be listed");
            }
        };
        let mut old = std::mem::take(&mut self.open);
        let mut mended = Vec::new();
        for interface in interfaces {
            let open = match old.remove(&interface.index) {
                Some(open) if open.interface == interface => self.mend(open, &mut mended),
                _ => self.open(interface),
            };
            self.open.insert(open.interface.index, open);
        }
        drop(old);
        self.tell(&mended);
    }

    /// Tells the machine which links there are, and which of them have sockets that they did not have before.
    fn tell(&self, mended: &[u32]) {
        let open = self.open.iter();
        let sockets = open.map(|(index, open)| (*index, open.sockets.clone()));
        self.shared.set_sockets(sockets.collect());
        let open = self.open.values();
        let links = open.map(|open| (open.interface.clone(), open.sockets.hear()));
        let links = links.collect();
        self.shared.with(|machine, now| {
            machine.set_links(now, links);
            let mended = mended.iter();
            mended.for_each(|index| machine.say_again(now, *index));
        });
    }

    fn open(&mut self, interface: Interface) -> Open {
        let mut failures = Vec::new();
        let sockets = Sockets::open(&interface, self.port, |kind, error| {
            failures.push((kind, error));
        });
        for (kind, error) in failures {
            self.warn_of_socket(&interface, kind, &error);
        }
        tracing::debug!(
            interface = interface.name,
            hears = sockets.hear(),
            "link opened"
        );
        self.read(interface, sockets)
    }

    /// Tries again to open the sockets that are missing, without a word if there is none more.
    fn mend(&self, open: Open, mended: &mut Vec<u32>) -> Open {
        if open.sockets.missing() == 0 {
            return open;
        }
        let sockets = Sockets::open(&open.interface, self.port, |_, _| {});
        if sockets.missing() >= open.sockets.missing() {
            return open;
        }
        let (interface, port) = (open.interface, self.port);
        mended.push(interface.index);
        if sockets.hear() && !open.sockets.hear() {
            info!(interface = interface.name, port, "beacon has its port");
        }
        self.read(interface, sockets)
    }

    fn read(&self, interface: Interface, sockets: Sockets) -> Open {
        let index = interface.index;
        let readers = sockets.all().map(|socket| {
            let (shared, socket) = (self.shared.clone(), socket.clone());
            rt::spawn(reader::read(shared, index, socket))
        });
        Open {
            interface,
            _readers: readers.collect(),
            sockets: Arc::new(sockets),
        }
    }

    fn warn_of_socket(&mut self, interface: &Interface, kind: SocketKind, error: &io::Error) {
        if kind == SocketKind::Shared && error.kind() == io::ErrorKind::AddrInUse {
            let port = self.port;
            let what = "another program has the beacon's port; neighbours are found by asking only";
            if self.warned.insert(Trouble::PortTaken) {
                warn!(port, %error, "{what}");
            }
            return;
        }
        self.warn(
            Trouble::Socket(interface.index),
            error,
            "beacon cannot use an interface",
        );
    }

    fn warn(&mut self, trouble: Trouble, error: &io::Error, what: &'static str) {
        if self.warned.len() < MAX_WARNINGS && self.warned.insert(trouble) {
            warn!(%error, "{what}");
        }
    }
}

/// An address that changed is announced within it, and found again within three seconds on the worst of days.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// Interfaces that come and go by the thousand do not fill the log.
const MAX_WARNINGS: usize = 64;
