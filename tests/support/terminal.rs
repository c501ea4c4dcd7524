//! A program in a pseudo-terminal, and what a person would see there.

use std::{
    fs,
    io::{Read as _, Write},
    os::fd::OwnedFd,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};
use rustix::{
    fs::{Mode, OFlags},
    process::Pid,
    termios::{Termios, tcgetattr},
};

use super::eventually;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// As a terminal does.
    Always,
    /// A stalled connection.
    Never,
}

/// What came out of the program.
pub(crate) struct Output {
    pub(crate) screen: vt100::Parser,
    pub(crate) bytes: Vec<u8>,
}

pub(crate) struct Terminal {
    pub(crate) master: Box<dyn MasterPty + Send>,
    pub(crate) keyboard: Box<dyn Write + Send>,
    pub(crate) child: Box<dyn Child + Send + Sync>,
    pub(crate) output: Arc<Mutex<Output>>,
    /// Its settings before the program ran.
    pub(crate) before: Termios,
    reader: Option<(Arc<AtomicBool>, JoinHandle<()>)>,
}

fn size(rows: u16, cols: u16) -> PtySize {
    PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }
}

pub(crate) fn settings(master: &(dyn MasterPty + Send)) -> Termios {
    tcgetattr(tty(master)).expect("tcgetattr")
}

/// The program's side of the terminal, for as long as it is needed.
pub(crate) fn tty(master: &(dyn MasterPty + Send)) -> OwnedFd {
    let name = master.tty_name().expect("a terminal has a name");
    rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()).expect("open")
}

impl Terminal {
    /// Runs `command` in a new terminal.
    pub(crate) fn open(command: CommandBuilder, rows: u16, cols: u16, reading: Reading) -> Self {
        let pair = native_pty_system().openpty(size(rows, cols)).expect("openpty");
        let before = settings(&*pair.master);
        let child = pair.slave.spawn_command(command).expect("spawn");
        let output = Output { screen: vt100::Parser::new(rows, cols, 0), bytes: vec![] };
        let keyboard = pair.master.take_writer().expect("writer");
        let output = Arc::new(Mutex::new(output));
        let mut terminal = Self { master: pair.master, keyboard, child, output, before, reader: None };
        if reading == Reading::Always {
            terminal.start_reading();
        }
        terminal
    }

    pub(crate) fn start_reading(&mut self) {
        let mut reader = self.master.try_clone_reader().expect("reader");
        let output = Arc::clone(&self.output);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n @ 1..) = reader.read(&mut buffer) {
                let mut output = output.lock().expect("lock");
                output.screen.process(&buffer[..n]);
                output.bytes.extend_from_slice(&buffer[..n]);
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
            }
        });
        self.reader = Some((stop, thread));
    }

    /// Lets go of the reading side, once more comes to read.
    pub(crate) fn stop_reading(&mut self) {
        if let Some((stop, reader)) = self.reader.take() {
            stop.store(true, Ordering::Relaxed);
            // Another size makes the program draw, which wakes the reader so that it can leave.
            self.master.resize(size(20, 70)).expect("resize");
            reader.join().expect("reader");
        }
    }

    pub(crate) fn is_on_screen(&self) -> bool {
        self.output.lock().expect("lock").screen.screen().alternate_screen()
    }

    pub(crate) fn contents(&self) -> String {
        self.output.lock().expect("lock").screen.screen().contents()
    }

    pub(crate) fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("write");
    }

    /// The program's terminal has another size; so has our screen.
    pub(crate) fn resize(&self, rows: u16, cols: u16) {
        self.output.lock().expect("lock").screen.screen_mut().set_size(rows, cols);
        self.master.resize(size(rows, cols)).expect("resize");
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        let mut ended = None;
        eventually("the end", || {
            ended = self.child.try_wait().expect("wait");
            ended.is_some()
        });
        ended.expect("ended")
    }

    /// The terminal is as it was before, and shows what it showed then.
    pub(crate) fn assert_given_back(&self, how: &str) {
        eventually("main screen", || !self.is_on_screen());
        let output = self.output.lock().expect("lock");
        assert!(!output.screen.screen().hide_cursor(), "cursor hidden after {how}");
        assert!(!output.screen.screen().bracketed_paste(), "pastes bracketed after {how}");
        self.assert_settings_as_before(how);
    }

    pub(crate) fn assert_settings_as_before(&self, how: &str) {
        let now = settings(&*self.master);
        assert_eq!(format!("{now:?}"), format!("{:?}", self.before), "settings after {how}");
    }

    /// Makes the program `pid` draw until it waits for the terminal to take more.
    pub(crate) fn block_drawing(&self, pid: Pid) {
        let mut cols = 200;
        eventually("drawing blocks", || {
            cols = if cols == 200 { 201 } else { 200 };
            self.resize(60, cols);
            // write(1, …)
            waits_in(pid) == "1 0x1"
        });
    }
}

/// The system call that the first thread of `pid` waits in, and its first argument, as the kernel writes them.
pub(crate) fn waits_in(pid: Pid) -> String {
    let call = fs::read_to_string(format!("/proc/{}/syscall", pid.as_raw_nonzero()));
    call.unwrap_or_default().split(' ').take(2).collect::<Vec<_>>().join(" ")
}
