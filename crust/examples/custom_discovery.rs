//! A discovery of one's own: contacts in a text file, one `PEER@ADDRESS` or `ADDRESS` a line.
//!
//! `cargo run --example custom_discovery -- contacts.txt` joins the network through them, and tells how it went.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::{error::Error, fs, io, path::PathBuf, sync::Arc};

use crust::{
    Contact, Node,
    core::{Addr, DialOutcome, Discovery, DiscoveryError, FoundPeer, FoundPeers, async_trait},
    rt,
};
use futures::{FutureExt, StreamExt, stream};

/// Finds the peers that a file lists.
#[derive(Debug)]
pub(crate) struct ContactsFile(pub(crate) Arc<PathBuf>);

#[async_trait]
impl Discovery for ContactsFile {
    fn name(&self) -> &'static str {
        "file"
    }

    // Nothing is announced, which is the default of `announce`. Nothing is read before the first poll.
    fn discover(&self) -> FoundPeers {
        let path = self.0.clone();
        let contacts =
            rt::unblock(move || read(&path)).map(|read| read.expect("reading never panics"));
        stream::once(contacts)
            .flat_map(|read| match read {
                Ok(contacts) => stream::iter(contacts).map(|it| Ok(found(it))).boxed(),
                Err(source) => stream::iter([Err(DiscoveryError::Io {
                    name: "file",
                    source,
                })])
                .boxed(),
            })
            .boxed()
    }

    fn report(&self, addr: &Addr, outcome: &DialOutcome) {
        println!("{addr}: {outcome:?}");
    }
}

fn found(contact: Contact) -> FoundPeer {
    FoundPeer {
        peer: contact.peer,
        addrs: vec![contact.addr],
        source: "file",
    }
}

fn read(path: &PathBuf) -> io::Result<Vec<Contact>> {
    let text = fs::read_to_string(path)?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let contacts = lines.map(|line| line.parse().map_err(io::Error::other));
    contacts.collect()
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("say which file")?;
    rt::block_on(async {
        let discovery = ContactsFile(Arc::new(path.into()));
        let node = Node::builder().discovery(discovery).start().await?;
        let session = node.bootstrap().await?;
        println!("the first session is with {}", session.peer());
        node.shutdown().await;
        Ok(())
    })
}
