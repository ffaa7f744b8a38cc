//! What goes wrong with a gateway while ports are mapped.

use std::{net::Ipv4Addr, thread, time::Duration};

use crust_tests::netlab::{IgdConfig, Router};

use super::{
    Home,
    program::{Program, Report},
};

/// Leases of PCP that are renewed every four seconds, the least there may be (RFC 6887 §11.2.1).
fn short() -> IgdConfig {
    IgdConfig::default().with_max_lifetime_s(8)
}

/// Ports mapped by one protocol, at a gateway whose clock has run for `age_s`: of one that was started just before the fault, or
/// that is looked at long after, nobody can say by its clock that it was started again.
fn mapped(home: &Home, only: &str, protocol: &str, age_s: u64) -> Program {
    let mut program = home.program(Some(only));
    program.wait_mapped(2, protocol);
    program.refresh_until(|report| report.epoch_s(protocol).is_none_or(|it| it >= age_s));
    program
}

/// Waits until all is mapped at the address that the router has now, and reached there.
fn assert_made_anew(home: &Home, program: &mut Program) {
    let start = program.elapsed();
    let here = (home.router.wan(), 7_000).into();
    let is_here = |report: &Report| report.externals().iter().all(|(_, addr)| *addr == here);
    let mut report = program.wait_for(MINUTE, is_here);
    // What looks the same as before the fault may be gone.
    while !(is_here(&report) && home.stranger.is_told(&report, &home.names())) {
        report = program.next_report(MINUTE);
    }
    let (took, test) = (program.elapsed() - start, thread::current());
    let test = test.name().unwrap_or("one");
    eprintln!("{test}: mapped anew after {took:?}");
}

#[test]
fn renewed_lease_keeps_the_port_mapped_beyond_its_first_life() {
    let Some(home) = Home::open(short()) else {
        return;
    };
    let mut program = home.program(Some("pcp"));
    let first = program.wait_mapped(2, "PCP");
    let end = first.expiries().into_iter().max().unwrap();
    assert!(end <= first.at() + SHORT);
    let report = program.wait(|report| {
        assert_eq!(report.externals(), first.externals());
        report.expiries().iter().all(|at| *at > end) && report.at() > end
    });
    eprintln!(
        "renewed, {:?} after the first lease has ended",
        report.at() - end
    );
    assert_eq!(home.stranger.who(&report), home.names());
}

#[test]
fn daemon_that_is_killed_and_restarted_within_a_lease_is_asked_anew() {
    let Some(mut home) = Home::open(short()) else {
        return;
    };
    let mut program = home.program(None);
    program.wait_mapped(2, "PCP");
    home.router.igd().kill();
    let start = program.elapsed();
    program.wait(|report| report.status("PCP") == "failed");
    eprintln!("daemon killed: told after {:?}", program.elapsed() - start);
    home.router.igd().restart();
    assert_made_anew(&home, &mut program);
}

#[test]
fn daemon_that_is_started_late_is_found() {
    let Some(mut home) = Home::open(IgdConfig::default()) else {
        return;
    };
    home.router.igd().kill();
    let mut program = home.program(None);
    program.wait(|report| report.is_complete());
    let start = program.elapsed();
    home.router.igd().restart();
    let report = program.wait_mapped(2, "PCP");
    eprintln!(
        "daemon started late: mapped after {:?}",
        program.elapsed() - start
    );
    assert_eq!(home.stranger.who(&report), home.names());
}

#[test]
fn rebooted_router_maps_anew_at_the_next_renewal() {
    let Some(mut home) = Home::open(short()) else {
        return;
    };
    let mut program = mapped(&home, "pcp", "PCP", YOUNG_S);
    home.router.reboot();
    assert_made_anew(&home, &mut program);
}

fn reboot(router: &mut Router) {
    router.reboot();
}

fn change_address(router: &mut Router) {
    router.set_wan(Ipv4Addr::new(22, 9, 9, 9));
}

/// What a node does when it notices that the network is another.
macro_rules! ports_are_mapped_anew_when_looked_at {
    ($($name:ident: $fault:ident $only:literal $protocol:literal;)*) => {
        $(
            #[test]
            fn $name() {
                let Some(mut home) = Home::open(IgdConfig::default()) else { return };
                let mut program = mapped(&home, $only, $protocol, YOUNG_S);
                $fault(&mut home.router);
                program.say("refresh");
                assert_made_anew(&home, &mut program);
            }
        )*
    };
}

ports_are_mapped_anew_when_looked_at! {
    ports_are_mapped_anew_by_pcp_after_a_reboot: reboot "pcp" "PCP";
    ports_are_mapped_anew_by_nat_pmp_after_a_reboot: reboot "nat-pmp" "NAT-PMP";
    ports_are_mapped_anew_by_upnp_after_a_reboot: reboot "upnp" "UPnP";
    ports_are_mapped_anew_by_pcp_at_another_address: change_address "pcp" "PCP";
    ports_are_mapped_anew_by_nat_pmp_at_another_address: change_address "nat-pmp" "NAT-PMP";
    ports_are_mapped_anew_by_upnp_at_another_address: change_address "upnp" "UPnP";
}

/// Nobody tells the mapper that it should look. All at once, for each takes a minute.
#[test]
fn reboot_and_change_of_address_are_noticed_within_a_minute_by_each_protocol() {
    let faults: [fn(&mut Router); 2] = [reboot, change_address];
    let protocols = [("pcp", "PCP"), ("nat-pmp", "NAT-PMP"), ("upnp", "UPnP")];
    thread::scope(|scope| {
        for fault in faults {
            for (only, protocol) in protocols {
                scope.spawn(move || {
                    let Some(mut home) = Home::open(IgdConfig::default()) else {
                        return;
                    };
                    let mut program = mapped(&home, only, protocol, OLD_S);
                    fault(&mut home.router);
                    assert_made_anew(&home, &mut program);
                });
            }
        }
    });
}

/// Enough where the next look comes soon (RFC 6887 §8.5, RFC 6886 §3.6).
const YOUNG_S: u64 = 4;
/// Enough where it comes after a minute, an eighth of which is allowed for.
const OLD_S: u64 = 15;
const SHORT: Duration = Duration::from_secs(8);
/// Checks are a minute apart; half as much again for slow machines.
const MINUTE: Duration = Duration::from_secs(90);
