//! The laws of addresses: who may listen where, and who is told what.

use futures::poll;

use super::{
    Subject,
    helpers::{Pair, connect, next, pattern, round_trip, serve, soon},
};
use crate::{
    Addr, DialOpts, Listener, TransportError,
    conformance::{Violation, ensure},
};

/// A scheme that the transport does not serve is [`TransportError::Unsupported`], to dial and to listen.
///
/// # Errors
///
/// How it was broken.
pub async fn unknown_scheme_is_unsupported(subject: &Subject) -> Result<(), Violation> {
    let addr = subject.listen_addr().with_scheme(NOBODYS_SCHEME);
    let dialed = subject.dial(&addr).await.map(|_| ());
    unsupported("dialing", dialed)?;
    let listened = subject.transport().listen(&addr).await.map(|_| ());
    unsupported("listening on", listened)
}

/// Each end is told the right addresses: the dialer's remote address is the listener's, which is the accepted end's
/// local one, and the accepted end's remote address is the dialer's local one. All are of a scheme the transport serves.
///
/// # Errors
///
/// How it was broken.
pub async fn addresses_match_on_both_ends(subject: &Subject) -> Result<(), Violation> {
    let mut listener = subject.listen().await?;
    let bound = listener.local_addr().clone();
    let dial = async { Ok::<_, Violation>(subject.dial(&bound).await?) };
    let take = async {
        let incoming = next(&mut listener).await?;
        let addrs = (
            incoming.local_addr().clone(),
            incoming.remote_addr().clone(),
        );
        Ok((addrs, incoming.accept().await?))
    };
    let (dialed, (incoming, accepted)) = futures::future::try_join(dial, take).await?;
    alike("the dialer's remote address", dialed.remote_addr(), &bound)?;
    alike("the accepted local address", accepted.local_addr(), &bound)?;
    alike("the incoming local address", &incoming.0, &bound)?;
    let (local, remote) = (dialed.local_addr(), accepted.remote_addr());
    alike("the accepted remote address", remote, local)?;
    alike("the incoming remote address", &incoming.1, local)?;
    let schemes = subject.transport().schemes();
    for addr in [&bound, local] {
        ensure(schemes.contains(&addr.scheme()), || {
            format!("{addr} is of none of the schemes served")
        })?;
    }
    Ok(())
}

/// Where a listener is, a second one is [`TransportError::InUse`], and the first goes on.
///
/// # Errors
///
/// How it was broken.
pub async fn second_listener_on_an_address_is_in_use(subject: &Subject) -> Result<(), Violation> {
    let mut first = subject.listen().await?;
    let bound = first.local_addr().clone();
    let second = subject.transport().listen(&bound).await;
    ensure(matches!(second, Err(TransportError::InUse { .. })), || {
        format!("a second listener on {bound} is {second:?}")
    })?;
    connect(subject, &bound, &mut first).await.map(|_| ())
}

/// Dropping a listener frees its address: soon after, another can listen and be dialed there.
///
/// # Errors
///
/// How it was broken.
pub async fn dropped_listener_frees_its_address(subject: &Subject) -> Result<(), Violation> {
    let Pair {
        dialed,
        accepted,
        listener,
    } = Pair::new(subject).await?;
    let bound = listener.local_addr().clone();
    drop((accepted, dialed, listener));
    let mut second = listen_again(subject, &bound).await?;
    connect(subject, &bound, &mut second).await.map(|_| ())
}

/// The same where the listener was waiting for a dial when it was dropped.
///
/// # Errors
///
/// How it was broken.
pub async fn dropped_pending_accept_frees_the_address(subject: &Subject) -> Result<(), Violation> {
    let mut listener = subject.listen().await?;
    let bound = listener.local_addr().clone();
    let waits = poll!(futures::StreamExt::next(&mut listener)).is_pending();
    ensure(waits, || "it accepted a dial that nobody made".into())?;
    drop(listener);
    let mut second = listen_again(subject, &bound).await?;
    connect(subject, &bound, &mut second).await.map(|_| ())
}

/// A dial to where nobody listens any more is an error.
///
/// # Errors
///
/// How it was broken.
pub async fn dial_to_nobody_is_an_error(subject: &Subject) -> Result<(), Violation> {
    let listener = subject.listen().await?;
    let bound = listener.local_addr().clone();
    drop(listener);
    let attempt = async || Ok(subject.dial(&bound).await.err());
    let error = soon(attempt, "dials go on where nobody listens any more").await?;
    alike("the error's address", error.addr(), &bound)
}

/// A dial with [`DialOpts::from`] set to a listener's address comes from there, and the listener goes on.
///
/// Not every transport can; those meant for hole punching must. Not a part of
/// [`transport_conformance!`](crate::transport_conformance).
///
/// # Errors
///
/// How it was broken.
pub async fn dial_from_a_listener_comes_from_its_address(
    subject: &Subject,
) -> Result<(), Violation> {
    let here = subject.listen().await?;
    let from = here.local_addr().clone();
    let mut there = subject.listen().await?;
    let opts = DialOpts::default().with_from(from.clone());
    let bound = there.local_addr().clone();
    let dial = async { Ok(subject.transport().dial(&bound, &opts).await?) };
    let take = super::helpers::accept(&mut there);
    let (dialed, accepted) = futures::future::try_join(dial, take).await?;
    alike("the dialer's local address", dialed.local_addr(), &from)?;
    alike("the accepted remote address", accepted.remote_addr(), &from)?;
    let _echoes = serve(here);
    let mut back = subject.dial(&from).await?;
    round_trip(&mut back, &pattern(1000, 1)).await
}

fn unsupported(what: &str, result: Result<(), TransportError>) -> Result<(), Violation> {
    ensure(
        matches!(result, Err(TransportError::Unsupported { .. })),
        || format!("{what} an unknown scheme is {result:?}"),
    )
}

fn alike(what: &str, is: &Addr, should_be: &Addr) -> Result<(), Violation> {
    ensure(is == should_be, || {
        format!("{what} is {is}, not {should_be}")
    })
}

async fn listen_again(subject: &Subject, addr: &Addr) -> Result<Listener, Violation> {
    let attempt = async || match subject.transport().listen(addr).await {
        Ok(listener) => Ok(Some(listener)),
        Err(TransportError::InUse { .. }) => Ok(None),
        Err(error) => Err(error),
    };
    soon(attempt, "the address of a dropped listener stays in use").await
}

/// No transport serves it.
const NOBODYS_SCHEME: &str = "nobodys-scheme";
