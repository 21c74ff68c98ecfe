//! Redkeep from the outside: nearly everything here talks to a running server over TCP, as a client does.
//!
//! | module | what it shows |
//! |---|---|
//! | [`transcripts`] | what each command answers, in every mode a server can be in, and that Redis answers the same |
//! | [`differential`] | random commands get the answers of a real redis-server |
//! | [`blocking`] | who waits gets what others write, in its turn, and nobody is told of what is lost |
//! | [`connections`] | clients that leave, idle ones, and what all of them may hold in memory |
//! | [`crash`] | `kill -9` loses nothing that was acknowledged |
//! | [`damage`] | a store that is not whole is refused untouched, and named |
//! | [`power_loss`] | losing what was not fsynced loses what `appendfsync` allows, and tears nothing |
//! | [`operation`] | what operators do: the log, moving to another port, mass expiry, stopping under load |
//! | [`cold`] | commands on cold data wait for few rounds of reads, whatever they touch |
//! | [`transactions`] | what MULTI has queued runs as one, costs what it must, and is counted |
//! | [`pubsub`] | messages reach who listens, in order, and never before what they tell of is safe |
//! | [`scripts`] | nobody comes in between while a script waits; those that run for long can be killed |
//! | [`watches`] | what is a change to a client that watches a key, command by command |
//! | [`tracking`] | caches that clients keep as the server tells never show what is no more |
//! | [`script_values`] | values in scripts, and what their libraries make of them, are as in Redis |
//! | [`signals`] | what each signal does, and that a panic of any thread ends the server |
//! | [`long_replies`] | what is long leaves in pieces, beside other clients |
//! | [`memory`] | the budget holds, what is free goes back, and large writes keep nobody else waiting |
//! | [`events`] | each command tells of what Redis tells of, and no event overtakes its commit |
//! | [`disk_full`] | without room writes fail loudly, and go on when there is room again |
//! | [`dump`] | payloads of DUMP go from and to other servers |
//! | [`fixtures`] | stores that earlier versions wrote are read |
//! | [`functions`] | libraries of functions survive a crash whole, and go from and to a Redis |
//! | [`clients`] | the clients people use work unmodified, and those who hand out jobs lose none by `kill -9` |
//! | [`tool`] | what `redkeep-tool` dumps comes back from every format, all of it or nothing |
//! | [`readme`] | the reference of options and commands is current, and what pages link to exists |
//! | [`tidy`] | the source keeps the rules of the house |

mod blocking;
mod clients;
mod cold;
mod connections;
mod crash;
mod damage;
mod differential;
mod disk_full;
mod dump;

mod events;
mod fixtures;
mod functions;
mod long_replies;
mod memory;
mod operation;
mod power_loss;
mod pubsub;
mod readme;
mod script_values;
mod scripts;
mod signals;
mod support;
mod tidy;
mod tool;
mod tracking;
mod transactions;
mod transcripts;
mod watches;
