//! Frames of a session: what is read can be written and read again, and messages hold no more than was sent.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|record: &[u8]| crust::fuzz::session_frames(record));
