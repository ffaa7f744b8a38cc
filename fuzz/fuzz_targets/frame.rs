//! Frames off a byte stream: the frames read are the bytes that were there.
#![no_main]

use bytes::BytesMut;
use crust_core::FrameCodec;
use libfuzzer_sys::fuzz_target;

const CODEC: FrameCodec = FrameCodec::new(1_000);

fuzz_target!(|bytes: &[u8]| {
    let mut input = BytesMut::from(bytes);
    let mut read = BytesMut::new();
    while let Ok(Some(frame)) = CODEC.decode(&mut input) {
        CODEC
            .encode(&frame, &mut read)
            .expect("it was no longer than allowed");
    }
    read.extend_from_slice(&input);
    assert_eq!(read, bytes);
});
