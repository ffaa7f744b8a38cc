//! The laws of closing and dropping a connection.

use futures::{AsyncReadExt, AsyncWriteExt};

use super::{
    Subject,
    helpers::{Pair, echo, fill, pattern, read_all, round_trip, same},
};
use crate::{
    conformance::{Violation, ensure, waiting},
    rt,
};

/// Closing ends one direction; the other carries on until it is closed too.
///
/// # Errors
///
/// How it was broken.
pub async fn half_close_keeps_the_other_direction(subject: &Subject) -> Result<(), Violation> {
    for (mut near, mut far) in Pair::both_orders(subject).await? {
        let (there, back) = (pattern(1000, 1), pattern(200_000, 2));
        near.write_all(&there).await?;
        near.close().await?;
        same(&there, &read_all(&mut far).await?)?;
        let answer = back.clone();
        let far = rt::spawn(async move {
            far.write_all(&answer).await?;
            far.close().await?;
            read_all(&mut far).await
        });
        same(&back, &read_all(&mut near).await?)?;
        same(&[], &far.await??)?;
    }
    Ok(())
}

/// What was written before a close arrives, though nobody flushed, and though the closed end is dropped at once.
///
/// # Errors
///
/// How it was broken.
pub async fn close_flushes(subject: &Subject) -> Result<(), Violation> {
    for (mut near, mut far) in Pair::both_orders(subject).await? {
        let sent = pattern(100_000, 3);
        let far = rt::spawn(async move { read_all(&mut far).await });
        near.write_all(&sent).await?;
        near.close().await?;
        drop(near);
        same(&sent, &far.await??)?;
    }
    Ok(())
}

/// A connection closed with nothing sent is an end at the far end, and no error.
///
/// # Errors
///
/// How it was broken.
pub async fn close_of_an_unused_connection_is_an_end(subject: &Subject) -> Result<(), Violation> {
    for (mut near, mut far) in Pair::both_orders(subject).await? {
        near.close().await?;
        same(&[], &read_all(&mut far).await?)?;
        far.close().await?;
        same(&[], &read_all(&mut near).await?)?;
    }
    Ok(())
}

/// After closing, nothing more can be written.
///
/// # Errors
///
/// How it was broken.
pub async fn write_after_close_is_an_error(subject: &Subject) -> Result<(), Violation> {
    for (mut near, _far) in Pair::both_orders(subject).await? {
        near.close().await?;
        let late = async {
            near.write_all(b"late").await?;
            near.flush().await
        };
        let late = late.await;
        ensure(late.is_err(), || "a write after the close was taken".into())?;
    }
    Ok(())
}

/// A reader is woken when the far end is dropped: by an end or an error, whichever.
///
/// # Errors
///
/// How it was broken.
pub async fn dropped_end_wakes_a_waiting_read(subject: &Subject) -> Result<(), Violation> {
    for (near, mut far) in Pair::both_orders(subject).await? {
        let read = waiting(async move { far.read(&mut [0; 1]).await }).await?;
        drop(near);
        let read = read.await?;
        ensure(!matches!(read, Ok(1..)), || {
            "a byte arrived that nobody sent".into()
        })?;
    }
    Ok(())
}

/// A writer held back by a reader is woken by an error when that reader is dropped.
///
/// # Errors
///
/// How it was broken.
pub async fn dropped_end_wakes_a_waiting_write(subject: &Subject) -> Result<(), Violation> {
    for (near, mut far) in Pair::both_orders(subject).await? {
        fill(&mut far).await?;
        let write = waiting(async move {
            loop {
                if let Err(error) = far.write(&[0; 1000]).await {
                    return error;
                }
            }
        });
        let write = write.await?;
        drop(near);
        let _error = write.await?;
    }
    Ok(())
}

/// Dropping a listener leaves the connections it gave alone.
///
/// # Errors
///
/// How it was broken.
pub async fn connections_outlive_their_listener(subject: &Subject) -> Result<(), Violation> {
    let mut pair = Pair::new(subject).await?;
    drop(pair.listener);
    let far = rt::spawn(echo(pair.accepted));
    round_trip(&mut pair.dialed, &pattern(10_000, 1)).await?;
    pair.dialed.close().await?;
    Ok(far.await??)
}
