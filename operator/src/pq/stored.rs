//! `kubectl pq peek` and `redrive`: what a queue's replicas hold, through their own command.

use std::io::Write;

use serde_json::{Value, json};

use super::cli::{Peek, Redrive};
use super::{Error, Place, exec};
use crate::names;

pub(super) async fn peek(
    place: &Place,
    options: &Peek,
    out: &mut dyn Write,
    remarks: &mut dyn Write,
) -> Result<(), Error> {
    let words = peek_words(options);
    everywhere(place, &options.name, options.replica, &words, options.json, (out, remarks)).await
}

pub(super) async fn redrive(
    place: &Place,
    options: &Redrive,
    out: &mut dyn Write,
    remarks: &mut dyn Write,
) -> Result<(), Error> {
    let words = redrive_words(options);
    everywhere(place, &options.name, options.replica, &words, options.json, (out, remarks)).await
}

/// Runs a command in one replica or in all of them, one after the other, and goes on past those that
/// fail.
async fn everywhere(
    place: &Place,
    queue: &str,
    replica: Option<u32>,
    words: &[String],
    json: bool,
    (out, remarks): (&mut dyn Write, &mut dyn Write),
) -> Result<(), Error> {
    let replicas: Vec<u32> = match replica {
        Some(replica) => vec![replica],
        None => instances(place, queue).await?,
    };
    if replicas.is_empty() {
        return Err(Error::Refused(format!("{queue} has no replica that runs")));
    }
    let mut failed = None;
    for replica in &replicas {
        match exec::lifeboat(place, &names::pod(queue, *replica), words).await {
            Ok(printed) if json => out.write_all(labelled(&printed.out, *replica).as_bytes())?,
            Ok(printed) => {
                if replicas.len() > 1 {
                    writeln!(out, "replica {replica}")?;
                }
                out.write_all(printed.out.as_bytes())?;
                remarks.write_all(printed.remarks.as_bytes())?;
            }
            Err(error) => {
                if let Some(earlier) = failed.replace(error) {
                    writeln!(remarks, "error: {earlier}")?;
                }
            }
        }
    }
    failed.map_or(Ok(()), Err)
}

/// The replicas that have a pod somewhere.
async fn instances(place: &Place, queue: &str) -> Result<Vec<u32>, Error> {
    let status = place.queues().get(queue).await?.status.unwrap_or_default();
    let placed = status.instances.iter().filter(|instance| instance.node.is_some());
    let ordinals = placed.map(|instance| u32::try_from(instance.ordinal));
    Ok(ordinals.filter_map(Result::ok).collect())
}

/// Lines of JSON objects, each with the replica that it is from.
fn labelled(lines: &str, replica: u32) -> String {
    let mut labelled = String::new();
    for line in lines.lines() {
        match serde_json::from_str(line) {
            Ok(Value::Object(mut object)) => {
                object.insert("replica".to_owned(), json!(replica));
                labelled.push_str(&Value::Object(object).to_string());
            }
            _ => labelled.push_str(line),
        }
        labelled.push('\n');
    }
    labelled
}

fn peek_words(options: &Peek) -> Vec<String> {
    let mut words = vec!["peek".to_owned(), options.stream.clone()];
    option(&mut words, "--delivery", options.delivery.as_ref());
    flag(&mut words, "--dead-letters", options.dead_letters);
    option(&mut words, "--count", options.count.as_ref());
    option(&mut words, "--from", options.from.as_ref());
    option(&mut words, "--bytes", options.bytes.as_ref());
    flag(&mut words, "--json", options.json);
    words
}

fn redrive_words(options: &Redrive) -> Vec<String> {
    let mut words = vec!["redrive".to_owned(), options.stream.clone()];
    option(&mut words, "--delivery", options.delivery.as_ref());
    for seq in &options.seq {
        option(&mut words, "--seq", Some(seq));
    }
    flag(&mut words, "--all", options.all);
    flag(&mut words, "--dry-run", options.dry_run);
    flag(&mut words, "--json", options.json);
    words
}

/// With `=`, so that no value is taken for an option.
fn option(words: &mut Vec<String>, name: &str, value: Option<&impl ToString>) {
    words.extend(value.map(|value| format!("{name}={}", value.to_string())));
}

fn flag(words: &mut Vec<String>, name: &str, given: bool) {
    if given {
        words.push(name.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::super::cli::{Cli, Command};
    use super::*;
    use clap::Parser;

    fn words(line: &str) -> Vec<String> {
        match Cli::try_parse_from(line.split(' ')).unwrap().command {
            Command::Peek(options) => peek_words(&options),
            Command::Redrive(options) => redrive_words(&options),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_words_are_those_of_the_command_in_the_pod() {
        assert_eq!(words("pq peek q work"), ["peek", "work"]);
        assert_eq!(
            words(
                "pq peek q work --replica 1 --delivery d --dead-letters --count 3 --from 7 --bytes 9 --json"
            ),
            [
                "peek",
                "work",
                "--delivery=d",
                "--dead-letters",
                "--count=3",
                "--from=7",
                "--bytes=9",
                "--json"
            ]
        );
        assert_eq!(
            words("pq redrive q work --replica 0 --seq 3 --seq 7-20 --delivery d --dry-run --json"),
            ["redrive", "work", "--delivery=d", "--seq=3", "--seq=7-20", "--dry-run", "--json"]
        );
        assert_eq!(words("pq redrive q work --all"), ["redrive", "work", "--all"]);
    }

    #[test]
    fn a_record_says_whose_it_is() {
        let labelled = labelled("{\"seq\":1}\nno json\n", 2);
        assert_eq!(labelled, "{\"replica\":2,\"seq\":1}\nno json\n");
    }
}
