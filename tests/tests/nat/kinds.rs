//! A report names each kind of NAT, over UDP and over TCP, with delay and loss.

use crust_nat::{
    behaviour::{Filtering, Mapping},
    report::{Allocation, PathReport},
};
use crust_tests::netlab::{self, Nat};

use crate::scene::Scene;

/// Puts hosts behind routers of this kind, and reads what they report.
fn assert_named(nat: Nat) {
    let Some(scene) = Scene::open() else { return };
    let reports = scene.reports(|lab, wan| lab.router(wan).with_nat(nat));
    for report in reports {
        for (name, path) in [("UDP", &report.udp), ("TCP", &report.tcp)] {
            assert_eq!(words(path), expected(nat), "{name}: {report:#?}");
            assert_eq!(path.is_blocked, Some(false));
            assert_eq!(path.is_translated, Some(true));
        }
        eprintln!("{:?}", report.elapsed);
        assert!(report.elapsed.as_millis() < 3_000, "{:?}", report.elapsed);
    }
}

/// All that a kind is.
type Words = (
    Option<Mapping>,
    Option<Filtering>,
    Option<Allocation>,
    Option<bool>,
);

fn words(path: &PathReport) -> Words {
    (path.mapping, path.filtering, path.allocation, path.hairpin)
}

fn expected(nat: Nat) -> Words {
    let mapping = match nat.mapping {
        netlab::Mapping::EndpointIndependent => Mapping::EndpointIndependent,
        netlab::Mapping::AddressDependent => Mapping::AddressDependent,
        netlab::Mapping::AddressAndPortDependent => Mapping::AddressAndPortDependent,
    };
    let filtering = match nat.filtering {
        netlab::Filtering::EndpointIndependent => Filtering::EndpointIndependent,
        netlab::Filtering::AddressDependent => Filtering::AddressDependent,
        netlab::Filtering::AddressAndPortDependent => Filtering::AddressAndPortDependent,
    };
    let allocation = match nat.allocation {
        netlab::Allocation::Preserving => Allocation::Preserving,
        netlab::Allocation::Sequential => Allocation::Sequential { step: 1 },
        netlab::Allocation::Random => Allocation::Random,
    };
    let hairpin = Some(nat.is_hairpinning);
    (Some(mapping), Some(filtering), Some(allocation), hairpin)
}

macro_rules! kinds {
    ($($name:ident: $mapping:ident $filtering:ident $allocation:ident $($hairpin:ident)?;)*) => {
        $(
            #[test]
            fn $name() {
                let nat = Nat::new(
                    netlab::Mapping::$mapping,
                    netlab::Filtering::$filtering,
                    netlab::Allocation::$allocation,
                );
                assert_named(nat $(.$hairpin())?);
            }
        )*
    };
}

kinds! {
    eim_eif_is_named: EndpointIndependent EndpointIndependent Preserving;
    eim_adf_is_named: EndpointIndependent AddressDependent Preserving;
    eim_apdf_is_named: EndpointIndependent AddressAndPortDependent Preserving;
    adm_eif_is_named: AddressDependent EndpointIndependent Random;
    adm_adf_is_named: AddressDependent AddressDependent Random;
    adm_apdf_is_named: AddressDependent AddressAndPortDependent Random;
    apdm_eif_is_named: AddressAndPortDependent EndpointIndependent Random;
    apdm_adf_is_named: AddressAndPortDependent AddressDependent Random;
    apdm_apdf_is_named: AddressAndPortDependent AddressAndPortDependent Random;
    eim_in_sequence_is_named: EndpointIndependent AddressAndPortDependent Sequential;
    apdm_in_sequence_is_named: AddressAndPortDependent AddressAndPortDependent Sequential;
    eim_at_random_is_named: EndpointIndependent AddressAndPortDependent Random;
    eim_with_hairpin_is_named: EndpointIndependent EndpointIndependent Preserving with_hairpin;
    eim_apdf_with_hairpin_is_named: EndpointIndependent AddressAndPortDependent Random with_hairpin;
    apdm_with_hairpin_is_named: AddressAndPortDependent AddressAndPortDependent Random with_hairpin;
}

#[test]
fn masquerade_of_linux_is_named() {
    assert_named(Nat::LINUX);
}
