//! Who gives his place to others: of those who are pending the one who came first, of those who are loose the one from
//! whom nothing has come for longest.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::HAS_WAITING;
use crate::session::Standing;

/// Below this number nobody looks whether all of them are still pending.
const FEW: usize = 1024;
/// For so long nobody has to give way who is pending, or in a rush all would, and nobody would get in.
const GRACE: Duration = Duration::from_secs(1);
/// How long to wait before all are looked at once more.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Those who are there, by the numbers that their engine gives them.
pub(super) trait Guests {
    /// The standing of one; none if he is there no more.
    fn standing(&mut self, guest: u64) -> Option<Standing>;

    /// All of them.
    fn all(&mut self) -> Vec<u64>;
}

/// The lines in which they stand.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Whoever was pending when he came, and when that was, in that order.
    pending: VecDeque<(u64, Instant)>,
    enough: usize,
    /// Before that all are not looked at for somebody who is pending.
    look_for_pending: Option<Instant>,
    /// Whoever was loose for long enough when all were looked at, the first to go last.
    loose: Vec<u64>,
    /// Before that nobody is loose for long enough.
    look: Option<Instant>,
}

impl Places {
    /// Notes that one has come who is pending.
    pub(super) fn note(&mut self, guest: u64, now: Instant, guests: &mut dyn Guests) {
        if self.pending.len() >= self.enough.max(FEW) {
            self.pending.retain(|&(guest, _)| guests.standing(guest) == Some(Standing::Pending));
            self.enough = self.pending.len() * 2;
        }
        self.pending.push_back((guest, now));
    }

    /// The one who has been pending for longest.
    pub(super) fn oldest(&mut self, now: Instant, guests: &mut dyn Guests) -> Option<u64> {
        self.have_somebody_in_front(now, guests);
        self.pending.pop_front().map(|(guest, _)| guest)
    }

    /// Whether one of those who are pending came so long ago that he has to give way.
    pub(super) fn have_ripe(&mut self, now: Instant, guests: &mut dyn Guests) -> bool {
        self.have_somebody_in_front(now, guests);
        self.pending.front().is_some_and(|(_, came)| now >= *came + GRACE)
    }

    /// Has somebody who is pending stand at the front. Whoever waited for us when it was his turn is in no line
    /// afterwards, so that all are looked at now and then where there is none; in which order does not matter any more.
    fn have_somebody_in_front(&mut self, now: Instant, guests: &mut dyn Guests) {
        self.forget_settled(guests);
        if HAS_WAITING && self.pending.is_empty() && self.look_for_pending.is_none_or(|look| look <= now) {
            self.look_for_pending = Some(now + LOOK_AGAIN);
            for guest in guests.all() {
                if guests.standing(guest) == Some(Standing::Pending) {
                    self.pending.push_back((guest, now));
                }
            }
        }
    }

    fn forget_settled(&mut self, guests: &mut dyn Guests) {
        while let Some(&(guest, _)) = self.pending.front()
            && guests.standing(guest) != Some(Standing::Pending)
        {
            self.pending.pop_front();
        }
    }

    /// The one who has been loose for longest, and for at least `least`. It costs little to ask in vain, over and over.
    pub(super) fn loosest(&mut self, now: Instant, least: Duration, guests: &mut dyn Guests) -> Option<u64> {
        if self.loose.is_empty() && self.look.is_none_or(|look| look <= now) {
            self.look_around(now, least, guests);
        }
        while let Some(guest) = self.loose.pop() {
            if loose_since(guest, guests).is_some_and(|since| now.saturating_duration_since(since) >= least) {
                return Some(guest);
            }
        }
        None
    }

    fn look_around(&mut self, now: Instant, least: Duration, guests: &mut dyn Guests) {
        let all = guests.all().into_iter();
        let mut loose: Vec<_> =
            all.filter_map(|guest| loose_since(guest, guests).map(|since| (since, guest))).collect();
        loose.sort_unstable();
        let ripe = loose.partition_point(|(since, _)| now.saturating_duration_since(*since) >= least);
        let next = loose.get(ripe).map_or(now, |(since, _)| *since + least);
        self.look = Some(next.max(now + LOOK_AGAIN));
        self.loose = loose[..ripe].iter().rev().map(|(_, guest)| *guest).collect();
    }
}

fn loose_since(guest: u64, guests: &mut dyn Guests) -> Option<Instant> {
    match guests.standing(guest)? {
        Standing::Loose(since) => Some(since),
        Standing::Pending | Standing::Settled => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Default)]
    struct Room {
        guests: BTreeMap<u64, Standing>,
        looks: usize,
    }

    impl Guests for Room {
        fn standing(&mut self, guest: u64) -> Option<Standing> {
            self.guests.get(&guest).copied()
        }

        fn all(&mut self) -> Vec<u64> {
            self.looks += 1;
            self.guests.keys().copied().collect()
        }
    }

    #[test]
    fn the_first_who_is_still_pending_goes_first() {
        let (mut places, mut room) = (Places::default(), Room::default());
        for guest in 1..=5 {
            room.guests.insert(guest, Standing::Pending);
            places.note(guest, Instant::now(), &mut room);
        }
        room.guests.insert(1, Standing::Settled);
        room.guests.remove(&2);
        assert_eq!(places.oldest(Instant::now(), &mut room), Some(3));
        room.guests.remove(&3);
        room.guests.insert(4, Standing::Loose(Instant::now()));
        assert_eq!(places.oldest(Instant::now(), &mut room), Some(5));
        room.guests.remove(&5);
        assert_eq!(places.oldest(Instant::now(), &mut room), None);
    }

    #[test]
    fn those_who_are_pending_no_more_take_no_room() {
        let (mut places, mut room) = (Places::default(), Room::default());
        room.guests.insert(0, Standing::Pending);
        for guest in 0..100_000 {
            places.note(guest, Instant::now(), &mut room);
            assert!(places.pending.len() <= FEW);
        }
        assert_eq!(places.oldest(Instant::now(), &mut room), Some(0));
        room.guests.remove(&0);
        assert_eq!(places.oldest(Instant::now(), &mut room), None);
    }

    #[test]
    fn who_was_passed_over_is_found_again() {
        let (mut places, mut room, start) = (Places::default(), Room::default(), Instant::now());
        for guest in 0..3 {
            room.guests.insert(guest, Standing::Settled);
            places.note(guest, start, &mut room);
        }
        assert_eq!(places.oldest(start, &mut room), None, "all of them wait for us");
        room.guests.insert(1, Standing::Pending);
        for milliseconds in [1, 500, 999] {
            assert_eq!(places.oldest(start + Duration::from_millis(milliseconds), &mut room), None);
        }
        assert_eq!(room.looks, 1);
        assert_eq!(places.oldest(start + LOOK_AGAIN, &mut room), Some(1));
    }

    #[test]
    fn everybody_has_a_second() {
        let (mut places, mut room, start) = (Places::default(), Room::default(), Instant::now());
        assert!(!places.have_ripe(start, &mut room), "nobody is there");
        for guest in 0..3 {
            room.guests.insert(guest, Standing::Pending);
            places.note(guest, start + Duration::from_millis(400 * guest), &mut room);
        }
        let young_at = |places: &mut Places, room: &mut Room, milliseconds| {
            !places.have_ripe(start + Duration::from_millis(milliseconds), room)
        };
        assert!(young_at(&mut places, &mut room, 999) && !young_at(&mut places, &mut room, 1000));
        room.guests.insert(0, Standing::Settled);
        assert!(young_at(&mut places, &mut room, 1399) && !young_at(&mut places, &mut room, 1400));
        assert_eq!(places.oldest(Instant::now(), &mut room), Some(1));
    }

    #[test]
    fn the_loosest_goes_first_and_nobody_before_his_time() {
        let (mut places, mut room) = (Places::default(), Room::default());
        let (start, least) = (Instant::now(), Duration::from_secs(120));
        let at = |seconds| start + Duration::from_secs(seconds);
        room.guests.insert(1, Standing::Settled);
        room.guests.insert(2, Standing::Loose(at(2)));
        room.guests.insert(3, Standing::Loose(at(0)));
        room.guests.insert(4, Standing::Loose(at(50)));
        room.guests.insert(5, Standing::Loose(at(1)));
        assert_eq!(places.loosest(at(119), least, &mut room), None);
        assert_eq!(places.loosest(at(122), least, &mut room), Some(3));
        room.guests.remove(&3);
        // Something has come from the next one meanwhile.
        room.guests.insert(5, Standing::Loose(at(123)));
        assert_eq!(places.loosest(at(124), least, &mut room), Some(2));
        room.guests.remove(&2);
        for second in 125..170 {
            assert_eq!(places.loosest(at(second), least, &mut room), None);
        }
        assert_eq!(places.loosest(at(171), least, &mut room), Some(4));
        assert!(room.looks <= 4, "{} looks", room.looks);
    }
}
