//! Interface files of any length, with everything that people write in them.

/// The part that is repeated; `#` is a number. Ten lines.
const PART: &str = "\
/// A place, as `point#` says.
struct point# { x: i32, y: i32, name: option<string> }
enum shape# { dot(at: point#), line(from: point#, to: point#), path(points: list<point#>) }
exception lost#(where: point#, since: u64)
interface map# {
    /// What is at this place, and near it.
    find(at: point#, near: f64) -> list<shape#> :throws lost# :timeout 5s
    names(of: set<u64>) -> map<u64, string> :async
    draw(shape: shape#, colour: (u8, u8, u8)) :event
}
";

/// A file of about so many lines.
pub(crate) fn text(lines: u64) -> String {
    let parts = (0..lines / PART.lines().count() as u64)
        .map(|number| PART.replace('#', &format!("_{number}")));
    parts.collect()
}
