//! Lines of stdin, as a stream.

use std::io::BufRead;

use crust::rt;
use futures::{SinkExt, channel::mpsc};

/// The lines of stdin. It ends where the input does.
///
/// A thread of its own reads, for no system lets a read of a terminal be given up; it ends with the process.
pub(super) fn lines() -> mpsc::Receiver<String> {
    let (mut sender, receiver) = mpsc::channel(WAITING);
    std::thread::spawn(move || {
        let lines = std::io::stdin().lock().lines();
        // Input that is not text ends it too.
        for line in lines.map_while(Result::ok) {
            if rt::block_on(sender.send(line)).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Lines read and not yet obeyed; with more, the writer of a pipe waits.
const WAITING: usize = 16;
