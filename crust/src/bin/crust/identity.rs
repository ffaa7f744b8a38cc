//! The options that say who a node is, and of which network.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use clap::Args;
use crust::{Node, NodeBuilder};

use crate::exit::{Failure, sentence};

/// Who a node is, and of which network.
#[derive(Debug, Clone, Args)]
pub(crate) struct IdentityArgs {
    /// Keeps the identity in this file, made where there is none; without it each start is a new peer
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
    /// Joins the network of this name; nodes of different networks do not see each other
    #[arg(long, value_name = "NAME", default_value = "crust")]
    network: String,
    /// Joins the network of the secret key in this file (32 bytes, or 64 hexadecimal digits), and answers nobody
    /// without it
    #[arg(long, value_name = "FILE", conflicts_with = "network")]
    key_file: Option<PathBuf>,
}

impl IdentityArgs {
    /// A node of these.
    pub(crate) fn builder(&self) -> Result<NodeBuilder, Failure> {
        let mut builder = Node::builder();
        builder = match &self.key_file {
            Some(path) => builder.network_key(read_key(path)?),
            None => builder.network(&self.network),
        };
        if let Some(path) = &self.identity {
            builder = builder.identity_file(path);
        }
        Ok(builder)
    }
}

fn read_key(path: &Path) -> Result<[u8; 32], Failure> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_KEY_FILE).read_to_end(&mut bytes));
    if let Err(error) = read {
        let (path, error) = (path.display(), sentence(&error));
        return Err(Failure::not_started(format!(
            "the key file {path} cannot be read: {error}"
        )));
    }
    key(&bytes).ok_or_else(|| {
        let path = path.display();
        Failure::not_started(format!(
            "the key file {path} holds neither 32 bytes nor 64 hexadecimal digits"
        ))
    })
}

fn key(bytes: &[u8]) -> Option<[u8; 32]> {
    if let Ok(key) = bytes.try_into() {
        return Some(key);
    }
    let digits = std::str::from_utf8(bytes).ok()?.trim();
    if digits.len() != 64 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let mut key = [0; 32];
    for (byte, at) in key.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(&digits[at..at + 2], 16).ok()?;
    }
    Some(key)
}

/// 64 digits and whatever white space an editor leaves.
const MAX_KEY_FILE: u64 = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_is_bytes_or_digits() {
        assert_eq!(key(&[7; 32]), Some([7; 32]));
        assert_eq!(
            key(format!("{}\n", "0a".repeat(32)).as_bytes()),
            Some([10; 32])
        );
        assert_eq!(key(&[7; 31]), None);
        assert_eq!(key("0g".repeat(32).as_bytes()), None);
        assert_eq!(key("é".repeat(32).as_bytes()), None);
    }
}
