//! A peer that has keys and keeps to no rule beyond them.

use std::io;

use crust::{
    Identity, Node, PeerId,
    core::{Connection, Role},
};
use crust_crypto::{
    HEADER_LEN, Handshake, HandshakeError, Keys, MAX_PLAINTEXT, Opened, Opener, RECORD_OVERHEAD,
    Sealer, handshake,
};
use futures::{AsyncReadExt, AsyncWriteExt};

use crate::frames::{Frame, Hello};

/// A peer that has shaken hands and now sends what it likes.
#[derive(Debug)]
pub struct Hostile {
    connection: Connection,
    sealer: Sealer,
    opener: Opener,
    /// Who is on the other side.
    pub peer: PeerId,
    id: PeerId,
    held: Vec<u8>,
}

impl Hostile {
    /// Shakes hands over `connection`.
    ///
    /// # Errors
    ///
    /// Where the far end does not want to.
    pub async fn new(
        mut connection: Connection,
        role: Role,
        keys: &Keys,
    ) -> Result<Self, HandshakeError> {
        let machine = match role {
            Role::Dialer => Handshake::dialer(keys, None),
            Role::Listener => Handshake::listener(keys),
        };
        let (keyed, held) = handshake(&mut connection, machine).await?;
        Ok(Self {
            connection,
            sealer: keyed.sealer,
            opener: keyed.opener,
            peer: keyed.peer,
            id: keys.peer_id(),
            held,
        })
    }

    /// Sends its hello and goes through with the rest, as an honest peer does. Gives the far end's hello.
    pub async fn greet(&mut self, hello: &Hello) -> Vec<u8> {
        self.send(&hello.frame()).await.expect("the link is up");
        let theirs = match &self.frames().await[..] {
            [Frame::Hello(body), ..] => body.clone(),
            other => panic!("{other:?} instead of a hello"),
        };
        if self.id < self.peer {
            let confirm = Frame::Confirm.bytes();
            self.send(&confirm).await.expect("the link is up");
        } else {
            assert_eq!(self.frames().await[0], Frame::Confirm);
        }
        theirs
    }

    /// Sends one record.
    ///
    /// # Errors
    ///
    /// Where the far end is gone.
    pub async fn send(&mut self, plaintext: &[u8]) -> io::Result<()> {
        assert!(plaintext.len() <= MAX_PLAINTEXT);
        let mut record = vec![0; HEADER_LEN];
        record.extend_from_slice(plaintext);
        record.resize(RECORD_OVERHEAD + plaintext.len(), 0);
        self.sealer.seal(&mut record);
        self.send_raw(&record).await
    }

    /// Sends bytes that are no record.
    ///
    /// # Errors
    ///
    /// Where the far end is gone.
    pub async fn send_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.connection.write_all(bytes).await?;
        self.connection.flush().await
    }

    /// The next record's frames; none at the end of the connection, however it ends.
    pub async fn frames(&mut self) -> Vec<Frame> {
        loop {
            if let Some(record) = self.take_record() {
                return Frame::all(&record);
            }
            let mut more = [0; 4096];
            match self.connection.read(&mut more).await {
                Ok(0) | Err(_) => return Vec::new(),
                Ok(len) => self.held.extend_from_slice(&more[..len]),
            }
        }
    }

    /// Reads to the end, and gives the close frame if one came.
    pub async fn close_frame(&mut self) -> Option<Frame> {
        loop {
            let frames = self.frames().await;
            if frames.is_empty() {
                return None;
            }
            let is_close = |frame: &Frame| matches!(frame, Frame::Close(..));
            if let Some(close) = frames.into_iter().find(is_close) {
                return Some(close);
            }
        }
    }

    /// An authenticated end becomes an empty record.
    fn take_record(&mut self) -> Option<Vec<u8>> {
        let header = self.held.first_chunk::<HEADER_LEN>()?;
        let len = HEADER_LEN + self.opener.body_len(header).ok()?;
        if self.held.len() < len {
            return None;
        }
        let mut record: Vec<u8> = self.held.drain(..len).collect();
        match self.opener.open(&mut record) {
            Ok(Opened::Data(plaintext)) => Some(plaintext.to_vec()),
            Ok(Opened::Close) | Err(_) => Some(Vec::new()),
        }
    }
}

/// An identity whose id is below that of `node`: it is the arbiter between the two.
pub fn identity_below(node: &Node) -> Identity {
    identity(|id| id < node.id())
}

/// An identity whose id is above that of `node`.
pub fn identity_above(node: &Node) -> Identity {
    identity(|id| id > node.id())
}

fn identity(fits: impl Fn(PeerId) -> bool) -> Identity {
    std::iter::repeat_with(Identity::generate)
        .find(|identity| fits(identity.peer_id()))
        .expect("about every other one does")
}
