//! What UPnP gateways send, from the answer to a search on: nothing in it leads away from the gateway.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| crust_nat::gateway::fuzz::check_upnp(bytes));
