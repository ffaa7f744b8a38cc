//! The peer cache's file: what is read of it, damaged or not, is written and read as the same, and merged in bounds.
//!
//! Bytes alone hardly ever have a checksum that is right, so half of the runs damage a file made of their own bodies.
#![no_main]

use libfuzzer_sys::fuzz_target;

/// Bodies to frame as entries, and what to write over the file, where.
type Case<'a> = (Vec<&'a [u8]>, u16, &'a [u8]);

fuzz_target!(|case: (Case<'_>, &[u8])| {
    let ((bodies, at, damage), junk) = case;
    crust_bootstrap::fuzz::cache_file(junk);
    let mut file = crust_bootstrap::fuzz::framed(&bodies);
    crust_bootstrap::fuzz::cache_file(&file);
    let at = usize::from(at) % file.len();
    let len = damage.len().min(file.len() - at);
    file[at..at + len].copy_from_slice(&damage[..len]);
    crust_bootstrap::fuzz::cache_file(&file);
});
