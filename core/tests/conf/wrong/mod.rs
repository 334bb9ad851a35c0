//! Confs that are wrong, each with the messages that it gets.

use switchboard::conf::render;

use crate::support::{Instance, LISTENER};

#[test]
fn each_wrong_conf_is_told_what_the_table_says() {
    let cases = crate::transcript::check("wrong/table");
    assert!(cases >= 60, "{cases}");
}

#[test]
fn an_error_shows_its_line() {
    let text = format!("{LISTENER}<limits>\n\tmax-backlog  1\u{7}x\n</limits>\n");
    let instance = Instance::new(&[("zope.conf", &text)]);
    let errors = instance.load(&[], &[]).expect_err("an error");
    assert_eq!(
        instance.cut(&errors.to_string()),
        "zope.conf:5: <limits> max-backlog: expected a byte size such as 16MB, found '1\u{fffd}x'\n\
         \x20   5:15 |  max-backlog  1\u{fffd}x\n\
         \x20        |               ^^^\n"
    );
    assert!(render(&errors, true).contains("\x1b[1;31m^^^\x1b[0m"));
    let error = errors.iter().next().expect("an error");
    assert_eq!((error.line, error.column), (5, 15));
    assert_eq!(error.directive, "<limits> max-backlog");
}
