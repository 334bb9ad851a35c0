//! The plot: of each row with a base line a panel, of each server a bar from 1 on a scale of
//! doublings, with its spread, and a line where the host's limit is.

use std::fmt::Write;

use crate::figures::Figures;

const PANEL_WIDTH: f64 = 420.0;
const NAME_WIDTH: f64 = 130.0;
const BAR_HEIGHT: f64 = 16.0;
const HEAD_HEIGHT: f64 = 34.0;
const GAP: f64 = 22.0;
const COLUMNS: usize = 2;
/// Of the scale, as ratios.
const FROM: f64 = 0.5;
const TO: f64 = 32.0;

/// As SVG, with colours that do on white and on black.
pub(crate) fn svg(figures: &Figures) -> String {
    let rows: Vec<_> = figures.rows().filter(|(row, _)| row.base.is_some()).collect();
    let tallest = rows.iter().map(|(_, lines)| lines.len()).max().unwrap_or_default();
    let panel_height = HEAD_HEIGHT + tallest as f64 * BAR_HEIGHT + GAP;
    let width = PANEL_WIDTH * COLUMNS as f64 + GAP;
    let height = panel_height * rows.len().div_ceil(COLUMNS) as f64 + GAP;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"11\" fill=\"#777\">\n"
    );
    for (number, (row, lines)) in rows.iter().enumerate() {
        let left = GAP / 2.0 + (number % COLUMNS) as f64 * PANEL_WIDTH;
        let top = GAP / 2.0 + (number / COLUMNS) as f64 * panel_height;
        text(&mut svg, left, top + 12.0, "start", &row.title);
        let bottom = top + HEAD_HEIGHT + lines.len() as f64 * BAR_HEIGHT;
        scale(&mut svg, left, top + HEAD_HEIGHT, bottom);
        if let Some(reach) = row.reach {
            let x = left + place(reach);
            rule(&mut svg, [x, top + HEAD_HEIGHT, x, bottom], "#d55e00");
        }
        for (at, line) in lines.iter().enumerate() {
            let Some(ratio) = line.ratio else { continue };
            let y = top + HEAD_HEIGHT + at as f64 * BAR_HEIGHT;
            let middle = y + BAR_HEIGHT / 2.0;
            text(&mut svg, left + NAME_WIDTH - 40.0, middle + 4.0, "end", line.server);
            let (one, end) = (left + place(1.0), left + place(ratio.median));
            let colour = if line.server == "switchboard" { "#d55e00" } else { "#7a9cc6" };
            let (x, wide) = (one.min(end), (end - one).abs().max(1.0));
            let _ = writeln!(
                svg,
                "<rect x=\"{x:.1}\" y=\"{:.1}\" width=\"{wide:.1}\" height=\"{:.1}\" fill=\"{colour}\"/>",
                y + 2.0,
                BAR_HEIGHT - 4.0
            );
            let (least, most) = (left + place(ratio.least), left + place(ratio.most));
            rule(&mut svg, [least, middle, most, middle], "#444");
            let label = format!("{:.2}", ratio.median);
            text(&mut svg, most.max(one) + 4.0, middle + 4.0, "start", &label);
        }
    }
    svg + "</svg>\n"
}

/// Lines at each doubling, with their numbers.
fn scale(svg: &mut String, left: f64, top: f64, bottom: f64) {
    let mut ratio = FROM;
    while ratio <= TO {
        let x = left + place(ratio);
        rule(svg, [x, top, x, bottom], if ratio == 1.0 { "#777" } else { "#7774" });
        text(svg, x, top - 4.0, "middle", &ratio.to_string());
        ratio *= 2.0;
    }
}

/// From the left of the panel.
fn place(ratio: f64) -> f64 {
    let share = (ratio.clamp(FROM, TO) / FROM).log2() / (TO / FROM).log2();
    NAME_WIDTH + share * (PANEL_WIDTH - NAME_WIDTH - 50.0)
}

fn rule(svg: &mut String, [x1, y1, x2, y2]: [f64; 4], colour: &str) {
    let _ = writeln!(
        svg,
        "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"{colour}\"/>"
    );
}

fn text(svg: &mut String, x: f64, y: f64, anchor: &str, words: &str) {
    let words = words.replace('&', "&amp;").replace('<', "&lt;");
    let _ =
        writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{words}</text>");
}
