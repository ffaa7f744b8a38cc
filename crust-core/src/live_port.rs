//! A port known beforehand, given up for a random one where somebody has it.

use crate::{Addr, Listener, Transport, TransportError};

/// Listens on `addr`, and where that is in use, on a port the system chooses at the same host.
///
/// Works with each transport whose bodies end in `:PORT`; with others it is the same as [`Transport::listen`]. The
/// listener's own address tells which port it has.
///
/// # Errors
///
/// Those of [`Transport::listen`].
///
/// # Cancel safety
///
/// Dropping the future frees the address.
pub async fn listen_live<T>(transport: &T, addr: &Addr) -> Result<Listener, TransportError>
where
    T: Transport + ?Sized,
{
    match transport.listen(addr).await {
        Err(TransportError::InUse { addr: busy }) => match any_port(addr) {
            Some(any) => transport.listen(&any).await,
            None => Err(TransportError::InUse { addr: busy }),
        },
        result => result,
    }
}

/// `addr` with port 0, which asks the system to choose.
fn any_port(addr: &Addr) -> Option<Addr> {
    let (host, port) = addr.as_str().rsplit_once(':')?;
    port.parse::<u16>().ok()?;
    format!("{host}:0").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_port_is_given_up() {
        let any = |text: &str| any_port(&text.parse().unwrap()).map(|addr| addr.to_string());
        assert_eq!(any("tcp://[::1]:5483").unwrap(), "tcp://[::1]:0");
        assert_eq!(any("utp://a.org:5483").unwrap(), "utp://a.org:0");
        assert_eq!(any("memory://a"), None);
    }
}
