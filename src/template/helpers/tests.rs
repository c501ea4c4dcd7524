//! What all helpers have in common.

use super::*;

#[test]
fn every_helper_of_handlebars_helpers_is_there() {
    let own = ["if", "unless", "each", "with", "lookup"];
    assert_eq!(BY_NAME.keys().filter(|name| !own.contains(name)).count(), 188);
}
