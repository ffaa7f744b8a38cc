//! A machine whose clock is ten years off, as those without a battery have it.

use std::time::Duration;

use crate::lab::{CLOCKS, Host, Lab, Wiring, within};

#[test]
fn machine_with_a_clock_ten_years_off_meets_its_lan() {
    const TEST: &str = "clock::machine_with_a_clock_ten_years_off_meets_its_lan";
    Lab::run_with(&[CLOCKS], TEST, Wiring::Lan, |lab| {
        let args = ["lan".into(), "gossip".into(), "keep=3..16".into()];
        let mut hosts = [
            lab.host(&args),
            lab.host_with_clock(-TEN_YEARS, &args),
            lab.host(&args),
            lab.host_with_clock(TEN_YEARS, &args),
        ];
        hosts.iter_mut().for_each(Host::go);
        hosts.iter_mut().for_each(Host::started);
        let met = within(Duration::from_secs(5), "3 sessions each", || {
            hosts.iter_mut().all(|host| host.count("sessions") == 3)
        });
        eprintln!("four with three times met after {met:.2?}");
    });
}

#[test]
fn machine_with_a_clock_ten_years_off_finds_its_network_by_asking() {
    const TEST: &str = "clock::machine_with_a_clock_ten_years_off_finds_its_network_by_asking";
    Lab::run_with(&[CLOCKS], TEST, Wiring::Routed, |lab| {
        let args = |contact: Option<String>| {
            let mut args = vec!["gossip".into(), "keep=3..16".into(), "port=4000".into()];
            args.extend(contact.map(|contact| format!("contact={contact}")));
            args
        };
        let first = lab.addr(1, 4_000);
        let mut hosts = vec![lab.host(&args(None))];
        for days in [0, 0, 0, 0, -TEN_YEARS, TEN_YEARS] {
            hosts.push(lab.host_with_clock(days, &args(Some(first.clone()))));
        }
        hosts.iter_mut().for_each(Host::go);
        hosts.iter_mut().for_each(Host::started);
        let met = within(Duration::from_secs(20), "3 sessions each", || {
            hosts.iter_mut().all(|host| host.count("sessions") >= 3)
        });
        eprintln!("seven with three times had 3 sessions each after {met:.2?}");
    });
}

/// In days.
const TEN_YEARS: i32 = 3_652;
