//! Looks at a peer cache: `peers FILE` lists it, `peers FILE export` prints it, `peers FILE import` reads that.
#![expect(clippy::print_stdout, reason = "it is a program")]

use std::{env, error::Error, io, sync::Arc};

use crust_bootstrap::{CachedAddr, PeerCache};
use crust_core::{PeerId, SIGNATURE_LEN, Verifier, rt};

/// Records are neither learned nor handed on here.
struct Nobody;

impl Verifier for Nobody {
    fn verify(&self, _: &PeerId, _: &[u8], _: &[u8; SIGNATURE_LEN]) -> bool {
        false
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let path = args.next().ok_or("usage: peers FILE [export | import]")?;
    let nobody = PeerId::from_bytes([0; PeerId::LEN]);
    rt::block_on(async {
        let builder = PeerCache::builder(nobody, Arc::new(Nobody));
        let cache = builder.file(path).edit().await?;
        match args.next().as_deref() {
            None => list(&cache),
            Some("export") => print!("{}", cache.export()),
            Some("import") => {
                let imported = cache.import(&io::read_to_string(io::stdin())?)?;
                println!("{} addresses are new", imported.new);
                cache.flush().await?;
            }
            Some(other) => return Err(format!("{other} is neither export nor import").into()),
        }
        Ok(())
    })
}

fn list(cache: &PeerCache) {
    for cached in cache.list() {
        println!(
            "{}{}",
            cached.peer,
            if cached.direct { ", direct" } else { "" }
        );
        for addr in &cached.addrs {
            println!("  {}", sentence(addr));
        }
    }
}

fn sentence(addr: &CachedAddr) -> String {
    let reached = match (addr.reached, addr.rtt) {
        (Some(at), Some(rtt)) => {
            let ago = rt::unix_time().saturating_sub(at).as_secs();
            format!("reached {ago} s ago in {} ms", rtt.as_millis())
        }
        _ => "never reached".to_owned(),
    };
    format!("{}: {reached}, {} failures since", addr.addr, addr.failures)
}
