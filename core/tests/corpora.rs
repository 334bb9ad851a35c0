//! The corpora of the fuzz targets, once through: see `make fuzz`.

#[path = "../fuzz/bodies.rs"]
mod bodies;

use std::fs::read_dir;
use std::path::Path;

#[test]
fn every_input_of_the_corpora_is_taken() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let paths = |folder: &Path| {
        let entries = read_dir(folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
        entries.map(|entry| entry.expect("it can be listed").path())
    };
    let mut count = 0;
    for target in paths(&corpus) {
        let name = target.file_name().and_then(|name| name.to_str()).expect("a plain name");
        for input in paths(&target) {
            let bytes = std::fs::read(&input).expect("it can be read");
            bodies::run(name, &bytes);
            // What is cut short, too.
            (0..bytes.len().min(200)).for_each(|len| bodies::run(name, &bytes[..len]));
            count += 1;
        }
    }
    assert!(count > 30, "{count}");
}
