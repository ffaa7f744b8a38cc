//! A uTP connection under any packets, writes, reads and times: nothing upsets it or its bounds, and it ends.
#![no_main]

use crust_utp::fuzz::{Step, run};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|case: (u8, Vec<Step<'_>>)| run(case.0, &case.1));
