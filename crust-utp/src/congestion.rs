//! Congestion control: how many bytes may be in flight, by a controller chosen for each connection.

mod aim;
pub(crate) mod controller;
mod cubic;
mod curve;
mod delay_history;
#[cfg(test)]
pub(crate) mod fixture;
mod hystart;
mod ledbat;
mod loss_origin;
mod rounds;
#[cfg(test)]
mod shares;
#[cfg(test)]
mod sim;
mod window;

use std::{fmt, time::Duration};

pub(crate) use self::controller::{Acked, Congestion, Lost};

/// Which controller a connection uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CongestionKind {
    /// CUBIC (RFC 9438) with HyStart++ (RFC 9406), which takes its share of the link. The default.
    #[default]
    Cubic,
    /// LEDBAT (RFC 6817) with the remedies of LEDBAT++, which gives way to everything else.
    Ledbat {
        /// The queue that it lets stand at the bottleneck. [`CongestionKind::LEDBAT_TARGET`] is a good one; more than
        /// [`CongestionKind::MAX_LEDBAT_TARGET`] counts as that.
        target: Duration,
    },
}

impl CongestionKind {
    /// The target of LEDBAT++ (draft-irtf-iccrg-ledbat-plus-plus-01 §4.5).
    pub const LEDBAT_TARGET: Duration = Duration::from_millis(60);

    /// The target of BEP 29 and the largest that RFC 6817 §2.5 allows.
    pub const MAX_LEDBAT_TARGET: Duration = Duration::from_millis(100);

    /// Makes a controller for a connection whose segments have `mss` bytes.
    pub(crate) fn new_controller(self, mss: u64) -> Box<dyn Congestion> {
        match self {
            Self::Cubic => Box::new(cubic::Cubic::new(mss)),
            Self::Ledbat { target } => Box::new(ledbat::Ledbat::new(
                mss,
                target.min(Self::MAX_LEDBAT_TARGET),
            )),
        }
    }
}

impl fmt::Display for CongestionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cubic => "cubic",
            Self::Ledbat { .. } => "ledbat",
        })
    }
}
