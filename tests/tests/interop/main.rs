//! Other people's programs, which speak uTP and STUN with ours: on loopback, in namespaces of their own, as root on Linux.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]
#![expect(clippy::print_stdout, reason = "they tell how fast it went")]

mod bittorrent;
mod content;
mod coturn;
mod dissector;
mod libtorrent;
mod loopback;
mod rqbit;
mod torrent;
