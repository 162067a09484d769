//! Two peers: how fast a long message gets from `rollcall call` to `rollcall answer`, beside the same bytes over
//! a bare TCP connection, and how long a short message takes while a long one is being sent.
//!
//! Either side of the comparison is two processes: one reads the same file and sends it, the other receives it and
//! writes it to standard output, which is nowhere while time is taken, and a file once before, to be compared.

#[allow(dead_code, reason = "each bench uses a part of it")]
mod support;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitCode, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use rollcall::client::{Call, Error, Incoming, Listener, Ringing, Sink};

use support::Size;
use support::measure::{median, per_second, percentile, processor_time};
use support::wrong;

/// How long a short message may be on its way before something is wrong.
const PATIENCE: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    support::main("peer", run)
}

fn run(size: Size) -> io::Result<()> {
    let bytes = size.pick(3 << 20, 1 << 30) + 1;
    let place = Place::new()?;
    let checksum = place.fill(bytes)?;
    println!("one message of {bytes} bytes");
    println!("way                 MB/s  to floor  sender CPU s  receiver CPU s");
    let ways = [Way::Floor, Way::Rollcall];
    for way in ways {
        transfer(way, &place.source, Some(&place.copy))?;
        compare(&place.source, &place.copy)?;
    }
    let mut took = [Vec::new(), Vec::new()];
    for _ in 0..size.pick(1, 7) {
        for (way, took) in ways.into_iter().zip(&mut took) {
            took.push(transfer(way, &place.source, None)?);
        }
    }
    for (way, own) in ways.into_iter().zip(&took) {
        let ratios: Vec<_> = own.iter().zip(&took[0]).map(|(own, floor)| floor.time / own.time).collect();
        let middle = |of: fn(&Took) -> f64| median(&own.iter().map(of).collect::<Vec<_>>());
        let speed = per_second(bytes, Duration::from_secs_f64(middle(|took| took.time))) / 1e6;
        println!(
            "{:16} {speed:7.0} {:9.2} {:13.2} {:15.2}",
            way.name(),
            median(&ratios),
            middle(|took| took.sender),
            middle(|took| took.receiver)
        );
    }
    let short = short_beside_long(size.pick(50, 5_000))?;
    println!("checksum {:016x}", checksum.wrapping_add(short));
    Ok(())
}

/// What one transfer took, in seconds: on the clock, and of the processors.
struct Took {
    time: f64,
    sender: f64,
    receiver: f64,
}

/// How the bytes go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Over a bare connection.
    Floor,
    /// As one message, from `call` to `answer`.
    Rollcall,
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::Floor => "bare TCP",
            Self::Rollcall => "call to answer",
        }
    }

    fn receiver(self) -> io::Result<Command> {
        let mut command = match self {
            Self::Floor => Command::new(std::env::current_exe()?),
            Self::Rollcall => Command::new(env!("CARGO_BIN_EXE_rollcall")),
        };
        match self {
            Self::Floor => command.arg("--floor-receive"),
            Self::Rollcall => {
                command.args("answer --nick bob --listen 127.0.0.1:0 --accept all --once --binary".split(' '))
            }
        };
        Ok(command)
    }

    fn sender(self, address: &str) -> io::Result<Command> {
        let mut command = match self {
            Self::Floor => Command::new(std::env::current_exe()?),
            Self::Rollcall => Command::new(env!("CARGO_BIN_EXE_rollcall")),
        };
        match self {
            Self::Floor => command.args(["--floor-send", address]),
            Self::Rollcall => command.args(["call", address, "--nick", "alice", "--binary"]),
        };
        Ok(command)
    }
}

/// A process that does not outlive this.
struct Running(Child);

impl Running {
    fn start(command: &mut Command) -> io::Result<Self> {
        command.spawn().map(Self)
    }

    /// Waits for a good end, and says how much processor time was used until then, in seconds.
    fn finish(mut self, who: &str) -> io::Result<f64> {
        // The clock of a process that has ended is there until somebody has waited for it.
        let status = loop {
            let used = processor_time(self.0.id())?;
            if let Some(status) = self.0.try_wait()? {
                break status.success().then_some(used);
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        status.map(|used| used.as_secs_f64()).ok_or_else(|| wrong(format!("the {who} ends badly")))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Sends `source` to `copy`, or nowhere.
fn transfer(way: Way, source: &Path, copy: Option<&Path>) -> io::Result<Took> {
    let out = match copy {
        Some(copy) => Stdio::from(File::create(copy)?),
        None => Stdio::null(),
    };
    let mut receiver =
        Running::start(way.receiver()?.stdin(Stdio::null()).stdout(out).stderr(Stdio::piped()))?;
    let stderr = receiver.0.stderr.take().ok_or_else(|| wrong("no standard error"))?;
    // The rest of what it has to say must find somebody who takes it.
    let mut stderr = BufReader::new(stderr);
    let address = announced(&mut stderr)?;
    let began = Instant::now();
    let sender = way
        .sender(&address)?
        .stdin(File::open(source)?)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map(Running)?;
    let sender = sender.finish("sender")?;
    let receiver = receiver.finish("receiver")?;
    Ok(Took { time: began.elapsed().as_secs_f64(), sender, receiver })
}

/// The address in the line `listening on ADDRESS`.
fn announced(stderr: &mut BufReader<ChildStderr>) -> io::Result<String> {
    let mut line = String::new();
    stderr.read_line(&mut line)?;
    let address = line.trim_end().strip_prefix("listening on ").map(str::to_owned);
    address.ok_or_else(|| wrong(format!("the receiver says {line:?}")))
}

/// Where the files are: in memory if the system has such a place.
struct Place {
    directory: PathBuf,
    source: PathBuf,
    copy: PathBuf,
}

impl Place {
    fn new() -> io::Result<Self> {
        let memory = Path::new("/dev/shm");
        let base = if memory.is_dir() { memory } else { Path::new(env!("CARGO_TARGET_TMPDIR")) };
        let directory = base.join(format!("rollcall-bench-{}", std::process::id()));
        std::fs::create_dir(&directory)?;
        Ok(Self { source: directory.join("source"), copy: directory.join("copy"), directory })
    }

    /// Fills the source with bytes that do not repeat themselves, and gives a checksum of them.
    fn fill(&self, mut bytes: u64) -> io::Result<u64> {
        let mut file = File::create(&self.source)?;
        let (mut state, mut checksum) = (0x9e37_79b9_7f4a_7c15_u64, 0_u64);
        let mut block = vec![[0; 8]; 1 << 13];
        while bytes > 0 {
            for word in &mut block {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                checksum = checksum.rotate_left(1) ^ state;
                *word = state.to_le_bytes();
            }
            let all = block.as_flattened();
            let some = usize::try_from(bytes).map_or(all.len(), |bytes| bytes.min(all.len()));
            file.write_all(&all[..some])?;
            bytes -= some as u64;
        }
        Ok(checksum)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// Holds two files against each other.
fn compare(source: &Path, copy: &Path) -> io::Result<()> {
    let [mut source, mut copy] = [File::open(source)?, File::open(copy)?];
    let [mut one, mut other] = [vec![0; 1 << 16], vec![0; 1 << 16]];
    loop {
        let some = source.read(&mut one)?;
        if some == 0 {
            return match copy.read(&mut other)? {
                0 => Ok(()),
                _ => Err(wrong("more came than was sent")),
            };
        }
        copy.read_exact(&mut other[..some])?;
        if one[..some] != other[..some] {
            return Err(wrong("what came is not what was sent"));
        }
    }
}

/// Sends `count` messages of one byte, each when the one before it has come, while a long one goes on and on. Prints
/// how long they took, and gives a checksum of them.
fn short_beside_long(count: u32) -> io::Result<u64> {
    let (call, mut incoming, _keep) = conversation().map_err(io::Error::other)?;
    let (delivered, deliveries) = channel();
    let receiver = std::thread::spawn(move || {
        let mut sink = Shorts { delivered, long: None, begun: None, bytes: 0 };
        let outcome = incoming.stream_to(&mut sink);
        (outcome, sink.bytes)
    });
    let (stop, stopped) = channel();
    let long = {
        let call = call.clone();
        std::thread::spawn(move || call.send_from(Endless(stopped)))
    };
    let began = Instant::now();
    let taken = exchange(&call, &deliveries, count);
    let took = began.elapsed();
    drop(stop);
    let sent = long.join().map_err(|_| wrong("the sender panics"))?.map_err(io::Error::other)?;
    call.finish();
    let (outcome, received) = receiver.join().map_err(|_| wrong("the receiver panics"))?;
    outcome.map_err(io::Error::other)?;
    let (taken, checksum) = taken?;
    if received != sent {
        return Err(wrong(format!("{received} of {sent} bytes came")));
    }
    let at = |percent| percentile(&taken, percent);
    println!(
        "a byte beside a long message at {:.0} MB/s: median {:.3} ms, p99 {:.3} ms, longest {:.3} ms of {count}",
        per_second(sent, took) / 1e6,
        at(50),
        at(99),
        at(100)
    );
    Ok(checksum)
}

/// Sends the short messages: milliseconds for each, and a checksum.
fn exchange(call: &Call, deliveries: &Receiver<u8>, count: u32) -> io::Result<(Vec<f64>, u64)> {
    let (mut taken, mut checksum) = (Vec::new(), 0_u64);
    for number in 0..count {
        let [.., byte] = number.to_be_bytes();
        let began = Instant::now();
        call.send(&[byte]).map_err(io::Error::other)?;
        let came = deliveries.recv_timeout(PATIENCE).map_err(io::Error::other)?;
        taken.push(began.elapsed().as_secs_f64() * 1e3);
        if came != byte {
            return Err(wrong(format!("{came} comes in place of {byte}")));
        }
        checksum = checksum.wrapping_mul(31).wrapping_add(came.into());
    }
    Ok((taken, checksum))
}

/// The caller's sending side, and the callee's receiving side; what they leave is kept alive.
fn conversation() -> Result<(Call, Incoming, (Call, Incoming)), Error> {
    let listener = Listener::bind("127.0.0.1:0", "bob", 1)?;
    let (address, stopper) = (listener.local_addr().to_string(), listener.stopper());
    let (connected, answered) = channel();
    let serving = std::thread::spawn(move || {
        listener.serve(move |ringing| {
            let _ = connected.send(agree(ringing));
        });
    });
    let (call, back) = agree(Ringing::call(&address, "alice")?)?;
    let answered = answered.recv_timeout(PATIENCE).map_err(|_| Error::lost("bob", "he does not answer"))?;
    stopper.stop();
    let _ = serving.join();
    let (their_call, incoming) = answered?;
    Ok((call, incoming, (their_call, back)))
}

fn agree(mut ringing: Ringing) -> Result<(Call, Incoming), Error> {
    ringing.introduced()?;
    ringing.decider().accept()?;
    ringing.connected()
}

/// As many bytes as are wanted, until the other end of the channel is gone.
struct Endless(Receiver<()>);

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.try_recv() {
            Err(std::sync::mpsc::TryRecvError::Disconnected) => Ok(0),
            _ => Ok(buffer.len()),
        }
    }
}

/// Tells of each message of one byte, and counts the bytes of the longer one.
struct Shorts {
    delivered: Sender<u8>,
    long: Option<u32>,
    /// A message of one byte, so far.
    begun: Option<(u32, u8)>,
    bytes: u64,
}

impl Sink for Shorts {
    fn part(&mut self, id: u32, bytes: &[u8]) -> Result<(), Error> {
        match bytes {
            &[byte] if self.long != Some(id) => self.begun = Some((id, byte)),
            _ => {
                self.long = Some(id);
                self.bytes += bytes.len() as u64;
            }
        }
        Ok(())
    }

    fn ended(&mut self, id: u32) -> Result<(), Error> {
        if let Some((_, byte)) = self.begun.take_if(|(begun, _)| *begun == id) {
            // Nobody waits for it any more when the bench has failed.
            let _ = self.delivered.send(byte);
        }
        Ok(())
    }
}
