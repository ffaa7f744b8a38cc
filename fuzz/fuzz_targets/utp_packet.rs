//! A datagram as a uTP packet: what is read is written the same.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|datagram: &[u8]| crust_utp::fuzz::check_packet(datagram));
