//! `lifeboat peek`.

use std::io::{self, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use super::{ask, block_on, seen};
use crate::cli::Peek;
use crate::control::client::Told;
use crate::control::verb::{self, Seen, Verb};
use crate::exit::Exit;

/// Prints records as they are.
pub fn run(options: &Peek) -> Exit {
    block_on(async {
        let usual = if options.json { seen::FOR_MACHINES } else { seen::FOR_PEOPLE };
        let verb = Verb::Peek(verb::Peek {
            stream: options.stream.clone(),
            delivery: options.delivery.clone(),
            dead_letters: options.dead_letters,
            count: options.count,
            from: options.from,
            bytes: options.bytes.unwrap_or(usual),
        });
        let mut page = Page { options, rows: Vec::new() };
        let count: u64 = ask::verb(&options.data, verb, |told| page.add(told)).await?;
        if count == 0 && !options.json {
            println!("nothing there");
        }
        page.print();
        Ok(())
    })
}

/// What came in and is not printed yet: a table is printed by pages, so that it stays small.
struct Page<'a> {
    options: &'a Peek,
    rows: Vec<Seen>,
}

/// Rows of a table that are aligned together.
const PAGE: usize = 500;

impl Page<'_> {
    fn add(&mut self, told: Told) -> io::Result<()> {
        let Told::Item(item) = told else { return Ok(()) };
        if self.options.json {
            return writeln!(io::stdout().lock(), "{item}");
        }
        self.rows.push(serde_json::from_value(item)?);
        if self.rows.len() == PAGE {
            self.print();
        }
        Ok(())
    }

    fn print(&mut self) {
        if self.rows.is_empty() {
            return;
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let letters = self.options.dead_letters;
        let table = if letters { seen::letters } else { seen::records }(&self.rows, now);
        println!("{}", table.trim_fmt());
        self.rows.clear();
    }
}
