//! The screen as a whole: help, the smallest and the largest sizes, what all views share.

use super::keys;
use crate::{
    app::{
        Event, View,
        fixtures::{model, press},
        update,
    },
    ui::snapshot::screen,
};

#[test]
fn the_help_page() {
    keys("help", "?");
}

#[test]
fn the_help_page_scrolled() {
    keys("help_end", "? G");
}

#[test]
fn too_small() {
    insta::assert_snapshot!(screen(&model(39, 12), 39, 12));
    insta::assert_snapshot!(screen(&model(20, 3), 20, 3));
}

#[test]
fn drawing_never_panics_however_small_or_large_the_screen() {
    for names in ["", "L", "L j", "enter", "a", "h", "h tab", "h enter", "n", "?", "/ x", "2", "3", "4"] {
        for (width, height) in [(1, 1), (2, 1), (1, 2), (3, 3), (39, 11), (40, 12), (41, 13), (80, 1), (500, 200)] {
            let mut model = model(80, 24);
            press(&mut model, names);
            screen(&model, width, height);
            update(&mut model, Event::Resized { width, height });
            screen(&model, width, height);
        }
    }
}

#[test]
fn the_other_views_have_the_same_header_and_footer() {
    let mut model = model(80, 24);
    model.view = View::OnCall;
    let text = screen(&model, 80, 24);
    assert!(text.contains("[2 On-call]") && text.contains("? help"), "{text}");
}
