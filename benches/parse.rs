//! Parsing and emitting: nanoseconds for each kind of packet.

#[allow(dead_code, reason = "each bench uses a part of it")]
mod support;

use std::hint::black_box;
use std::io;
use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::time::Instant;

use rollcall::lekt::part::Part;
use rollcall::lekt::wire::{self, Block, BlockKind, KnownMethods, Method, Object, Version};
use rollcall::wire::{Reader, WireError};

use support::Size;
use support::measure::{median, nanoseconds_each};

/// The listed clients of the long answer.
const LISTED: u32 = 1000;

fn main() -> ExitCode {
    support::main("parse", run)
}

/// One kind of packet: its name, its parser, its emitter, and how many things of that name one packet holds.
struct Kind {
    name: &'static str,
    /// Gives something that depends on all that was parsed.
    read: fn(&mut Reader<'_>) -> Result<u64, WireError>,
    put: fn(&mut Vec<u8>),
    holds: u32,
}

const KINDS: [Kind; 10] = [
    Kind { name: "H handshake, method 1", read: read_handshake, put: |out| put_handshake(out, 1), holds: 1 },
    Kind {
        name: "H handshake, 1024 methods",
        read: read_handshake,
        put: |out| put_handshake(out, 1024),
        holds: 1,
    },
    Kind { name: "A accept", read: read_header, put: |out| wire::put_accept(out, Version::OURS), holds: 1 },
    Kind { name: "R reject", read: read_said, put: put_reject, holds: 1 },
    Kind {
        name: "T request",
        read: read_request,
        put: |out| wire::put_request(out, Version::OURS, 1),
        holds: 1,
    },
    Kind { name: "T method", read: read_method, put: put_method, holds: 1 },
    Kind { name: "H heartbeat", read: read_heartbeat, put: put_heartbeat, holds: 1 },
    Kind { name: "H answer, idle", read: read_answer, put: |out| put_answer(out, 0), holds: 1 },
    Kind {
        name: "  client in an answer",
        read: read_answer,
        put: |out| put_answer(out, LISTED),
        holds: LISTED,
    },
    Kind { name: "message part", read: read_part, put: put_part, holds: 1 },
];

fn run(size: Size) -> io::Result<()> {
    println!("packet                     bytes  ns to read  ns to write");
    let mut checksum = 0_u64;
    for kind in &KINDS {
        let times = size.pick(100, 2_000_000) / kind.holds + 1;
        let mut packet = Vec::new();
        (kind.put)(&mut packet);
        let (mut reading, mut writing) = (Vec::new(), Vec::new());
        for _ in 0..size.pick(2, 9) {
            let (time, sum) = time_reading(kind, &packet, times)?;
            reading.push(time);
            checksum = checksum.wrapping_mul(31).wrapping_add(sum);
            writing.push(time_writing(kind, &packet, times)?);
        }
        let (bytes, reading, writing) = (packet.len(), median(&reading), median(&writing));
        println!("{:25} {bytes:6} {reading:11.1} {writing:12.1}", kind.name);
    }
    println!("checksum {checksum:016x}");
    Ok(())
}

/// Nanoseconds for one of what the packet holds, and a checksum of what was read.
fn time_reading(kind: &Kind, packet: &[u8], times: u32) -> io::Result<(f64, u64)> {
    let (began, mut checksum) = (Instant::now(), 0_u64);
    for _ in 0..times {
        let mut reader = Reader::new(black_box(packet));
        let read = (kind.read)(&mut reader).map_err(io::Error::other)?;
        checksum = checksum.wrapping_add(read).wrapping_add(reader.rest().len() as u64);
    }
    let each = nanoseconds_each(began.elapsed(), u64::from(times) * u64::from(kind.holds));
    Ok((each, checksum))
}

/// Nanoseconds for one of what the packet holds. What is written is `packet` each time.
fn time_writing(kind: &Kind, packet: &[u8], times: u32) -> io::Result<f64> {
    let mut out = Vec::with_capacity(packet.len());
    let began = Instant::now();
    for _ in 0..times {
        out.clear();
        (kind.put)(black_box(&mut out));
    }
    let each = nanoseconds_each(began.elapsed(), u64::from(times) * u64::from(kind.holds));
    match out == packet {
        true => Ok(each),
        false => Err(support::wrong(format!("{} differs from time to time", kind.name))),
    }
}

fn read_header(reader: &mut Reader<'_>) -> Result<u64, WireError> {
    wire::header(reader).map(|header| u64::from(header.kind) + u64::from(header.version.major))
}

fn read_handshake(reader: &mut Reader<'_>) -> Result<u64, WireError> {
    Ok(read_header(reader)? + u64::from(KnownMethods::read(reader)?.knows(1)))
}

fn put_handshake(out: &mut Vec<u8>, highest: u32) {
    KnownMethods::of([1, highest]).put(out, Version::OURS);
}

fn read_said(reader: &mut Reader<'_>) -> Result<u64, WireError> {
    Ok(read_header(reader)? + wire::said(reader, "reason")?.len() as u64)
}

fn put_reject(out: &mut Vec<u8>) {
    wire::put_reject(out, Version::OURS, "too many connections from your address");
}

fn read_request(reader: &mut Reader<'_>) -> Result<u64, WireError> {
    Ok(read_header(reader)? + u64::from(reader.u32("method")?))
}

fn read_method(reader: &mut Reader<'_>) -> Result<u64, WireError> {
    let index = read_request(reader)? - u64::from(wire::kind::SETUP);
    let method = Method::read(u32::try_from(index).unwrap_or(0), reader)?;
    Ok(method.map_or(0, |Method::DirectTcp { port }| port.into()))
}

fn put_method(out: &mut Vec<u8>) {
    wire::put_method(out, Version::OURS, Method::DirectTcp { port: 7891 });
}

fn read_heartbeat(reader: &mut Reader<'_>) -> Result<u64, WireError> {
    Ok(read_header(reader)? + reader.i64("time")?.unsigned_abs())
}

fn put_heartbeat(out: &mut Vec<u8>) {
    wire::put_heartbeat(out, Version::OURS, 1_700_000_000);
}

fn read_answer(reader: &mut Reader<'_>) -> Result<u64, WireError> {
    let mut checksum = read_header(reader)?;
    let block = Block::read(reader)?;
    for _ in 0..block.count {
        let object = Object::read(reader)?;
        checksum += u64::from(object.address.to_bits()) + object.methods.len() as u64;
    }
    Ok(checksum)
}

fn put_answer(out: &mut Vec<u8>, count: u32) {
    let block = Block { time: 1_700_000_000, kind: BlockKind::Added, count };
    out.extend_from_slice(&block.packet(Version::OURS));
    for number in 0..count {
        Object::put(out, Ipv4Addr::from_bits(0x7f00_0001 + number), &[Method::DirectTcp { port: 7891 }]);
    }
}

fn read_part(reader: &mut Reader<'_>) -> Result<u64, WireError> {
    Part::read(reader).map(|part| u64::from(part.id) + u64::from(part.number) + u64::from(part.length))
}

fn put_part(out: &mut Vec<u8>) {
    out.extend_from_slice(&Part { id: 7, number: 3, length: 65_536 }.header());
}
