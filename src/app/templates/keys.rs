//! Keys while something is typed in the templates view: a name, a filter, a template. Everything goes
//! into the text but what leaves it or quits.

use crate::{
    app::{
        Effect, Model, NoticeKind,
        filter::Typed,
        keys::{Action, resolve_in_editor},
        sheet::{self, Subject},
        source::{Pick, Picked},
        typing::{TypedLine, editor_input},
    },
    core::keys::{Chord, Key},
};

use super::{
    areas::{body, editor_areas, history_areas},
    changes::{indented, outdented},
    complete::{Asked, completion},
    create, discard,
    drafts::{self, Differs, When, flush},
    editor::Editor,
    fields::{self, Tree},
    hidden::is_hidden,
    history::{self, History},
    hush, open, pairs, put_back, restore, save,
    search::{self, Here},
    step, syntax, tell,
};

const LOCKED: &str = "it has hidden characters and is only shown: c takes them out";
/// The longest name of a template.
const NAME_LIMIT: usize = 64;
const NAME_RULE: &str = "a name has lower-case letters, digits, - and _ only";
/// The longest text that is pasted at once, in bytes.
const PASTE_LIMIT: usize = 256 * 1024;

pub(super) fn typed(model: &mut Model, chord: Chord) -> Option<Vec<Effect>> {
    if chord.ctrl && matches!(chord.key, Key::Char('c' | 'z')) {
        return None;
    }
    if !name_was_refused(model) || matches!(chord.key, Key::Enter | Key::Esc) {
        hush(model);
    }
    if let Some(name) = model.templates.naming.take() {
        return Some(name_key(model, name, chord));
    }
    if let Some(differs) = model.templates.differs.take() {
        return Some(differs_key(model, differs, chord));
    }
    if let Some(editor) = model.templates.editor.take() {
        return Some(editor_key(model, editor, chord));
    }
    if let Typed::Step(by) = model.templates.filter.take(chord)? {
        step(model, by);
    }
    Some(vec![])
}

pub(super) fn pasted(model: &mut Model, text: &str) -> bool {
    let state = &mut model.templates;
    if let Some(name) = &mut state.naming {
        name.insert(&text.chars().filter(|c| belongs_in_a_name(*c)).collect::<String>());
        if !text.chars().all(belongs_in_a_name) {
            tell(model, NoticeKind::Bad, &format!("some of it is left out: {NAME_RULE}"));
        }
        return true;
    }
    let Some(editor) = &mut state.editor else { return state.filter.paste(text) };
    if let Some(pick) = &mut editor.pick {
        return pick.filter.paste(text);
    }
    if let Some(search) = editor.search.as_mut().filter(|search| search.typing) {
        search.line.insert(text);
        search.look(editor.area.lines());
        return true;
    }
    if editor.leaving || editor.locked.is_some() || editor.history.is_some() {
        return true;
    }
    editor.completion = None;
    if text.len() > PASTE_LIMIT {
        tell(model, NoticeKind::Bad, "too long to paste: more than 256 KiB");
        return true;
    }
    let hidden = editor.paste(text);
    if hidden > 0 {
        tell(model, NoticeKind::Bad, &format!("pasted without {}", hidden_words(hidden)));
    }
    true
}

pub(super) fn hidden_words(hidden: usize) -> String {
    format!("{hidden} hidden {}", if hidden == 1 { "character" } else { "characters" })
}

/// Whether a character of the name being typed was left out. That is said until the name is given: what is
/// typed next is not to hide it.
fn name_was_refused(model: &Model) -> bool {
    let state = &model.templates;
    state.naming.is_some() && state.said.as_ref().is_some_and(|said| said.as_str().ends_with(NAME_RULE))
}

fn belongs_in_a_name(c: char) -> bool {
    matches!(c, 'a'..='z' | '0'..='9' | '-' | '_')
}

fn name_key(model: &mut Model, mut name: TypedLine, chord: Chord) -> Vec<Effect> {
    match chord.key {
        Key::Esc => return vec![],
        Key::Enter => return name_given(model, name),
        Key::Char(c) if !chord.ctrl && !chord.alt && !belongs_in_a_name(c) => {
            tell(model, NoticeKind::Bad, &format!("`{c}` is left out: {NAME_RULE}"));
        }
        _ => {
            name.take(chord);
        }
    }
    model.templates.naming = Some(name);
    vec![]
}

fn name_given(model: &mut Model, name: TypedLine) -> Vec<Effect> {
    let text = name.as_str().to_owned();
    if text.is_empty() || text.len() > NAME_LIMIT {
        tell(model, NoticeKind::Bad, &format!("a name has 1 to {NAME_LIMIT} characters"));
        model.templates.naming = Some(name);
        return vec![];
    }
    let known = model.board.templates.iter().any(|summary| summary.name == text);
    if known || model.templates.has_draft(&text) {
        tell(model, NoticeKind::Good, &format!("{text} exists: opened"));
        return open(model, text);
    }
    create(model, text);
    vec![]
}

fn editor_key(model: &mut Model, mut editor: Editor, chord: Chord) -> Vec<Effect> {
    if editor.leaving {
        return leaving_key(model, editor, chord);
    }
    if let Some(pick) = editor.pick.take() {
        pick_key(model, &mut editor, pick, chord);
        model.templates.editor = Some(editor);
        return vec![];
    }
    if let Some(history) = editor.history.take() {
        let effects = history_key(model, &mut editor, history, chord);
        model.templates.editor = Some(editor);
        return effects;
    }
    let effects = match resolve_in_editor(chord) {
        Some(action) => act(model, &mut editor, action),
        None if tree_key(model, &mut editor, chord) || search_key(&mut editor, chord) => vec![],
        None if completion_key(&mut editor, chord) => vec![],
        None if chord.key == Key::Esc => return leave(model, editor),
        None => {
            text_key(model, &mut editor, chord);
            vec![]
        }
    };
    model.templates.editor = Some(editor);
    effects
}

/// Leaves at once when there is nothing to lose.
fn leave(model: &mut Model, mut editor: Editor) -> Vec<Effect> {
    if editor.is_unsaved() {
        editor.leaving = true;
        model.templates.editor = Some(editor);
    } else {
        model.templates.drafts.remove(&editor.name);
    }
    vec![]
}

/// A key of the table.
fn act(model: &mut Model, editor: &mut Editor, action: Action) -> Vec<Effect> {
    let completes = editor.completion.take();
    match action {
        Action::Save => return save(model, editor),
        Action::PickDelivery => editor.pick = Some(Pick::at(&model.templates.source)),
        Action::PreviewDown => editor.scroll += 1,
        Action::PreviewUp => editor.scroll = editor.scroll.saturating_sub(1),
        Action::CompareSaved => {
            editor.preview.toggle_compare();
            editor.scroll = 0;
        }
        Action::ShowVersions => editor.history = Some(History::default()),
        Action::ShowFields => editor.tree = if editor.tree.is_none() { Some(Tree::default()) } else { None },
        Action::FindText => find(editor),
        Action::FindNext => find_next(model, editor, Direction::On),
        Action::FindPrevious => find_next(model, editor, Direction::Back),
        Action::JumpPair => jump_pair(model, editor),
        Action::Complete if completes.is_none() => complete(model, editor, Asked::ByKey),
        Action::ExternalEditor => return external(model, editor),
        Action::Help => sheet::open(model, Subject::Help),
        _ => {}
    }
    vec![]
}

/// Has the person's own editor go on with the text.
fn external(model: &mut Model, editor: &Editor) -> Vec<Effect> {
    if editor.locked.is_some() {
        tell(model, NoticeKind::Bad, LOCKED);
        return vec![];
    }
    let draft = editor.draft();
    // On disk first, also without a change: should this process end meanwhile, what the other wrote is found.
    let mut effects = drafts::lend(model, editor);
    effects.push(Effect::EditExternally { id: draft.place, name: editor.name.clone(), text: draft.text });
    effects
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    On,
    Back,
}

/// Opens the line for what is looked for, or goes on to the next find.
fn find(editor: &mut Editor) {
    let search = editor.search.get_or_insert_default();
    search.typing = true;
    search.look(editor.area.lines());
}

fn find_next(model: &mut Model, editor: &mut Editor, direction: Direction) {
    let cursor = editor.cursor();
    let Some(search) = &editor.search else { return find(editor) };
    let hit = match direction {
        Direction::On => search.next(cursor, Here::DoesNot),
        Direction::Back => search.previous(cursor),
    };
    match hit {
        Some((row, column, _)) => editor.go_to(row, column),
        None => tell(model, NoticeKind::Bad, &format!("`{}` is nowhere in the text", search.line.as_str())),
    }
}

fn jump_pair(model: &mut Model, editor: &mut Editor) {
    match pairs::jump(&editor.pair, editor.place_of_cursor()) {
        Some((row, byte)) => {
            let column = editor.line(row).get(..byte).map_or(0, |before| before.chars().count());
            editor.area.cancel_selection();
            editor.go_to(row, column);
        }
        None => tell(model, NoticeKind::Bad, "no bracket or block that has its other end stands here"),
    }
}

/// Suggests what may stand at the cursor.
pub(super) fn complete(model: &Model, editor: &mut Editor, asked: Asked) {
    let context = model.templates.context.field(&model.templates.source);
    editor.suggesting = true;
    editor.completion = completion(editor.area.lines(), &editor.states, editor.cursor(), context, asked);
}

/// A key while the tree of fields is open; `false`: it is not, or the key is for the text.
fn tree_key(model: &Model, editor: &mut Editor, chord: Chord) -> bool {
    let Some(mut tree) = editor.tree.take() else { return false };
    let known = model.templates.context.field(&model.templates.source);
    let did = match known {
        Some(root) => tree.take(root, chord, tree_height(model)),
        None if chord.key == Key::Esc => fields::Did::Closed,
        None => fields::Did::Nothing,
    };
    match did {
        fields::Did::Closed => {}
        fields::Did::Nothing => editor.tree = Some(tree),
        fields::Did::Took(path) => {
            insert_path(editor, &path);
            editor.tree = Some(tree);
        }
    }
    true
}

/// Puts a path at the cursor: in a tag as it is, else as a tag of its own.
fn insert_path(editor: &mut Editor, path: &str) {
    let (row, byte) = editor.place_of_cursor();
    let state = editor.states.get(row).copied().unwrap_or_default();
    let before = editor.line(row).get(..byte).unwrap_or_default();
    let in_tag = syntax::tokens(state, before, &mut vec![]).tag().is_some_and(|tag| tag.quote.is_none());
    let in_loop = pairs::open_blocks(editor.area.lines(), &editor.states, (row, byte)).iter().any(|block| {
        let name = block.split_whitespace().next().unwrap_or_default();
        !matches!(name, "if" | "unless")
    });
    let path = if in_loop { format!("@root.{path}") } else { path.to_owned() };
    editor.area.insert_str(if in_tag { path } else { format!("{{{{{path}}}}}") });
    editor.changed();
}

/// A key while what is looked for is typed; `false`: it is not.
fn search_key(editor: &mut Editor, chord: Chord) -> bool {
    let cursor = editor.cursor();
    let Some(search) = editor.search.as_mut().filter(|search| search.typing) else { return false };
    let hit = match search.take(chord) {
        search::Did::Closed => {
            search.typing = false;
            None
        }
        search::Did::Next => search.next(cursor, Here::DoesNot),
        search::Did::Previous => search.previous(cursor),
        search::Did::Typed => {
            search.look(editor.area.lines());
            search.next(cursor, Here::Counts)
        }
    };
    if let Some((row, column, _)) = hit {
        editor.area.cancel_selection();
        editor.go_to(row, column);
    }
    true
}

/// A key while suggestions are open; `false`: they are not, or the key goes into the text.
fn completion_key(editor: &mut Editor, chord: Chord) -> bool {
    let Some(completion) = &mut editor.completion else { return false };
    if chord.ctrl || chord.alt || chord.shift {
        return false;
    }
    match chord.key {
        Key::Down => completion.step(true),
        Key::Up => completion.step(false),
        Key::Esc => (editor.completion, editor.suggesting) = (None, false),
        Key::Enter | Key::Tab => {
            let (typed, chosen) = (completion.typed, completion.chosen().cloned());
            (editor.completion, editor.suggesting) = (None, false);
            let (row, column) = editor.cursor();
            if let Some(chosen) = chosen {
                editor.replace((row, column.saturating_sub(typed)), (row, column), &chosen.text);
            }
        }
        _ => return false,
    }
    true
}

/// A key for the text itself.
fn text_key(model: &mut Model, editor: &mut Editor, chord: Chord) {
    let moves = matches!(
        chord.key,
        Key::Up | Key::Down | Key::Left | Key::Right | Key::Home | Key::End | Key::PageUp | Key::PageDown
    );
    let suggesting = editor.completion.take().is_some();
    editor.suggesting = false;
    match chord.key {
        _ if editor.locked.is_some() && chord.key == Key::Char('c') => {
            let hidden = editor.unlock();
            tell(model, NoticeKind::Good, &format!("{} taken out: not saved yet", hidden_words(hidden)));
        }
        _ if editor.locked.is_some() && !moves => tell(model, NoticeKind::Bad, LOCKED),
        Key::PageDown | Key::PageUp if !chord.ctrl && !chord.alt => page(model, editor, chord),
        Key::Char('u') if chord.ctrl && !chord.alt => editor.undo(),
        Key::Char('r') if chord.ctrl && !chord.alt => editor.redo(),
        Key::Enter => editor.new_line(),
        Key::Tab if chord.shift => editor.shift(outdented),
        Key::Tab if editor.selects_lines() => editor.shift(indented),
        Key::Char(c) if !chord.ctrl && is_hidden(c, true) => {
            tell(model, NoticeKind::Bad, "a hidden character: left out");
        }
        _ => {
            if editor.area.input(editor_input(chord)) {
                editor.changed();
                let typed = matches!(chord.key, Key::Char(_)) && !chord.ctrl && !chord.alt;
                if typed {
                    editor.outdent_closing();
                }
                if typed || (suggesting && chord.key == Key::Backspace) {
                    complete(model, editor, Asked::ByTyping);
                }
            }
        }
    }
}

/// A page on or back; with shift it is selected.
fn page(model: &Model, editor: &mut Editor, chord: Chord) {
    let height = usize::from(super::text_area(model).height).max(2) - 1;
    let (row, column) = editor.cursor();
    let last = editor.area.lines().len().saturating_sub(1);
    let row = if chord.key == Key::PageDown { (row + height).min(last) } else { row.saturating_sub(height) };
    match (chord.shift, editor.area.is_selecting()) {
        (true, false) => editor.area.start_selection(),
        (false, true) => editor.area.cancel_selection(),
        _ => {}
    }
    editor.go_to(row, column);
}

/// Unsaved changes: discard them, keep them for later, or stay.
fn leaving_key(model: &mut Model, mut editor: Editor, chord: Chord) -> Vec<Effect> {
    match chord.key {
        Key::Enter | Key::Char('y') => {
            model.templates.drafts.remove(&editor.name);
            tell(model, NoticeKind::Good, &format!("{}: changes discarded", editor.name));
        }
        Key::Char('k') => {
            tell(model, NoticeKind::Good, &format!("{}: kept, not saved", editor.name));
            model.templates.drafts.insert(editor.name.clone(), editor.draft());
            return flush(model, When::Now);
        }
        key => {
            editor.leaving = key != Key::Esc;
            model.templates.editor = Some(editor);
        }
    }
    vec![]
}

/// A text that is not saved and another that is stored: with which to go on?
fn differs_key(model: &mut Model, mut differs: Differs, chord: Chord) -> Vec<Effect> {
    match chord.key {
        Key::Char('r') => {
            restore(model, differs);
            return vec![];
        }
        Key::Char('d') => {
            discard(model, &differs);
            return vec![];
        }
        Key::Esc | Key::Char('q') => {
            put_back(model, differs);
            return flush(model, When::Now);
        }
        Key::Down | Key::Char('j') => differs.scroll += 1,
        Key::Up | Key::Char('k') => differs.scroll = differs.scroll.saturating_sub(1),
        Key::PageDown | Key::Char(' ') => differs.scroll += 10,
        Key::PageUp => differs.scroll = differs.scroll.saturating_sub(10),
        _ => {}
    }
    model.templates.differs = Some(differs);
    vec![]
}

fn history_key(model: &mut Model, editor: &mut Editor, mut history: History, chord: Chord) -> Vec<Effect> {
    let height = usize::from(history_areas(body(model)).list.height);
    match history::press(model, editor, &mut history, chord, height) {
        history::Did::Closed => {}
        history::Did::Nothing => editor.history = Some(history),
        history::Did::Ask(effect) => {
            editor.history = Some(history);
            return vec![effect];
        }
        history::Did::Took(_) if editor.locked.is_some() => {
            tell(model, NoticeKind::Bad, LOCKED);
            editor.history = Some(history);
        }
        history::Did::Took(text) => {
            let hidden = editor.replace_all(&text);
            let left_out = if hidden > 0 { format!(", without {}", hidden_words(hidden)) } else { String::new() };
            tell(model, NoticeKind::Good, &format!("the version is in the editor{left_out}: ctrl-s saves it"));
        }
    }
    vec![]
}

fn pick_key(model: &mut Model, editor: &mut Editor, mut pick: Pick, chord: Chord) {
    match pick.take(model, chord, pick_height(model)) {
        Picked::Open => editor.pick = Some(pick),
        Picked::Closed => {}
        Picked::Source(source) => {
            model.templates.source = source;
            editor.preview.outdated();
        }
    }
}

/// Lines of the list of sources: one is its title, one what is typed.
pub(super) fn pick_height(model: &Model) -> usize {
    body(model).height.saturating_sub(2).into()
}

/// Lines of the tree of fields.
pub(super) fn tree_height(model: &Model) -> usize {
    editor_areas(body(model)).preview.height.into()
}
