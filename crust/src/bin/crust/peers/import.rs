//! `crust peers import`.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, IsTerminal, Read},
    path::PathBuf,
};

use crust::{Addr, rt};
use crust_bootstrap::{Imported, NotKept, PeerCache};
use serde::Serialize;

use crate::{
    exit::{Failure, sentence},
    out,
};

/// Takes what `text` has, saves it, and tells what became of it.
pub(super) async fn import(cache: &PeerCache, text: &str, json: bool) -> Result<(), Failure> {
    let imported = cache
        .import(text)
        .map_err(|error| Failure::new(format!("nothing was taken: {}", sentence(&error))))?;
    cache.flush().await?;
    if json {
        out::json(&Taken::from(&imported));
    } else {
        tell_imported(&imported);
    }
    let Imported { new, known, .. } = imported;
    match new + known {
        0 if !imported.not_kept.is_empty() => Err(Failure::new("nothing was taken")),
        _ => Ok(()),
    }
}

fn tell_imported(imported: &Imported) {
    let mut reasons: BTreeMap<NotKept, Vec<&Addr>> = BTreeMap::new();
    for (contact, why) in &imported.not_kept {
        reasons.entry(*why).or_default().push(&contact.addr);
    }
    for (why, addrs) in reasons {
        let first = addrs[0];
        out::warning(&match addrs.len() {
            1 => format!("{first} was not kept: {why}"),
            count => format!("{count} addresses were not kept, {first} for one: {why}"),
        });
    }
    if imported.new + imported.known == 0 && !imported.not_kept.is_empty() {
        // It is a failure, which is told when the command ends.
        return;
    }
    let new = match imported.new {
        1 => "1 address was new".to_owned(),
        new => format!("{new} addresses were new"),
    };
    out::talk(match imported.known {
        0 => format!("{new}."),
        1 => format!("{new}, and 1 was known."),
        known => format!("{new}, and {known} were known."),
    });
}

/// The text of `file`, or of the input where that is `-`.
pub(super) async fn read(file: PathBuf) -> Result<String, Failure> {
    let is_input = file.as_os_str() == "-";
    let name = match is_input {
        true => "standard input".to_owned(),
        false => file.display().to_string(),
    };
    if is_input && io::stdin().is_terminal() {
        out::talk("One PEER@ADDRESS a line; Ctrl-D ends.");
    }
    let text = rt::unblock(move || match is_input {
        true => read_text(io::stdin()),
        false => read_text(File::open(file)?),
    });
    text.await
        .map_err(|_| Failure::new("reading broke off: this is a bug"))?
        .map_err(|error| Failure::new(format!("{name} cannot be read: {}", sentence(&error))))
}

fn read_text(from: impl Read) -> io::Result<String> {
    let mut text = String::new();
    from.take(MAX_TEXT + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_TEXT {
        let limit = format!(
            "it is longer than {} MiB, which no list of peers is",
            MAX_TEXT >> 20
        );
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, limit));
    }
    Ok(text)
}

/// What `import` prints for programs.
#[derive(Debug, Serialize)]
struct Taken {
    new: usize,
    known: usize,
    not_kept: Vec<LeftOut>,
}

#[derive(Debug, Serialize)]
struct LeftOut {
    contact: String,
    reason: String,
}

impl From<&Imported> for Taken {
    fn from(imported: &Imported) -> Self {
        let not_kept = imported.not_kept.iter();
        Self {
            new: imported.new,
            known: imported.known,
            not_kept: not_kept
                .map(|(contact, why)| LeftOut {
                    contact: contact.to_string(),
                    reason: why.to_string(),
                })
                .collect(),
        }
    }
}

/// As much as any export has: 1,500 peers with all their addresses.
const MAX_TEXT: u64 = 8 << 20;
