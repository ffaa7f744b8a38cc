//! The words by which a test's process is asked.

use std::io::{self, BufRead};

use crust::rt;
use futures::{SinkExt, channel::mpsc};

/// The lines of the input, until it ends.
pub fn input_lines() -> mpsc::Receiver<String> {
    let (mut sender, receiver) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            let Ok(line) = line else { return };
            if rt::block_on(sender.send(line)).is_err() {
                return;
            }
        }
    });
    receiver
}
