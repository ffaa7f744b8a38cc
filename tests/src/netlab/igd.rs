//! A router's UPnP-IGD, NAT-PMP and PCP server: the real miniupnpd.

use std::{
    fs,
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
    time::Duration,
};

use crust_core::rt;
use tempfile::TempDir;

use super::lan::Lan;

/// What a router's port mapping server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct IgdConfig {
    /// Whether UPnP-IGD is spoken.
    pub has_upnp: bool,
    /// Whether NAT-PMP and PCP are spoken, on one port.
    pub has_nat_pmp: bool,
    /// The longest lease in seconds that PCP gets; NAT-PMP gets what it asks for. A day by default.
    pub max_lifetime_s: u32,
}

impl Default for IgdConfig {
    fn default() -> Self {
        Self {
            has_upnp: true,
            has_nat_pmp: true,
            max_lifetime_s: DAY_S,
        }
    }
}

impl IgdConfig {
    /// Does not speak UPnP-IGD.
    #[must_use]
    pub const fn without_upnp(mut self) -> Self {
        self.has_upnp = false;
        self
    }

    /// Speaks neither NAT-PMP nor PCP.
    #[must_use]
    pub const fn without_nat_pmp(mut self) -> Self {
        self.has_nat_pmp = false;
        self
    }

    /// Grants no longer leases than this to PCP.
    #[must_use]
    pub const fn with_max_lifetime_s(mut self, seconds: u32) -> Self {
        self.max_lifetime_s = seconds;
        self
    }

    fn text(&self, lan: &Lan, folder: &str) -> String {
        let yes = |is_so| if is_so { "yes" } else { "no" };
        let (upnp, nat_pmp) = (yes(self.has_upnp), yes(self.has_nat_pmp));
        let (net, max_lifetime_s) = (lan.v4, self.max_lifetime_s);
        let no_v6 = yes(lan.v6.is_none());
        format!(
            "ext_ifname=wan\nlistening_ip=lan\nport={HTTP_PORT}\nenable_upnp={upnp}\nenable_natpmp={nat_pmp}\n\
             min_lifetime=1\nmax_lifetime={max_lifetime_s}\nsecure_mode=yes\nsystem_uptime=no\nipv6_disable={no_v6}\n\
             uuid=00000000-0000-0000-0000-000000005483\nlease_file={folder}/leases\n\
             upnp_table_name=miniupnpd\nupnp_nat_table_name=miniupnpd\n\
             allow 1024-65535 {net} 1024-65535\ndeny 0-65535 0.0.0.0/0 0-65535\n"
        )
    }
}

/// A router's port mapping server.
/// NAT-PMP and PCP listen on port 5351 of the router, UPnP's discovery on the LAN's multicast address.
#[derive(Debug)]
pub struct Igd {
    config: IgdConfig,
    lan: Arc<Lan>,
    folder: TempDir,
    daemon: Option<Child>,
}

impl Igd {
    pub(super) fn start(config: IgdConfig, lan: Arc<Lan>) -> Self {
        let folder = TempDir::new().expect("a folder can be made");
        let mut igd = Self {
            config,
            lan,
            folder,
            daemon: None,
        };
        igd.restart();
        igd
    }

    /// Ends the server at once, as SIGKILL does. The mappings it made stay, and nobody renews or answers. False where it did
    /// not run.
    pub fn kill(&mut self) -> bool {
        let Some(mut daemon) = self.daemon.take() else {
            return false;
        };
        // Waiting closes what it is tied by.
        daemon.wait().expect("an own child can be waited for");
        true
    }

    /// Starts the server anew; it answers when this returns. It still knows what it granted. NAT-PMP and PCP count their epoch
    /// from zero again.
    ///
    /// # Panics
    ///
    /// Where it does not start.
    pub fn restart(&mut self) {
        self.kill();
        let folder = self
            .folder
            .path()
            .to_str()
            .expect("names of folders are text");
        let config = format!("{folder}/miniupnpd.conf");
        fs::write(&config, self.config.text(&self.lan, folder)).expect("a file can be written");
        let log = fs::File::create(format!("{folder}/log")).expect("a file can be made");
        let mut command = Command::new("unshare");
        command
            .args([
                "--mount",
                "sh",
                "-c",
                TIED,
                "miniupnpd",
                &config,
                &format!("{folder}/pid"),
            ])
            .stdin(Stdio::piped())
            .stderr(log.try_clone().expect("a file can be shared"))
            .stdout(log);
        let daemon = self.lan.netns.run(|| command.spawn());
        self.daemon = Some(daemon.expect("a shell is there"));
        self.wait_answering();
    }

    /// Forgets what was granted, which a server that is started otherwise finds again.
    pub(super) fn forget(&self) {
        // There is none where nothing was granted.
        let _ = fs::remove_file(self.folder.path().join("leases"));
    }

    /// What the server has logged since it was started last.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn wait_answering(&self) {
        let start = rt::now();
        while !self.is_answering() {
            let is_in_time = start.elapsed() < START_LIMIT;
            assert!(is_in_time, "miniupnpd does not start:\n{}", self.log());
            thread::sleep(LOOK_EVERY);
        }
    }

    fn is_answering(&self) -> bool {
        let config = &self.config;
        let is_in = |table: String, port: u16| {
            let sockets = fs::read_to_string(format!("/proc/thread-self/net/{table}"));
            sockets.is_ok_and(|text| text.contains(&format!(":{port:04X} ")))
        };
        let is_bound =
            |table: &str, port| is_in(table.to_owned(), port) || is_in(format!("{table}6"), port);
        self.lan.netns.run(|| {
            (!config.has_upnp || is_bound("tcp", HTTP_PORT) && is_bound("udp", SSDP_PORT))
                && (!config.has_nat_pmp || is_bound("udp", NAT_PMP_PORT))
        })
    }
}

impl Drop for Igd {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs miniupnpd until the input ends: when that is closed, or with this process however it ends, so that no server is left
/// behind. Signals of the terminal are for this process.
///
/// Where there is no system log it writes each line to the console as well, which takes a millisecond, a hundred times for a
/// request: so it has a console of its own, that takes everything.
const TIED: &str = r#"mount --bind /dev/null /dev/console; trap '' INT TERM; miniupnpd -d -f "$1" -P "$2" & read -r _; kill -KILL $!; wait"#;
const DAY_S: u32 = 86_400;
const HTTP_PORT: u16 = 5_000;
/// UPnP Device Architecture 2.0 §1.
const SSDP_PORT: u16 = 1_900;
/// RFC 6886 §3.1, RFC 6887 §19.
const NAT_PMP_PORT: u16 = 5_351;
const START_LIMIT: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(5);
