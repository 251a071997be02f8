//! Tables without lines and colours.

use std::ops::Range;

use comfy_table::{CellAlignment, Table, presets};

/// A table with these columns, those of `numbers` aligned right, as text without spaces at its
/// lines' ends.
pub(super) fn table(
    columns: &[&str],
    numbers: Range<usize>,
    rows: impl IntoIterator<Item = Vec<String>>,
) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(columns);
    for (at, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if numbers.contains(&at) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.add_rows(rows);
    format!("{}\n", table.trim_fmt())
}
