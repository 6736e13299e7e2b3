//! Draws how time and memory grow: a panel for each thing that does, time on its left axis, memory on its right.

use std::path::Path;

use anyhow::anyhow;
use plotters::prelude::*;

const COLUMNS: usize = 2;
const PANEL: (u32, u32) = (460, 240);
const TIME: RGBColor = RGBColor(0x1f, 0x6f, 0xb4);
const MEMORY: RGBColor = RGBColor(0xd9, 0x6c, 0x06);

/// One measurement.
pub(crate) struct Point {
    pub(crate) size: u64,
    pub(crate) seconds: f64,
    pub(crate) mebibytes: f64,
}

/// Measurements of one thing.
pub(crate) struct Panel {
    pub(crate) name: &'static str,
    pub(crate) of: String,
    pub(crate) points: Vec<Point>,
}

/// Writes the picture. Sizes are drawn at equal distances, whatever they are; both other axes are logarithmic, so
/// that what grows tenfold with each tenfold size is straight.
pub(crate) fn draw(to: &Path, panels: &[Panel]) -> anyhow::Result<()> {
    let lines = panels.len().div_ceil(COLUMNS);
    let size = (PANEL.0 * COLUMNS as u32, PANEL.1 * lines as u32);
    let picture = SVGBackend::new(to, size).into_drawing_area();
    let failed = |e: &dyn std::fmt::Display| anyhow!("cannot draw: {e}");
    picture.fill(&WHITE).map_err(|e| failed(&e))?;
    for (area, panel) in picture.split_evenly((lines, COLUMNS)).iter().zip(panels) {
        let about = |of: fn(&Point) -> f64| {
            let all = || panel.points.iter().map(of);
            // One power of ten at least, or a few percent would look like much.
            let least = all().fold(f64::INFINITY, f64::min) / 2.0;
            (least..all().fold(least * 10.0, f64::max) * 2.0).log_scale()
        };
        let (seconds, mebibytes) = (about(|p| p.seconds), about(|p| p.mebibytes));
        let last = panel.points.len().saturating_sub(1) as f64;
        let mut chart = ChartBuilder::on(area)
            .caption(format!("{} ({})", panel.name, panel.of), ("sans-serif", 14))
            .margin(10)
            .x_label_area_size(28)
            .y_label_area_size(48)
            .right_y_label_area_size(48)
            .build_cartesian_2d(0.0..last, seconds)
            .map_err(|e| failed(&e))?
            .set_secondary_coord(0.0..last, mebibytes);
        let name = |place: &f64| {
            let point = panel.points.get(place.round() as usize);
            let whole = (place - place.round()).abs() < 1e-6;
            point
                .filter(|_| whole)
                .map_or_else(String::new, |p| short(p.size))
        };
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .axis_desc_style(("sans-serif", 14, &TIME))
            .x_labels(panel.points.len())
            .x_label_formatter(&name)
            .y_desc("seconds")
            .draw()
            .map_err(|e| failed(&e))?;
        chart
            .configure_secondary_axes()
            .axis_desc_style(("sans-serif", 14, &MEMORY))
            .y_desc("MiB")
            .draw()
            .map_err(|e| failed(&e))?;
        let line = |of: fn(&Point) -> f64| {
            let points = panel.points.iter().enumerate();
            points.map(move |(place, point)| (place as f64, of(point)))
        };
        chart
            .draw_series(LineSeries::new(line(|p| p.seconds), TIME.stroke_width(2)).point_size(3))
            .map_err(|e| failed(&e))?;
        chart
            .draw_secondary_series(
                LineSeries::new(line(|p| p.mebibytes), MEMORY.stroke_width(2)).point_size(3),
            )
            .map_err(|e| failed(&e))?;
    }
    picture.present().map_err(|e| failed(&e))?;
    Ok(())
}

/// A number in as few signs as there can be.
fn short(number: u64) -> String {
    match number {
        0..1_000 => number.to_string(),
        1_000..1_000_000 => format!("{}k", number / 1_000),
        _ => format!("{}M", number / 1_000_000),
    }
}
