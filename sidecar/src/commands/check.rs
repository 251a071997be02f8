//! `lifeboat check`.

use std::path::Path;
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressStyle};
use lifeboat_log::disk::Disk;
use lifeboat_log::inspect::{self, CheckOptions, Checked, Report, Severity};
use lifeboat_log::ranges::in_words;
use lifeboat_log::vfs::Vfs;
use serde_json::json;

use super::fail;
use super::failure::Failure;
use super::human::{bytes, counted};
use crate::cli::Check;
use crate::exit::Exit;

/// Reads everything in `options.dir` and prints what is wrong with it.
pub fn run(options: &Check) -> Exit {
    match check(&options.dir, options.stream.as_deref(), false) {
        Ok(report) => {
            if options.json {
                println!("{}", as_json(&report));
            } else {
                print!("{}", render(&report));
            }
            if report.is_damaged() { Exit::BadVolume } else { Exit::Success }
        }
        Err(failure) => fail(&failure, failure.exit()),
    }
}

/// Checks a directory, with a bar on a terminal.
///
/// # Errors
/// When it is not a data directory, is open elsewhere, or cannot be read.
pub(super) fn check(
    dir: &Path,
    stream: Option<&str>,
    open_elsewhere: bool,
) -> Result<Report, Failure> {
    let vfs: Arc<dyn Vfs> = Arc::new(Disk::new());
    let bar = ProgressBar::new(0);
    let style = ProgressStyle::with_template("{wide_bar} {bytes} of {total_bytes}, {eta} left");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let options = CheckOptions { stream: stream.map(str::to_owned), open_elsewhere };
    let report = inspect::check(&vfs, dir, &options, &mut |read, total| {
        bar.set_length(total);
        bar.set_position(read);
    });
    bar.finish_and_clear();
    Ok(report?)
}

/// What was found, a line each, and how much was read.
pub(super) fn render(report: &Report) -> String {
    let mut lines: Vec<String> = report.findings.iter().map(line).collect();
    let damaged =
        report.findings.iter().filter(|finding| finding.severity == Severity::Damage).count();
    lines.push(format!(
        "{} in {}, {}; {}",
        counted(report.records, "record"),
        counted(report.files, "file"),
        bytes(report.bytes),
        if damaged == 0 { "no damage".to_owned() } else { format!("DAMAGED in {damaged} places") }
    ));
    lines.join("\n") + "\n"
}

fn line(finding: &Checked) -> String {
    let severity = match finding.severity {
        Severity::Damage => "DAMAGE",
        Severity::Note => "note  ",
    };
    let lost: Vec<String> = finding.lost.iter().map(in_words).collect();
    let lost = if lost.is_empty() { String::new() } else { format!("; lost: {}", lost.join(", ")) };
    let path = finding.path.display().to_string();
    let what = finding.what.strip_prefix(&path).unwrap_or(&finding.what);
    format!("{severity} {path}: {}{lost}", what.trim_start_matches([':', ' ']))
}

pub(super) fn as_json(report: &Report) -> serde_json::Value {
    let finding = |finding: &Checked| {
        let lost: Vec<_> = finding.lost.iter().map(|seqs| [seqs.start, seqs.end]).collect();
        let severity = match finding.severity {
            Severity::Damage => "damage",
            Severity::Note => "note",
        };
        json!({"path": finding.path, "severity": severity, "what": finding.what, "lost": lost})
    };
    json!({
        "logId": report.volume.map(|id| id.to_string()),
        "damaged": report.is_damaged(),
        "files": report.files,
        "bytes": report.bytes,
        "records": report.records,
        "findings": report.findings.iter().map(finding).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_says_where_it_is_and_what_it_costs() {
        let what = "/d/a.log is damaged at byte 7: checksum does not match".to_owned();
        let lost = vec![3..6, 9..10];
        let damage = Checked { path: "/d/a.log".into(), severity: Severity::Damage, what, lost };
        let report = Report {
            files: 3,
            bytes: 3 << 20,
            records: 7,
            findings: vec![damage],
            ..Report::default()
        };
        let text = render(&report);
        let expected = "DAMAGE /d/a.log: is damaged at byte 7: checksum does not match; \
                        lost: 3-5, 9\n7 records in 3 files, 3.00 MiB; DAMAGED in 1 places\n";
        assert_eq!(text, expected);
        let json = as_json(&report);
        assert_eq!(json["damaged"], true);
        assert_eq!(json["findings"][0]["lost"], json!([[3, 6], [9, 10]]));
        assert!(render(&Report::default()).contains("no damage"));
    }
}
