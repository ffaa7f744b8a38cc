//! Buffers that sessions borrow while data is there, so that idle ones hold none.

use std::sync::Mutex;

use crate::sync::lock;

/// Bytes of a buffer: 15 full records to a system call. Throughput stops growing between 128 and 256 KiB.
pub(crate) const BUFFER_LEN: usize = 256 * 1024;

/// Takes a buffer of [`BUFFER_LEN`] bytes.
pub(crate) fn take() -> Vec<u8> {
    lock(&FREE).pop().unwrap_or_else(|| vec![0; BUFFER_LEN])
}

/// Gives one back. Beyond [`MAX_FREE`] it is freed.
pub(crate) fn give(buffer: Vec<u8>) {
    if buffer.len() != BUFFER_LEN {
        return;
    }
    let mut free = lock(&FREE);
    if free.len() < MAX_FREE {
        free.push(buffer);
    }
}

static FREE: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// One for reading and one for writing on each of two busy threads; 1 MiB in all.
const MAX_FREE: usize = 4;
