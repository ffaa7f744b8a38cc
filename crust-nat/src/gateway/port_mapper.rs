//! Ports mapped while they are wanted.

use std::{
    net::IpAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use crust_core::rt::{self, Task};
use futures::Stream;
use ring::rand::{SecureRandom, SystemRandom};
use thiserror::Error;

use super::{
    address::Gateway,
    driver::{Settings, Shared, supervise},
    mapper::{MAX_PORTS, Mapper},
    pcp::Nonces,
    port::{InternalPort, PortRequest},
    report::{MappingProtocol, MappingReport, ProtocolReport},
    watch::Follow,
};

/// How ports are mapped.
#[derive(Debug, Clone)]
pub struct PortMapperConfig {
    lifetime: Duration,
    description: String,
    protocols: Vec<MappingProtocol>,
    gateways: Option<Vec<Gateway>>,
    nonce_key: Option<[u8; 32]>,
}

impl PortMapperConfig {
    /// Leases of this length are asked for; 2 hours by default, which RFC 6886 §3.3 recommends. At least 2 minutes.
    #[must_use]
    pub fn with_lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime.max(MIN_LIFETIME);
        self
    }

    /// What UPnP gateways show to their owner; `crust` by default. 64 characters at most.
    #[must_use]
    pub fn with_description(mut self, description: &str) -> Self {
        self.description = description.chars().take(MAX_DESCRIPTION).collect();
        self
    }

    /// Speaks these protocols alone; all by default.
    #[must_use]
    pub fn with_protocols(mut self, protocols: &[MappingProtocol]) -> Self {
        self.protocols = protocols.to_vec();
        self.protocols.sort_unstable();
        self.protocols.dedup();
        self
    }

    /// Asks these gateways alone; by default those that the system has routes through, followed as they change.
    #[must_use]
    pub fn with_gateways(mut self, gateways: &[Gateway]) -> Self {
        self.gateways = Some(gateways.to_vec());
        self
    }

    /// A secret of this node, the same in each session: so PCP gateways let it take up the mappings of an earlier one
    /// (RFC 6887 §11.3). Random by default.
    #[must_use]
    pub const fn with_nonce_key(mut self, key: [u8; 32]) -> Self {
        self.nonce_key = Some(key);
        self
    }
}

impl Default for PortMapperConfig {
    fn default() -> Self {
        Self {
            lifetime: DEFAULT_LIFETIME,
            description: "crust".to_owned(),
            protocols: MappingProtocol::ALL.to_vec(),
            gateways: None,
            nonce_key: None,
        }
    }
}

/// Maps ports on all gateways, in the background.
///
/// Leases are renewed at half their life. They are made again at once where a gateway forgot them or its address changed, which
/// is noticed within a minute. Nothing that a gateway does or does not is fatal; [`PortMapper::report`] tells it.
///
/// Dropping it stops everything and leaves the mappings to run out; [`PortMapper::shutdown`] deletes them. Some UPnP gateways
/// have no leases (error 725): what they map without a shutdown stays until they restart.
#[derive(Debug)]
pub struct PortMapper {
    shared: Arc<Shared>,
    supervisor: Task<()>,
}

impl PortMapper {
    /// Begins to ask the gateways. Returns at once.
    pub fn start(config: PortMapperConfig) -> Self {
        let shared = Arc::new(Shared::new());
        let (key, seed) = secrets(config.nonce_key);
        let settings = Settings {
            lifetime: config.lifetime,
            description: config.description,
            protocols: config.protocols,
            gateways: config.gateways,
            nonces: Nonces::new(&key),
            seed,
        };
        let supervisor = rt::spawn(supervise(shared.clone(), settings));
        Self { shared, supervisor }
    }

    /// Maps a port from now on.
    ///
    /// # Errors
    ///
    /// [`AddError::Full`] beyond 32 ports.
    pub fn add(&self, request: PortRequest) -> Result<(), AddError> {
        match self.shared.with(|mapper| mapper.add(request)) {
            true => Ok(()),
            false => Err(AddError::Full {
                port: request.port,
                limit: MAX_PORTS,
            }),
        }
    }

    /// Maps a port no more, and deletes its mappings.
    pub fn remove(&self, port: InternalPort) {
        self.shared.with(|mapper| mapper.remove(port));
    }

    /// Takes note that peers see this host at `ip`: a gateway that claims another address is found out by it.
    pub fn observe(&self, ip: IpAddr) {
        self.shared.with(|mapper| mapper.observe(ip));
    }

    /// Looks at everything anew: the network has changed, or the host has slept. Forgets what was observed.
    pub fn refresh(&self) {
        self.shared.with(Mapper::forget_observed);
        self.shared.refresh();
    }

    /// What is mapped, and what each gateway had to say.
    pub fn report(&self) -> Arc<MappingReport> {
        self.shared.reports.value()
    }

    /// The report now, and each that follows. One that was not looked at in time is skipped.
    pub fn reports(&self) -> MappingReports {
        MappingReports(self.shared.reports.follow())
    }

    /// Deletes all mappings, for which it gives the gateways two seconds.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves what is not deleted yet to run out.
    pub async fn shutdown(mut self) {
        self.shared.close();
        let _ = rt::timeout(SHUTDOWN_LIMIT, &mut self.supervisor).await;
    }
}

impl Drop for PortMapper {
    fn drop(&mut self) {
        self.shared.reports.close();
    }
}

/// The reports of a [`PortMapper`], as a stream that ends with it.
#[derive(Debug)]
pub struct MappingReports(Follow<MappingReport>);

impl Stream for MappingReports {
    type Item = Arc<MappingReport>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.0).poll_next(cx)
    }
}

/// Why a port is not mapped.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AddError {
    /// As many ports as there may be are mapped.
    #[error("{port} would be more than {limit} ports")]
    Full {
        /// The port.
        port: InternalPort,
        /// How many there may be.
        limit: usize,
    },
}

/// Which protocols each gateway speaks, with version, external address and epoch. Maps nothing.
///
/// Takes two seconds where one of them is silent, and `limit` at most; milliseconds where all answer.
///
/// # Cancel safety
///
/// Safe.
pub async fn discover(config: PortMapperConfig, limit: Duration) -> Vec<ProtocolReport> {
    let mapper = PortMapper::start(config);
    let complete = async {
        let mut reports = mapper.reports();
        while let Some(report) = futures::StreamExt::next(&mut reports).await {
            if report.is_complete {
                break;
            }
        }
    };
    let _ = rt::timeout(limit, complete).await;
    mapper.report().protocols.clone()
}

/// A key for nonces, and a seed. Without the system's randomness nonces are guessable by whoever knows that, as with NAT-PMP.
fn secrets(key: Option<[u8; 32]>) -> ([u8; 32], u64) {
    let mut random = [0; 40];
    let _ = SystemRandom::new().fill(&mut random);
    let mut fresh = [0; 32];
    fresh.copy_from_slice(&random[..32]);
    let mut seed = [0; 8];
    seed.copy_from_slice(&random[32..]);
    (key.unwrap_or(fresh), u64::from_be_bytes(seed))
}

/// RFC 6886 §3.3.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(7_200);
/// RFC 6887 §15: servers need not grant less.
const MIN_LIFETIME: Duration = Duration::from_secs(120);
/// Long enough for three attempts.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(2);
const MAX_DESCRIPTION: usize = 64;
