//! All that was measured: rows, the servers in each, and what each round said.

use std::fmt;
use std::time::Duration;

use crate::server::Time;

/// What is measured in one way.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) title: String,
    pub(crate) unit: &'static str,
    /// The server to whose figure of the same round those of the others are held.
    pub(crate) base: Option<&'static str>,
    /// What the host's median may be at most: its ratio to the base line, or its figure without
    /// one.
    pub(crate) reach: Option<f64>,
    /// Behind the point, of a figure.
    pub(crate) digits: usize,
}

/// One figure.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    round: usize,
    figure: f64,
    /// Shares of the time that it took: the server had its core, and it waited for it while
    /// something else had it, which a quiet machine does not have.
    busy: f64,
    waited: f64,
}

impl Sample {
    pub(crate) fn new(round: usize, figure: f64, time: Time, elapsed: Duration) -> Self {
        let share = |part: Duration| part.as_secs_f64() / elapsed.as_secs_f64();
        Self { round, figure, busy: share(time.cpu), waited: share(time.waited) }
    }
}

/// Rows in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Figures(Vec<(Row, Vec<Series>)>);

#[derive(Debug)]
struct Series {
    server: String,
    samples: Vec<Sample>,
}

/// A server's line in a row.
#[derive(Debug, Clone)]
pub(crate) struct Line<'f> {
    pub(crate) server: &'f str,
    pub(crate) figure: Spread,
    pub(crate) ratio: Option<Spread>,
    busy: Spread,
    waited: Spread,
}

impl Line<'_> {
    /// What is held to a limit.
    pub(crate) fn held(&self) -> f64 {
        self.ratio.unwrap_or(self.figure).median
    }

    pub(crate) fn is_base_of(&self, row: &Row) -> bool {
        row.base == Some(self.server) || self.server == "raw"
    }
}

impl Row {
    /// As [`Line::held`] is to be shown.
    pub(crate) fn show_held(&self, held: f64) -> String {
        let digits = if self.base.is_some() { 2 } else { self.digits };
        format!("{held:.digits$}")
    }
}

/// The median, and the least and the most.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Spread {
    /// `None` of nothing.
    fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<_> = values.collect();
        values.sort_by(f64::total_cmp);
        let (least, most) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median = match values.len() % 2 {
            0 => (values[middle - 1] + values[middle]) / 2.0,
            _ => values[middle],
        };
        Some(Self { median, least, most })
    }

    /// The median, and the spread in brackets.
    pub(crate) fn show(&self, digits: usize) -> String {
        let Self { median, least, most } = self;
        format!("{median:.digits$} [{least:.digits$}..{most:.digits$}]")
    }
}

impl Figures {
    pub(crate) fn add(&mut self, row: &Row, server: &str, sample: Sample) {
        let at = self.0.iter().position(|(own, _)| own == row).unwrap_or_else(|| {
            self.0.push((row.clone(), Vec::new()));
            self.0.len() - 1
        });
        let all = &mut self.0[at].1;
        match all.iter_mut().find(|series| series.server == server) {
            Some(series) => series.samples.push(sample),
            None => all.push(Series { server: server.to_owned(), samples: vec![sample] }),
        }
    }

    /// Each row with its lines, the base line first and then as they came.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (&Row, Vec<Line<'_>>)> {
        self.0.iter().map(|(row, all)| {
            let base = all.iter().find(|series| Some(series.server.as_str()) == row.base);
            let mut lines: Vec<_> = all.iter().filter_map(|series| series.line(base)).collect();
            lines.sort_by_key(|line| Some(line.server) != row.base);
            (row, lines)
        })
    }

    pub(crate) fn to_csv(&self) -> String {
        let mut text = "row,unit,server,round,figure,ratio,busy,waited\n".to_owned();
        for (row, all) in &self.0 {
            let base = all.iter().find(|series| Some(series.server.as_str()) == row.base);
            for series in all {
                for sample in &series.samples {
                    let ratio = base.and_then(|base| base.at(sample.round));
                    let ratio = ratio.map_or(String::new(), |of| (sample.figure / of).to_string());
                    let (title, unit, server) = (&row.title, row.unit, &series.server);
                    let Sample { round, figure, busy, waited } = sample;
                    text += &format!(
                        "\"{title}\",{unit},{server},{round},{figure},{ratio},{busy},{waited}\n"
                    );
                }
            }
        }
        text
    }
}

impl Series {
    fn at(&self, round: usize) -> Option<f64> {
        self.samples.iter().find(|sample| sample.round == round).map(|sample| sample.figure)
    }

    fn line(&self, base: Option<&Self>) -> Option<Line<'_>> {
        let of = |what: fn(&Sample) -> f64| Spread::of(self.samples.iter().map(what));
        let ratio = |sample: &Sample| Some(sample.figure / base?.at(sample.round)?);
        Some(Line {
            server: &self.server,
            figure: of(|sample| sample.figure)?,
            ratio: Spread::of(self.samples.iter().filter_map(ratio)),
            busy: of(|sample| sample.busy)?,
            waited: of(|sample| sample.waited)?,
        })
    }
}

/// Tables for a terminal. `busy` is the share of its core that the server used; `waited` how long
/// it was kept from it, which should be nothing.
impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (row, lines) in self.rows() {
            writeln!(f, "\n{}: {}", row.title, row.unit)?;
            for line in lines {
                let ratio = line.ratio.map_or(String::new(), |ratio| ratio.show(2));
                writeln!(
                    f,
                    "  {:<18} {ratio:<22} {:<28} busy {:>3.0} %  waited {:>3.0} %",
                    line.server,
                    line.figure.show(row.digits),
                    line.busy.median * 100.0,
                    line.waited.median * 100.0,
                )?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_that_of_its_own_round() {
        let row =
            Row { title: "echo".into(), unit: "µs", base: Some("raw"), reach: None, digits: 1 };
        let mut figures = Figures::default();
        let time = Time { cpu: Duration::from_millis(50), waited: Duration::ZERO };
        for (round, raw, ours) in [(0, 1.0, 2.0), (1, 10.0, 30.0), (2, 4.0, 4.0), (3, 1.0, 4.0)] {
            let sample = |figure| Sample::new(round, figure, time, Duration::from_millis(100));
            figures.add(&row, "ours", sample(ours));
            figures.add(&row, "raw", sample(raw));
        }
        let (_, lines) = figures.rows().next().unwrap();
        let names: Vec<_> = lines.iter().map(|line| line.server).collect();
        assert_eq!(names, ["raw", "ours"]);
        assert_eq!(lines[0].ratio.unwrap().show(1), "1.0 [1.0..1.0]");
        assert_eq!(lines[1].ratio.unwrap().show(1), "2.5 [1.0..4.0]");
        assert_eq!(lines[1].figure.show(0), "4 [2..30]");
        assert!(figures.to_csv().contains("\n\"echo\",µs,ours,1,30,3,0.5,0\n"));
    }
}
