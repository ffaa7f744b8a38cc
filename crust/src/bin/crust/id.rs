//! `crust id`: an identity, made where there is none.

use std::path::{Path, PathBuf};

use clap::Args;
use crust::{Identity, PeerId, rt};
use directories::ProjectDirs;
use serde::Serialize;

use crate::{
    exit::{Failure, sentence},
    out,
};

#[derive(Debug, Args)]
pub(crate) struct IdArgs {
    /// The file; without it one in the folder that the system has for the user's data
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
    /// Prints one JSON object
    #[arg(long)]
    json: bool,
}

/// What is printed with `--json`.
#[derive(Debug, Serialize)]
struct Shown<'a> {
    peer: PeerId,
    file: &'a Path,
    made: bool,
}

pub(crate) async fn id(args: IdArgs) -> Result<(), Failure> {
    let path = match args.identity {
        Some(path) => path,
        None => default_file()?,
    };
    let made = !path.exists();
    let file = path.clone();
    let loaded = rt::unblock(move || Identity::load_or_create(file)).await;
    let identity = loaded
        .map_err(|_| Failure::new("reading a file broke off: this is a bug"))?
        .map_err(|error| Failure::not_started(sentence(&error)))?;
    let peer = identity.peer_id();
    if args.json {
        let file = path.as_path();
        out::json(&Shown { peer, file, made });
        return Ok(());
    }
    let kept = if made { "made, and kept in" } else { "from" };
    out::talk(out::paint(out::DIM, format!("{kept} {}", path.display())));
    out::line(out::paint(out::KEY, peer));
    Ok(())
}

/// The file used where none is named; its folder is made.
fn default_file() -> Result<PathBuf, Failure> {
    let dirs = ProjectDirs::from("", "", "crust").ok_or_else(|| {
        Failure::not_started("the system names no home folder; give a file with --identity")
    })?;
    let folder = dirs.data_dir();
    if !folder.is_absolute() {
        return Err(Failure::not_started(
            "the home folder is not an absolute path; give a file with --identity",
        ));
    }
    std::fs::create_dir_all(folder).map_err(|error| {
        let (folder, error) = (folder.display(), sentence(&error));
        Failure::not_started(format!("the folder {folder} cannot be made: {error}"))
    })?;
    Ok(folder.join("identity"))
}
