//! The discoveries that come with the crate: the cache, the LAN, gossip.

use std::sync::Arc;

use crust_core::{Announcement, Discovery, DiscoveryError, SignedRecord};
use crust_crypto::{Identity, NetworkKey};

#[cfg(any(feature = "beacon", feature = "bootstrap"))]
use crust_crypto::Ed25519Verifier;
#[cfg(feature = "bootstrap")]
use {
    crate::sync::lock, crust_bootstrap::PeerCache, crust_core::Contact, std::path::PathBuf,
    std::sync::Mutex,
};
#[cfg(feature = "gossip")]
use {
    crate::{
        control::{Channel, Switchboard},
        node::{control_line::ControlLine, inner::Inner},
    },
    crust_beacon::gossip::Gossip,
    std::{
        hash::{BuildHasher, RandomState},
        sync::Weak,
    },
};
#[cfg(feature = "beacon")]
use {crust_beacon::Beacon, crust_crypto::NetworkSealer, std::net::IpAddr};

/// Which of them a node is to have.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    #[cfg(feature = "bootstrap")]
    pub(crate) cache: Option<CacheFile>,
    #[cfg(feature = "bootstrap")]
    pub(crate) contacts: Vec<Contact>,
    #[cfg(feature = "beacon")]
    pub(crate) lan: Option<Lan>,
    #[cfg(feature = "gossip")]
    pub(crate) gossip: bool,
}

/// Where a node's cache is.
#[cfg(feature = "bootstrap")]
#[derive(Debug)]
pub(crate) enum CacheFile {
    /// In the user's data directory.
    Default,
    At(PathBuf),
}

/// How a node looks for others on the networks that it is in.
#[cfg(feature = "beacon")]
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lan {
    /// The UDP port that the nodes of a LAN share; 5483.
    pub port: u16,
    /// Hosts to ask one by one, where the network lets no broadcast through; none. Those in the cache are asked too.
    pub probes: Vec<IpAddr>,
    /// Whether the loopback interface is used instead of all others, for nodes of this host that nobody else is to hear;
    /// no. Of no use on Windows, whose loopback interface carries nothing that goes to everybody.
    pub loopback: bool,
}

#[cfg(feature = "beacon")]
impl Default for Lan {
    fn default() -> Self {
        Self {
            port: Beacon::DEFAULT_PORT,
            probes: Vec::new(),
            loopback: false,
        }
    }
}

/// Those that a node has.
#[derive(Debug, Default)]
pub(crate) struct Finders {
    #[cfg(feature = "bootstrap")]
    pub(crate) cache: Option<PeerCache>,
    #[cfg(feature = "beacon")]
    pub(crate) beacon: Option<Arc<Beacon>>,
    #[cfg(feature = "gossip")]
    pub(crate) gossip: Option<Arc<Gossip>>,
    /// Those that the beacon was told to ask last.
    #[cfg(all(feature = "beacon", feature = "bootstrap"))]
    probed: Mutex<Vec<IpAddr>>,
    /// Hosts that the application wants to be asked on the LAN.
    #[cfg(all(feature = "beacon", feature = "bootstrap"))]
    probes: Vec<IpAddr>,
    /// The networks that the cache knows this machine to be in.
    #[cfg(feature = "bootstrap")]
    prefixes: Mutex<Vec<ipnet::IpNet>>,
}

impl Finders {
    /// Starts what is wanted.
    #[cfg_attr(
        not(feature = "bootstrap"),
        expect(clippy::unused_async, reason = "the cache is read")
    )]
    pub(crate) async fn start(
        wanted: Wanted,
        identity: &Arc<Identity>,
        network: &NetworkKey,
    ) -> Self {
        let _ = (&wanted, identity, network);
        #[cfg(feature = "beacon")]
        let knows_others = [
            #[cfg(feature = "bootstrap")]
            wanted.cache.is_some(),
            #[cfg(feature = "gossip")]
            wanted.gossip,
        ]
        .contains(&true);
        Self {
            #[cfg(all(feature = "beacon", feature = "bootstrap"))]
            probed: Mutex::default(),
            #[cfg(all(feature = "beacon", feature = "bootstrap"))]
            probes: wanted
                .lan
                .as_ref()
                .map(|lan| lan.probes.clone())
                .unwrap_or_default(),
            #[cfg(feature = "bootstrap")]
            cache: open_cache(wanted.cache, wanted.contacts, identity, network).await,
            #[cfg(feature = "beacon")]
            beacon: wanted
                .lan
                .map(|lan| start_beacon(lan, identity, network, knows_others)),
            #[cfg(feature = "gossip")]
            gossip: None,
            #[cfg(feature = "bootstrap")]
            prefixes: Mutex::default(),
        }
    }

    /// Starts gossip, for which there must be a node.
    #[cfg(feature = "gossip")]
    pub(crate) fn start_gossip(
        &mut self,
        inner: Weak<Inner>,
        switchboard: &Switchboard,
        identity: &Arc<Identity>,
    ) {
        let line = ControlLine::new(inner, Channel::Gossip);
        let events = switchboard.open(Channel::Gossip);
        let gossip = Gossip::start(line, events, identity.clone(), Ed25519Verifier);
        self.gossip = Some(Arc::new(gossip));
    }

    /// Announces on the LAN what is bound: the beacon knows which address each link has.
    #[cfg_attr(
        not(feature = "beacon"),
        expect(clippy::unused_async, reason = "the beacon is told")
    )]
    pub(crate) async fn announce(
        &self,
        bound: &Announcement,
    ) -> Result<(), (&'static str, DiscoveryError)> {
        let _ = bound;
        #[cfg(feature = "beacon")]
        if let Some(beacon) = &self.beacon {
            let announced = beacon.announce(bound).await;
            return announced.map_err(|error| (beacon.name(), error));
        }
        Ok(())
    }

    /// Those that are told where this node is by the addresses that mean something elsewhere too.
    pub(crate) fn announcing(&self) -> Vec<Arc<dyn Discovery>> {
        #[cfg(feature = "gossip")]
        if let Some(gossip) = &self.gossip {
            return vec![gossip.clone()];
        }
        Vec::new()
    }

    /// The node has a session with somebody, or has none any more.
    pub(crate) fn set_online(&self, online: bool) {
        let _ = online;
        #[cfg(feature = "bootstrap")]
        if let Some(cache) = &self.cache {
            cache.set_online(online);
        }
    }

    /// As discoveries, in the order in which they are asked.
    pub(crate) fn discoveries(&self) -> Vec<Arc<dyn Discovery>> {
        #[cfg_attr(
            not(any(feature = "beacon", feature = "bootstrap")),
            expect(unused_mut, reason = "there is none to add")
        )]
        let mut discoveries: Vec<Arc<dyn Discovery>> = Vec::new();
        #[cfg(feature = "bootstrap")]
        if let Some(cache) = &self.cache {
            discoveries.push(Arc::new(cache.clone()));
        }
        #[cfg(feature = "beacon")]
        if let Some(beacon) = &self.beacon {
            discoveries.push(beacon.clone());
        }
        #[cfg(feature = "gossip")]
        if let Some(gossip) = &self.gossip {
            discoveries.push(gossip.clone());
        }
        discoveries
    }

    /// Looks at the networks that this machine is in now.
    pub(crate) fn on_interfaces(&self) {
        #[cfg(feature = "bootstrap")]
        if let Some(cache) = &self.cache {
            let prefixes = super::endpoints::prefixes();
            let mut known = lock(&self.prefixes);
            if *known != prefixes {
                known.clone_from(&prefixes);
                cache.set_lans(prefixes);
            }
        }
        #[cfg(all(feature = "beacon", feature = "bootstrap"))]
        self.probe();
    }

    /// Has the hosts asked that the application named, and those of cached peers on the networks that this machine is in.
    #[cfg(all(feature = "beacon", feature = "bootstrap"))]
    fn probe(&self) {
        let (Some(cache), Some(beacon)) = (&self.cache, &self.beacon) else {
            return;
        };
        let mut hosts = self.probes.clone();
        hosts.extend(hosts_on_links(cache));
        hosts.sort_unstable();
        hosts.dedup();
        let mut probed = lock(&self.probed);
        if *probed != hosts {
            beacon.probe(&hosts);
            *probed = hosts;
        }
    }

    /// Signed records of `most` peers at most, for others: a random choice of the best that are cached, and then of those
    /// that gossip tells of.
    pub(crate) fn contacts(&self, most: usize) -> Vec<SignedRecord> {
        #[cfg_attr(
            not(any(feature = "gossip", feature = "bootstrap")),
            expect(unused_mut, reason = "nobody is known")
        )]
        let mut contacts = Vec::new();
        #[cfg(feature = "bootstrap")]
        if let Some(cache) = &self.cache {
            contacts.extend(cache.records(most));
        }
        #[cfg(feature = "gossip")]
        if let Some(gossip) = &self.gossip {
            let mut known = gossip.known();
            known.retain(|known| !contacts.contains(&known.signed));
            // A map's order is as random as is needed here, and costs no generator.
            let random = RandomState::new();
            known.sort_by_cached_key(|known| random.hash_one(known.version));
            let missing = most.saturating_sub(contacts.len());
            contacts.extend(known.into_iter().map(|known| known.signed).take(missing));
        }
        let _ = most;
        contacts
    }

    /// Remembers a record whose signature was checked.
    pub(crate) fn learn(&self, record: &SignedRecord) {
        let _ = record;
        #[cfg(feature = "bootstrap")]
        if let Some(cache) = &self.cache
            && let Err(error) = cache.learn(record.clone())
        {
            tracing::debug!(%error, "record not kept");
        }
    }

    /// Says goodbye, and saves what is to be saved.
    pub(crate) async fn shutdown(&self) {
        let goodbye = async {
            #[cfg(feature = "beacon")]
            if let Some(beacon) = &self.beacon {
                beacon.shutdown().await;
            }
        };
        let save = async {
            #[cfg(feature = "bootstrap")]
            if let Some(cache) = &self.cache {
                cache.shutdown().await;
            }
        };
        futures::join!(goodbye, save);
    }
}

#[cfg(feature = "bootstrap")]
async fn open_cache(
    file: Option<CacheFile>,
    contacts: Vec<Contact>,
    identity: &Identity,
    network: &NetworkKey,
) -> Option<PeerCache> {
    if file.is_none() && contacts.is_empty() {
        return None;
    }
    let path = match file {
        Some(CacheFile::At(path)) => Some(path),
        Some(CacheFile::Default) => default_cache_file(network),
        None => None,
    };
    let mut builder = PeerCache::builder(identity.peer_id(), Arc::new(Ed25519Verifier))
        .contacts(contacts)
        .lans(super::endpoints::prefixes());
    if let Some(path) = path {
        builder = builder.file(path);
    }
    Some(builder.open().await)
}

/// Where the cache of a network is by default; `None` where the user has no home.
#[cfg(feature = "bootstrap")]
pub(crate) fn default_cache_file(network: &NetworkKey) -> Option<PathBuf> {
    crust_bootstrap::default_path(&network.id())
}

#[cfg(feature = "beacon")]
fn start_beacon(
    lan: Lan,
    identity: &Arc<Identity>,
    network: &NetworkKey,
    offers_contacts: bool,
) -> Arc<Beacon> {
    let mut builder = Beacon::builder(Arc::new(NetworkSealer::new(network)))
        .with_port(lan.port)
        .with_signer(identity.clone())
        .with_verifier(Arc::new(Ed25519Verifier))
        .with_probes(lan.probes);
    if offers_contacts {
        builder = builder.with_contacts();
    }
    if lan.loopback {
        builder = builder.with_loopback();
    }
    Arc::new(builder.start())
}

/// Hosts of cached peers that are on a link of this node's.
#[cfg(all(feature = "beacon", feature = "bootstrap"))]
fn hosts_on_links(cache: &PeerCache) -> Vec<IpAddr> {
    let peers = cache.list();
    let addrs = peers.iter().flat_map(|peer| &peer.addrs);
    let on_links = addrs.filter(|addr| addr.lan.is_some());
    on_links
        .filter_map(|addr| addr.addr.socket_addr())
        .map(|addr| addr.ip())
        .collect()
}
