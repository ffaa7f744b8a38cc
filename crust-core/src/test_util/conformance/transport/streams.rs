//! The laws of the bytes on an open connection.

use futures::{AsyncReadExt, AsyncWriteExt, future::try_join, io::IoSlice};

use super::{
    Subject,
    helpers::{CHUNK, Pair, echo, fill, pattern, read_all, round_trip, same},
};
use crate::{
    Connection,
    conformance::{Violation, broken, ensure, waiting},
    rt,
};

/// What one end sends, flushed, the other receives, in pieces from one byte to 100 KiB, and the way back.
///
/// # Errors
///
/// How it was broken.
pub async fn round_trip_gives_the_bytes_back(subject: &Subject) -> Result<(), Violation> {
    let Pair {
        mut dialed,
        accepted,
        listener: _listener,
    } = Pair::new(subject).await?;
    let far = rt::spawn(echo(accepted));
    for (len, seed) in [(1, 1), (100, 2), (4096, 3), (100_000, 4), (1, 5)] {
        round_trip(&mut dialed, &pattern(len, seed)).await?;
    }
    dialed.close().await?;
    let rest = read_all(&mut dialed).await?;
    same(&[], &rest)?;
    Ok(far.await??)
}

/// 1 MiB flows each way at the same time: neither direction waits for the other.
///
/// # Errors
///
/// How it was broken.
pub async fn mebibyte_each_way_at_once_arrives(subject: &Subject) -> Result<(), Violation> {
    let pair = Pair::new(subject).await?;
    let there = exchange(pair.dialed, pattern(MEBIBYTE, 1));
    let back = exchange(pair.accepted, pattern(MEBIBYTE, 2));
    let (there, back) = (rt::spawn(there), rt::spawn(back));
    let (at_dialer, at_listener) = (there.await??, back.await??);
    same(&pattern(MEBIBYTE, 2), &at_dialer)?;
    same(&pattern(MEBIBYTE, 1), &at_listener)
}

/// Reading byte by byte, in odd pieces or in one gulp gives the same bytes.
///
/// # Errors
///
/// How it was broken.
pub async fn any_read_size_gives_the_same_bytes(subject: &Subject) -> Result<(), Violation> {
    let sent = pattern(20_000, 7);
    for size in [1, 7, 1000, CHUNK] {
        let pair = Pair::new(subject).await?;
        let far = rt::spawn(exchange(pair.accepted, sent.clone()));
        let arrived = read_by(pair.dialed, size).await?;
        far.await??;
        same(&sent, &arrived)?;
    }
    Ok(())
}

/// A write with many slices, empty and uneven ones among them, sends them in order.
///
/// # Errors
///
/// How it was broken.
pub async fn vectored_writes_arrive_in_order(subject: &Subject) -> Result<(), Violation> {
    let mut pair = Pair::new(subject).await?;
    let far = rt::spawn(async move { read_all(&mut pair.accepted).await });
    let sent = pattern(5 * CHUNK + 17, 9);
    let mut rest = &sent[..];
    while !rest.is_empty() {
        let slices = uneven(rest);
        let offered = slices.iter().map(|slice| slice.len()).sum();
        let len = pair.dialed.write_vectored(&slices).await?;
        ensure((1..=offered).contains(&len), || {
            format!("a write of {offered} bytes said that it took {len}")
        })?;
        rest = &rest[len..];
    }
    pair.dialed.close().await?;
    same(&sent, &far.await??)
}

/// A reader that came first is woken by the first byte.
///
/// # Errors
///
/// How it was broken.
pub async fn late_write_wakes_a_waiting_read(subject: &Subject) -> Result<(), Violation> {
    for (mut near, mut far) in Pair::both_orders(subject).await? {
        let read = waiting(async move {
            let mut byte = [0; 1];
            far.read_exact(&mut byte).await.map(|()| byte[0])
        });
        let read = read.await?;
        near.write_all(&[42]).await?;
        near.flush().await?;
        ensure(read.await?? == 42, || "another byte arrived".into())?;
    }
    Ok(())
}

/// Where nobody reads, writes wait after a bounded number of bytes, and go on, with none lost, once somebody does.
///
/// # Errors
///
/// How it was broken.
pub async fn slow_reader_holds_the_writer_back(subject: &Subject) -> Result<(), Violation> {
    for (mut near, mut far) in Pair::both_orders(subject).await? {
        let taken = fill(&mut near).await?;
        let write = waiting(async move {
            near.write_all(b"the end").await?;
            near.close().await?;
            Ok::<_, Violation>(near)
        });
        let write = write.await?;
        let arrived = read_all(&mut far).await?;
        drop(write.await??);
        ensure(arrived.len() == taken + 7, || {
            format!(
                "{} bytes were sent and {} arrived",
                taken + 7,
                arrived.len()
            )
        })?;
        ensure(arrived.ends_with(b"the end"), || "the end is wrong".into())?;
    }
    Ok(())
}

/// Sends all of `bytes` and closes, and reads what comes meanwhile to its end.
async fn exchange(connection: Connection, bytes: Vec<u8>) -> Result<Vec<u8>, Violation> {
    let (mut reader, mut writer) = connection.split();
    let write = async {
        writer.write_all(&bytes).await?;
        Ok::<_, Violation>(writer.close().await?)
    };
    let read = async {
        let mut arrived = Vec::new();
        reader.read_to_end(&mut arrived).await?;
        Ok(arrived)
    };
    Ok(try_join(write, read).await?.1)
}

async fn read_by(mut connection: Connection, size: usize) -> Result<Vec<u8>, Violation> {
    connection.close().await?;
    let mut arrived = Vec::new();
    let mut buf = vec![0; size];
    loop {
        let len = connection.read(&mut buf).await?;
        if len == 0 {
            return Ok(arrived);
        }
        let bytes = buf
            .get(..len)
            .ok_or_else(|| broken("a read said more than its buffer"))?;
        arrived.extend_from_slice(bytes);
    }
}

/// The first few bytes of `bytes`, cut in slices of several lengths.
fn uneven(mut bytes: &[u8]) -> Vec<IoSlice<'_>> {
    let cuts = [1, 0, 2000, 3, 0, 40_000, 1];
    let slice = |len: usize| {
        let (slice, rest) = bytes.split_at(len.min(bytes.len()));
        bytes = rest;
        IoSlice::new(slice)
    };
    cuts.into_iter().map(slice).collect()
}

const MEBIBYTE: usize = 1024 * 1024;
