//! Addresses and contacts from text: what is read prints the same.
#![no_main]

use crust_core::{Addr, Contact};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(addr) = text.parse::<Addr>() {
        assert_eq!(addr.as_str(), text);
        assert!(text.len() <= Addr::MAX_LEN);
        assert_eq!(format!("{}://{}", addr.scheme(), addr.body()), text);
        let _ = addr.socket_addr();
    }
    if let Ok(contact) = text.parse::<Contact>() {
        assert_eq!(contact.to_string().parse(), Ok(contact));
    }
});
