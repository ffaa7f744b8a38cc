//! Records: up to the first changed byte everything is read as it was sent, and nothing after it.
#![no_main]

use crust_crypto::{
    HEADER_LEN, MAX_PLAINTEXT, Opened, Opener, RECORD_OVERHEAD, RecordError, Sealer, TAG_LEN,
};
use crust_fuzz::keyed_pair;
use libfuzzer_sys::fuzz_target;

/// The byte of the wire (counted round) that is changed, by what, and the plaintexts that were sealed.
type Case<'a> = (u16, u8, Vec<&'a [u8]>);

fuzz_target!(|case: (Case<'_>, &[u8])| {
    let ((at, change, texts), junk) = case;
    let (mut dialer, mut listener) = keyed_pair();
    let mut sent = texts;
    sent.retain(|text| (1..=MAX_PLAINTEXT).contains(&text.len()));
    let mut wire = seal(&mut dialer.sealer, &sent);
    let at = usize::from(at) % wire.len();
    wire[at] ^= change;
    let (read, end) = open(&mut listener.opener, wire);
    if change == 0 {
        assert_eq!((read, end), (to_owned(&sent), Ok(())));
    } else {
        assert_eq!(end, Err(RecordError::Broken));
        assert!(read.len() <= sent.len() && read == to_owned(&sent[..read.len()]));
    }
    assert!(listener.opener.open(&mut junk.to_vec()).is_err());
    assert!(dialer.opener.open(&mut junk.to_vec()).is_err());
});

fn seal(sealer: &mut Sealer, texts: &[&[u8]]) -> Vec<u8> {
    let mut wire = Vec::new();
    for text in texts {
        let start = wire.len();
        wire.extend_from_slice(&[0; HEADER_LEN]);
        wire.extend_from_slice(text);
        wire.extend_from_slice(&[0; TAG_LEN]);
        sealer.seal(&mut wire[start..]);
    }
    let mut close = [0; RECORD_OVERHEAD];
    sealer.seal_close(&mut close);
    wire.extend_from_slice(&close);
    wire
}

/// Reads as a stream is read: header, then as much as it says. A wire that ends before the close is broken.
fn open(opener: &mut Opener, mut wire: Vec<u8>) -> (Vec<Vec<u8>>, Result<(), RecordError>) {
    let mut read = Vec::new();
    let mut rest = &mut wire[..];
    loop {
        let Some(header) = rest.first_chunk() else {
            return (read, Err(RecordError::Broken));
        };
        let len = match opener.body_len(header) {
            Ok(body_len) => HEADER_LEN + body_len,
            Err(error) => return (read, Err(error)),
        };
        let Some((record, after)) = rest.split_at_mut_checked(len) else {
            return (read, Err(RecordError::Broken));
        };
        match opener.open(record) {
            Ok(Opened::Close) => return (read, Ok(())),
            Ok(Opened::Data(text)) => read.push(text.to_vec()),
            Err(error) => return (read, Err(error)),
        }
        rest = after;
    }
}

fn to_owned(texts: &[&[u8]]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.to_vec()).collect()
}
