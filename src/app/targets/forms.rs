//! The form while it is open: its keys, and what the server makes of it.

use crate::{
    app::{Effect, Model, NoticeKind, filter, incidents, page::Tone, wait::Wait},
    core::{
        forward::Kept,
        keys::{Chord, Key},
        text::Shown,
    },
    proto::{Answer, RequestId},
};

use super::form::{Field, Form};

/// Lines of the form's own: its title above, and what is to be said about the line at hand below.
pub const AROUND: u16 = 3;

/// Opens an empty form.
pub(super) fn make(model: &mut Model) -> Vec<Effect> {
    if super::may_act(model) {
        model.targets.form = Some(Box::new(Form::empty()));
    }
    vec![]
}

/// Opens the form of the target at hand, where it can be changed here.
pub(super) fn change(model: &mut Model) -> Vec<Effect> {
    let Some(target) = super::needed(model) else { return vec![] };
    match target.kept {
        Kept::Config => {
            let words = format!("{} stands in the configuration file: change it there, then reload", target.name);
            model.say(NoticeKind::Bad, &words);
        }
        Kept::Here if super::may_act(model) => model.targets.form = Some(Box::new(Form::of(&target))),
        Kept::Here => {}
    }
    vec![]
}

/// A key while the form is open. All keys belong to it.
pub(super) fn press(model: &mut Model, mut form: Box<Form>, chord: Chord) -> Vec<Effect> {
    let was_leaving = std::mem::take(&mut form.leaving);
    if was_leaving {
        model.notice = None;
    }
    if chord.key == Key::Esc {
        if form.is_touched() && !was_leaving {
            form.leaving = true;
            model.say(NoticeKind::Bad, "not saved: esc again drops what was typed, any other key stays");
            model.targets.form = Some(form);
        }
        return vec![];
    }
    if chord.ctrl && chord.key == Key::Char('s') {
        return save(model, form);
    }
    model.notice.take_if(|notice| notice.kind == NoticeKind::Bad);
    let templates: Vec<String> = model.board.templates.iter().map(|template| template.name.clone()).collect();
    form.take(chord, &templates, height(model));
    model.targets.form = Some(form);
    vec![]
}

/// Sends it when nothing is wrong; else goes to what is.
fn save(model: &mut Model, mut form: Box<Form>) -> Vec<Effect> {
    let (mut effects, height) = (vec![], height(model));
    if let Some((at, wrong)) = form.first_wrong() {
        form.at = at;
        form.settle(height);
        let label = Form::label(form.field());
        model.say(NoticeKind::Bad, &format!("not saved: {label}: {wrong}"));
    } else if let Err(reason) = incidents::may_act(model, &[], None) {
        model.say(NoticeKind::Bad, &format!("not saved: {reason}"));
    } else if form.saving.is_none_or(|wait| wait.overdue(model.now))
        && let Some(made) = form.made()
        && let Some((wait, effect)) = Wait::ask_aloud(model, made)
    {
        model.say(NoticeKind::Working, "saving…");
        form.saving = Some(wait);
        effects.push(effect);
    }
    model.targets.form = Some(form);
    effects
}

/// An answer; `None`: not to a form.
pub(super) fn answered(model: &mut Model, id: RequestId, answer: &Result<Answer, String>) -> Option<Vec<Effect>> {
    model.targets.form.as_mut()?.saving.take_if(|wait| wait.is(id))?;
    match answer {
        Ok(Answer::TargetKept { name, advice }) => {
            model.targets.form = None;
            model.targets.open = None;
            model.targets.cursor.select(Some(name.clone()));
            let advice: Vec<_> = advice.iter().map(Shown::as_str).collect();
            match advice.as_slice() {
                [] => model.say(NoticeKind::Good, &format!("{name} is saved; t sends a test")),
                advice => model.say(NoticeKind::Bad, &format!("{name} is saved, but {}", advice.join("; "))),
            }
        }
        Ok(_) => model.say(NoticeKind::Bad, "not known whether it is saved: the server answered something else"),
        Err(reason) => model.say(NoticeKind::Bad, &format!("not saved: {reason}")),
    }
    Some(vec![])
}

/// No answer came; `None`: not to a form.
pub(super) fn unanswered(model: &mut Model, id: RequestId, why: &str) -> Option<Vec<Effect>> {
    model.targets.form.as_mut()?.saving.take_if(|wait| wait.is(id))?;
    model.say(NoticeKind::Bad, &format!("not known whether it is saved: {why}"));
    Some(vec![])
}

/// The link broke: what was typed stays.
pub(super) fn detached(model: &mut Model) {
    let saving = model.targets.form.as_mut().and_then(|form| form.saving.take());
    if saving.is_some() {
        model.say(NoticeKind::Bad, "not known whether it is saved: the link to the server broke");
    }
}

pub(super) fn settle(model: &mut Model) {
    let height = height(model);
    if let Some(form) = &mut model.targets.form {
        form.settle(height);
    }
}

fn height(model: &Model) -> usize {
    filter::body(model).height.saturating_sub(AROUND).into()
}

/// What is to be said about the line at hand: what is wrong with it, what is probably not meant, or what it is for.
pub fn remark(model: &Model, form: &Form) -> (Tone, String) {
    let field: Field = form.field();
    if let Some(wrong) = form.wrong(field) {
        return (Tone::Alarm, format!("! {wrong}"));
    }
    match form.doubt(field, &model.board) {
        Some(doubt) => (Tone::Caution, format!("~ {doubt}")),
        None => (Tone::Faint, form.hint(field).to_owned()),
    }
}
