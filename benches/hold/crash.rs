//! kill -9 with everybody there: it listens again at once, and all come back by the waits that clients have.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rollcall::client::Backoff;

use super::Stage;
use super::daemon::Daemon;
use super::swarm::{Link, Swarm, Window, greeting};
use crate::support::client::PATIENCE;
use crate::support::wrong;

/// The first number of a client of chapp.
const NAMED: u32 = 200_000;

pub(super) fn run(stage: &mut Stage) -> io::Result<()> {
    // With a thread each, a client at a daemon with a clerk takes three descriptors of 20,000.
    let many = if stage.engine == super::Engine::Threads { 6_000 } else { 9_900 };
    let (clients, named) = stage.size.pick((50, 5), (many, 100));
    let place = tempfile::tempdir()?;
    let data = place.path().to_str().ok_or_else(|| wrong("a path that is not UTF-8"))?;
    let options = |doors: [&str; 2]| {
        ["--lekt", doors[0], "--chapp", doors[1], "--data", data].map(str::to_owned).to_vec()
    };
    let first = options(["127.0.0.1:0"; 2]);
    let mut daemon = Daemon::start(stage.engine, &borrowed(&first))?;
    let [server, chapp] = ["lekt", "chapp"].map(|door| daemon.door(door));
    let (server, chapp) = (server?, chapp?);
    let mut swarm = Swarm::new()?;
    swarm.join(server, 0..clients)?;
    let mut posters = introduce(chapp, named)?;
    let posted = post(&mut posters)?;

    daemon.kill()?;
    let killed = Instant::now();
    drop(posters);
    let again = options([server.to_string(), chapp.to_string()].each_ref().map(String::as_str));
    let mut crowd = Crowd::new(swarm, server, killed);
    // A supervisor takes a moment, in which most find nobody there and wait once more.
    let down = stage.size.pick(Duration::from_millis(100), Duration::from_secs(1));
    crowd.live(down, |_| false)?;
    daemon = Daemon::start(stage.engine, &borrowed(&again))?;
    let started_in = daemon.started_in;
    let back = crowd.live(PATIENCE * 2, Crowd::is_complete)?;
    let took = killed.elapsed();
    let tries = crowd.tries;
    let present = daemon.status()?.present;
    let Crowd { mut swarm, .. } = crowd;
    let alive = swarm.beat(0..clients as usize, PATIENCE)?;

    stage.sum(u64::from(clients) + posted);
    let figure = format!("{:.1} ms", started_in.as_secs_f64() * 1e3);
    let in_time = started_in < Duration::from_millis(100);
    stage.holds("listening after", figure, "under 100 ms", in_time);
    let what = format!("{clients} clients of LEKT are back, {down:?} down");
    let figure = format!("{:.2} s, {tries} tries", took.as_secs_f64());
    stage.holds(&what, figure, "under 10 s", back && took < Duration::from_secs(10));
    let figure = format!("{present} on the roll, {alive} served");
    let all = clients as usize;
    stage.exact("all of them are there", figure, &format!("{all}"), present == all && alive == all);
    intact(stage, chapp, named, posted)
}

fn borrowed(options: &[String]) -> Vec<&str> {
    options.iter().map(String::as_str).collect()
}

/// Those who were there, and come back by and by.
struct Crowd {
    swarm: Swarm,
    server: SocketAddr,
    backoffs: Vec<Backoff>,
    /// Who has noticed that its connection is lost, and tries again then.
    waking: BinaryHeap<Reverse<(Instant, usize)>>,
    waits: Vec<bool>,
    greeted: Vec<bool>,
    back: Vec<bool>,
    count: usize,
    tries: u64,
}

impl Crowd {
    fn new(mut swarm: Swarm, server: SocketAddr, now: Instant) -> Self {
        let all = swarm.links.len();
        // What came before the kill is no sign of being back.
        swarm.links.iter_mut().for_each(|link| link.inbox.clear());
        let backoffs = (0..all).map(|_| Backoff::default()).collect();
        let mut crowd = Self {
            swarm,
            server,
            backoffs,
            waking: BinaryHeap::new(),
            waits: vec![false; all],
            greeted: vec![true; all],
            back: vec![false; all],
            count: 0,
            tries: 0,
        };
        (0..all).for_each(|index| crowd.look(index, now));
        crowd
    }

    fn is_complete(&self) -> bool {
        self.count == self.back.len()
    }

    /// Goes on until `is_done`, or `limit` is over; whether it is done.
    fn live(&mut self, limit: Duration, is_done: fn(&Self) -> bool) -> io::Result<bool> {
        let began = Instant::now();
        while !is_done(self) {
            let now = Instant::now();
            if now.duration_since(began) >= limit {
                return Ok(false);
            }
            while let Some(&Reverse((at, index))) = self.waking.peek()
                && at <= now
            {
                self.waking.pop();
                self.try_again(index)?;
            }
            let next = self.waking.peek().map_or(limit, |Reverse((at, _))| at.saturating_duration_since(now));
            for index in self.swarm.turn(next.min(Duration::from_millis(20)))? {
                self.look(index, now);
            }
        }
        Ok(true)
    }

    fn try_again(&mut self, index: usize) -> io::Result<()> {
        let number = u32::try_from(index).unwrap_or_default();
        self.tries += 1;
        self.waits[index] = false;
        match self.swarm.reconnect(index, self.server, number) {
            Ok(()) => {
                self.greeted[index] = false;
                self.look(index, Instant::now());
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                self.rest(index, Instant::now());
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    fn look(&mut self, index: usize, now: Instant) {
        if !self.greeted[index] {
            let number = u32::try_from(index).unwrap_or_default();
            self.greeted[index] = self.swarm.send(index, &greeting(number)) > 0;
        }
        let link = &self.swarm.links[index];
        if link.ended.is_some() {
            self.rest(index, now);
        } else if link.has_joined() && !self.back[index] {
            self.back[index] = true;
            self.count += 1;
        }
    }

    /// Waits as a client does.
    fn rest(&mut self, index: usize, now: Instant) {
        if !std::mem::replace(&mut self.waits[index], true) {
            self.count -= usize::from(std::mem::take(&mut self.back[index]));
            self.waking.push(Reverse((now + self.backoffs[index].next_wait(), index)));
        }
    }
}

/// So many clients of chapp, each with a name.
fn introduce(chapp: SocketAddr, count: u32) -> io::Result<Swarm> {
    let mut swarm = Swarm::new()?;
    for number in 0..count {
        let index = swarm.connect(chapp, NAMED + number, Window::Usual)?;
        let text = format!("INTRODUCE\tnamed-{number}->server\\\nID:0\\\n\\\n");
        swarm.send_all(index, text.as_bytes())?;
    }
    answered(&mut swarm)?;
    Ok(swarm)
}

/// Each posts a message to somebody who is not there; how many the server has taken.
fn post(swarm: &mut Swarm) -> io::Result<u64> {
    for index in 0..swarm.links.len() {
        swarm.links[index].inbox.clear();
        let text = format!("POST\tnamed-{index}->absent\\\nID:1\\\nmessage: kept {index}.\\\n\\\n");
        swarm.send_all(index, text.as_bytes())?;
    }
    answered(swarm)?;
    Ok(swarm.links.len() as u64)
}

fn answered(swarm: &mut Swarm) -> io::Result<()> {
    let is_done = |link: &Link| link.has_heard(b"status: 100") && link.inbox.ends_with(b"\\\n");
    match swarm.until(PATIENCE, |swarm| swarm.links.iter().all(is_done))? {
        true => Ok(()),
        false => Err(wrong("a client of chapp is not answered")),
    }
}

/// The names are still whose they were, and every message that was taken is there once.
fn intact(stage: &mut Stage, chapp: SocketAddr, named: u32, posted: u64) -> io::Result<()> {
    let mut swarm = Swarm::new()?;
    for number in 0..named {
        let index = swarm.connect(chapp, NAMED + number, Window::Usual)?;
        let text = format!("CONNECT\t->server\\\nID:0\\\nusername: named-{number}\\\n\\\n");
        swarm.send_all(index, text.as_bytes())?;
    }
    answered(&mut swarm)?;
    let is_known =
        |(number, link): &(usize, &Link)| link.has_heard(format!("username: named-{number}\\\n").as_bytes());
    let known = swarm.links.iter().enumerate().filter(is_known).count();
    let absent = swarm.connect(chapp, NAMED + named, Window::Usual)?;
    swarm.send_all(absent, b"INTRODUCE\tabsent->server\\\nID:0\\\n\\\n")?;
    answered(&mut swarm)?;
    let inbox = String::from_utf8_lossy(&swarm.links[absent].inbox).into_owned();
    let once = (0..posted).filter(|number| inbox.matches(&format!("kept {number}.")).count() == 1).count();
    let figure = format!("{known} of {named} names, {once} of {posted} messages");
    let intact = known == named as usize && once as u64 == posted;
    stage.exact("names and messages", figure, "all, once", intact);
    Ok(())
}
