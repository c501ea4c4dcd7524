//! Frames as bytes: collected, and written in one piece; an unchanged frame writes nothing.

use std::io;

use crossterm::{
    cursor::{Hide, MoveTo, Show},
    queue,
    terminal::{Clear, ClearType as Cleared},
};
use ratatui::{
    backend::{Backend, ClearType, CrosstermBackend, WindowSize},
    buffer::Cell,
    layout::{Position, Size},
    style::Color,
};

use super::modes;

/// What a terminal that does not know its size is taken for.
const USUAL: Size = Size { width: 80, height: 24 };
/// More is not drawn on: a pseudo-terminal can claim 65535x65535 cells.
const LARGEST: Size = Size { width: 1000, height: 500 };

/// Where frames go.
pub(super) trait Tty {
    fn size(&self) -> Size;
    /// Writes all of it at once.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;
}

/// The terminal at standard output.
#[derive(Debug)]
pub(super) struct Stdout;

impl Tty for Stdout {
    fn size(&self) -> Size {
        let found = rustix::termios::tcgetwinsize(rustix::stdio::stdout());
        found.map_or(USUAL, |size| usable(size.ws_col, size.ws_row))
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        modes::write(bytes)
    }
}

fn usable(width: u16, height: u16) -> Size {
    if width == 0 || height == 0 {
        return USUAL;
    }
    Size { width: width.min(LARGEST.width), height: height.min(LARGEST.height) }
}

/// ratatui's way to the terminal.
#[derive(Debug)]
pub(super) struct Painter<T> {
    tty: T,
    colour: bool,
    /// The frame so far.
    frame: Vec<u8>,
    cursor_shown: bool,
    /// Where the cursor stands, when that is known.
    cursor: Option<Position>,
}

impl<T: Tty> Painter<T> {
    pub(super) fn new(tty: T, colour: bool) -> Self {
        // crossterm asks NO_COLOR by itself, and then writes sequences that reset bold and the like.
        crossterm::style::force_color_output(true);
        Self { tty, colour, frame: vec![], cursor_shown: false, cursor: None }
    }

    /// The terminal was somebody else's meanwhile: nothing is known of its cursor, but that it is hidden.
    pub(super) fn forget(&mut self) {
        self.cursor_shown = false;
        self.cursor = None;
    }
}

impl<T: Tty> Backend for Painter<T> {
    type Error = io::Error;

    fn draw<'a, I: Iterator<Item = (u16, u16, &'a Cell)>>(&mut self, content: I) -> io::Result<()> {
        let mut content = content.peekable();
        if content.peek().is_none() {
            return Ok(());
        }
        self.cursor = None;
        let mut out = CrosstermBackend::new(&mut self.frame);
        if self.colour {
            return out.draw(content);
        }
        let plain: Vec<_> = content.map(|(x, y, cell)| (x, y, without_colour(cell))).collect();
        out.draw(plain.iter().map(|(x, y, cell)| (*x, *y, cell)))
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        if self.cursor_shown {
            self.cursor_shown = false;
            queue!(self.frame, Hide)?;
        }
        Ok(())
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        if !self.cursor_shown {
            self.cursor_shown = true;
            queue!(self.frame, Show)?;
        }
        Ok(())
    }

    /// From memory: asking the terminal would have to wait for its answer among the keys.
    fn get_cursor_position(&mut self) -> io::Result<Position> {
        Ok(self.cursor.unwrap_or_default())
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        let position = position.into();
        if self.cursor != Some(position) {
            self.cursor = Some(position);
            queue!(self.frame, MoveTo(position.x, position.y))?;
        }
        Ok(())
    }

    fn clear(&mut self) -> io::Result<()> {
        self.clear_region(ClearType::All)
    }

    fn clear_region(&mut self, region: ClearType) -> io::Result<()> {
        let cleared = match region {
            ClearType::All => Cleared::All,
            ClearType::AfterCursor => Cleared::FromCursorDown,
            ClearType::BeforeCursor => Cleared::FromCursorUp,
            ClearType::CurrentLine => Cleared::CurrentLine,
            ClearType::UntilNewLine => Cleared::UntilNewLine,
        };
        queue!(self.frame, Clear(cleared))
    }

    fn size(&self) -> io::Result<Size> {
        Ok(self.tty.size())
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        Ok(WindowSize { columns_rows: self.tty.size(), pixels: Size::default() })
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.frame.is_empty() {
            return Ok(());
        }
        let written = self.tty.write(&self.frame);
        self.frame.clear();
        written
    }
}

fn without_colour(cell: &Cell) -> Cell {
    let mut cell = cell.clone();
    cell.set_fg(Color::Reset).set_bg(Color::Reset);
    cell
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, rc::Rc};

    use ratatui::{
        style::{Modifier, Style},
        text::Span,
    };

    use super::*;

    #[derive(Clone, Default)]
    struct Recorder {
        writes: Rc<RefCell<Vec<String>>>,
    }

    impl Tty for Recorder {
        fn size(&self) -> Size {
            Size { width: 20, height: 4 }
        }

        fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
            self.writes.borrow_mut().push(String::from_utf8(bytes.to_vec()).expect("utf-8"));
            Ok(())
        }
    }

    fn terminal(colour: bool) -> (ratatui::Terminal<Painter<Recorder>>, Recorder) {
        let recorder = Recorder::default();
        (ratatui::Terminal::new(Painter::new(recorder.clone(), colour)).expect("terminal"), recorder)
    }

    fn red() -> Span<'static> {
        Span::styled("disk full", Style::new().fg(Color::Red).bg(Color::Blue).add_modifier(Modifier::BOLD))
    }

    #[test]
    fn a_frame_is_one_write_and_an_unchanged_one_is_none() {
        let (mut terminal, recorder) = terminal(true);
        for _ in 0..3 {
            terminal.draw(|frame| frame.render_widget(red(), frame.area())).expect("draw");
        }
        assert_eq!(recorder.writes.borrow().len(), 1);

        terminal.draw(|frame| frame.render_widget("other", frame.area())).expect("draw");
        assert_eq!(recorder.writes.borrow().len(), 2);
    }

    #[test]
    fn a_cursor_that_stays_is_not_written_again() {
        let (mut terminal, recorder) = terminal(true);
        let draw = |terminal: &mut ratatui::Terminal<_>, x| {
            terminal.draw(|frame| frame.set_cursor_position((x, 1))).map(|_| ()).expect("draw");
        };
        draw(&mut terminal, 3);
        draw(&mut terminal, 3);
        draw(&mut terminal, 4);
        terminal.draw(|_| {}).expect("draw");

        assert_eq!(*recorder.writes.borrow(), ["\x1b[?25h\x1b[2;4H", "\x1b[2;5H", "\x1b[?25l"]);
    }

    #[test]
    fn without_colour_none_is_written_but_bold_stays() {
        let (mut terminal, recorder) = terminal(false);
        terminal.draw(|frame| frame.render_widget(red(), frame.area())).expect("draw");

        let written = recorder.writes.borrow().concat();
        assert!(written.contains("disk full") && written.contains("\x1b[1m"), "{written:?}");
        for colour in ["38;", "48;", "[31", "[44"] {
            assert!(!written.contains(colour), "{written:?}");
        }
    }

    #[test]
    fn clearing_draws_everything_again_without_asking_the_terminal() {
        let (mut terminal, recorder) = terminal(true);
        terminal.draw(|frame| frame.render_widget(red(), frame.area())).expect("draw");
        terminal.clear().expect("clear");
        terminal.draw(|frame| frame.render_widget(red(), frame.area())).expect("draw");

        let writes = recorder.writes.borrow();
        assert!(writes[1].starts_with("\x1b[2J") && writes[1].contains("disk full"), "{writes:?}");
        assert!(!writes.concat().contains("\x1b[6n"));
    }

    #[test]
    fn odd_sizes_are_made_usable() {
        assert_eq!(usable(0, 0), USUAL);
        assert_eq!(usable(1, 1), Size { width: 1, height: 1 });
        assert_eq!(usable(u16::MAX, u16::MAX), LARGEST);
    }
}
