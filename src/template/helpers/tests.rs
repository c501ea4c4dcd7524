//! What all helpers have in common.

use super::*;

#[test]
fn every_helper_of_handlebars_helpers_is_there() {
    let own = ["if", "unless", "each", "with", "lookup"];
    assert_eq!(BY_NAME.keys().filter(|name| !own.contains(name)).count(), 188);
}

#[test]
fn what_each_helper_does_is_said_of_all_of_them_and_of_no_other() {
    let told: std::collections::BTreeSet<_> = crate::core::helper::HELPERS.iter().map(|helper| helper.name).collect();
    assert_eq!(told, BY_NAME.keys().copied().collect());
    assert_eq!(crate::core::helper::HELPERS.len(), told.len());
}
