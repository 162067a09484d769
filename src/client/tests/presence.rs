//! How a presence is left, lost and found again.

use super::*;

fn reconnecting() -> PresenceOptions {
    PresenceOptions {
        methods: vec![Method::DirectTcp { port: 4242 }],
        when_lost: WhenLost::Reconnect,
        ..PresenceOptions::default()
    }
}

#[test]
fn leaving_is_quick_while_the_server_does_not_answer_us_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = listener.local_addr().unwrap().to_string();
    let server = thread::spawn(move || {
        let (mut first, _) = listener.accept().unwrap();
        first.write_all(JOINED).unwrap();
        first.shutdown(std::net::Shutdown::Write).unwrap();
        let (mut silent, _) = listener.accept().unwrap();
        silent.read_exact(&mut [0; 16]).unwrap();
        (first, silent)
    });
    let presence = Presence::join(&place, reconnecting()).unwrap();
    let sockets = server.join().unwrap();
    let (told, gone) = bounded::<()>(0);
    thread::spawn(move || {
        drop(presence);
        drop(told);
    });
    // It would end by itself when the join has taken too long.
    assert_eq!(gone.recv_timeout(JOIN_TIMEOUT / 2), Err(crossbeam_channel::RecvTimeoutError::Disconnected));
    drop(sockets);
}

#[test]
fn a_server_that_closes_before_we_are_on_the_roll_is_told_from_one_that_breaks_off() {
    let early = "it closed the connection before we were on the roll";
    let broken = "it closed the connection in mid-sentence";
    for (cut, why) in [(0, early), (3, broken), (8, early), (10, broken), (LOOKED_ON.len() - 4, broken)] {
        let (place, _server) = server(vec![LOOKED_ON[..cut].to_vec()]);
        assert_eq!(roster(&place).unwrap_err().to_string(), format!("lost {place}: {why}"), "cut at {cut}");
    }
}

#[test]
fn a_server_that_lets_us_in_and_closes_is_tried_less_and_less_often() {
    let (place, _server) = server(vec![JOINED.to_vec(); 3]);
    let presence = Presence::join(&place, reconnecting()).unwrap();
    let waits = presence.news().iter().filter_map(|news| match news {
        News::Retrying(wait) => Some(wait),
        _ => None,
    });
    let third = waits.take(3).last().unwrap();
    // The first is at most three quarters of a second.
    assert!(third >= BACKOFF_FIRST * 2, "{third:?}");
}

#[test]
fn a_reader_of_ours_who_is_slow_is_not_the_servers_silence() {
    let many = answer(&[7; 255]).repeat(10);
    let (place, _server) = server(vec![[LOOKED_ON, &many, EMPTY].concat()]);
    let patience = Duration::from_millis(80);
    let options = PresenceOptions { heartbeat: patience / 4, patience, ..PresenceOptions::default() };
    let presence = Presence::join(&place, options).unwrap();
    let until = std::time::Instant::now() + PATIENCE;
    while presence.news().len() < NEWS_LIMIT {
        assert!(std::time::Instant::now() < until, "no news");
        thread::yield_now();
    }
    // The time itself is what is tried here: more of it than the server would be given.
    assert!(crossbeam_channel::after(patience * 3).recv().is_ok());
    let lost = presence.news().iter().find_map(|news| match news {
        News::Lost(error) => Some(error.to_string()),
        _ => None,
    });
    assert_eq!(lost.unwrap(), format!("lost {place}: it closed the connection"));
}
