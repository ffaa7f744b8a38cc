//! The hello: what is read can be written and read again, and nothing makes it panic.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| crust::fuzz::hello(body));
