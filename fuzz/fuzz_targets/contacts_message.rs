//! Messages of the contacts channel: what is read can be written and read again, and nothing makes it panic.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|message: &[u8]| crust::fuzz::contacts_message(message));
