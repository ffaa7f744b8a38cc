//! What the fuzz targets call: decoders that are nobody else's business.

use crate::{
    session::assembly::Assembly,
    wire::{
        contacts::ContactsMessage,
        frame::{Frame, Frames},
        hello::Hello,
    },
};

/// Reads `record` as the frames of a record, and puts its messages together.
///
/// # Panics
///
/// Where frames that were read are not written as they were, or more messages come out than bytes went in.
pub fn session_frames(record: &[u8]) {
    let mut assembly = Assembly::new(4_096, 65_536);
    for frame in Frames::new(record) {
        let Ok(frame) = frame else { break };
        assert_reads_back(&frame);
        if let Frame::Message(chunk) = frame
            && assembly.handle_chunk(record, chunk, 0).is_err()
        {
            break;
        }
    }
    assembly.finish_record(record);
    let bytes: usize = assembly
        .done()
        .iter()
        .map(|message| message.data.len())
        .sum();
    assert!(bytes <= record.len());
}

/// Reads `body` as a hello.
///
/// # Panics
///
/// Where a hello that was read is not written and read as the same.
pub fn hello(body: &[u8]) {
    if let Ok(hello) = Hello::decode(body) {
        let written = hello
            .encode()
            .expect("what was read within the limit is written within it");
        assert_eq!(Hello::decode(&written), Ok(hello));
    }
}

/// Reads `message` as one of the contacts channel.
///
/// # Panics
///
/// Where a message that was read is not written and read as the same.
pub fn contacts_message(message: &[u8]) {
    if message.len() > crust_core::CONTROL_MAX_LEN {
        return;
    }
    if let Ok(read) = ContactsMessage::decode(message) {
        assert_eq!(ContactsMessage::decode(&read.encode()), Ok(read));
    }
}

fn assert_reads_back(frame: &Frame<'_>) {
    if matches!(frame, Frame::Unknown) {
        return;
    }
    let mut written = Vec::new();
    frame.put(&mut written);
    assert_eq!(Frames::new(&written).next(), Some(Ok(*frame)));
}
