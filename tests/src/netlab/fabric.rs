//! The thread that carries packets between the leaves' TUN devices.

use std::{
    collections::BTreeMap,
    fmt, io,
    mem::MaybeUninit,
    net::IpAddr,
    num::NonZeroU64,
    os::fd::OwnedFd,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use bytes::Bytes;
use crust_core::{rt, simnet::Link};
use rustix::{
    event::{EventfdFlags, PollFd, PollFlags, Timespec, epoll, eventfd, poll},
    io::{retry_on_intr, write},
    thread::set_current_timer_slack,
};
use tun_rs::SyncDevice;

use super::{internet::Internet, pcap::Pcap, routes::LeafId};

/// The lab's internet, running. Ends with its last handle.
#[derive(Debug)]
pub(super) struct Fabric {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Fabric {
    /// Starts the thread. The same `seed` and the same packets at the same times have the same fate.
    pub(super) fn start(seed: u64) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let wake = eventfd(0, EventfdFlags::CLOEXEC)?;
        let edge = epoll::EventFlags::IN | epoll::EventFlags::ET;
        epoll::add(&epoll, &wake, epoll::EventData::new_u64(WAKE), edge)?;
        let state = State {
            internet: Internet::new(seed, rt::now()),
            devices: BTreeMap::new(),
            pcap: None,
            last_leaf: 0,
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            epoll,
            wake,
            is_stopping: AtomicBool::new(false),
        });
        let driver = shared.clone();
        let thread = thread::Builder::new()
            .name("netlab".into())
            .spawn(move || driver.run())?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Joins a leaf by its device; what is for `ips` goes there.
    pub(super) fn add_leaf(
        &self,
        device: SyncDevice,
        ips: &[IpAddr],
        link: Link,
    ) -> io::Result<LeafId> {
        device.set_nonblocking(true)?;
        let mut state = self.shared.lock();
        state.last_leaf += 1;
        let leaf = LeafId(state.last_leaf);
        let data = epoll::EventData::new_u64(leaf.0.into());
        epoll::add(&self.shared.epoll, &device, data, epoll::EventFlags::IN)?;
        state.devices.insert(leaf, device);
        state.internet.set_links(leaf, link.clone(), link);
        for ip in ips {
            state.internet.routes_mut().add((*ip).into(), leaf);
        }
        Ok(leaf)
    }

    /// Takes a leaf off, and what is on its way to it.
    pub(super) fn remove_leaf(&self, leaf: LeafId) {
        let mut state = self.shared.lock();
        state.internet.routes_mut().remove_leaf(leaf);
        // Closing it takes it out of the epoll instance.
        state.devices.remove(&leaf);
    }

    /// Changes something of the internet, at once.
    pub(super) fn change(&self, change: impl FnOnce(&mut Internet)) {
        change(&mut self.shared.lock().internet);
        self.shared.wake();
    }

    /// Looks at something of the internet.
    pub(super) fn look<T>(&self, look: impl FnOnce(&Internet) -> T) -> T {
        look(&self.shared.lock().internet)
    }

    /// Writes each packet that a leaf sends from now on to a file, or no longer.
    pub(super) fn capture(&self, path: Option<&Path>) -> io::Result<()> {
        let pcap = path.map(Pcap::create).transpose()?;
        let before = std::mem::replace(&mut self.shared.lock().pcap, pcap);
        before.map_or(Ok(()), |mut pcap| pcap.flush())
    }
}

impl Drop for Fabric {
    fn drop(&mut self) {
        self.shared.is_stopping.store(true, Ordering::Relaxed);
        self.shared.wake();
        if let Some(thread) = self.thread.take() {
            // What made it panic has been printed, and this may be another panic's unwinding.
            let _ = thread.join();
        }
    }
}

struct Shared {
    state: Mutex<State>,
    epoll: OwnedFd,
    wake: OwnedFd,
    is_stopping: AtomicBool,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

struct State {
    internet: Internet,
    devices: BTreeMap<LeafId, SyncDevice>,
    pcap: Option<Pcap>,
    last_leaf: u16,
}

impl Shared {
    fn run(&self) {
        // Else the kernel may wake it 50 µs late, at each of four links.
        let _ = set_current_timer_slack(Some(NonZeroU64::MIN));
        let mut buffer = vec![0; MAX_PACKET];
        let mut events = [MaybeUninit::uninit(); MAX_EVENTS];
        while !self.is_stopping.load(Ordering::Relaxed) {
            let timeout = self.lock().deliver();
            let events = self.wait(timeout, &mut events);
            for event in events.unwrap_or_else(|error| panic!("the lab cannot wait: {error}")) {
                if let Ok(leaf) = u16::try_from(event.data.u64()) {
                    self.lock().receive(LeafId(leaf), &mut buffer);
                }
            }
        }
    }

    /// Waits for packets of leaves.
    fn wait<'a>(
        &self,
        timeout: Option<Duration>,
        events: &'a mut [MaybeUninit<epoll::Event>],
    ) -> io::Result<&'a mut [epoll::Event]> {
        let timeout =
            timeout.map(|it| Timespec::try_from(it).expect("no link delays for 292 years"));
        // By this one, because epoll's own time-outs have whole milliseconds.
        let mut fds = [PollFd::new(&self.epoll, PollFlags::IN)];
        retry_on_intr(|| poll(&mut fds, timeout.as_ref()))?;
        let none = Timespec::default();
        let (events, _) = epoll::wait(&self.epoll, events, Some(&none))?;
        Ok(events)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        // It fails where nobody has read 2⁶⁴ of them, and nobody reads them.
        let _ = write(&self.wake, &1_u64.to_ne_bytes());
    }
}

impl State {
    /// Hands out what has arrived, and tells how long until more does.
    fn deliver(&mut self) -> Option<Duration> {
        let now = rt::now();
        self.internet.handle_timeout(now);
        while let Some((leaf, packet)) = self.internet.poll_output() {
            if let Some(device) = self.devices.get(&leaf) {
                // One that is going away takes none; the packet is lost as on any network.
                let _ = device.send(&packet);
            }
        }
        let next = self.internet.poll_timeout()?;
        Some(next.saturating_duration_since(now))
    }

    /// Takes what a leaf has sent, some of it: other leaves have their turn too.
    fn receive(&mut self, leaf: LeafId, buffer: &mut [u8]) {
        for _ in 0..BURST {
            let Some(Ok(len)) = self.devices.get(&leaf).map(|device| device.recv(buffer)) else {
                return;
            };
            let packet = &buffer[..len];
            if let Some(pcap) = &mut self.pcap {
                pcap.add(rt::unix_time(), packet)
                    .expect("the capture can be written");
            }
            let packet = Bytes::copy_from_slice(packet);
            self.internet.handle_packet(rt::now(), leaf, packet);
        }
    }
}

/// No leaf has this number.
const WAKE: u64 = u64::MAX;
/// No IP packet is longer.
const MAX_PACKET: usize = 65_536;
const MAX_EVENTS: usize = 64;
/// Packets of one leaf in a row; some hundred microseconds.
const BURST: usize = 64;
