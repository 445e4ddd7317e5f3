//! Runs a program whose system calls fail as asked.
//!
//! A filter (seccomp) stops the program at each call that touches a file, and the thread that started it (ptrace) looks at
//! the call and lets it be made, changes it, or answers in the place of the kernel. So calls are seen however they are
//! made, on all threads, and the program is the one that users have.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use libc::{c_int, c_uint, pid_t, sock_filter, sock_fprog, user_regs_struct};

use super::calls::{Call, Kind, numbers};

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// It is not made, and gives this error. A file is closed nevertheless, as the kernel does.
    Fail(i32),
    /// A write of half as many bytes.
    Short,
    /// The process is killed before it is made.
    Kill,
}

/// How a traced program ended.
#[derive(Debug)]
pub struct Traced {
    /// None of one that was killed.
    pub code: Option<i32>,
    /// The calls on files in the folder.
    pub calls: Vec<Call>,
    /// The first call that did not go as usual.
    pub first: Option<Call>,
}

/// More calls than any of these programs makes.
const MOST_CALLS: usize = 10_000;

/// What a stop at the begin or the end of a call is marked with.
const CALL_STOP: c_int = libc::SIGTRAP | 0x80;

/// Runs a program to its end, where `fault` says what becomes of its calls on files in `folder`.
///
/// # Errors
/// If this system does not let a process be traced.
pub fn trace(
    command: &mut Command,
    folder: &Path,
    fault: &dyn Fn(&Call) -> Option<Act>,
) -> io::Result<Traced> {
    let mut filter = filter();
    let prepare = move || {
        let program = sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
        // As wide as the kernel takes them.
        let (none, filtering) = (0usize, libc::SECCOMP_MODE_FILTER as usize);
        // SAFETY: between fork and exec only system calls are made; `program` and what it points to live until they return.
        let results = unsafe {
            [
                libc::ptrace(libc::PTRACE_TRACEME, 0, none, none) as c_int,
                libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1usize, none, none, none),
                libc::prctl(libc::PR_SET_SECCOMP, filtering, &raw const program, none, none),
            ]
        };
        if results == [0, 0, 0] { Ok(()) } else { Err(io::Error::last_os_error()) }
    };
    // SAFETY: `prepare` allocates nothing and takes no lock.
    let child = unsafe { command.pre_exec(prepare) }.spawn()?;
    let main = child.id() as pid_t;
    let (stopped, _) = wait(main)?;
    assert_eq!(stopped, main, "a program that is traced stops when it begins");
    let options = libc::PTRACE_O_TRACESYSGOOD
        | libc::PTRACE_O_TRACECLONE
        | libc::PTRACE_O_TRACEFORK
        | libc::PTRACE_O_TRACEVFORK
        | libc::PTRACE_O_TRACESECCOMP
        | libc::PTRACE_O_EXITKILL;
    ptrace(libc::PTRACE_SETOPTIONS, main, 0, options as usize)?;
    let traced = Traced { code: None, calls: Vec::new(), first: None };
    Tracer { main, folder, fault, threads: BTreeSet::from([main]), failing: BTreeMap::new(), traced }.run()
}

struct Tracer<'a> {
    main: pid_t,
    folder: &'a Path,
    fault: &'a dyn Fn(&Call) -> Option<Act>,
    threads: BTreeSet<pid_t>,
    /// Threads in a call that is made, and the error that it will give.
    failing: BTreeMap<pid_t, i32>,
    traced: Traced,
}

impl Tracer<'_> {
    fn run(mut self) -> io::Result<Traced> {
        go_on(libc::PTRACE_CONT, self.main, 0);
        loop {
            let (thread, status) = wait(-1)?;
            if libc::WIFEXITED(status) || libc::WIFSIGNALED(status) {
                if thread == self.main {
                    self.traced.code = libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status));
                    return Ok(self.traced);
                }
                continue;
            }
            let (event, signal) = (status >> 16, libc::WSTOPSIG(status));
            if event == libc::PTRACE_EVENT_SECCOMP {
                let request = self.before(thread)?;
                go_on(request, thread, 0);
            } else if signal == CALL_STOP {
                self.after(thread)?;
                go_on(libc::PTRACE_CONT, thread, 0);
            } else {
                // Each new thread begins with a stop of its own; other signals are handed on.
                let is_own = event != 0 || (self.threads.insert(thread) && signal == libc::SIGSTOP);
                go_on(libc::PTRACE_CONT, thread, if is_own { 0 } else { signal });
            }
        }
    }

    /// Decides on a call that a thread is about to make; how the thread is to go on.
    fn before(&mut self, thread: pid_t) -> io::Result<c_uint> {
        let Ok(mut registers) = registers(thread) else { return Ok(libc::PTRACE_CONT) };
        let Some(mut call) = Call::of(thread, &registers).filter(|call| call.path.starts_with(self.folder))
        else {
            return Ok(libc::PTRACE_CONT);
        };
        call.number = 1 + self.traced.calls.iter().filter(|other| other.kind == call.kind).count();
        call.of_all = 1 + self.traced.calls.len();
        self.traced.calls.push(call.clone());
        assert!(call.of_all < MOST_CALLS, "the program does not end: {call:?}");
        let act = (self.fault)(&call);
        if act.is_some() {
            self.traced.first.get_or_insert_with(|| call.clone());
        }
        match act {
            None => return Ok(libc::PTRACE_CONT),
            Some(Act::Fail(error)) if call.kind == Kind::Close => {
                self.failing.insert(thread, error);
                return Ok(libc::PTRACE_SYSCALL);
            }
            Some(Act::Fail(error)) => {
                // No call has this number, so the kernel makes none and leaves the result as it is here.
                registers.orig_rax = u64::MAX;
                registers.rax = result(error);
            }
            // A write of one byte cannot be shorter: none at all would mean that nothing more fits.
            Some(Act::Short) if registers.orig_rax as i64 == libc::SYS_write && registers.rdx > 1 => {
                registers.rdx /= 2;
            }
            Some(Act::Short) => return Ok(libc::PTRACE_CONT),
            Some(Act::Kill) => {
                // SAFETY: a system call; `main` has not been waited for, so it is still this program.
                unsafe { libc::kill(self.main, libc::SIGKILL) };
                return Ok(libc::PTRACE_CONT);
            }
        }
        set_registers(thread, &mut registers)?;
        Ok(libc::PTRACE_CONT)
    }

    /// Changes the result of a call that has been made.
    fn after(&mut self, thread: pid_t) -> io::Result<()> {
        let Some(error) = self.failing.remove(&thread) else { return Ok(()) };
        let mut registers = registers(thread)?;
        registers.rax = result(error);
        set_registers(thread, &mut registers)
    }
}

/// As the kernel gives an error.
fn result(error: i32) -> u64 {
    -i64::from(error) as u64
}

/// A program for the kernel that stops at the calls of [`numbers`] and lets the others be made.
fn filter() -> Vec<sock_filter> {
    const LOAD_WORD: u16 = 0x20;
    const JUMP_IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    const ALLOW: u32 = 0x7fff_0000;
    let count = numbers().len();
    // The number of a call is the first word of what is looked at.
    let mut filter = vec![sock_filter { code: LOAD_WORD, jt: 0, jf: 0, k: 0 }];
    filter.extend(numbers().enumerate().map(|(index, number)| sock_filter {
        code: JUMP_IF_EQUAL,
        jt: (count - index) as u8,
        jf: 0,
        k: number,
    }));
    filter.extend([ALLOW, libc::SECCOMP_RET_TRACE].map(|k| sock_filter { code: RETURN, jt: 0, jf: 0, k }));
    filter
}

/// Waits for a process or thread that this thread traces, or for any of them.
fn wait(of: pid_t) -> io::Result<(pid_t, c_int)> {
    let mut status = 0;
    loop {
        // SAFETY: `status` is there for the result. Other threads of this process have programs of their own.
        let found = unsafe { libc::waitpid(of, &raw mut status, libc::__WALL | libc::__WNOTHREAD) };
        if found >= 0 {
            return Ok((found, status));
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

fn ptrace(request: c_uint, thread: pid_t, address: usize, data: usize) -> io::Result<()> {
    // SAFETY: the requests used here change the traced process only, but for PTRACE_GETREGS and PTRACE_SETREGS, of which
    // `data` is the address of registers that the caller holds.
    let answer = unsafe { libc::ptrace(request, thread, address, data) };
    if answer == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// A thread that was killed meanwhile does not go on, and the next wait tells.
fn go_on(request: c_uint, thread: pid_t, signal: c_int) {
    ptrace(request, thread, 0, signal as usize).ok();
}

fn registers(thread: pid_t) -> io::Result<user_regs_struct> {
    // SAFETY: numbers, of which any are valid.
    let mut registers: user_regs_struct = unsafe { std::mem::zeroed() };
    ptrace(libc::PTRACE_GETREGS, thread, 0, &raw mut registers as usize)?;
    Ok(registers)
}

fn set_registers(thread: pid_t, registers: &mut user_regs_struct) -> io::Result<()> {
    ptrace(libc::PTRACE_SETREGS, thread, 0, std::ptr::from_mut(registers) as usize)
}
