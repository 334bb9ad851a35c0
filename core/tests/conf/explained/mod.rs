//! What `switchboard explain` says.

#[test]
fn a_path_is_told_who_answers_and_who_does_not() {
    assert!(crate::transcript::check("explained/cases") > 0);
}
