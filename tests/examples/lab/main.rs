//! Opens a NAT lab with a shell in each host, to try things by hand. As root on Linux:
//!
//! ```sh
//! cargo run -p crust-tests --example lab -- --nat port-restricted --nat symmetric --delay 20 --loss 2
//! ```
#![cfg_attr(
    target_os = "linux",
    expect(clippy::print_stdout, reason = "an example shows what it made")
)]

#[cfg(target_os = "linux")]
mod linux;

fn main() -> std::process::ExitCode {
    #[cfg(target_os = "linux")]
    return linux::main();
    #[cfg(not(target_os = "linux"))]
    {
        eprintln!("the lab needs Linux");
        std::process::ExitCode::FAILURE
    }
}
