//! Shows who is on the LAN, live: `cargo run -p crust-beacon --example lan [NETWORK]`. Run it on two machines.
#![expect(clippy::print_stdout, reason = "it is an example")]

use std::sync::Arc;

use crust_beacon::Beacon;
use crust_core::{Announcement, Discovery, rt};
use crust_crypto::{Ed25519Verifier, Identity, NetworkKey, NetworkSealer};
use futures::StreamExt;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let network = std::env::args().nth(1);
    let network = network.as_deref().unwrap_or(NetworkKey::DEFAULT_NAME);
    let identity = Identity::generate();
    let peer = identity.peer_id();
    let beacon = Beacon::builder(Arc::new(NetworkSealer::new(&NetworkKey::from_name(
        network,
    ))))
    .with_signer(Arc::new(identity))
    .with_verifier(Arc::new(Ed25519Verifier))
    .start();
    // Nobody listens there; a node announces where it does.
    let addrs = vec!["tcp://[::]:5483".parse()?];
    rt::block_on(async {
        beacon.announce(&Announcement { peer, addrs }).await?;
        println!("this is {peer:#} on the network {network}");
        let mut watch = beacon.watch();
        while let Some(neighbours) = watch.next().await {
            println!("{} here:", neighbours.len());
            for neighbour in neighbours {
                let (peer, interface) = (neighbour.peer, neighbour.interface);
                println!("  {peer:#} on {interface} at {:?}", neighbour.addrs);
            }
        }
        Ok(())
    })
}
