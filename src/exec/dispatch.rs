//! From a request to its reply: find the row, check what must hold, have the handler run, and answer or set the request
//! aside. What a request may have to wait for before it may run: the end of CLIENT PAUSE; and while much is staged, if it
//! would add to that, its turn in the line. All others go on.

use std::task::Waker;

use super::parking::Wait;
use super::request::{Body, Ran, Request, Waiting};
use super::session::ReplyMode;
use super::table::{self, Command, Control, Found, Run, flag};
use super::{Client, Engine, Session};
use crate::base::log;
use crate::resp::{Args, Protocol, Reply, SHOWN, c_text, shown};
use crate::store::{self, Damage, Epoch, Stop};

impl Session {
    /// The row that a request's name has.
    pub(super) fn row_of(args: Args) -> Option<Found> {
        args.get(0).and_then(table::find)
    }

    /// Runs one request, or goes on with it if it was set aside and what it waits for has come; `first` is the row that its
    /// name has. False: it has to wait, and the waker is called when it may be that it can go on.
    pub(super) fn run_request(
        &mut self,
        engine: &mut Engine,
        first: Option<Found>,
        args: Args,
        now: u64,
        waker: &Waker,
    ) -> bool {
        let came = self.request.wait.take();
        let is_through = self.dispatch(engine, first, args, now, came);
        if let Some(wait) = &self.request.wait {
            engine.park(wait, self.client.id, waker);
        }
        // Before anybody else's next request.
        engine.serve_touched();
        // Who has a place in the line keeps it until the request has run.
        if !matches!(self.request.wait, Some(Wait::Turn(_)))
            && let Some(place) = self.request.place.take()
        {
            engine.parking.line.leave(place);
        }
        is_through
    }

    /// False: the request is set aside.
    fn dispatch(
        &mut self,
        engine: &mut Engine,
        first: Option<Found>,
        args: Args,
        now: u64,
        came: Option<Wait>,
    ) -> bool {
        let Some(name) = args.get(0) else { return true };
        let Some(first) = first else {
            if is_another_protocol(name) {
                engine.tell_of_another_protocol(&self.client.address);
                self.closing = true;
                return true;
            }
            return self.refuse_command(engine, None, unknown_command(args));
        };
        let found = match first.command.run {
            Run::Container(..) if args.len() > 1 => match first.subcommand(&args[1]) {
                Some(sub) => sub,
                None => {
                    let error = self.no_subcommand(engine, first.command, args);
                    return self.refuse_command(engine, None, error);
                }
            },
            _ => first,
        };
        let row = found.command;
        let sub = if found.number == first.number {
            ""
        } else {
            row.name
        };
        self.note_command(engine, first.command, sub);
        if let Some(error) = self.objection(engine, first.command, sub, row, args) {
            return self.refuse_command(engine, Some(found), error);
        }
        if engine.scripts.busy().is_some()
            && let Some(is_through) = self.beside_busy(engine, found, args, &came)
        {
            return is_through;
        }
        let has_begun = matches!(came, Some(Wait::Checkpoint(_) | Wait::View(..)));
        if !has_begun && self.is_paused(engine, row, args) {
            return self.account(engine, found, args, Outcome::Waits(Wait::Pause));
        }
        if let Some(reply) = self.queue(found, !sub.is_empty(), args) {
            engine.clock.end_lap();
            self.reply(engine, &reply, Epoch::NONE);
            outcome(engine, &reply);
            return true;
        }
        if !has_begun && let Some(wait) = self.hindrance(engine, row) {
            return self.account(engine, found, args, Outcome::Waits(wait));
        }
        let Some(outcome) = self.run_row(engine, found, args, now, came) else {
            return self.refuse_command(engine, Some(found), wrong_arity(first.command, sub));
        };
        self.account(engine, found, args, outcome)
    }

    /// Runs a request that nothing hinders, or goes on with it. `None`: its row needs a subcommand.
    fn run_row(
        &mut self,
        engine: &mut Engine,
        found: Found,
        args: Args,
        now: u64,
        came: Option<Wait>,
    ) -> Option<Outcome> {
        let row = found.command;
        Some(match row.run {
            Run::Data(handler) => {
                let request = self.request_of(Body::Command { row, handler, args }, now);
                self.run_data(engine, found, &request, came)
            }
            Run::Exec => {
                let ran = self.exec(engine, now);
                self.conclude(engine, ran)
            }
            Run::Scripted(find) => {
                let ran = self.run_script(engine, find, args, now);
                self.conclude(engine, ran)
            }
            Run::Checkpointed(control) => {
                let has_waited = matches!(came, Some(Wait::Checkpoint(_)));
                match engine.unless_where_views_find_it(has_waited) {
                    Some(wait) => Outcome::Waits(wait),
                    None => self.run_control(engine, found, control, args),
                }
            }
            Run::Control(control) | Run::Container(_, Some(control)) => {
                self.run_control(engine, found, control, args)
            }
            Run::Container(_, None) => return None,
        })
    }

    /// Answers a request that comes while a script runs for long, if that decides what it is answered.
    fn beside_busy(
        &mut self,
        engine: &mut Engine,
        found: Found,
        args: Args,
        came: &Option<Wait>,
    ) -> Option<bool> {
        let busy = engine.scripts.busy()?;
        if !found.command.has(flag::ALLOW_BUSY) && !self.was_set_aside(came) {
            return Some(self.refuse_command(engine, Some(found), Reply::err(busy)));
        }
        let reply = stats_while_busy(engine, found.command, self.queue.is_some())?;
        self.reply(engine, &reply, Epoch::NONE);
        Some(self.account(engine, found, args, Outcome::Answered))
    }

    /// Whether the request at hand was set aside before.
    fn was_set_aside(&self, came: &Option<Wait>) -> bool {
        came.is_some() || self.request.ticket.is_some() || self.runs_given_back
    }

    fn note_command(&self, engine: &Engine, command: &'static Command, sub: &'static str) {
        self.client.command.set(command.name);
        self.client.subcommand.set(sub);
        self.client.active_ms.set(engine.clock.now_ms());
    }

    /// What a container answers to a name that none of its subcommands has.
    fn no_subcommand(&self, engine: &Engine, command: &Command, args: Args) -> Reply {
        if !reads_its_own_subcommands(command) {
            return unknown_subcommand(command, &args[1]);
        }
        self.objection(engine, command, "", command, args)
            .unwrap_or_else(|| unknown_subcommand_or_arity(command, &args[1]))
    }

    /// Why a request must not run, if so.
    fn objection(
        &self,
        engine: &Engine,
        command: &Command,
        sub: &str,
        row: &Command,
        args: Args,
    ) -> Option<Reply> {
        let fits = row.accepts(args.len());
        let in_command = !sub.is_empty() && reads_its_own_subcommands(command);
        if !fits && !in_command {
            return Some(wrong_arity(command, sub));
        }
        let protected = row.has(flag::PROTECTED);
        if protected && !engine.config.enable_debug_command.allows(self.client.is_local()) {
            return Some(Reply::err(DEBUG_NOT_ALLOWED));
        }
        if !self.authenticated && !row.has(flag::NO_AUTH) {
            return Some(Reply::err("NOAUTH Authentication required."));
        }
        if self.client.monitors.get() && (row.has(flag::READONLY) || row.may_write()) {
            return Some(Reply::err("ERR Replica can't interact with the keyspace"));
        }
        if self.queue.is_some() && row.has(flag::NO_MULTI) {
            return Some(Reply::err("ERR Command not allowed inside a transaction"));
        }
        if self.client.listens.get() && self.protocol == Protocol::Resp2 && !row.has(flag::WHILE_SUBSCRIBED) {
            return Some(not_while_subscribed(command, sub));
        }
        (!fits).then(|| unknown_subcommand_or_arity(command, &args[1]))
    }

    /// Whether running a request may change data; EXEC does what is in its queue.
    #[inline]
    fn may_write(&self, row: &Command) -> bool {
        match (row.run, &self.queue) {
            (Run::Exec, Some(queue)) => queue.may_write(),
            _ => row.may_write(),
        }
    }

    /// Whether CLIENT PAUSE holds a request that has not begun, be it only to be queued.
    fn is_paused(&mut self, engine: &mut Engine, row: &Command, args: Args) -> bool {
        let is_paused = engine.pause.is_on() && self.pause_holds(engine, row, args);
        self.client.paused.set(is_paused);
        is_paused
    }

    #[inline(never)]
    fn pause_holds(&self, engine: &mut Engine, row: &Command, args: Args) -> bool {
        if engine.pause.holds(false) {
            return true;
        }
        let may_write = match (row.run, &self.queue) {
            (Run::Exec, Some(queue)) => queue.may_write_in(engine),
            _ => engine.may_write(row, args),
        };
        engine.pause.holds(may_write)
    }

    /// What a request that has not begun has to wait for before it may run, if anything: a script that has waited long for its
    /// records, or its turn among those who would add to what is staged.
    fn hindrance(&mut self, engine: &mut Engine, row: &Command) -> Option<Wait> {
        let may_write = self.may_write(row);
        if engine.scripts.keeps_others_from_writing()
            && engine.scripts.holds(self.client.id, may_write)
            && !row.has(flag::ALLOW_BUSY)
        {
            return Some(Wait::Script);
        }
        // Messages are no data.
        match may_write && !row.has(flag::PUBSUB) {
            true => self.turn(engine),
            false => None,
        }
    }

    /// The turn that a request has to wait for which would add to what is staged, if it may not run now. Who had a turn goes
    /// on until others have theirs.
    fn turn(&mut self, engine: &mut Engine) -> Option<Wait> {
        let line = &mut engine.parking.line;
        let place = self.request.place;
        // What has been fetched for a request is held for it alone.
        let is_turn = self.had_turn || self.request.ticket.is_some() || line.is_first(place);
        if engine.store.is_congested() || !is_turn {
            self.had_turn = false;
            let place = *self.request.place.get_or_insert_with(|| line.new_place());
            return Some(Wait::Turn(place));
        }
        self.had_turn |= place.is_some();
        None
    }

    /// Counts a request once it is through, with the time of all its runs. False: it is set aside.
    fn account(&mut self, engine: &mut Engine, found: Found, args: Args, outcome: Outcome) -> bool {
        let lap = self.request.spent + engine.clock.end_lap();
        if let Outcome::Waits(wait) = outcome {
            if matches!(wait, Wait::Answer { .. }) && !self.runs_given_back {
                self.note_await(engine, found, args);
            }
            self.request.wait = Some(wait);
            self.request.spent = lap;
            return false;
        }
        self.request.spent = 0;
        let failed = !matches!(outcome, Outcome::Answered);
        if let Outcome::Damaged(damage) = outcome {
            engine.tell_of_damage(found.command, args, self.db, &damage);
        }
        engine.count_request(&self.client, found, args, lap, failed);
        if engine.tracking_clients > 0 {
            self.track_request(engine, found, args);
        }
        if engine.monitors.is_any() && !self.runs_given_back {
            self.show_request(engine, found, args);
        }
        true
    }

    /// A request of this session at this time, in Unix milliseconds.
    #[inline]
    pub(super) fn request_of<'a>(&self, body: Body<'a>, now: u64) -> Request<'a> {
        Request {
            body,
            db: self.db,
            protocol: self.protocol,
            now,
            client: self.client.id,
            seed: self.request.seed,
            touches: !self.client.no_touch.get(),
            is_heard: self.reply_mode == ReplyMode::On,
            may_use_view: matches!(body, Body::Command { .. }),
            waiting: match body {
                Body::Command { .. } => Waiting::May,
                Body::Queue(_) | Body::Loading(_) => Waiting::Never,
            },
        }
    }

    fn run_data(
        &mut self,
        engine: &mut Engine,
        found: Found,
        request: &Request,
        came: Option<Wait>,
    ) -> Outcome {
        let mut ran = match came {
            Some(Wait::Checkpoint(epoch)) => engine.start_over_view(request, epoch),
            Some(Wait::View(ticket, inflow)) => engine.end_over_view(ticket, &inflow),
            _ => engine.run(request, &mut self.request.ticket),
        };
        if let Ran::Ready(Err(Stop::Await(_)), _) = ran {
            // What the view has shown may be there by now: only where all is seen one may wait for more.
            ran = engine.run(request, &mut self.request.ticket);
        }
        if engine.tracking_clients > 0 {
            self.track_view(engine, request, &ran);
        }
        match ran {
            Ran::Awaits(wanted, epoch) => {
                Outcome::Waits(self.await_keys(engine, found, request, *wanted, epoch))
            }
            ran => self.conclude(engine, ran),
        }
    }

    #[inline]
    fn conclude(&mut self, engine: &mut Engine, ran: Ran) -> Outcome {
        match ran {
            Ran::Waits(wait) => Outcome::Waits(wait),
            Ran::Ready(result, epoch) => self.answer(engine, result, epoch),
            Ran::Counted(result, epoch) => {
                self.end_request(engine);
                self.reply(engine, &result.unwrap_or(Reply::Nothing), epoch);
                Outcome::Failed
            }
            Ran::CutOff(stop) => self.cut_off(engine, stop),
            Ran::Awaits(..) => unreachable!("within a larger transaction nothing waits for others"),
        }
    }

    fn answer(&mut self, engine: &mut Engine, result: store::Result<Reply>, epoch: Epoch) -> Outcome {
        self.end_request(engine);
        let (reply, damage) = reply_to(result);
        self.reply(engine, &reply, epoch);
        let outcome = outcome(engine, &reply);
        damage.map_or(outcome, Outcome::Damaged)
    }

    /// A reply that has begun to leave cannot end: so the connection does.
    fn cut_off(&mut self, engine: &mut Engine, why: Stop) -> Outcome {
        self.end_request(engine);
        self.closing = true;
        match why {
            Stop::Damage(damage) => Outcome::Damaged(damage),
            why => {
                let address = &self.client.address;
                log::warning(format_args!(
                    "the connection of {address} ends within a reply: {why:?}"
                ));
                Outcome::Failed
            }
        }
    }

    fn run_control(&mut self, engine: &mut Engine, found: Found, control: Control, args: Args) -> Outcome {
        // Others that ran in a transaction or a script may have left one.
        self.wish = None;
        let reply = control(engine, self, args);
        if let Some(wish) = self.wish.take() {
            return Outcome::Waits(self.wait_as_wished(engine, found, args, wish));
        }
        let epoch = std::mem::take(&mut self.reply_epoch);
        self.reply(engine, &reply, epoch);
        outcome(engine, &reply)
    }

    fn refuse_command(&mut self, engine: &mut Engine, row: Option<Found>, mut error: Reply) -> bool {
        self.refuse_queue();
        if let Some(row) = row {
            engine.stats.rejected(row.number);
            if matches!(row.command.run, Run::Exec) {
                self.drop_queue(engine);
                error = exec_refused(&error);
            }
        }
        engine.clock.end_lap();
        self.reply(engine, &error, Epoch::NONE);
        outcome(engine, &error);
        if engine.tracking_clients > 0 {
            self.forget_tracked(engine);
        }
        true
    }
}

/// What running a request came to.
enum Outcome {
    /// It goes on, or runs again, when this has come.
    Waits(Wait),
    Answered,
    Failed,
    /// As `Failed`, for a reason that belongs in the log.
    Damaged(Box<Damage>),
}

/// The outcome that a reply tells, counted if it is an error.
fn outcome(engine: &mut Engine, reply: &Reply) -> Outcome {
    match reply {
        Reply::Error(text) => {
            engine.stats.error(text);
            Outcome::Failed
        }
        _ => Outcome::Answered,
    }
}

/// What a request is answered that has come to an end, and the damage that it met.
#[inline]
pub(super) fn reply_to(result: store::Result<Reply>) -> (Reply, Option<Box<Damage>>) {
    match result {
        Ok(reply) => (reply, None),
        Err(Stop::Error(text)) => (Reply::Error(text), None),
        Err(Stop::Damage(damage)) => (Reply::Error(damage.text.clone().into()), Some(damage)),
        Err(Stop::Fault | Stop::NeedsView | Stop::Await(_)) => {
            unreachable!("they are no ends of a request")
        }
    }
}

impl Engine {
    /// Counts a client's request that is through, and took so many nanoseconds.
    #[inline]
    pub(super) fn count_request(
        &mut self,
        client: &Client,
        found: Found,
        args: Args,
        spent: u64,
        failed: bool,
    ) {
        self.stats.ran(found.number, spent, failed);
        let now = self.clock.now_ms();
        self.slowlog
            .note(&self.config, client, found.command, args, spent, now);
        let requests = &client.traffic.requests;
        requests.set(requests.get() + 1);
    }

    /// The operator has to know what clients are told of the disk.
    pub(super) fn tell_of_damage(&mut self, row: &Command, args: Args, db: usize, damage: &Damage) {
        let keys = row.key_positions(args).unwrap_or_default();
        let key = keys.first().map(|&at| shown(&args[at]));
        let key = key.map_or_else(String::new, |key| format!(" of the key '{key}'"));
        let record = damage.record.as_ref();
        let record = record.map_or_else(String::new, |record| format!(" (record {record:?})"));
        self.damage_log.warning(format_args!(
            "{}{key} in database {db} failed: {}{record}",
            row.name.to_ascii_uppercase(),
            damage.text
        ));
    }

    /// Whether a request may change data, as a script or a function declares of itself.
    pub(super) fn may_write(&mut self, row: &Command, args: Args) -> bool {
        match row.run {
            Run::Scripted(find) => row.may_write() && !self.only_reads(find, args),
            _ => row.may_write(),
        }
    }

    /// What a request waits for whose predecessors all have to be where views find them; once.
    fn unless_where_views_find_it(&mut self, has_waited: bool) -> Option<Wait> {
        let epoch = self.store.last_staged();
        let is_there = has_waited || self.is_where_views_find_it(epoch);
        (!is_there).then_some(Wait::Checkpoint(epoch))
    }

    fn tell_of_another_protocol(&mut self, address: &str) {
        self.protocol_log.warning(format_args!(
            "{address} speaks HTTP: this may be an attack through somebody's browser (cross protocol scripting). \
             The connection is closed"
        ));
    }
}

/// What FUNCTION STATS answers while something runs for long: it waits for nothing that others hold.
fn stats_while_busy(engine: &Engine, row: &Command, is_queued: bool) -> Option<Reply> {
    let is_meant = engine.scripts.busy().is_some() && row.name == "stats" && !is_queued;
    is_meant.then(|| engine.scripts.stats_while_busy()).flatten()
}

const DEBUG_NOT_ALLOWED: &str = "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", \
    you can run it from a local connection, otherwise you need to set this option in the configuration file, and then \
    restart the server.";

fn unknown_command(args: Args) -> Reply {
    let mut beginning = Vec::new();
    for arg in args.iter().skip(1) {
        if beginning.len() >= SHOWN {
            break;
        }
        let arg = c_text(arg, SHOWN - beginning.len());
        beginning.extend_from_slice(&[b"'", arg, b"' "].concat());
    }
    let beginning = String::from_utf8_lossy(&beginning);
    let name = shown(&args[0]);
    Reply::err(format!(
        "ERR unknown command '{name}', with args beginning with: {beginning}"
    ))
}

/// HTTP's, where a web page makes a browser send requests here: nothing else of such a connection may be run.
fn is_another_protocol(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"post") || name.eq_ignore_ascii_case(b"host:")
}

fn unknown_subcommand(command: &Command, name: &[u8]) -> Reply {
    let name = shown(name);
    let container = command.name.to_ascii_uppercase();
    Reply::err(format!("ERR unknown subcommand '{name}'. Try {container} HELP."))
}

/// Whether the command is no container in Redis, but one that looks at its first argument itself.
fn reads_its_own_subcommands(command: &Command) -> bool {
    command.name == "debug"
}

fn unknown_subcommand_or_arity(command: &Command, name: &[u8]) -> Reply {
    let name = shown(name);
    let container = command.name.to_ascii_uppercase();
    Reply::err(format!(
        "ERR unknown subcommand or wrong number of arguments for '{name}'. Try {container} HELP."
    ))
}

/// What EXEC answers if it is refused itself: the transaction ends.
fn exec_refused(error: &Reply) -> Reply {
    let text = match error {
        Reply::Error(text) => text.strip_prefix("ERR ").unwrap_or(text),
        _ => "",
    };
    Reply::err(format!("EXECABORT Transaction discarded because of: {text}"))
}

fn not_while_subscribed(command: &Command, sub: &str) -> Reply {
    let bar = if sub.is_empty() { "" } else { "|" };
    Reply::err(format!(
        "ERR Can't execute '{}{bar}{sub}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this \
         context",
        command.name
    ))
}

fn wrong_arity(command: &Command, sub: &str) -> Reply {
    let bar = if sub.is_empty() { "" } else { "|" };
    Reply::err(format!(
        "ERR wrong number of arguments for '{}{bar}{sub}' command",
        command.name
    ))
}
