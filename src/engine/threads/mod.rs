//! The engine of blocking threads: one accepts, and each connection has one of its own.

mod letterbox;
mod lobby;
mod seats;

use std::io::{self, ErrorKind, Read};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token, Waker};

use crate::engine::accept::{Acceptor, Entrance};
use crate::engine::backlog::Backlog;
use crate::engine::conn::{Conn, Stage, Turn, Wants};
use crate::engine::published::Look;
use crate::engine::task::{Mailbox, Name, Parcel, Task};
use crate::engine::workers::Workers;
use crate::engine::{HAS_CLERKS, House, Vigil};
use crate::session::Output;
use letterbox::{Ear, Found, Letterbox};
use lobby::Lobby;
use seats::{Seat, Seats};

/// The stack of a connection's thread: address space, of which it touches a few pages.
const STACK: usize = 128 * 1024;
/// What one read takes; it lies on the stack.
const READ: usize = 2 * 1024;
/// What of an output that a burst has filled is kept for the next one: each thread has its own.
const KEEP: usize = 1024;
/// How long a write may block before the thread looks up.
const WRITE_PATIENCE: Duration = Duration::from_millis(200);
/// The token of the accepting thread's waker; entrances are counted from 0.
const WAKER: Token = Token(usize::MAX);

/// The accepting thread, and the way to all others.
pub(super) struct Service {
    shared: Arc<Shared>,
    waker: Arc<Waker>,
}

struct Shared {
    house: House,
    stopping: AtomicBool,
    seats: Seats,
}

impl Service {
    /// Starts accepting.
    pub(super) fn start(house: House, vigil: Vigil, entrances: Vec<Entrance>) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let acceptor = Acceptor::new(entrances, Arc::clone(&house.gate), poll.registry(), 0)?;
        let (stopping, seats) = (AtomicBool::new(false), Seats::default());
        let shared = Arc::new(Shared { house, stopping, seats });
        let reception = Reception {
            poll,
            _waker: Arc::clone(&waker),
            acceptor,
            lobby: Lobby::new(Arc::clone(&shared), vigil),
        };
        thread::Builder::new().name("accept".into()).spawn(move || reception.run())?;
        Ok(Self { shared, waker })
    }

    /// Stops accepting, and has every thread say goodbye.
    pub(super) fn stop(&self) {
        self.shared.stopping.store(true, Ordering::Release);
        if let Err(error) = self.waker.wake() {
            log::error!("the accepting thread cannot be woken: {error}");
        }
        self.shared.seats.disturb_all();
    }
}

/// Accepts, and starts a thread for everyone who comes in.
struct Reception {
    poll: Poll,
    /// What has woken it is to be there until it has seen that.
    _waker: Arc<Waker>,
    acceptor: Acceptor,
    lobby: Lobby,
}

impl Reception {
    fn run(mut self) {
        let mut events = Events::with_capacity(64);
        while !self.lobby.shared.stopping.load(Ordering::Acquire) {
            let now = Instant::now();
            let patience = self.acceptor.next(now).map(|next| next.saturating_duration_since(now));
            match self.poll.poll(&mut events, patience) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                // Nothing that can happen outside this program makes a poll fail.
                Err(error) => panic!("cannot poll: {error}"),
            }
            events.iter().filter(|event| event.token() != WAKER).for_each(|event| {
                self.acceptor.knock(event.token().0);
            });
            self.acceptor.accept(Instant::now(), &mut self.lobby);
        }
    }
}

/// Starts the thread of a new connection, which has `out` to say first.
///
/// # Errors
/// There is none to be had, or something else that it would need. The socket comes back if nobody else looks at it.
fn receive(
    stream: TcpStream,
    conn: Conn,
    out: Output,
    number: u64,
    shared: &Arc<Shared>,
    vigil: &Vigil,
) -> Result<(), (io::Error, Option<TcpStream>)> {
    let (ear, letterbox) = match prepare(&stream, conn.door(), &shared.house.workers) {
        Ok(prepared) => prepared,
        Err(error) => return Err((error, Some(stream))),
    };
    let seat = Arc::new(Seat::new(stream, conn.standing(), letterbox));
    shared.seats.take(number, &seat);
    let mut attendant = Attendant {
        shared: Arc::clone(shared),
        _vigil: vigil.clone(),
        number,
        seat: Arc::clone(&seat),
        conn,
        backlog: Backlog::default(),
        ear,
        armed: None,
        looked_up: false,
        stage: Stage::Running,
        out,
    };
    let thread = thread::Builder::new().stack_size(STACK).spawn(move || attendant.serve());
    // Without a thread the attendant is dropped, and all that he has; only the seat is left.
    thread.map(drop).map_err(|error| (error, Arc::into_inner(seat).map(|seat| seat.stream)))
}

/// Has a socket block as its thread needs it, and makes that a letterbox; and an ear, where a clerk may have something to
/// say.
fn prepare(stream: &TcpStream, door: &str, workers: &Workers) -> io::Result<(Option<Ear>, Arc<Letterbox>)> {
    stream.set_nonblocking(false)?;
    stream.set_write_timeout(Some(WRITE_PATIENCE))?;
    if !HAS_CLERKS || !workers.has_clerk(door) {
        return Ok(Default::default());
    }
    Ear::new(stream).map(|(ear, letterbox)| (Some(ear), letterbox))
}

/// A connection's thread.
struct Attendant {
    shared: Arc<Shared>,
    _vigil: Vigil,
    number: u64,
    seat: Arc<Seat>,
    conn: Conn,
    backlog: Backlog,
    /// Where there is a clerk who may have something to say.
    ear: Option<Ear>,
    /// The time that a read may block, as the socket knows it.
    armed: Option<Duration>,
    /// Whether a read has blocked for so long in vain: the next one's time is to be set anew.
    looked_up: bool,
    stage: Stage,
    out: Output,
}

impl Attendant {
    fn serve(&mut self) {
        let mut buffer = [0; READ];
        self.with_conn(Conn::open);
        loop {
            self.pass_on();
            self.look_up();
            let wants = self.conn.wants();
            // Before it is sent what waits, which a peer that does not read makes last.
            if (HAS_CLERKS && self.ear.is_some() || wants == Wants::Answer)
                && wants != Wants::Close
                && self.unpack_all()
            {
                self.tick_if_due();
                continue;
            }
            match wants {
                Wants::Close => break,
                _ if !self.backlog.is_empty() => self.flush(),
                Wants::Turn => self.with_conn(Conn::resume),
                Wants::Bytes | Wants::Discard => self.read(&mut buffer),
                Wants::Answer => self.wait(),
                Wants::Flush => {
                    if self.conn.sent_all(Instant::now()) {
                        // It fails where the peer has gone already, which the next read shows.
                        let _ = self.seat.stream.shutdown(Shutdown::Write);
                    }
                }
            }
        }
    }

    /// Waits for what others have for the connection, or for its rest to be over.
    fn wait(&mut self) {
        match self.seat.letterbox.wait(self.conn.deadline()) {
            Some(found) => self.unpack(found),
            None => self.tick_if_due(),
        }
    }

    /// Gives the connection a turn.
    fn with_conn(&mut self, act: impl FnOnce(&mut Conn, &Turn<'_>, &mut Output)) {
        let house = &self.shared.house;
        let view = Look::now(&house.published);
        let (high_mark, owed) = (house.gate.limits().high_mark, self.backlog.held());
        let turn = Turn { now: Instant::now(), view, high_mark, owed, stage: self.stage };
        act(&mut self.conn, &turn, &mut self.out);
        self.seat.show(self.conn.standing());
    }

    /// Takes all that has come from others; false if nothing has.
    fn unpack_all(&mut self) -> bool {
        let mut next = self.seat.letterbox.look();
        let has_come = next.is_some();
        while let Some(found) = next {
            self.unpack(found);
            // Where there are no letters, nothing comes but one answer at a time.
            next = if HAS_CLERKS { self.seat.letterbox.look() } else { None };
            if next.is_some() {
                // Each write may block, so that there is one for all of it.
                self.put_off();
            }
        }
        has_come
    }

    fn unpack(&mut self, found: Found) {
        self.with_conn(|conn, turn, out| match found {
            Found::Parcel(Parcel::Reply(reply)) => conn.take_reply(reply, turn, out),
            Found::Parcel(Parcel::Mail(mail)) => conn.take_mail(mail, turn, out),
            Found::Overrun => conn.overrun(turn, out),
        });
    }

    /// Passes on what the connection has to say and to ask. What is behind what waits already waits, too.
    fn pass_on(&mut self) {
        if !self.backlog.is_empty() {
            return self.put_off();
        }
        // First what concerns others: sending may block for a while.
        self.pass_on_to_others();
        if let Err(error) = self.backlog.send(&self.out, &mut &self.seat.stream) {
            self.broken(&error);
        }
        self.settle(0);
    }

    /// Passes on what the connection has to ask, and keeps for later what it has to say.
    fn put_off(&mut self) {
        self.pass_on_to_others();
        let before = self.backlog.held();
        if !self.out.is_empty() {
            self.backlog.append(&self.out);
        }
        self.settle(before);
    }

    /// What was to be said is sent or waits, where `before` bytes did.
    fn settle(&mut self, before: usize) {
        self.conn.owes(before, self.backlog.held());
        self.out.clear(KEEP);
    }

    fn pass_on_to_others(&mut self) {
        if let Some(ask) = self.out.take_ask() {
            let mailbox: Arc<dyn Mailbox> = self.seat.letterbox.clone();
            let reply = (mailbox, Name { slot: 0, generation: 0 });
            let task = Task::new(ask, &mut self.conn, reply);
            task.into_iter().for_each(|task| self.shared.house.workers.put(task));
        }
        self.part();
    }

    /// Sees whether the daemon is about to end, or others need the place.
    fn look_up(&mut self) {
        if self.seat.is_ousted() {
            self.with_conn(Conn::give_way);
            self.pass_on();
        }
        if self.stage == Stage::Running && self.shared.stopping.load(Ordering::Acquire) {
            self.stage = Stage::Stopping;
            self.with_conn(Conn::shut_down);
            self.pass_on();
        }
    }

    /// Sends what waits; it blocks for a while only, so that a peer that never reads runs into its deadline.
    fn flush(&mut self) {
        if let Err(error) = self.backlog.flush(&mut &self.seat.stream) {
            self.broken(&error);
        }
        self.tick_if_due();
    }

    /// Nothing can be sent any more, and what waits need not.
    #[cold]
    fn broken(&mut self, error: &io::Error) {
        self.backlog = Backlog::default();
        self.conn.broken(error);
    }

    fn read(&mut self, buffer: &mut [u8]) {
        let began = Instant::now();
        let ready = match self.ear.as_mut().filter(|_| HAS_CLERKS) {
            Some(ear) => {
                let patience = self.conn.deadline().map(|deadline| deadline.saturating_duration_since(began));
                ear.hears(&self.seat.stream, patience)
            }
            None => self.arm().map(|()| true),
        };
        match ready {
            Ok(true) => {}
            Ok(false) => return self.tick_if_due(),
            Err(error) => return self.broken(&error),
        }
        match (&self.seat.stream).read(buffer) {
            // It says nothing about the peer: first the session has its last words.
            Ok(0) if self.is_disturbed() && self.conn.wants() != Wants::Discard => {}
            Ok(0) => self.conn.end_of_stream(),
            Ok(count) => self.with_conn(|conn, turn, out| conn.receive(&buffer[..count], turn, out)),
            Err(error) if is_timeout(&error) => {
                self.looked_up = true;
                // The daemon may have slept longer than the peer did: what has come meanwhile is read first.
                if self.conn.deadline().is_some_and(|deadline| deadline > began) {
                    return;
                }
            }
            Err(error) => self.broken(&error),
        }
        // Bytes that keep coming must not keep a deadline from being seen.
        self.tick_if_due();
    }

    /// Whether reads end because the connection is to end. Who lingers then does not wait for the peer to hang up: the
    /// system resets what sends to a socket that is shut down both ways, whether that is closed or not.
    fn is_disturbed(&self) -> bool {
        self.ear.is_none() && (self.shared.stopping.load(Ordering::Acquire) || self.seat.is_ousted())
    }

    /// Has the next read block no longer than the deadline allows. A socket that looks up earlier than it
    /// has to is left as it is, so that a heartbeat costs no system call for this; one that need not look up at
    /// all is told so.
    fn arm(&mut self) -> io::Result<()> {
        let Some(deadline) = self.conn.deadline() else {
            return if self.armed.take().is_some() {
                self.seat.stream.set_read_timeout(None)
            } else {
                Ok(())
            };
        };
        let needed = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        if std::mem::take(&mut self.looked_up) || self.armed.is_none_or(|armed| needed < armed) {
            self.seat.stream.set_read_timeout(Some(needed))?;
            self.armed = Some(needed);
        }
        Ok(())
    }

    fn tick_if_due(&mut self) {
        if self.conn.deadline().is_some_and(|deadline| deadline <= Instant::now()) {
            self.with_conn(Conn::tick);
        }
    }

    /// Tells those who have to hear of it that the connection has ended, if it has.
    fn part(&mut self) {
        Task::partings(&mut self.conn).for_each(|task| self.shared.house.workers.put(task));
    }
}

/// Whether a read has ended without anything having come: in time, or because the process was stopped. `TimedOut` is
/// something else: the peer was asked whether it is there, and has not answered.
fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

impl Drop for Attendant {
    fn drop(&mut self) {
        self.shared.seats.leave(self.number);
        self.part();
    }
}
