//! Makes a difference short enough to read.

use super::Step;
use super::pair::{Difference, Pair, Stop};
use crate::support::text::command_line;
use std::time::{Duration, Instant};

const BUDGET: Duration = Duration::from_secs(60);

/// A transcript that shows the difference, as short as the time allows.
pub fn report(pair: &mut Pair, steps: &[Step], difference: &Difference) -> String {
    let mut steps = steps[..=difference.step].to_vec();
    if !matches!(steps.last(), Some(Step::Compare)) {
        steps.push(Step::Compare);
    }
    let deadline = Instant::now() + BUDGET;
    if !fails(pair, &steps) {
        return "It does not come back when the run is repeated on emptied servers.".into();
    }
    let steps = shrink(pair, steps, deadline);
    transcript(pair, &steps)
}

fn fails(pair: &mut Pair, steps: &[Step]) -> bool {
    pair.clear();
    pair.run(steps).is_err()
}

/// Leaves out ever smaller pieces as long as the servers still disagree without them.
fn shrink(pair: &mut Pair, mut steps: Vec<Step>, deadline: Instant) -> Vec<Step> {
    let mut size = steps.len() / 2;
    while size > 0 {
        let mut removed = false;
        // Backwards, so that what is still to be tried keeps its place.
        let mut end = steps.len();
        while end > 0 {
            if Instant::now() > deadline {
                return steps;
            }
            let start = end.saturating_sub(size);
            let without: Vec<Step> = [&steps[..start], &steps[end..]].concat();
            if fails(pair, &without) {
                steps = without;
                removed = true;
            }
            end = start;
        }
        // Single steps are gone through again as long as that removes some.
        if size > 1 || !removed {
            size /= 2;
        }
    }
    steps
}

fn transcript(pair: &mut Pair, steps: &[Step]) -> String {
    pair.clear();
    let last = pair.run(steps).err();
    pair.clear();
    let replies = pair.redis_replies(steps);
    let mut text = format!("== a difference, in {} steps ==\n", steps.len());
    let mut current = 0;
    for (step, reply) in steps.iter().zip(replies) {
        match step {
            Step::Call(connection, args) => {
                if *connection != current {
                    text.push_str(&format!("@conn {}\n", connection + 1));
                    current = *connection;
                }
                let lines = reply.map(|reply| reply.lines()).unwrap_or_default();
                text.push_str(&format!("> {}\n{}\n", command_line(args), lines.join("\n")));
            }
            Step::DropHot => text.push_str("# here DEBUG DROP-HOT\n"),
            Step::Restart(Stop::Kill) => text.push_str("# here kill -9 and start\n"),
            Step::Restart(Stop::Terminate) => text.push_str("# here SIGTERM and start\n"),
            Step::Compare => text.push_str("# here all is compared\n"),
        }
    }
    match last {
        Some(difference) => format!("{text}# {}\n", difference.to_string().replace('\n', "\n# ")),
        None => format!("{text}# (this time it did not show)\n"),
    }
}
