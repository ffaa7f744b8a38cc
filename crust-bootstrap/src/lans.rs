//! The LANs that this node is in, and which of them an address belongs to.

use std::{collections::BTreeSet, net::IpAddr};

use crust_core::Reach;
use ipnet::IpNet;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

/// Where an address can be dialed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Place {
    /// Anywhere.
    Anywhere,
    /// While this node has an address in the prefix.
    OnLink {
        /// The prefix's first address.
        ip: IpAddr,
        /// Bits of the prefix.
        len: u8,
    },
    /// While this node has private addresses in just the prefixes that this was made from: beyond a router of theirs.
    Site([u8; SITE_LEN]),
}

impl Place {
    /// The prefix of one that is on link.
    pub(crate) fn prefix(&self) -> Option<IpNet> {
        match *self {
            Self::OnLink { ip, len } => IpNet::new(ip, len).ok(),
            Self::Anywhere | Self::Site(_) => None,
        }
    }

    /// Whether the prefix, where there is one, is written as it should be.
    pub(crate) fn is_valid(&self) -> bool {
        match *self {
            Self::OnLink { ip, len } => IpNet::new(ip, len).is_ok_and(|net| net.network() == ip),
            Self::Anywhere | Self::Site(_) => true,
        }
    }
}

/// The prefixes in which this node has addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Lans(BTreeSet<IpNet>);

impl Lans {
    /// Takes the prefixes of this node's interfaces; the host's part of each is left out of account.
    pub(crate) fn new(prefixes: impl IntoIterator<Item = IpNet>) -> Self {
        Self(prefixes.into_iter().map(|net| net.trunc()).collect())
    }

    /// Where an address of this `reach` that is met now can be dialed; `None` where it is not to be kept.
    ///
    /// One that is private and on none of our links is kept only where it was `reached`: that shows that a router of
    /// this site leads there.
    pub(crate) fn place(&self, reach: Reach, reached: bool) -> Option<Place> {
        match reach {
            Reach::Everywhere => Some(Place::Anywhere),
            Reach::Nowhere => None,
            Reach::Lan(ip) | Reach::Host(ip) => match ip.and_then(|ip| self.link_of(ip)) {
                Some(net) => Some(Place::OnLink {
                    ip: net.network(),
                    len: net.prefix_len(),
                }),
                None if reached => self.site().map(Place::Site),
                None => None,
            },
        }
    }

    /// Whether an address at `place` can be dialed from here.
    pub(crate) fn is_here(&self, place: &Place) -> bool {
        match place {
            Place::Anywhere => true,
            Place::OnLink { .. } => place.prefix().is_some_and(|net| self.0.contains(&net)),
            Place::Site(site) => self.site().as_ref() == Some(site),
        }
    }

    /// The longest of our prefixes that has `ip` in it.
    fn link_of(&self, ip: IpAddr) -> Option<IpNet> {
        let has_it = self.0.iter().filter(|net| net.contains(&ip));
        has_it.max_by_key(|net| net.prefix_len()).copied()
    }

    /// What tells this site from others: all its private prefixes together, those of this host alone left out.
    fn site(&self) -> Option<[u8; SITE_LEN]> {
        let private = |net: &&IpNet| is_private(net.network());
        let prefixes: Vec<String> = self
            .0
            .iter()
            .filter(private)
            .map(IpNet::to_string)
            .collect();
        if prefixes.is_empty() {
            return None;
        }
        let digest = digest(&SHA256, prefixes.join(" ").as_bytes());
        digest.as_ref().first_chunk().copied()
    }
}

/// Bytes of a site's name: 64 bits are enough that one laptop's sites never meet by chance.
const SITE_LEN: usize = 8;

fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_private(),
        IpAddr::V6(ip) => ip.is_unique_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lans(texts: &[&str]) -> Lans {
        Lans::new(texts.iter().map(|text| text.parse().unwrap()))
    }

    fn lan(text: &str) -> Reach {
        Reach::Lan(Some(text.parse().unwrap()))
    }

    #[test]
    fn address_on_link_can_be_dialed_in_its_prefix_only() {
        let home = lans(&["192.168.1.17/24"]);
        let place = home.place(lan("192.168.1.5"), false).unwrap();
        assert!(home.is_here(&place));
        assert!(lans(&["192.168.1.99/24", "10.0.0.1/8"]).is_here(&place));
        assert!(!lans(&["192.168.2.17/24"]).is_here(&place));
        assert!(!lans(&[]).is_here(&place));
    }

    #[test]
    fn address_beyond_a_router_is_kept_once_reached_and_for_this_site() {
        let site = lans(&["10.1.0.2/24", "127.0.0.1/8"]);
        assert_eq!(site.place(lan("10.2.0.2"), false), None);
        let place = site.place(lan("10.2.0.2"), true).unwrap();
        assert!(site.is_here(&place));
        assert!(lans(&["10.1.0.9/24"]).is_here(&place));
        assert!(!lans(&["10.1.0.2/24", "10.3.0.2/24"]).is_here(&place));
    }

    #[test]
    fn node_without_private_address_keeps_no_private_address() {
        let hosted = lans(&["192.0.2.1/24"]);
        assert_eq!(hosted.place(lan("10.2.0.2"), true), None);
        assert_eq!(hosted.place(Reach::Lan(None), true), None);
    }

    #[test]
    fn the_host_itself_is_a_lan_like_others() {
        let place = lans(&["127.0.0.1/8"]).place(lan("127.0.0.1"), false);
        assert!(lans(&["127.0.0.1/8"]).is_here(&place.unwrap()));
        assert_eq!(lans(&[]).place(lan("127.0.0.1"), true), None);
    }
}
