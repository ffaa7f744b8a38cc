//! Datagrams of PCP: what is read is written the same.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| crust_nat::gateway::fuzz::check_pcp(bytes));
