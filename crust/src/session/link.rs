//! A connection with its keys and buffers.

use std::{future::poll_fn, io, pin::Pin};

use crust_core::Connection;
use crust_crypto::{Opener, Sealer};
use futures::AsyncWrite;

use crate::{
    reason::CloseCode,
    session::buffers::{ReadBuffer, WriteBuffer},
    wire::frame::Frame,
};

/// A connection with its keys.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) connection: Connection,
    pub(crate) sealer: Sealer,
    pub(crate) opener: Opener,
    pub(crate) read: ReadBuffer,
    pub(crate) write: WriteBuffer,
    /// Something was written and not flushed.
    pub(crate) unflushed: bool,
}

impl Link {
    /// Seals a close frame and the channel's end.
    pub(crate) fn seal_goodbye(&mut self, code: CloseCode, text: &str) {
        let text = CloseCode::cut(text).as_bytes();
        let frame = Frame::Close {
            code: code as u8,
            text,
        };
        self.write.seal(&mut self.sealer, |plaintext| {
            plaintext.put(|out| frame.put(out))
        });
        self.write.seal_close(&mut self.sealer);
    }

    /// Writes everything and closes.
    pub(crate) async fn drain(&mut self) -> io::Result<()> {
        while !self.write.is_empty() {
            poll_fn(|cx| self.write.poll_drain(&mut self.connection, cx)).await?;
        }
        poll_fn(|cx| Pin::new(&mut self.connection).poll_close(cx)).await
    }
}
