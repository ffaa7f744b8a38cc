//! Cutting what is sent into as few system calls as the system takes.

use std::{
    io,
    sync::atomic::{AtomicUsize, Ordering},
};

/// How many datagrams one call may send. Falls to one, for good, where the system turns out not to be able to.
#[derive(Debug)]
pub(super) struct Gso {
    max_segments: AtomicUsize,
}

impl Gso {
    pub(super) fn new(max_segments: usize) -> Self {
        Self {
            max_segments: AtomicUsize::new(max_segments.max(1)),
        }
    }

    pub(super) fn max_segments(&self) -> usize {
        self.max_segments.load(Ordering::Relaxed)
    }

    /// Hands all of `data` to `send`, which takes the bytes for one call, and the size of each datagram in them where
    /// they are several. Gives the bytes that were sent, in whole datagrams; an error only where there are none.
    pub(super) fn send(
        &self,
        data: &[u8],
        segment_size: Option<usize>,
        mut send: impl FnMut(&[u8], Option<usize>) -> io::Result<()>,
    ) -> io::Result<usize> {
        let Some(size) = segment_size.filter(|&size| 0 < size && size < data.len()) else {
            send(data, None)?;
            return Ok(data.len());
        };
        let mut sent = 0;
        while sent < data.len() {
            match self.send_burst(&data[sent..], size, &mut send) {
                Ok(bytes) => sent += bytes,
                Err(error) if sent == 0 => return Err(error),
                // The next call begins with the datagram that failed, and tells.
                Err(_) => break,
            }
        }
        Ok(sent)
    }

    /// Sends what one call takes.
    fn send_burst(
        &self,
        data: &[u8],
        size: usize,
        send: &mut impl FnMut(&[u8], Option<usize>) -> io::Result<()>,
    ) -> io::Result<usize> {
        let segments = self.max_segments().min(MAX_BURST_BYTES / size).max(1);
        let burst = &data[..data.len().min(segments * size)];
        if burst.len() <= size {
            send(burst, None)?;
            return Ok(burst.len());
        }
        match send(burst, Some(size)) {
            Ok(()) => Ok(burst.len()),
            Err(error) if may_be_for_gso(&error) => {
                // The call sent nothing. Where a datagram of it passes alone, the error was about the burst.
                send(&burst[..size], None)?;
                self.max_segments.store(1, Ordering::Relaxed);
                Ok(size)
            }
            Err(error) => Err(error),
        }
    }
}

/// Whether a call may have failed because a driver cannot cut it: EIO, or EINVAL from older kernels.
fn may_be_for_gso(error: &io::Error) -> bool {
    let is_eio = cfg!(unix) && error.raw_os_error() == Some(EIO);
    is_eio || error.kind() == io::ErrorKind::InvalidInput
}

/// The same number on each Unix; std has no kind for it.
const EIO: i32 = 5;
/// The most that UDP over IPv4 carries; the system holds a burst to it before it is cut.
const MAX_BURST_BYTES: usize = 65_535 - 20 - 8;

#[cfg(test)]
mod tests {
    use super::*;

    /// The calls made, and the datagrams that were sent.
    #[derive(Default)]
    struct Wire {
        calls: usize,
        datagrams: Vec<Vec<u8>>,
    }

    impl Wire {
        fn send(&mut self, data: &[u8], size: Option<usize>) {
            self.calls += 1;
            let size = size.unwrap_or_else(|| data.len().max(1));
            self.datagrams.extend(data.chunks(size).map(<[u8]>::to_vec));
        }
    }

    const EINVAL: io::ErrorKind = io::ErrorKind::InvalidInput;

    fn data(len: usize) -> Vec<u8> {
        (0..=u8::MAX).cycle().take(len).collect()
    }

    #[test]
    fn burst_is_one_call() {
        let (gso, mut wire) = (Gso::new(64), Wire::default());
        let sent = gso.send(&data(950), Some(100), |data, size| {
            wire.send(data, size);
            Ok(())
        });
        assert_eq!((sent.unwrap(), wire.calls), (950, 1));
        assert_eq!(wire.datagrams.len(), 10);
    }

    #[test]
    fn burst_over_the_limits_is_several_calls() {
        for (len, size, calls) in [(65 * 100, 100, 2), (70_000, 1_400, 2), (3, 1, 1)] {
            let (gso, mut wire) = (Gso::new(64), Wire::default());
            let sent = gso.send(&data(len), Some(size), |data, size| {
                assert!(data.len() <= MAX_BURST_BYTES);
                wire.send(data, size);
                Ok(())
            });
            assert_eq!((sent.unwrap(), wire.calls), (len, calls));
            assert_eq!(wire.datagrams.concat(), data(len));
        }
    }

    #[test]
    fn segments_arrive_though_gso_fails() {
        for error in [io::Error::from_raw_os_error(EIO), EINVAL.into()] {
            let (gso, mut wire) = (Gso::new(64), Wire::default());
            let mut error = Some(error);
            let sent = gso.send(&data(950), Some(100), |data, size| {
                if size.is_some() {
                    return Err(error.take().expect("GSO is tried once"));
                }
                wire.send(data, size);
                Ok(())
            });
            if cfg!(unix) || sent.is_ok() {
                assert_eq!(sent.unwrap(), 950);
                assert_eq!(wire.datagrams, data(950).chunks(100).collect::<Vec<_>>());
                assert_eq!(gso.max_segments(), 1);
            }
        }
    }

    #[test]
    fn error_of_the_datagrams_themselves_keeps_gso() {
        let gso = Gso::new(64);
        let sent = gso.send(&data(950), Some(100), |_, size| match size {
            Some(_) => Err(EINVAL.into()),
            None => Err(io::ErrorKind::NetworkUnreachable.into()),
        });
        assert_eq!(sent.unwrap_err().kind(), io::ErrorKind::NetworkUnreachable);
        assert_eq!(gso.max_segments(), 64);
    }

    #[test]
    fn full_socket_tells_what_was_sent() {
        let gso = Gso::new(1);
        let mut room = 3;
        let mut send = |_: &[u8], _| {
            room -= 1;
            (room >= 0)
                .then_some(())
                .ok_or_else(|| io::ErrorKind::WouldBlock.into())
        };
        assert_eq!(gso.send(&data(950), Some(100), &mut send).unwrap(), 300);
        let error = gso.send(&data(650), Some(100), send).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn data_without_a_smaller_segment_is_one_datagram() {
        for size in [None, Some(0), Some(100), Some(usize::MAX)] {
            for len in [0, 100] {
                let mut wire = Wire::default();
                let sent = Gso::new(64).send(&data(len), size, |data, size| {
                    assert_eq!(size, None);
                    wire.send(data, size);
                    Ok(())
                });
                assert_eq!((sent.unwrap(), wire.calls), (len, 1));
            }
        }
    }
}
