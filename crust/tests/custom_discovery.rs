//! The example discovery keeps the laws of those that announce nothing.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{fs, sync::Arc};

use crust_core::conformance::discovery::Subject;

#[path = "../examples/custom_discovery.rs"]
#[allow(
    dead_code,
    missing_docs,
    reason = "an example, of which only the discovery is used here"
)]
mod example;

crust_core::discovery_conformance!(search_only subject());

fn subject() -> Subject {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("contacts.txt");
    let contact = |number| format!("tcp://192.0.2.{number}:1\n");
    fs::write(&path, (1..=20).map(contact).collect::<String>()).unwrap();
    let path = Arc::new(path);
    Subject::new(move || {
        let _ = &folder;
        example::ContactsFile(path.clone())
    })
}
