//! # Redkeep: the architecture
//!
//! A durable database that speaks Redis's protocol. RocksDB column families hold every data structure; an LRU **hot tier**
//! in memory serves reads; every write is in RocksDB's log before its reply leaves, and in its column family after the next
//! checkpoint. The store *is* the data: there is no dump to load at a start, and a dataset may be many times larger than
//! memory.
//!
//! ## Layers
//!
//! Imports run one way, from left to right; skipping is allowed, going back is not. Nor do they go in a circle within a layer
//! (`tests/tidy/exceptions.rs` lists where they still do). A test (`tests/tidy.rs`) says so.
//!
//! ```text
//! facade -> net -> exec -> command -> types -> store -> disk -> base          resp, config: leaves (config uses base)
//!                                     types -> rdb -> base                 (formats, beside types, uses rdb and base)
//!                  exec -> script -> base                               (script uses base and resp)
//! ```
//!
//! | layer | what it does | what it never does |
//! |---|---|---|
//! | [`facade`] | the programs, and what tests and benches hold on to: all that is public | pass on a type of a layer that has methods |
//! | [`net`] | sockets, I/O threads; moves bytes into and out of sessions | know a command |
//! | [`exec`] | sessions, dispatch, the command table, held replies; `exec/control`: commands about connections and the server | read a record |
//! | [`command`] | one file a family: parse arguments, call a type, shape the reply | change anything outside its transaction |
//! | [`script`] | Redis's Lua: compiles, runs and suspends scripts, which see the server as a [`script::Host`] | know a command or a record |
//! | [`types`] | one file a data structure, over [`store::Txn`] | know the wire |
//! | [`store`] | transactions, hot tier, faults, commits, checkpoints, expiry, reclaim, upkeep | block |
//! | [`disk`] | the only user of RocksDB; `disk/format.rs` is every byte on disk, as a grammar | know what a record means |
//! | [`rdb`] | Redis's dump format; `rdb/item.rs`: what all formats have in common, as a stream of items | know a record |
//! | [`formats`] | other formats of dumps: JSON lines, commands | know a record |
//! | [`base`] | clock, globs, number formats, the log, signals, the process | know anything else |
//! | [`resp`] | RESP2 and RESP3: bytes in, requests out; replies in, bytes out | see a socket |
//! | [`config`] | tables of options: file, flags, CONFIG, the reference in `tools/` | apply an option |
//!
//! Only [`facade`] is public. So the compiler sees what of the rest is dead; and `pub` within a layer means: for the layers
//! before it, `pub(crate)`, `pub(super)` or nothing: less.
//!
//! ## The life of a command
//!
//! ```text
//! bytes -> resp::Decoder -> Session::advance -> table row: arity, auth
//!       -> handler(&mut Txn, &Call) --hit--> Store::stage: records staged in the hot tier, reply held in the Outbox
//!               |                            end of tick (exec/tick.rs): one journal record, one log write
//!               |                            -> replies leave; a checkpoint brings the records to their families
//!               +-- Stop::Fault     -> the connection waits; the fetch pool reads; the handler runs again; what goes on
//!               |                      faulting is rehearsed (store/rehearsal.rs), and all that it reads fetched together
//!               +-- Stop::Await     -> the client waits until others write what is looked for (exec/serve.rs)
//!               +-- Stop::NeedsView -> it needs much, and may go over a view (store/allowance.rs): after a checkpoint of all
//!                                      before it, the handler runs on the view pool, over a snapshot; a long reply leaves
//!                                      in pieces from there (command/elements.rs, exec/stream.rs)
//! ```
//!
//! One thread, the **executor**, runs all commands, one at a time, and owns [`exec::Engine`]. With `io-threads 1` the
//! sockets live there too, as tasks of one current-thread runtime; with more, I/O threads move bytes between sockets and
//! in-memory pipes, and everything else is the same. A **tick** is one turn of the runtime over all connections that have
//! something to say: first they read, so that what their requests touch is loaded side by side (`exec/look_ahead.rs`), then
//! they run. The end of the tick is a task woken by its first write, and lets those go first that have read (`exec/tick.rs`).
//!
//! ## Four walks
//!
//! Each names the functions in their order; a test (`tests/tidy.rs`) checks that they are where this page says.
//!
//! ### A warm SET: all that it touches is in memory
//!
//! 1. The socket is readable: `net/connection.rs::poll` has the line take a turn (`net/connection.rs::turn`), which reads into a
//!    borrowed buffer (`net/connection.rs::read`) and gives all that has come to the session (`net/connection.rs::run`).
//! 2. `exec/session.rs::advance` first sees whether to let other connections be read before
//!    (`exec/look_ahead.rs::lets_others_be_read`), so that lookups of several requests wait for memory side by side; then it
//!    takes request after request from the bytes (`exec/session.rs::run_requests`, `resp/decode.rs::decode`), and
//!    finds its row (`exec/dispatch.rs::row_of`, `exec/table.rs::find`).
//! 3. `exec/dispatch.rs::run_request` and `exec/dispatch.rs::dispatch` see what is to be objected
//!    (`exec/dispatch.rs::objection`), and whether something hinders it: CLIENT PAUSE, or that much is staged
//!    (`exec/dispatch.rs::is_paused`, `exec/dispatch.rs::turn`).
//! 4. `exec/request.rs::run` begins a transaction (`store/staging.rs::begin`) and calls the handler, `command/string.rs::set`. It
//!    looks the key up (`store/keyspace.rs::lookup`, down to `store/txn.rs::get` and the hot tier, `store/hot.rs::get`) and
//!    writes the new value into the transaction (`types/string.rs::set`, `store/keyspace.rs::write`).
//! 5. `store/staging.rs::stage` stages it, whole: each record goes to the hot tier with the number of the open epoch
//!    (`store/staging.rs::stage_record`, `store/hot.rs::stage`). The reply goes to the outbox, where it waits for that epoch
//!    (`exec/session.rs::reply`, `exec/outbox.rs::push`).
//! 6. When all connections have had their turn, `net/mod.rs::commit_and_release` ends the tick, with
//!    `exec/tick.rs::commit_and_release` and `store/reports.rs::end_tick`: the epoch is sealed (`store/commit.rs::seal`), made one
//!    batch (`store/commit.rs::build`) and written to the log, by the executor itself if it is small.
//! 7. `store/commit.rs::decide` notes that it is settled (`store/commit.rs::succeeded`); `exec/tick.rs::release` names the
//!    connections that wait for it. They are flushed (`net/connection.rs::flush`): `exec/outbox.rs::release` lets the reply go,
//!    and `net/connection.rs::write` sends it, with what stood before it and need not have waited, if that is little
//!    (`exec/outbox.rs::is_much_ready`).
//!
//! ### A warm GET: its key's record is in memory, and holds all of the string
//!
//! 1. The socket is readable: `net/connection.rs::poll` has the line take a turn (`net/connection.rs::turn`), which reads
//!    (`net/connection.rs::read`) and gives what has come to the session (`net/connection.rs::run`).
//! 2. `exec/session.rs::advance` and `exec/session.rs::run_requests` take the request from the bytes, which are gone over once
//!    (`resp/decode.rs::decode`): what was decoded to be warmed up is not decoded again. Its row is found
//!    (`exec/dispatch.rs::row_of`, `exec/table.rs::find`).
//! 3. `exec/dispatch.rs::run_request` and `exec/dispatch.rs::dispatch` run it: nothing is objected
//!    (`exec/dispatch.rs::objection`), nothing hinders (`exec/dispatch.rs::is_paused`). It is run as a request over data
//!    (`exec/dispatch.rs::run_row`, `exec/dispatch.rs::run_data`).
//! 4. `exec/request.rs::run` begins a transaction (`store/staging.rs::begin`) and calls the handler, `command/string.rs::get`.
//! 5. The key is looked up (`store/keyspace.rs::lookup_read`, `store/keyspace.rs::lookup`): the transaction has not written it
//!    (`store/txn.rs::get`), memory knows it (`store/txn.rs::recall`), in the hot tier (`store/hot.rs::get`). The reply shares
//!    the record's bytes.
//! 6. `store/staging.rs::stage` finds nothing to stage, and says which epoch the reply depends on: mostly one that is settled.
//!    The reply is put into the outbox (`exec/dispatch.rs::answer`, `exec/session.rs::reply`, `exec/outbox.rs::push`), encoded
//!    (`resp/encode.rs::encode`), and the request is counted (`exec/dispatch.rs::account`).
//! 7. At the end of the session's turn what is not held may leave (`exec/session.rs::release`), and `net/connection.rs::write`
//!    sends it.
//!
//! These are thirteen files, each of which has one thing to do with it: move bytes, take turns, decode, find the handler and
//! check, name the handlers, run one, begin and end a transaction, read the string, look a key up, read a record, find it in
//! memory, hold what must wait, encode. What only counts on the way (clock, statistics, slow log, buffers) is beside it.
//! `tests/tidy.rs` sees to it that they do not become more.
//!
//! ### A cold ZRANGE: the sorted set is large, and only on disk
//!
//! 1. As before up to the handler, `command/sorted_set/range.rs::zrange`. `store/txn.rs::get` does not find the key's record: it
//!    notes it as missing, and the handler ends with [`store::Stop::Fault`].
//! 2. `exec/request.rs::run` abandons the transaction (`store/staging.rs::abandon`), and `exec/request.rs::fault` asks for the
//!    record (`store/rehearsal.rs::retry`, `store/fetch.rs::request`). The request has a ticket, and is parked
//!    (`exec/parking.rs::park`). What requests behind it in the pipeline will want is asked for, too
//!    (`exec/look_ahead.rs::look_ahead`).
//! 3. At the end of the tick `store/fetch.rs::dispatch` hands the names to the fetch pool (`store/threads.rs::ask`), which reads
//!    them, many at once (`store/fetch.rs::read`), and wakes the executor.
//! 4. `store/reports.rs::handle_report` takes what was read: `store/fetch.rs::accept` fills the hot tier (`store/hot.rs::fill`) and
//!    pins the record for the ticket. `exec/parking.rs::wake_for_records` wakes the session, which sees that what it waits for has
//!    come (`exec/parking.rs::has_come`), and runs the request again, from its beginning.
//! 5. Now `types/sorted_set.rs::open` sees a tree, and `types/tree/range.rs::range` walks it (`types/tree/range.rs::walk`). Where a
//!    node is missing, `types/tree/range.rs::prefetch_range` notes all that can be told to be missing beside it, so that one
//!    fault is for a whole level. Faults go on so, a level each; at the third the request is rehearsed
//!    (`store/rehearsal.rs::rehearse`).
//! 6. If many nodes are missing, or the range is long, the handler ends with [`store::Stop::NeedsView`] instead
//!    (`command/elements.rs::beside_others`), as its transaction may go over a view (`exec/request.rs::view_rule`,
//!    `store/txn.rs::wait_for`). `exec/over_view.rs::run_over_view` waits until all before it is in its families,
//!    and `exec/over_view.rs::start_over_view` runs the handler on the view pool, over a snapshot
//!    (`store/mod.rs::run_over_view`). Its reply comes from there in pieces (`exec/stream.rs::send`,
//!    `exec/session.rs::take_pieces`).
//! 7. When it has come to its end, the pins come off (`store/fetch.rs::finish`), and the reply leaves as any other.
//!
//! ### A checkpoint: what is committed comes to its families
//!
//! Its phases, and what fails them, are drawn in `store/checkpoint.rs`; what a failure does to the store, in `store/health.rs`.
//!
//! 1. Each `store/reports.rs::end_tick` asks whether one is due (`store/checkpoint.rs::begin_checkpoint`,
//!    `store/checkpoint.rs::is_checkpoint_due`): much is staged, or the journal is long, or somebody waits for it
//!    (`store/checkpoint.rs::want_checkpointed`).
//! 2. It takes all that is settled. From here on the hot tier tells what is written later (`store/hot.rs::begin_window`).
//! 3. On the checkpoint thread `disk/checkpoint.rs::prepare_checkpoint` reads the journal (`disk/checkpoint.rs::read_part`), sorts
//!    the changes by family and key (`disk/checkpoint.rs::sort`), makes one of all changes of a record
//!    (`disk/checkpoint.rs::fold`), and writes them as a table for each family (`disk/checkpoint.rs::as_tables`) or, if they are
//!    few, as a batch (`disk/checkpoint.rs::as_batch`).
//! 4. `store/checkpoint.rs::accept_checkpoint` has the log synced before tables are installed (`store/commit.rs::sync_then`):
//!    what is in a family must not outlast what is in the journal.
//! 5. Between two commits, the committer installs it (`store/checkpoint.rs::install_checkpoint`, `disk/checkpoint.rs::install`).
//!    While families take their tables in, one after the other (`disk/checkpoint.rs::ingest`), no view begins; each table bears
//!    its family's mark, so that opening the store after a crash does the rest, and nothing twice. In the end the journal is
//!    shortened.
//! 6. `store/checkpoint.rs::end_checkpoint` begins the next part if there was more in the journal. Otherwise what was staged may be
//!    evicted (`store/checkpoint.rs::note_checkpointed`, `store/hot.rs::make_room`), and who waited for a view is woken
//!    (`exec/parking.rs::wake_for_checkpoint`).
//!
//! ## Invariants
//!
//! 1. **No reply reveals what could still be lost.** Every staged record carries the *epoch* that wrote it. A reply depends
//!    on the latest epoch that it saw or wrote, and waits in its client's [`exec::outbox::Outbox`] until that is settled. So
//!    does what others send to a client ([`exec::Engine::send`]), behind what is there; and what a transaction causes beside
//!    its writes waits with its epoch ([`store::Effect`]), and is lost with it.
//! 2. **A transaction is atomic on disk**: an epoch holds whole transactions, and is one RocksDB batch. A checkpoint may
//!    break off; nobody sees the families then, and opening the store finishes it.
//! 3. **The executor never waits for the disk.** Small epochs are written inline with `no_slowdown`, when nothing is in
//!    flight and no fsync is under way; all else goes through the committer, the syncer, the checkpoint thread, the fetch
//!    pool or the view pool. No lock that these hold is taken by the executor.
//! 4. **A handler may run any number of times, and runs few times.** Reads come from memory or stop it; writes, ids,
//!    statistics stay in the [`store::Txn`] until [`store::Store::stage`]. Whatever a command finds missing, and however
//!    much, comes in a few rounds (`tests/cold.rs` counts them for every command).
//! 5. **The hot tier is always right.** What is staged is not evicted before its family has it, so a family that is behind
//!    is not asked; what was read from disk never overwrites what was
//!    written since. When all keys of a namespace are in memory, a key that is not there does not exist (no disk read).
//! 6. **Failed writes are reported.** If an epoch is lost, so is the open one built on it: their records and the counts
//!    return to what is on disk, and every reply that depends on them becomes an error. The store is opened again when there
//!    is room, and takes writes.
//! 7. **A reply takes memory for a few pieces of it**, if it is longer than that and its elements need no sorting: its maker
//!    waits for the client, and nobody for the maker ([`store`]'s `views.rs`). One that grows long on the executor is begun
//!    again over a view; what is long and shared is referred to, not copied, however often it comes ([`resp::Rope`]).
//! 8. **What a request gathers or pins is bounded** ([`store::Allowance`]): one that only reads goes on over a view, another is
//!    refused.
//! 9. **Every length and count from outside is bounded** before memory is taken for it.
//! 10. **An idle connection holds no buffers**, and what the buffers of all connections hold is counted whenever it changes:
//!     above their share of the budget those with the largest end (`exec/buffers.rs`).
//! 11. **Only what would add to what is staged waits** while that is much: in a line, in the order in which it came
//!     (`exec/line.rs`). Reads and all else go on.
//! 12. **The budget holds by itself**, also when nothing happens: what is over it leaves the hot tier in slices, and so does
//!     what is dead (`store/hot/sweep.rs`). After much was deleted, its space on disk and free memory are given back
//!     (`store/upkeep.rs`).
//!
//! ## Commit and checkpoint
//!
//! A commit is one record of the `journal` family, appended: cheap, whatever it changes (`disk/journal.rs`). From time to
//! time what the journal holds is sorted, many changes of a record become one, and each family takes its part in, as a table
//! file or, if it is little, as a batch (`disk/checkpoint.rs`). When that happens: `store/checkpoint.rs`. So no memtable is
//! searched for the place of each record written, which was half of what a write cost; and a page that is written often
//! costs a write to its family once a checkpoint.
//!
//! ## Collections
//!
//! All have one shape: open, get, put, remove, walk, save; each is checked against a model in `types/tests/`.
//!
//! A small collection is packed into its key's record (`types/hash`, `list`, `set`, `sorted_set`); a larger one has an id, and
//! its records are read by point gets only, so what was deleted is never walked over:
//!
//! - `types/buckets.rs`: members and values by hash, in pages that split and merge one at a time (linear hashing). Sets,
//!   hashes, the scores of sorted sets. A random member is a random page and a random slot; a cursor is a position in the
//!   order of hashes, which splits and merges keep.
//! - `types/tree.rs`: a counted B+ tree, by key or by position. The order of sorted sets, lists, the index of streams, what
//!   is pending in groups, deadlines of fields.
//! - `types/blob.rs`: values too long for a page or a leaf.
//!
//! A change makes a record anew in memory; to disk goes what differs (`disk/delta.rs`), so pages may be larger than changes.
//! A type that knows where a page changed says so (`Txn::splice`); for other records the two are compared.
//!
//! ## What is O(1), and how
//!
//! A large value's records are named by an id, as is a database (its *namespace*). So DEL, RENAME, MOVE, FLUSHDB and SWAPDB
//! move or drop an id; what is dropped goes to the `gc` family in the same batch, and `store/reclaim.rs` deletes it in
//! bounded steps. DBSIZE is a count in the database's own record, written in the batch that changes it. A store can be made so
//! that each hash slot of a database has a namespace instead (`store/layout.rs`): all this then holds of a slot.
//!
//! ## Where to add things
//!
//! - **A command**: one row in its group's file in `exec/table/rows/`, one function in its family's file in `command/`
//!   (over data) or `exec/control/` (about the server). The table drives dispatch, COMMAND and key extraction; its audit
//!   tests say what a row lacks.
//! - **A type**: `types/x.rs`, `command/x.rs`, a [`disk::format::Kind`]; exhaustive matches point to the rest (what the
//!   type owns on disk: `store/keyspace.rs`; its grammar: `disk/format.rs`).
//! - **An option**: one row in `config/table.rs`, or in `config/idle.rs` if it decides nothing; if it is live, one arm where
//!   CONFIG SET applies changes.
//! - **A transcript**: a file in `tests/commands/`; it runs against Redkeep in several modes and against redis-server.
//!
//! More of it, the loops and the suites: `tools/CONTRIBUTING.md`.
//!
//! ## Glossary
//!
//! The project's own words, and where each is at home.
//!
//! - **awaited**: of a key, that a client waits until something comes to it; *touched*, that something may have come
//!   (`store/awaited.rs`).
//! - **budget**: what the hot tier may take, a share of `maxmemory` (`exec/memory.rs` shares it out).
//! - **checkpoint**: brings what is in the journal to its families (`disk/checkpoint.rs`, `store/checkpoint.rs`).
//! - **checkpointed**: of an epoch, that its records are in their families, where views find them
//!   ([`store::Store::checkpointed`]).
//! - **cold, hot**: only on disk; in the hot tier.
//! - **commit**: the write of one epoch to the log, as one batch (`store/commit.rs`).
//! - **congested**: so much is staged that what would add to it waits in the **line** (`exec/line.rs`).
//! - **effects**: what a command causes beside its writes and its reply, released when its epoch is settled
//!   ([`store::Effect`], `store/effects.rs`). Those that go to clients wait for that in their outboxes.
//! - **epoch**: the number of a commit, and all that is staged for it ([`store::Epoch`]). It is open, then in flight, then
//!   settled, then checkpointed.
//! - **family**: one of RocksDB's column families; what each holds: `disk/format.rs`.
//! - **fault**: a command needs a record that is not in memory; it runs again when it is ([`store::Stop::Fault`]).
//! - **handler**: the function of a command, run over a transaction ([`command::Handler`]).
//! - **hot tier**: the records in memory, staged or as their families have them, least recently used first out
//!   (`store/hot.rs`).
//! - **journal**: the family that commits append to, until a checkpoint (`disk/journal.rs`).
//! - **look ahead**: see what a request will touch before it runs, so that it is loaded meanwhile (`exec/look_ahead.rs`).
//! - **listing**: what a walk over the keys of a database found, for a transaction that may not run over a view
//!   (`store/listings.rs`).
//! - **lost**: an epoch whose commit failed; replies that depend on it become errors.
//! - **namespace**: the id that the keys of a database, or of a slot, begin with on disk.
//! - **outbox**: what is to be sent to a client, each reply and message with the epoch that it waits for.
//! - **parked**: set aside with what it waits for, and who is to be woken then (`exec/parking.rs`).
//! - **pinned**: kept in the hot tier for a request that waits.
//! - **record**: a key and a value in a family ([`disk::format::RecordKey`]); a large collection has many.
//! - **reclaim**: deletes in the background what was dropped with its id (`store/reclaim.rs`).
//! - **rehearsal**: a run of a command that faults much, aside and over a view, of which counts only what it reads
//!   (`store/rehearsal.rs`).
//! - **sealed**: an epoch that takes no more: it is being committed.
//! - **session**: the state of one connection that a command can see (`exec/session.rs`).
//! - **settled**: an epoch that is decided: committed as `appendfsync` asks, or lost ([`store::Store::settled`]).
//! - **staged**: written to the hot tier by a command, and not yet checkpointed.
//! - **tick**: one turn over all connections that have something to say, and the commit that ends it (`exec/tick.rs`).
//! - **ticket**: the name of a request that waits for records ([`store::Ticket`]).
//! - **tracked**: of a key, that a client has read it and is to be told of changes to it (`store/tracking.rs`).
//! - **unread**: of a record, that it is written without a place in the hot tier, as nobody reads it one by one (deadlines, what
//!   is to be reclaimed).
//! - **upkeep**: what gives back memory and space on disk when much was deleted (`store/upkeep.rs`).
//! - **view**: a snapshot of the families; only what walks ranges reads one, on the view pool ([`disk::View`],
//!   `store/views.rs`).
//! - **waiter**: a client that waits for others to do something, as in BLPOP (`exec/waiters.rs`).
//! - **warm up**: have the processor load what is about to be used, so that several lookups wait for memory together.
//! - **watched**: of a key, that somebody is to be told of changes to it (`store/watches.rs`).
//! - **window**: while a checkpoint runs, the time since it began: what is written in it, the checkpoint does not take.
//!
//! ## Transactions, scripts, waiting and telling, and how what is to come fits in
//!
//! - **Further types**: more families and record keys. Small collections are one `meta` record; large ones own an id.
//! - **MULTI/EXEC**: one [`store::Txn`] over all queued commands, with a [`store::Savepoint`] before each: a command that
//!   fails is rolled back alone. A fault in the middle abandons the whole transaction and runs it again when the records are
//!   in memory, pinned; one that goes on faulting is rehearsed whole. It may not go over a view, which would not show its
//!   own writes: so its commands take their live forms, which wait for whatever they need, up to what a request may gather
//!   (`store/allowance.rs`), and walk over listings of keys (`store/listings.rs`). `exec/live_forms.rs` runs every command so.
//! - **Lua**: a transaction, too, over all that a script calls (`exec/scripts/`). But at a fault it does not begin anew: the
//!   script is suspended where it is, its transaction set aside with what it has read (`store/aside.rs`), and both go on if
//!   nobody has written any of that meanwhile. Otherwise the script begins anew; after a few times, others who would write
//!   wait until it is through.
//! - **WATCH**: a transaction has keys watched from its end on ([`store::Txn::watch`]). A change is told when it is staged, not
//!   when it is settled, as the next to run sees it; EXEC asks for it ([`store::Store::watched_change`]), and if it answers
//!   that a key has changed, that reply waits for the change's epoch.
//! - **Blocking commands**: a handler that finds nothing ends with [`store::Stop::Await`]. Its request leaves the session and
//!   waits among the others (`exec/waiters.rs`), by key and in the order in which they came. What is staged and writes an
//!   awaited key touches it (`store/awaited.rs`); before anybody else's next request, who waits for it is served
//!   (`exec/serve.rs`): the request runs again, as a transaction of its own, and its reply waits for the epoch of what it found.
//! - **Keyspace events, messages**: further kinds of [`store::Effect`], each caused only while somebody listens. As soon as they
//!   are staged, the executor puts them between the replies of all whom they concern (`exec/pubsub/`), where they are held
//!   until their epoch is settled. Each is in memory once for each protocol, and counted once.
//! - **Client tracking, MONITOR**: which keys a client has read is entered as its request is staged (`exec/tracking.rs`,
//!   `store/tracking.rs`); a change takes its readers out when it is staged, and they are told when it is settled; if it is lost,
//!   they are entered again. A monitor's line waits for the epoch that its request's reply waits for (`exec/monitor.rs`).
//! - **RDB in and out**: reading writes transactions; writing walks a view, also that of SAVE and BGSAVE (`exec/saving.rs`), beside
//!   all else. DUMP and RESTORE are commands as others.
//! - **Replication**: an epoch is the unit: its journal record, in order.
//! - **Cluster mode**: a store whose databases are divided by slots ([`store::Layout::Slots`]): a slot's keys are counted in its
//!   record, listed by a walk over its namespace, dropped and handed over with its id.

// The page above is for who works on the crate: it links to what is private.
#![allow(rustdoc::private_intra_doc_links)]
#![warn(missing_docs)]

mod base;
mod command;
mod config;
mod disk;
mod exec;
pub mod facade;
mod formats;
mod net;
mod rdb;
mod resp;
mod script;
mod store;
mod types;
