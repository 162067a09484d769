//! What only the C library can do: limits, signals, users. The one place with `unsafe` in it; each function
//! here is safe to call.
#![allow(unsafe_code, reason = "these calls have no safe form in the standard library")]

use std::ffi::CString;
#[cfg(feature = "residue")]
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::AsRawFd;
#[cfg(feature = "residue")]
use std::os::fd::FromRawFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use mio::net::TcpStream;

/// The priority of slow work: a tenth of what others get where all want to run, so that logins still come about on a
/// machine that is busy with something else.
const HUMBLE: libc::c_int = 10;

/// Raises the limit of open descriptors as far as is permitted, and says how many there may be.
pub(super) fn raise_descriptor_limit() -> io::Result<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a valid rlimit for the call to fill.
    check(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) })?;
    if limit.rlim_cur < limit.rlim_max {
        let raised = libc::rlimit { rlim_cur: limit.rlim_max, ..limit };
        // SAFETY: `raised` is a valid rlimit. A refusal leaves the limit as it is.
        if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const raised) } == 0 {
            limit = raised;
        }
    }
    Ok(limit.rlim_cur)
}

/// How many memory mappings a process may have: a thread takes some.
pub(super) fn mapping_limit() -> usize {
    // What Linux has by default, where it does not say.
    let default = 65_530;
    let said = std::fs::read_to_string("/proc/sys/vm/max_map_count").ok();
    said.and_then(|said| said.trim().parse().ok()).unwrap_or(default)
}

/// Has the calling thread leave others of the machine that want to run the greater share. Where that is not permitted,
/// nothing is lost but courtesy.
pub(super) fn be_humble() {
    // SAFETY: the call takes plain numbers. On Linux, 0 is the calling thread.
    let _ = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, HUMBLE) };
}

/// How many may wait to be accepted. More would be dropped, and come back after seconds only.
const WAITING_LIMIT: libc::c_int = 4096;

/// Has more wait at `listener` than the 128 that it was made for, as far as the system allows.
pub(super) fn let_many_wait(listener: &impl AsRawFd) -> io::Result<()> {
    // SAFETY: the descriptor is open as long as it is borrowed, and the other is a plain number.
    check(unsafe { libc::listen(listener.as_raw_fd(), WAITING_LIMIT) })
}

/// Whether files may be made in `directory` by who we are.
pub(super) fn may_write(directory: &Path) -> io::Result<()> {
    let path = CString::new(directory.as_os_str().as_bytes())?;
    // SAFETY: `path` is a C string, and the others are plain numbers.
    check(unsafe {
        libc::faccessat(libc::AT_FDCWD, path.as_ptr(), libc::W_OK | libc::X_OK, libc::AT_EACCESS)
    })
}

/// What becomes of a file that is to be opened and is not there.
#[cfg(feature = "residue")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// It is an error.
    Fail,
    /// It is made, for its owner to write, and for a group to read.
    Create,
}

/// Opens a file in `directory`, in which everything is written to the end, and never through a symbolic link. Nothing of
/// what may lie there in its place can hold us up.
#[cfg(feature = "residue")]
pub(super) fn open_log(directory: &File, name: &str, missing: Missing) -> io::Result<File> {
    let name = CString::new(name)?;
    let create = match missing {
        Missing::Fail => 0,
        Missing::Create => libc::O_CREAT,
    };
    let flags = libc::O_RDWR | libc::O_APPEND | libc::O_NOFOLLOW | libc::O_CLOEXEC;
    let flags = flags | libc::O_NONBLOCK | libc::O_NOCTTY | create;
    let mode: libc::c_uint = 0o640;
    // SAFETY: the directory is open as long as it is borrowed, `name` is a C string, and the others are plain numbers.
    let opened = unsafe { libc::openat(directory.as_raw_fd(), name.as_ptr(), flags, mode) };
    if opened < 0 {
        let error = io::Error::last_os_error();
        return Err(match error.raw_os_error() {
            // What the system says of it is true only of links that never end.
            Some(libc::ELOOP) => io::Error::other("it is a symbolic link, which is not followed"),
            _ => error,
        });
    }
    // SAFETY: it was opened just now, and nobody else knows it.
    Ok(unsafe { File::from_raw_fd(opened) })
}

/// Has a write beyond the limit of file sizes fail, as it does on a full disk, and not end the daemon.
#[cfg(feature = "clerks")]
pub(super) fn endure_file_limit() {
    // SAFETY: it takes plain numbers, and no handler of ours is called.
    let _ = unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

/// A signal that the daemon listens to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    /// End, in good order.
    End,
    /// Read again what can be read again.
    Reload,
    /// Log a summary.
    Status,
}

/// The signals, held back from every thread until somebody waits for them.
pub(super) struct Signals {
    set: libc::sigset_t,
}

impl Signals {
    /// Holds the signals back; to be called before there is a second thread, which all inherit it.
    pub(super) fn hold() -> io::Result<Self> {
        let mut set = MaybeUninit::uninit();
        // SAFETY: sigemptyset initializes the set, and the others are given an initialized one.
        let set = unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGUSR1] {
                libc::sigaddset(set.as_mut_ptr(), signal);
            }
            set.assume_init()
        };
        // SAFETY: `set` is initialized, and the old mask is not asked for.
        match unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) } {
            0 => Ok(Self { set }),
            error => Err(io::Error::from_raw_os_error(error)),
        }
    }

    /// Waits for the next signal, for so long at the most.
    pub(super) fn wait(&self, patience: Duration) -> Option<Signal> {
        let timeout = libc::timespec {
            // As far off as it can be said, if it cannot be said.
            tv_sec: patience.as_secs().try_into().unwrap_or(i32::MAX.into()),
            tv_nsec: patience.subsec_nanos().into(),
        };
        // SAFETY: set and timeout are initialized, and what sent the signal is not asked for.
        match unsafe { libc::sigtimedwait(&raw const self.set, std::ptr::null_mut(), &raw const timeout) } {
            libc::SIGTERM | libc::SIGINT => Some(Signal::End),
            libc::SIGHUP => Some(Signal::Reload),
            libc::SIGUSR1 => Some(Signal::Status),
            _ => None,
        }
    }
}

/// The memory that a user or a group may take, all its members named: a large one.
const LOOKUP: usize = 64 * 1024;

/// Who the daemon is to become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    user: Option<(CString, libc::uid_t)>,
    group: libc::gid_t,
    groups: Groups,
}

/// Which groups besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Groups {
    /// Those that the user is a member of.
    OfUser,
    /// None.
    Alone,
}

impl Identity {
    /// Looks up a user and a group; the group is the user's own unless it is named.
    pub(super) fn find(user: Option<&str>, group: Option<&str>) -> Result<Option<Self>, String> {
        let named = group.map(find_group).transpose()?;
        let user = user.map(find_user).transpose()?;
        let own = user.as_ref().map(|&(_, _, own)| own);
        let Some(group) = named.or(own) else { return Ok(None) };
        let groups = if named.is_some() { Groups::Alone } else { Groups::OfUser };
        Ok(Some(Self { user: user.map(|(name, id, _)| (name, id)), group, groups }))
    }

    /// Whether we have the right to become that.
    pub(super) fn may_be_assumed(&self) -> bool {
        // SAFETY: it takes nothing and cannot fail.
        unsafe { libc::geteuid() == 0 }
    }

    /// Gives what is at this path to it.
    #[cfg(feature = "clerks")]
    pub(super) fn own(&self, path: &Path) -> io::Result<()> {
        let user = self.user.as_ref().map(|(_, id)| *id);
        std::os::unix::fs::chown(path, user, Some(self.group))
    }

    /// Becomes that, for good.
    pub(super) fn assume(&self) -> io::Result<()> {
        // SAFETY: the name is a C string, and the calls take plain numbers besides.
        unsafe {
            match (&self.user, self.groups) {
                (Some((name, _)), Groups::OfUser) => check(libc::initgroups(name.as_ptr(), self.group))?,
                _ => check(libc::setgroups(1, &raw const self.group))?,
            }
            check(libc::setgid(self.group))?;
            if let Some((_, id)) = self.user {
                check(libc::setuid(id))?;
            }
        }
        Ok(())
    }
}

/// Gives up the means of getting new privileges by running other programs.
pub(super) fn renounce_privileges() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    // SAFETY: this prctl takes plain numbers.
    check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) })?;
    Ok(())
}

/// Has the system neither dump our memory when we crash nor let others look into it that are not root: keys and
/// passwords may be in there.
#[cfg(all(feature = "sandbox", target_os = "linux"))]
pub(super) fn keep_memory_private() -> io::Result<()> {
    // SAFETY: this prctl takes plain numbers.
    check(unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0) })
}

/// Whether a socket that was handed over listens.
pub(super) fn listens(socket: &impl AsRawFd) -> bool {
    let mut listens: libc::c_int = 0;
    let mut length = libc::socklen_t::try_from(size_of_val(&listens)).unwrap_or_default();
    // SAFETY: the descriptor is open as long as the socket is borrowed, and `listens` is as long as `length` says.
    let asked = unsafe {
        let (level, option) = (libc::SOL_SOCKET, libc::SO_ACCEPTCONN);
        libc::getsockopt(socket.as_raw_fd(), level, option, (&raw mut listens).cast(), &raw mut length)
    };
    asked == 0 && listens != 0
}

/// When a silent connection is asked for the first time whether its peer is still there, in seconds.
const KEEPALIVE_IDLE: libc::c_int = 20;
/// Over how many seconds from then on this is spread: where thousands are silent, to ask all of them at once would be more
/// than the queues on the way take, and who is not heard three times is taken for gone.
const KEEPALIVE_SPREAD: u32 = 8;
/// How often it is asked then, in seconds.
const KEEPALIVE_INTERVAL: libc::c_int = 10;
/// How many questions without an answer end it: at most a minute after its last sign of life, though the system may be two
/// seconds late with the first question, and a quarter of one with each other.
const KEEPALIVE_PROBES: libc::c_int = 3;

/// Prepares connections that are accepted here, which inherit it, so that it costs them no system call: they send
/// without waiting for more to send, and find out when their peers are gone without a word.
pub(super) fn prepare_connections(listener: &impl AsRawFd) -> io::Result<()> {
    let all = [
        (libc::IPPROTO_TCP, libc::TCP_NODELAY, 1),
        (libc::SOL_SOCKET, libc::SO_KEEPALIVE, 1),
        (libc::IPPROTO_TCP, libc::TCP_KEEPIDLE, KEEPALIVE_IDLE),
        (libc::IPPROTO_TCP, libc::TCP_KEEPINTVL, KEEPALIVE_INTERVAL),
        (libc::IPPROTO_TCP, libc::TCP_KEEPCNT, KEEPALIVE_PROBES),
    ];
    all.into_iter().try_for_each(|(level, option, value)| set_option(listener, level, option, value))
}

/// Has a connection that was accepted be asked at a time of its own.
pub(super) fn spread_questions(connection: &TcpStream) {
    static MET: AtomicU32 = AtomicU32::new(0);
    let idle = keepalive_idle(MET.fetch_add(1, Ordering::Relaxed));
    // What it has inherited does as well.
    let _ = set_option(connection, libc::IPPROTO_TCP, libc::TCP_KEEPIDLE, idle);
}

/// When the connection of this number is asked for the first time.
fn keepalive_idle(number: u32) -> libc::c_int {
    KEEPALIVE_IDLE + (number % KEEPALIVE_SPREAD).cast_signed()
}

/// How long something that was sent may go unanswered by the other machine, in milliseconds: it would be a quarter of an
/// hour, and meanwhile it is not asked whether it is there. Where this is set, it says as well how long questions may, in
/// place of their number: that makes three of them, whenever the first one is.
const UNANSWERED: libc::c_int = 50_000;

/// Has connections that are accepted here end when what they sent goes unanswered for so long: for doors whose
/// clients may be silent for as long as they like.
pub(super) fn give_up_the_dead(listener: &impl AsRawFd) -> io::Result<()> {
    set_option(listener, libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT, UNANSWERED)
}

fn set_option(
    socket: &impl AsRawFd,
    level: libc::c_int,
    option: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    // SAFETY: the descriptor is open as long as the socket is borrowed, and `value` is as long as it says.
    check(unsafe {
        let length = libc::socklen_t::try_from(size_of_val(&value)).unwrap_or_default();
        libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const value).cast(), length)
    })
}

/// Has all threads take memory from one place, where the C library would set 64 MiB of address space aside for each of
/// some of them, which are missing where there are no more. To be called before there is a second thread.
pub(super) fn share_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it takes plain numbers. If it is refused, all is as before.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

/// Gives memory that is free back to the system, where the C library would keep it.
pub(super) fn give_memory_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it takes a plain number and may be called at any time.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// A listening socket that a supervisor has opened for us.
pub(super) struct HandedOver {
    pub(super) listener: TcpListener,
    /// What it is for, in the supervisor's words.
    pub(super) name: String,
}

/// All that were handed over (sd_listen_fds(3)).
pub(super) fn handed_over() -> io::Result<Vec<HandedOver>> {
    #[cfg(feature = "systemd")]
    {
        use std::os::fd::FromRawFd as _;
        let sockets = sd_notify::listen_fds_with_names()?.map(|(descriptor, name)| {
            // SAFETY: the supervisor says that it is open and ours, and nobody else here asks for it.
            let listener = unsafe { TcpListener::from_raw_fd(descriptor) };
            HandedOver { listener, name }
        });
        Ok(sockets.collect())
    }
    #[cfg(not(feature = "systemd"))]
    Ok(Vec::new())
}

fn find_user(name: &str) -> Result<(CString, libc::uid_t, libc::gid_t), String> {
    let c_name = c_name("user", name)?;
    let mut entry = MaybeUninit::<libc::passwd>::uninit();
    let mut found = std::ptr::null_mut();
    let mut buffer = vec![0; LOOKUP];
    let (place, length) = (buffer.as_mut_ptr(), buffer.len());
    // SAFETY: every pointer is valid, the buffer's for its length.
    let failed =
        unsafe { libc::getpwnam_r(c_name.as_ptr(), entry.as_mut_ptr(), place, length, &raw mut found) };
    looked_up("user", name, failed, found.is_null())?;
    // SAFETY: it was found, and so the entry is filled.
    let entry = unsafe { entry.assume_init() };
    Ok((c_name, entry.pw_uid, entry.pw_gid))
}

fn find_group(name: &str) -> Result<libc::gid_t, String> {
    let c_name = c_name("group", name)?;
    let mut entry = MaybeUninit::<libc::group>::uninit();
    let mut found = std::ptr::null_mut();
    let mut buffer = vec![0; LOOKUP];
    let (place, length) = (buffer.as_mut_ptr(), buffer.len());
    // SAFETY: every pointer is valid, the buffer's for its length.
    let failed =
        unsafe { libc::getgrnam_r(c_name.as_ptr(), entry.as_mut_ptr(), place, length, &raw mut found) };
    looked_up("group", name, failed, found.is_null())?;
    // SAFETY: it was found, and so the entry is filled.
    Ok(unsafe { entry.assume_init() }.gr_gid)
}

fn c_name(kind: &str, name: &str) -> Result<CString, String> {
    CString::new(name).map_err(|_| unknown(kind, name))
}

fn unknown(kind: &str, name: &str) -> String {
    format!("there is no {kind} \"{name}\"")
}

/// What came of a lookup.
fn looked_up(kind: &str, name: &str, failed: libc::c_int, is_missing: bool) -> Result<(), String> {
    match failed {
        0 if is_missing => Err(unknown(kind, name)),
        0 => Ok(()),
        error => {
            Err(format!("cannot look up the {kind} \"{name}\": {}", io::Error::from_raw_os_error(error)))
        }
    }
}

fn check(outcome: libc::c_int) -> io::Result<()> {
    if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn option(socket: &impl AsRawFd, level: libc::c_int, option: libc::c_int) -> libc::c_int {
        let mut value: libc::c_int = 0;
        let mut length = libc::socklen_t::try_from(size_of_val(&value)).unwrap();
        // SAFETY: the descriptor is open as long as the socket is borrowed, and `value` is as long as it says.
        check(unsafe {
            libc::getsockopt(socket.as_raw_fd(), level, option, (&raw mut value).cast(), &raw mut length)
        })
        .unwrap();
        value
    }

    #[test]
    fn connections_inherit_what_their_listener_was_told() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        prepare_connections(&listener).unwrap();
        give_up_the_dead(&listener).unwrap();
        let _client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (connection, _) = listener.accept().unwrap();
        let table = [
            (libc::IPPROTO_TCP, libc::TCP_NODELAY, 1),
            (libc::SOL_SOCKET, libc::SO_KEEPALIVE, 1),
            (libc::IPPROTO_TCP, libc::TCP_KEEPIDLE, 20),
            (libc::IPPROTO_TCP, libc::TCP_KEEPINTVL, 10),
            (libc::IPPROTO_TCP, libc::TCP_KEEPCNT, 3),
            (libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT, 50_000),
        ];
        for (level, name, expected) in table {
            assert_eq!(option(&connection, level, name), expected, "option {name} of level {level}");
        }
        connection.set_nonblocking(true).unwrap();
        let connection = TcpStream::from_std(connection);
        let mut asked: Vec<_> = std::iter::repeat_with(|| {
            spread_questions(&connection);
            option(&connection, libc::IPPROTO_TCP, libc::TCP_KEEPIDLE)
        })
        .take(8)
        .collect();
        asked.sort_unstable();
        assert_eq!(asked, [20, 21, 22, 23, 24, 25, 26, 27]);
    }

    #[test]
    fn whoever_says_nothing_is_asked_three_times_and_gone_within_a_minute() {
        // How late the system may be with the first question, and with each other, in milliseconds: its timers are the
        // coarser the longer they are.
        for (first, other) in [(0, 0), (2_048, 256), (640, 640), (512, 512)] {
            for idle in (0..KEEPALIVE_SPREAD).map(keepalive_idle) {
                let asked = |times| idle * 1000 + first + times * (KEEPALIVE_INTERVAL * 1000 + other);
                assert!(asked(KEEPALIVE_PROBES - 1) < UNANSWERED, "the third question is asked: {idle} s");
                let end = asked(KEEPALIVE_PROBES);
                assert!((UNANSWERED..60_000).contains(&end), "{idle} s: {end} ms");
            }
        }
    }
}
