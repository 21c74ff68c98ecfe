//! Rates over time: they have to stay what they were.

use std::time::Instant;

use crate::Options;
use crate::data::{Data, element, words};
use crate::server::{Client, Kind, Result, Server};

/// A run is divided into so many parts.
const PARTS: u64 = 10;

/// One server's rates of one row: commands a second in each part of the run.
pub struct Flow {
    row: &'static str,
    rates: Vec<f64>,
}

/// The commands of one turn, by the turn's number.
type Turn = fn(u64, &Options) -> Vec<Vec<String>>;

pub fn measure(server: &Server, options: &Options) -> Result<Vec<Flow>> {
    let turns = options.operations / 2;
    let rows: [(&str, Option<Data>, u64, Turn); 6] = [
        ("queue LPUSH+RPOP", None, turns, |turn, options| {
            let push = words(&["LPUSH", "queue", &element(turn)]);
            // The queue is as long as the window.
            if turn < options.window {
                return vec![push];
            }
            vec![push, words(&["RPOP", "queue"])]
        }),
        ("window ZADD+ZREM...", None, turns, |turn, options| {
            let add = words(&["ZADD", "window", &turn.to_string(), &element(turn)]);
            let end = turn.saturating_sub(options.window);
            vec![
                add,
                words(&["ZREMRANGEBYSCORE", "window", "-inf", &format!("({end}")]),
            ]
        }),
        ("SPOP to empty", Some(Data::Set), options.elements, |_, _| {
            vec![words(&["SPOP", "set"])]
        }),
        (
            "ZPOPMIN to empty",
            Some(Data::SortedSet),
            options.elements,
            |_, _| vec![words(&["ZPOPMIN", "zset"])],
        ),
        (
            "ZPOPMAX to empty",
            Some(Data::SortedSet),
            options.elements,
            |_, _| vec![words(&["ZPOPMAX", "zset"])],
        ),
        ("RPOP to empty", Some(Data::List), options.elements, |_, _| {
            vec![words(&["RPOP", "list"])]
        }),
    ];
    let mut flows = Vec::new();
    for (row, data, turns, turn) in rows.into_iter().filter(|(row, ..)| options.wants(row)) {
        eprintln!("{}: {row}", server.kind.name());
        let mut client = Client::connect(server.address)?;
        if let Some(data) = data {
            data.fill(&mut client, options)?;
        }
        server.settle()?;
        let rates = rates(&mut client, turns, turn, options)?;
        if let Some(data) = data {
            let left = client.command(&["EXISTS", data.key()])?;
            if left != "0" {
                return Err(format!("{row}: the key is still there").into());
            }
        }
        flows.push(Flow { row, rates });
    }
    Ok(flows)
}

fn rates(client: &mut Client, turns: u64, turn: Turn, options: &Options) -> Result<Vec<f64>> {
    let mut rates = Vec::new();
    for part in 0..PARTS {
        let (mut at, end) = (turns * part / PARTS, turns * (part + 1) / PARTS);
        let (begun, mut sent) = (Instant::now(), 0);
        while at < end {
            let next = end.min(at + options.pipeline);
            let commands: Vec<_> = (at..next).flat_map(|number| turn(number, options)).collect();
            client.pipeline(&commands)?;
            sent += commands.len();
            at = next;
        }
        rates.push(sent as f64 / begun.elapsed().as_secs_f64());
    }
    Ok(rates)
}

pub fn print(servers: &[(Kind, Vec<Flow>)]) {
    println!("\nthousands of commands a second, in each tenth of the run");
    let rows = servers.iter().map(|(_, flows)| flows.len()).max().unwrap_or(0);
    for at in 0..rows {
        for (kind, flows) in servers {
            let Some(flow) = flows.get(at) else { continue };
            let shown: Vec<String> = flow
                .rates
                .iter()
                .map(|rate| format!("{:>6.0}", rate / 1000.0))
                .collect();
            println!("{:<20} {:<8} {}", flow.row, kind.name(), shown.join(" "));
        }
    }
}
