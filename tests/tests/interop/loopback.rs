//! The loopback of a test's namespace, which loses packets where it is to.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use crust_tests::Tool;

/// Lets loopback carry each packet by itself from now on, as a wire does, though several were sent with one call. A loss then
/// takes one, and a capture has them one by one.
pub(crate) fn carry_single_packets() {
    feed("ip", &["-batch", "-"], "link set lo gso_max_segs 1");
}

/// Loses so many UDP packets of a hundred from now on, by chance.
pub(crate) fn lose(percent: u32) {
    carry_single_packets();
    let rules = format!(
        "table inet lossy
        delete table inet lossy
        table inet lossy {{
            chain arriving {{
                type filter hook prerouting priority filter
                meta l4proto udp numgen random mod 100 < {percent} drop
            }}
        }}"
    );
    feed("nft", &["-f", "-"], &rules);
}

fn feed(program: &str, args: &[&str], text: &str) {
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(text.as_bytes()).unwrap();
    drop(stdin);
    assert!(child.wait().unwrap().success(), "{text}");
}

pub(crate) const NFT: Tool<'static> = ("command -v nft", "`nft` of nftables");
