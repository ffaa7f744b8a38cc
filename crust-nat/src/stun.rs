//! STUN: what others see of this host (RFC 8489), and how its NAT behaves (RFC 5780).

pub mod wire;
