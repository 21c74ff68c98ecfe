//! CLIENT TRACKING and what goes with it. (What it does: `exec/tracking.rs`.)

use super::{NOT_AN_INTEGER, SYNTAX};
use crate::base::num::parse_i64;
use crate::command::is_option;
use crate::exec::tracks::{Mode, Tracks};
use crate::exec::{Client, Engine, Session};
use crate::resp::{Args, Reply, c_text};

/// Bytes that the prefixes of one client may take, ...
const MOST_PREFIX_BYTES: usize = 64 << 10;
/// ... each taking so much more than its own.
const PREFIX_OVERHEAD: usize = 64;

const NO_SUCH_REDIRECT: &str = "ERR The client ID you want redirect to does not exist";
const OTHER_BROADCAST: &str = "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then \
    re-enabling it with a different mode.";
const OTHER_CHOICE: &str = "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then \
    re-enabling it with a different mode.";
const NOTHING_TO_CHOOSE: &str = "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or \
    OPTOUT mode enabled";

/// The options of CLIENT TRACKING.
#[derive(Default)]
struct Options<'a> {
    redirect: Option<u64>,
    broadcast: bool,
    opt_in: bool,
    opt_out: bool,
    no_loop: bool,
    prefixes: Vec<&'a [u8]>,
}

impl<'a> Options<'a> {
    fn parse(engine: &Engine, args: Args<'a>) -> Result<Options<'a>, Reply> {
        let mut options = Options::default();
        let mut words = args.skip(3).iter();
        while let Some(word) = words.next() {
            let is = |name| is_option(word, name);
            match word {
                _ if is("redirect") && words.len() > 0 => {
                    options.set_redirect(engine, words.next().unwrap_or_default())?;
                }
                _ if is("prefix") && words.len() > 0 => options.prefixes.extend(words.next()),
                _ if is("bcast") => options.broadcast = true,
                _ if is("optin") => options.opt_in = true,
                _ if is("optout") => options.opt_out = true,
                _ if is("noloop") => options.no_loop = true,
                _ => return Err(Reply::err(SYNTAX)),
            }
        }
        Ok(options)
    }

    fn set_redirect(&mut self, engine: &Engine, id: &[u8]) -> Result<(), Reply> {
        if self.redirect.is_some() {
            let text = "ERR A client can only redirect to a single other client";
            return Err(Reply::err(text));
        }
        let id = parse_i64(id).ok_or(Reply::err(NOT_AN_INTEGER))?;
        let id = u64::try_from(id)
            .ok()
            .filter(|id| engine.clients.get(*id).is_some());
        self.redirect = Some(id.ok_or(Reply::err(NO_SUCH_REDIRECT))?);
        Ok(())
    }

    /// What is wrong with them for a client, if anything.
    fn objection(&self, client: &Client) -> Option<&'static str> {
        let tracks = client.tracks.borrow();
        let before = tracks.as_ref().map(|tracks| tracks.mode);
        if !self.broadcast && !self.prefixes.is_empty() {
            return Some("ERR PREFIX option requires BCAST mode to be enabled");
        }
        if before.is_some_and(|mode| (mode == Mode::Broadcast) != self.broadcast) {
            return Some(OTHER_BROADCAST);
        }
        if self.broadcast && (self.opt_in || self.opt_out) {
            return Some("ERR OPTIN and OPTOUT are not compatible with BCAST");
        }
        if self.opt_in && self.opt_out {
            return Some("ERR You can't specify both OPTIN mode and OPTOUT mode");
        }
        let is_other =
            self.opt_in && before == Some(Mode::OptOut) || self.opt_out && before == Some(Mode::OptIn);
        is_other.then_some(OTHER_CHOICE)
    }

    fn mode(&self) -> Mode {
        match self {
            Options { broadcast: true, .. } => Mode::Broadcast,
            Options { opt_in: true, .. } => Mode::OptIn,
            Options { opt_out: true, .. } => Mode::OptOut,
            _ => Mode::Read,
        }
    }
}

/// CLIENT TRACKING: switches on that the client is told when what it has read changes, or off.
pub fn tracking(engine: &mut Engine, session: &mut Session, args: Args) -> Reply {
    let options = match Options::parse(engine, args) {
        Ok(options) => options,
        Err(error) => return error,
    };
    let client = session.client.clone();
    if is_option(&args[2], "off") {
        engine.end_tracking(&client);
        return Reply::Ok;
    }
    if !is_option(&args[2], "on") {
        return Reply::err(SYNTAX);
    }
    if let Some(error) = options.objection(&client) {
        return Reply::err(error);
    }
    let mut prefixes = Vec::new();
    if options.broadcast {
        if let Err(error) = check_prefixes(&client, &options.prefixes) {
            return error;
        }
        prefixes.extend(options.prefixes.iter().map(|prefix| Box::from(*prefix)));
        if prefixes.is_empty() {
            // Every key begins with nothing.
            prefixes.push(Box::default());
        }
    }
    let tracks = Tracks {
        mode: options.mode(),
        no_loop: options.no_loop,
        redirect: options.redirect,
        is_broken: false,
        is_caching_said: false,
        prefixes: Vec::new(),
    };
    engine.begin_tracking(&client, tracks, prefixes);
    Reply::Ok
}

/// No prefix of a client may begin with another one, and all of them together are bounded.
fn check_prefixes(client: &Client, prefixes: &[&[u8]]) -> Result<(), Reply> {
    let tracks = client.tracks.borrow();
    let there = tracks.as_ref().map_or(&[][..], |tracks| &tracks.prefixes);
    let size = |prefix: &[u8]| prefix.len() + PREFIX_OVERHEAD;
    let sizes = there.iter().map(|prefix| size(prefix));
    let bytes: usize = sizes.chain(prefixes.iter().map(|prefix| size(prefix))).sum();
    if bytes > MOST_PREFIX_BYTES {
        return Err(Reply::err(format!(
            "ERR The prefixes of a client may take {MOST_PREFIX_BYTES} bytes, {PREFIX_OVERHEAD} beside its own for each"
        )));
    }
    let overlap = |a: &[u8], b: &[u8]| a.starts_with(b) || b.starts_with(a);
    for (i, &prefix) in prefixes.iter().enumerate() {
        if let Some(other) = there.iter().find(|other| overlap(prefix, other)) {
            return Err(overlaps(prefix, "an existing", other));
        }
        if let Some(other) = prefixes[i + 1..].iter().find(|other| overlap(prefix, other)) {
            return Err(overlaps(prefix, "another provided", other));
        }
    }
    Ok(())
}

fn overlaps(prefix: &[u8], which: &str, other: &[u8]) -> Reply {
    let shown = |text: &[u8]| String::from_utf8_lossy(c_text(text, text.len())).into_owned();
    Reply::err(format!(
        "ERR Prefix '{}' overlaps with {which} prefix '{}'. Prefixes for a single client must not overlap.",
        shown(prefix),
        shown(other)
    ))
}

/// CLIENT CACHING: whether what the next request reads is entered, where that has to be said.
pub fn caching(_: &mut Engine, session: &mut Session, args: Args) -> Reply {
    let tracks = &mut *session.client.tracks.borrow_mut();
    let Some(tracks) = tracks.as_mut() else {
        return Reply::err(NOTHING_TO_CHOOSE);
    };
    let (yes, no) = (is_option(&args[2], "yes"), is_option(&args[2], "no"));
    match tracks.mode {
        Mode::OptIn if yes => tracks.is_caching_said = true,
        Mode::OptOut if no => tracks.is_caching_said = true,
        _ if yes => {
            return Reply::err(
                "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.",
            );
        }
        _ if no => {
            return Reply::err(
                "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.",
            );
        }
        _ => return Reply::err(SYNTAX),
    }
    Reply::Ok
}

/// Whom a client has told in its place: 0 for itself, -1 if nobody is told.
pub(super) fn redirect(client: &Client) -> i64 {
    match &*client.tracks.borrow() {
        Some(tracks) => i64::try_from(tracks.redirect.unwrap_or(0)).unwrap_or(i64::MAX),
        None => -1,
    }
}

/// CLIENT GETREDIR: the id of the client that is told in place of this one; 0: it is told itself; -1: it does not track.
pub fn getredir(_: &mut Engine, session: &mut Session, _: Args) -> Reply {
    Reply::Int(redirect(&session.client))
}

/// CLIENT TRACKINGINFO: a map of flags, of whom is told, and of prefixes.
pub fn trackinginfo(_: &mut Engine, session: &mut Session, _: Args) -> Reply {
    let tracks = session.client.tracks.borrow();
    let (flags, prefixes) = match &*tracks {
        None => (vec!["off"], &[][..]),
        Some(tracks) => {
            let is_said = tracks.is_caching_said;
            let flags = [
                (true, "on"),
                (tracks.mode == Mode::Broadcast, "bcast"),
                (tracks.mode == Mode::OptIn, "optin"),
                (tracks.mode == Mode::OptIn && is_said, "caching-yes"),
                (tracks.mode == Mode::OptOut, "optout"),
                (tracks.mode == Mode::OptOut && is_said, "caching-no"),
                (tracks.no_loop, "noloop"),
                (tracks.is_broken, "broken_redirect"),
            ];
            let set = flags.into_iter().filter(|(is_set, _)| *is_set);
            (set.map(|(_, flag)| flag).collect(), &tracks.prefixes[..])
        }
    };
    let prefixes = prefixes.iter().map(|prefix| Reply::bulk(prefix.to_vec()));
    Reply::Map(vec![
        (
            Reply::bulk("flags"),
            Reply::Set(flags.into_iter().map(Reply::bulk).collect()),
        ),
        (Reply::bulk("redirect"), Reply::Int(redirect(&session.client))),
        (Reply::bulk("prefixes"), Reply::Array(prefixes.collect())),
    ])
}
