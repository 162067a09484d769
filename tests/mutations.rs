//! Every parser and every session against golden bytes that were changed, cut, or lie about lengths: none panics, hangs,
//! or takes more memory than it may. On stable, in one thread each, under an allocator that counts.
//!
//! `ROLLCALL_MUTATIONS` says how many inputs each parser gets, `ROLLCALL_SEED` from which they are made,
//! `ROLLCALL_LONG` that no place of long ones is left out, and
//! `ROLLCALL_CORPUS` where the golden bytes are to be written to, for fuzz/.

#![cfg(all(test, feature = "chapp", feature = "fmltp", feature = "residue"))]
#![allow(unsafe_code, reason = "a counting allocator cannot be had without it")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

// The file names what it is about as the library does.
use rollcall::{chapp, fmltp, lekt, residue, roll, session, wire};

#[path = "../src/fuzz/mod.rs"]
#[allow(unreachable_pub, dead_code, reason = "it is the library's")]
mod fuzz;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use fuzz::{TARGETS, Target};

thread_local! {
    /// What this thread has allocated, and the most that it was since it was looked at.
    static HELD: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
}

struct Counting;

fn count(change: isize) {
    let held = HELD.get() + change;
    HELD.set(held);
    MOST.set(MOST.get().max(held));
}

// SAFETY: everything is left to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size().cast_signed());
        // SAFETY: the caller keeps the contract, which is the system allocator's own.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        count(-layout.size().cast_signed());
        // SAFETY: as above.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How many inputs each parser gets if nobody says otherwise.
const MUTATIONS: u64 = 10_000;
/// What any input may have allocated at a time: nothing that it says about itself counts, only how long it is.
const CAP: usize = 16 << 10;
const CAP_PER_BYTE: usize = 16;
/// Longer than this nothing may take, on however busy a machine.
const PATIENCE: Duration = Duration::from_secs(10);

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap())
}

/// Has the target look at the input. What it takes is told by `told`.
fn throw(target: &Target, input: &[u8], told: &dyn Fn() -> String) -> usize {
    let (before, began) = (HELD.get(), Instant::now());
    MOST.set(before);
    let outcome = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    let (most, took) = ((MOST.get() - before).unsigned_abs(), began.elapsed());
    let shown = || format!("{} with {}: {:02x?}", target.name, told(), input);
    assert!(outcome.is_ok(), "{} panics", shown());
    assert!(took < PATIENCE, "{} takes {took:?}", shown());
    let cap = CAP.max(target.memory) + CAP_PER_BYTE * input.len();
    assert!(most <= cap, "{} takes {most} bytes of {cap}", shown());
    most
}

#[test]
fn mutated_golden_bytes_do_no_harm() {
    let (seed, count) =
        (number("ROLLCALL_SEED").unwrap_or(1), number("ROLLCALL_MUTATIONS").unwrap_or(MUTATIONS));
    for target in TARGETS {
        let (golden, began) = ((target.golden)(), Instant::now());
        let mut random = Random(seed);
        let (mut most, inputs) = (0, (count / target.effort).max(1));
        for number in 0..inputs {
            let input = random.mutate(&golden);
            most = most.max(throw(target, &input, &|| format!("ROLLCALL_SEED={seed}, input {number}")));
        }
        let seconds = began.elapsed().as_secs_f32();
        println!("{:16} {inputs:9} inputs, {most:7} bytes at the most, {seconds:.1} s", target.name);
    }
}

#[test]
fn golden_bytes_cut_anywhere_or_with_any_bit_turned_do_no_harm() {
    for target in TARGETS {
        for golden in (target.golden)() {
            for end in places(golden.len() + 1, target.effort) {
                throw(target, &golden[..end], &|| format!("{end} bytes"));
            }
            for bit in places(golden.len() * 8, target.effort) {
                let mut input = golden.clone();
                input[bit / 8] ^= 1 << (bit % 8);
                throw(target, &input, &|| format!("bit {bit}"));
            }
        }
    }
}

#[test]
fn lengths_that_lie_take_no_memory() {
    let values = [0, 4, 255, 256, 1024, 1025, 65_535, 65_536, 65_537, 0xff_ffff, 1 << 31, u32::MAX];
    for target in TARGETS.iter().filter(|target| target.effort == 1) {
        for golden in (target.golden)() {
            for value in values {
                // At any place there may be a number of four bytes; of ASN.1, with the bytes that say how long it is.
                for at in places(golden.len().saturating_sub(3), 8) {
                    let mut input = golden.clone();
                    input[at..at + 4].copy_from_slice(&value.to_be_bytes());
                    throw(target, &input, &|| format!("{value} at {at}"));
                    let mut input = golden.clone();
                    input.splice(at..=at, [&[0x84][..], &value.to_be_bytes()].concat());
                    throw(target, &input, &|| format!("ASN.1 {value} at {at}"));
                }
                // And in place of any number that is written out.
                for (start, end) in digits(&golden) {
                    let mut input = golden.clone();
                    input.splice(start..end, value.to_string().into_bytes());
                    throw(target, &input, &|| format!("{value} written at {start}"));
                }
            }
        }
    }
}

/// Places among so many: all, or, where there are very many or each takes long, and time is short, some of them.
fn places(count: usize, effort: u64) -> impl Iterator<Item = usize> {
    let enough = 1000 / usize::try_from(effort).unwrap();
    let step = if number("ROLLCALL_LONG").is_some() { 1 } else { count.div_ceil(enough).max(1) };
    (0..count).step_by(step)
}

/// Where numbers are written out.
fn digits(bytes: &[u8]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let length = bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if length > 0 {
            found.push((at, at + length));
        }
        at += length.max(1);
    }
    found
}

#[test]
fn the_golden_bytes_are_the_corpus() {
    let Ok(directory) = std::env::var("ROLLCALL_CORPUS") else { return };
    for target in TARGETS {
        let own = Path::new(&directory).join(target.name);
        fs::create_dir_all(&own).unwrap();
        for (number, golden) in (target.golden)().into_iter().enumerate() {
            fs::write(own.join(format!("golden-{number}")), golden).unwrap();
        }
    }
}

/// `SplitMix64`.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap() % bound.max(1)
    }

    /// One of these, with up to eight changes.
    fn mutate(&mut self, golden: &[Vec<u8>]) -> Vec<u8> {
        let mut input = golden[self.below(golden.len())].clone();
        for _ in 0..1 + self.below(8) {
            let at = self.below(input.len());
            match self.below(8) {
                0 | 1 if !input.is_empty() => input[at] ^= 1 << self.below(8),
                2 if !input.is_empty() => input[at] = self.next().to_be_bytes()[0],
                3 => input.insert(at, self.next().to_be_bytes()[0]),
                4 if !input.is_empty() => drop(input.remove(at)),
                5 => input.truncate(at),
                6 => {
                    let end = at + self.below(40).min(input.len() - at);
                    let again = input[at..end].to_vec();
                    input.splice(at..at, again);
                }
                _ => {
                    let other = &golden[self.below(golden.len())];
                    let start = self.below(other.len());
                    let end = start + self.below(60).min(other.len() - start);
                    input.splice(at..at, other[start..end].iter().copied());
                }
            }
        }
        input
    }
}
