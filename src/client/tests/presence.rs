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
