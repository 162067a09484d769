//! How connections end that others have to end, and what does not keep them from it.

use super::*;

/// Both engines, and as the doors are that have no clerk, and as those that have one.
fn in_all_houses(standing: Standing, limits: &Limits, test: impl Fn(House)) {
    for kind in [Kind::Events { loops: NonZeroUsize::MIN }, Kind::Threads] {
        test(House::open_without_clerk(standing, kind, limits.clone()));
        test(House::open_to(standing, kind, limits.clone()));
    }
}

fn roomy() -> Limits {
    Limits { high_mark: 65_536, ..Limits::unbounded(10) }
}

/// How many are on the roll.
fn present(house: &House) -> usize {
    house.engine.published().read(crate::roll::Roll::len)
}

/// Ends the house long before the time that a slow peer has while it is open.
#[track_caller]
fn ends_soon(house: House) {
    assert_eq!(house.engine.drain(Instant::now() + FLUSH_LIMIT / 2), Ok(()));
}

/// Somebody on the roll who is sent more than the system takes, and is told that he has done something bad.
fn choke(house: &House) -> TcpStream {
    let mut guest = house.connect();
    say(&mut guest, "join\n");
    expect(&mut guest, "in\n");
    say(&mut guest, "choke\n");
    wait_until("he is off the roll", || present(house) == 0);
    guest
}

#[test]
fn who_is_told_of_his_fault_and_reads_nothing_is_off_the_roll_and_does_not_keep_the_house_open() {
    in_all_houses(Standing::Settled, &roomy(), |house| {
        let _guest = choke(&house);
        ends_soon(house);
    });
}

#[test]
fn who_is_told_of_his_fault_and_breaks_off_is_gone() {
    in_all_houses(Standing::Settled, &roomy(), |house| {
        let guest = choke(&house);
        socket2::SockRef::from(&guest).set_linger(Some(Duration::ZERO)).unwrap();
        drop(guest);
        wait_until("he is gone", || house.engine.usage().clients == 0);
    });
}

#[test]
fn letters_that_nobody_fetches_do_not_keep_the_house_open() {
    for kind in [Kind::Events { loops: NonZeroUsize::MIN }, Kind::Threads] {
        let house = House::open(kind, roomy());
        let (mut deaf, mut loud) = (house.connect(), house.connect());
        say(&mut deaf, "I am deaf\n");
        expect(&mut deaf, "I am deaf\nok 1\n");
        say(&mut deaf, "big\n");
        expect(&mut deaf, "x");
        for _ in 0..200 {
            say(&mut loud, "hi\n");
            expect(&mut loud, "hi\nok 2\n");
        }
        ends_soon(house);
    }
}

#[test]
fn those_who_wait_for_us_keep_nobody_out() {
    let limits = Limits { max_pending: 2, ..Limits::unbounded(10) };
    in_all_houses(Standing::Pending, &limits, |house| {
        // All that there is for hours is used up.
        let mut waiting = [house.connect(), house.connect()];
        say(&mut waiting[0], "dear\ndear\ndear\n");
        expect(&mut waiting[0], "toiled 1\ntoiled 2\ntoiled 3\n");
        waiting.iter_mut().for_each(|guest| say(guest, "dear\n"));
        wait_until("both wait", || house.engine.usage().pending == 0);
        let mut newcomer = house.connect();
        say(&mut newcomer, "join\n");
        expect(&mut newcomer, "in\n");
        assert_eq!(house.engine.usage().counts[Count::GaveWay as usize], 0);
    });
}

#[test]
fn who_has_waited_for_us_is_pending_again_and_gives_way() {
    let limits = Limits { max_pending: 1, ..Limits::unbounded(10) };
    in_all_houses(Standing::Pending, &limits, |house| {
        let mut first = house.connect();
        say(&mut first, "slow\n");
        expect(&mut first, "toiled 1\n");
        wait_until("it is pending again", || house.engine.usage().pending == 1);
        let mut second = house.connect();
        let mut rest = String::new();
        first.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "after you\n");
        say(&mut second, "join\n");
        expect(&mut second, "in\n");
    });
}

#[test]
fn who_has_to_give_way_does_so_though_he_rests() {
    let limits = Limits { max_pending: 1, ..Limits::unbounded(10) };
    for kind in [Kind::Events { loops: NonZeroUsize::MIN }, Kind::Threads] {
        let house = House::open_to(Standing::Pending, kind, limits.clone());
        let mut sleeper = house.connect();
        say(&mut sleeper, "sleep\n");
        expect(&mut sleeper, "good night\n");
        let mut newcomer = house.connect();
        let mut rest = String::new();
        sleeper.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "after you\n");
        drop(sleeper);
        say(&mut newcomer, "hello\n");
        expect(&mut newcomer, "hello\nok 1\n");
        wait_until("one is there", || house.engine.usage().clients == 1);
        let usage = house.engine.usage();
        assert_eq!((usage.pending, usage.counts[Count::GaveWay as usize]), (1, 1));
    }
}

#[test]
fn who_hears_of_the_end_and_stays_is_not_waited_for() {
    let loops = NonZeroUsize::MIN;
    for kind in [Kind::Events { loops }, Kind::Threads] {
        let house = House::open(kind, Limits { high_mark: 65_536, ..Limits::unbounded(10) });
        let mut stays = house.connect();
        say(&mut stays, "big\n");
        expect(&mut stays, "x");
        let mut sleeps = house.connect();
        say(&mut sleeps, "sleep\n");
        expect(&mut sleeps, "good night\n");
        // Neither has read all, nor hung up, for which there is time while the daemon runs.
        let patience = Instant::now() + FLUSH_LIMIT / 2;
        assert_eq!(house.engine.drain(patience), Ok(()), "{kind:?} ends");
    }
}

#[test]
fn who_has_been_loose_for_longest_gives_way_when_it_is_full() {
    on_both_engines_with(&Limits { give_way: 1, high_mark: 65_536, ..Limits::unbounded(3) }, |house| {
        let mut stays = house.connect();
        say(&mut stays, "I stay\n");
        expect(&mut stays, "I stay\nok 1\n");
        let [mut first, mut second] = [house.connect(), house.connect()];
        for guest in [&mut first, &mut second] {
            say(guest, "loose\n");
            expect(guest, "if you say so\n");
        }
        // Nobody has been silent for long enough.
        expect(&mut house.connect(), "no\n");
        // The first is heard of all the time.
        let mut newcomer = None;
        let patience = Instant::now() + PATIENCE;
        while newcomer.is_none() {
            assert!(Instant::now() < patience, "nobody gives way");
            say(&mut first, "loose\n");
            expect(&mut first, "if you say so\n");
            let mut guest = house.connect();
            say(&mut guest, "slow\n");
            let mut said = [0; 3];
            newcomer = guest.read_exact(&mut said).ok().filter(|()| said == *b"toi").map(|()| guest);
        }
        let mut rest = String::new();
        second.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "after you\n");
        expect(&mut house.connect(), "no\n");
        say(&mut first, "slow\n");
        expect(&mut first, "toiled 1\n");
        say(&mut stays, "I stay\n");
        expect(&mut stays, "I stay\nok 1\n");
        assert_eq!(house.engine.usage().counts[Count::GaveWay as usize], 1);
    });
}
