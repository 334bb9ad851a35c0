//! Tables, numbers and times for a person.

use std::fmt::Write;

/// Columns with a head; what a column holds decides how wide it is.
pub(super) struct Table {
    rows: Vec<Vec<String>>,
    /// The columns that hold numbers.
    right: Vec<bool>,
}

impl Table {
    /// A head that begins with `>` stands, with all below it, at the right.
    pub(super) fn new(heads: &[&str]) -> Self {
        let right = heads.iter().map(|head| head.starts_with('>')).collect();
        let heads = heads.iter().map(|head| head.trim_start_matches('>').to_owned()).collect();
        Self { rows: vec![heads], right }
    }

    /// One row, with a cell for each head.
    pub(super) fn row<const N: usize>(&mut self, cells: [String; N]) {
        // What is said by a conf or a plugin moves no cursor.
        let visible = |cell: String| cell.replace(char::is_control, "?");
        self.rows.push(cells.map(visible).into());
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.right.len()).map(width).collect();
        for row in &self.rows {
            let mut line = String::new();
            for ((cell, width), right) in row.iter().zip(&widths).zip(&self.right) {
                match right {
                    true => write!(line, "{cell:>width$}  ")?,
                    false => write!(line, "{cell:<width$}  ")?,
                }
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// `512 B`, `1.5 KB`, `16.0 MB`: of 1024, as in the conf.
pub(super) fn size(bytes: usize) -> String {
    let units = [("GB", 30), ("MB", 20), ("KB", 10)];
    match units.iter().find(|(_, shift)| bytes >> shift > 0) {
        Some((unit, shift)) => {
            let rest = bytes & ((1 << shift) - 1);
            format!("{}.{} {unit}", bytes >> shift, (rest * 10) >> shift)
        }
        None => format!("{bytes} B"),
    }
}

/// Two units are enough: `3d 4h`, `2m 5s`, `7s`.
pub(super) fn time(seconds: u64) -> String {
    let parts = [(seconds / 86_400, 'd'), (seconds / 3600 % 24, 'h'), (seconds / 60 % 60, 'm')];
    let all = parts.into_iter().chain([(seconds % 60, 's')]);
    let first = parts.iter().position(|(count, _)| *count > 0).unwrap_or(3);
    let shown = all.skip(first).take(2).map(|(count, unit)| format!("{count}{unit}"));
    shown.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_they_hold() {
        let mut table = Table::new(&["NAME", ">COUNT", "LAST"]);
        table.row(["a long name".into(), "7".into(), String::new()]);
        table.row(["ä\u{1b}[2J".into(), "123456".into(), "x".into()]);
        let expected = "NAME          COUNT  LAST\n\
                        a long name       7\n\
                        ä?[2J        123456  x\n";
        assert_eq!(table.to_string(), expected);
    }

    #[test]
    fn sizes_and_times_are_short() {
        let sizes = [0, 1023, 1024, 1536, 1 << 20, 1_153_434, (5 << 30) - 1, 1 << 40];
        let shown =
            ["0 B", "1023 B", "1.0 KB", "1.5 KB", "1.0 MB", "1.1 MB", "4.9 GB", "1024.0 GB"];
        assert_eq!(sizes.map(size), shown);
        let times = [0, 59, 60, 125, 3600, 7320, 86_400, 1_000_000];
        let shown = ["0s", "59s", "1m 0s", "2m 5s", "1h 0m", "2h 2m", "1d 0h", "11d 13h"];
        assert_eq!(times.map(time), shown);
    }
}
