//! A router: a namespace that translates, filters and forwards for a LAN.

use std::{
    net::{IpAddr, Ipv4Addr},
    process::Command,
    sync::Arc,
};

use super::{
    behaviour::Behaviour,
    host::Host,
    igd::{Igd, IgdConfig},
    lan::Lan,
    nat::{Egress, Nat, Unsolicited},
    shell,
    uplink::Uplink,
};

/// A router of the lab, and the LAN behind it. It is there until it and all behind it are dropped, but its port mapping server
/// ends with this.
#[derive(Debug)]
pub struct Router {
    lan: Arc<Lan>,
    wan: Ipv4Addr,
    behaviour: Behaviour,
    igd: Option<Igd>,
}

impl Router {
    pub(super) fn new(
        lan: Arc<Lan>,
        wan: Ipv4Addr,
        behaviour: Behaviour,
        igd: Option<IgdConfig>,
    ) -> Self {
        let igd = igd.map(|config| Igd::start(config, lan.clone()));
        Self {
            lan,
            wan,
            behaviour,
            igd,
        }
    }

    /// Another host on its LAN.
    pub fn host(&self) -> Host {
        Host::behind(&self.lan)
    }

    /// Pulls a host's cable and plugs it in here: its addresses change, its sockets stay open.
    ///
    /// # Panics
    ///
    /// Where it is a public host.
    pub fn take_over(&self, host: &mut Host) {
        host.move_to(&self.lan);
    }

    /// Changes how it translates. Mappings are forgotten.
    pub fn set_nat(&mut self, nat: Nat) {
        self.behaviour.nat = nat;
        self.translate_anew();
    }

    /// Changes what it lets out, that of open connections too.
    pub fn set_egress(&mut self, egress: Egress) {
        self.behaviour.egress = egress;
        self.filter();
    }

    /// Changes what it does with packets from outside that belong to nothing.
    pub fn set_unsolicited(&mut self, unsolicited: Unsolicited) {
        self.behaviour.unsolicited = unsolicited;
        self.filter();
    }

    /// Gives it another external address, as providers do at night. Mappings are forgotten.
    ///
    /// # Panics
    ///
    /// Where it is behind another router, or another leaf has the address.
    pub fn set_wan(&mut self, wan: Ipv4Addr) {
        assert!(
            self.lan.outer.is_none(),
            "its address is the outer router's to give"
        );
        let old = std::mem::replace(&mut self.wan, wan);
        self.uplink().add_route(IpAddr::V4(wan).into());
        let lines = format!(
            "addr add {wan}/32 dev wan\nroute replace default dev wan src {wan}\naddr del {old}/32 dev wan\n"
        );
        self.lan.netns.run(|| shell::ip(lines));
        self.uplink().remove_route(IpAddr::V4(old).into());
        self.translate_anew();
    }

    /// Forgets everything, as without power for a moment: mappings, open connections, and what its port mapping server
    /// granted. That server runs afterwards if it ran before.
    pub fn reboot(&mut self) {
        let was_running = self.igd.as_mut().is_some_and(Igd::kill);
        if let Some(igd) = &self.igd {
            igd.forget();
        }
        self.begin_anew(self.behaviour.rules(self.wan));
        if let Some(igd) = self.igd.as_mut().filter(|_| was_running) {
            igd.restart();
        }
    }

    /// Its external address.
    pub fn wan(&self) -> Ipv4Addr {
        self.wan
    }

    /// How it translates.
    pub fn nat(&self) -> Nat {
        self.behaviour.nat
    }

    /// Its port mapping server.
    ///
    /// # Panics
    ///
    /// Where it was made without one.
    pub fn igd(&mut self) -> &mut Igd {
        self.igd
            .as_mut()
            .expect("the router was made with a port mapping server")
    }

    /// Its way to the lab's internet; that of the outermost router where it is behind others.
    pub fn uplink(&self) -> &Uplink {
        &self.lan.uplink
    }

    pub(super) fn lan(&self) -> &Arc<Lan> {
        &self.lan
    }

    fn translate_anew(&self) {
        self.begin_anew(self.behaviour.translation(self.wan));
    }

    /// Replaces rules, and forgets what connection tracking knows.
    fn begin_anew(&self, rules: String) {
        self.lan.netns.run(|| {
            shell::nft(rules);
            shell::run(Command::new("conntrack").arg("--flush"));
        });
    }

    fn filter(&self) {
        let rules = self.behaviour.filter();
        self.lan.netns.run(|| shell::nft(rules));
    }
}
