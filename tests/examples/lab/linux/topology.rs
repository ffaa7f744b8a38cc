//! Who is where, and how that is shown.

use std::fmt;

use crust_tests::netlab::{Host, IgdConfig, Lab, Nat, Router, RouterBuilder, Traffic};

use super::options::Options;

/// All that is in the lab.
#[derive(Debug)]
pub(crate) struct Topology {
    server: Host,
    /// Held, or nobody would forward.
    cgn: Option<Router>,
    sites: Vec<Site>,
    delay_ms: f64,
    loss_percent: f64,
}

/// A router and what is behind it.
#[derive(Debug)]
struct Site {
    router: Router,
    hosts: Vec<Host>,
    has_igd: bool,
}

impl Topology {
    pub(crate) fn build(lab: &Lab, options: &Options) -> Self {
        let cgn = options.cgn.map(|nat| {
            let cgn = lab.router("22.0.0.1").with_lan("100.64.0.0/16");
            cgn.with_nat(nat).build()
        });
        let nats = options.nats.iter().enumerate();
        let sites = nats.map(|(number, nat)| {
            let router = match &cgn {
                Some(cgn) => lab.router_behind(cgn),
                None => lab.router(&format!("26.0.{number}.1")),
            };
            Site::build(router, *nat, number, options)
        });
        Self {
            sites: sites.collect(),
            server: lab.public(&[SERVER, "21.0.0.10", "2d00:1::10"]),
            cgn,
            delay_ms: options.delay,
            loss_percent: options.loss,
        }
    }

    pub(crate) fn server(&self) -> &Host {
        &self.server
    }

    /// All hosts, with a name for each.
    pub(crate) fn hosts(&self) -> Vec<(String, &Host)> {
        let inside = self.sites.iter().flat_map(|site| &site.hosts);
        let inside = inside
            .enumerate()
            .map(|(number, host)| (format!("host{}", number + 1), host));
        [("server".to_owned(), &self.server)]
            .into_iter()
            .chain(inside)
            .collect()
    }

    fn fmt_site(
        &self,
        f: &mut fmt::Formatter<'_>,
        site: &Site,
        names: &mut impl Iterator<Item = String>,
    ) -> fmt::Result {
        let indent = if self.cgn.is_some() { "  │  " } else { "  " };
        let kind = name_of(site.router.nat());
        let igd = if site.has_igd { ", port mapping" } else { "" };
        writeln!(
            f,
            "{indent}├─ router   {:<24} {kind}{igd}",
            site.router.wan()
        )?;
        for (number, host) in site.hosts.iter().enumerate() {
            let name = names.next().unwrap_or_default();
            let branch = if number + 1 == site.hosts.len() {
                "└"
            } else {
                "├"
            };
            writeln!(f, "{indent}│  {branch}─ {name:<7} {}", addresses(host))?;
        }
        Ok(())
    }
}

impl Site {
    fn build(router: RouterBuilder, nat: Nat, number: usize, options: &Options) -> Self {
        let nat = if options.hairpin {
            nat.with_hairpin()
        } else {
            nat
        };
        let mut router = router.with_nat(nat);
        if options.v6 && options.cgn.is_none() {
            router = router.with_v6(&format!("2d00:a:{number:x}::/64"));
        }
        if options.igd {
            router = router.with_igd(IgdConfig::default());
        }
        let router = router.build();
        Self {
            hosts: (0..options.hosts).map(|_| router.host()).collect(),
            router,
            has_igd: options.igd,
        }
    }
}

impl fmt::Display for Topology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (delay, loss) = (self.delay_ms, self.loss_percent);
        writeln!(f, "  internet, {delay} ms and {loss} % loss each way")?;
        writeln!(f, "  ├─ server   {}", addresses(&self.server))?;
        if let Some(cgn) = &self.cgn {
            writeln!(f, "  ├─ provider {:<24} {}", cgn.wan(), name_of(cgn.nat()))?;
        }
        let mut names = self.hosts().into_iter().skip(1).map(|(name, _)| name);
        for site in &self.sites {
            self.fmt_site(f, site, &mut names)?;
        }
        writeln!(
            f,
            "\n  What a host looks like from outside:   cat </dev/tcp/{SERVER}/3478"
        )
    }
}

/// What became of the packets, in a line.
pub(crate) fn summary(traffic: &Traffic) -> String {
    let links = traffic.links;
    format!(
        "{} packets sent, {} lost on links",
        links.sent,
        links.lost + links.queue_full
    )
}

fn addresses(host: &Host) -> String {
    let ips: Vec<_> = host.ips().iter().map(ToString::to_string).collect();
    ips.join("  ")
}

fn name_of(nat: Nat) -> &'static str {
    let same = |known: &Nat| *known == nat || known.with_hairpin() == nat;
    let name = Nat::NAMED.iter().find(|(_, known)| same(known));
    name.map_or("", |(name, _)| name)
}

const SERVER: &str = "11.0.0.10";
