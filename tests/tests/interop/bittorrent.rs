//! As much of a BitTorrent client as it takes to move one file (BEP 3), over any stream.

use std::io;

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// One connection with another client, of one torrent.
#[derive(Debug)]
pub(crate) struct Peer<S> {
    stream: S,
    /// The message at hand, its kind first.
    message: Vec<u8>,
}

/// Part of the file, as messages name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Block {
    piece: u32,
    begin: u32,
    len: u32,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    /// Says which torrent it is, and hears that it is the same on the other side.
    pub(crate) async fn shake_hands(mut stream: S, info_hash: [u8; 20]) -> io::Result<Self> {
        let head = [&[19][..], b"BitTorrent protocol", &[0; 8]].concat();
        let ours = [&head, &info_hash[..], OUR_ID].concat();
        stream.write_all(&ours).await?;
        let mut theirs = [0; 68];
        stream.read_exact(&mut theirs).await?;
        assert_eq!(theirs[..20], ours[..20], "no BitTorrent");
        assert_eq!(theirs[28..48], info_hash, "another torrent");
        Ok(Self {
            stream,
            message: Vec::new(),
        })
    }

    /// Asks for the whole file, and holds it against `content`.
    pub(crate) async fn download(&mut self, content: &[u8]) -> io::Result<()> {
        self.say(INTERESTED, &[]).await?;
        while self.hear().await? != Some(UNCHOKE) {}
        let mut wanted = Block::all_of(content.len());
        for block in wanted.by_ref().take(ASKED_AT_ONCE) {
            self.ask(block).await?;
        }
        let mut missing = content.len();
        while missing > 0 {
            match self.hear().await? {
                Some(PIECE) => missing -= self.check_piece(content),
                Some(CHOKE) => panic!("the other side chokes though nobody else wants anything"),
                _ => continue,
            }
            if let Some(block) = wanted.next() {
                self.ask(block).await?;
            }
        }
        Ok(())
    }

    /// Offers all of `content`, and gives what is asked for until the other side ends the connection.
    pub(crate) async fn serve(&mut self, content: &[u8]) -> io::Result<()> {
        let pieces = content.len().div_ceil(PIECE_LEN);
        assert_eq!(pieces % 8, 0, "the last byte of the field would need care");
        self.say(BITFIELD, &vec![0xff; pieces / 8]).await?;
        loop {
            match self.hear().await {
                Ok(Some(INTERESTED)) => self.say(UNCHOKE, &[]).await?,
                Ok(Some(REQUEST)) => self.give(content).await?,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    /// Ends the stream, and waits until the other side has done so too.
    pub(crate) async fn close(mut self) -> io::Result<()> {
        self.stream.close().await?;
        futures::io::copy(&mut self.stream, &mut futures::io::sink()).await?;
        Ok(())
    }

    async fn ask(&mut self, block: Block) -> io::Result<()> {
        self.say(REQUEST, &block.bytes()).await
    }

    async fn give(&mut self, content: &[u8]) -> io::Result<()> {
        let block = Block::read(&self.message[1..]);
        let data = &content[block.place()..][..block.len as usize];
        let body = [&block.bytes()[..8], data].concat();
        self.say(PIECE, &body).await
    }

    /// Gives how many bytes of the file came.
    fn check_piece(&self, content: &[u8]) -> usize {
        let (head, data) = self.message[1..].split_at(8);
        let block = Block::read(&[head, &[0; 4]].concat());
        let expected = &content[block.place()..][..data.len()];
        assert!(data == expected, "{block:?} came otherwise than it is");
        data.len()
    }

    async fn say(&mut self, kind: u8, body: &[u8]) -> io::Result<()> {
        let len = u32::try_from(1 + body.len()).unwrap();
        let message = [&len.to_be_bytes()[..], &[kind], body].concat();
        self.stream.write_all(&message).await
    }

    /// Reads a message; gives its kind, nothing where it only keeps the connection alive.
    async fn hear(&mut self) -> io::Result<Option<u8>> {
        let mut len = [0; 4];
        self.stream.read_exact(&mut len).await?;
        let len = u32::from_be_bytes(len) as usize;
        assert!(len <= LONGEST_MESSAGE, "a message of {len} bytes");
        self.message.resize(len, 0);
        self.stream.read_exact(&mut self.message).await?;
        Ok(self.message.first().copied())
    }
}

impl Block {
    /// The blocks of a file of `len` bytes.
    fn all_of(len: usize) -> impl Iterator<Item = Self> {
        assert_eq!(len % BLOCK_LEN, 0, "the last block would need care");
        let number = |n: usize| u32::try_from(n).unwrap();
        (0..len).step_by(BLOCK_LEN).map(move |place| Self {
            piece: number(place / PIECE_LEN),
            begin: number(place % PIECE_LEN),
            len: number(BLOCK_LEN),
        })
    }

    fn read(bytes: &[u8]) -> Self {
        let word = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
        Self {
            piece: word(0),
            begin: word(4),
            len: word(8),
        }
    }

    fn bytes(self) -> Vec<u8> {
        [self.piece, self.begin, self.len]
            .map(u32::to_be_bytes)
            .concat()
    }

    const fn place(self) -> usize {
        self.piece as usize * PIECE_LEN + self.begin as usize
    }
}

const CHOKE: u8 = 0;
const UNCHOKE: u8 = 1;
const INTERESTED: u8 = 2;
const BITFIELD: u8 = 5;
const REQUEST: u8 = 6;
const PIECE: u8 = 7;
const OUR_ID: &[u8; 20] = b"-CR0001-interoptests";
/// As `libtorrent_peer.py` makes the torrent.
const PIECE_LEN: usize = 256 * 1024;
/// Clients refuse longer ones.
const BLOCK_LEN: usize = 16 * 1024;
/// 8 MiB on their way, of the 2,000 blocks that libtorrent keeps for a peer.
const ASKED_AT_ONCE: usize = 512;
const LONGEST_MESSAGE: usize = 64 * 1024;
