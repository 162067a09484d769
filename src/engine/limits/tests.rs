use super::*;

fn gate(max_clients: usize, max_per_address: usize) -> Arc<Gate> {
    open(Limits { max_per_address, ..Limits::unbounded(max_clients) })
}

fn open(limits: Limits) -> Arc<Gate> {
    Arc::new(Gate::new(limits, Cooldowns::new([]), Rations::new([])))
}

fn admit(gate: &Arc<Gate>, address: IpAddr) -> Admission {
    gate.admit("test", address, Instant::now(), &mut || false)
}

fn outcome(admission: &Admission) -> String {
    match admission {
        Admission::Welcome(_) => "welcome".to_owned(),
        Admission::Refused(_, why) => why.to_string(),
        Admission::TurnedAway(_) => "turned away".to_owned(),
    }
}

#[test]
fn a_full_server_takes_the_next_when_one_leaves() {
    let gate = gate(2, 0);
    let address = IpAddr::from([10, 0, 0, 1]);
    let mut inside = vec![admit(&gate, address), admit(&gate, address)];
    assert_eq!(outcome(&admit(&gate, address)), "the server is full");
    inside.pop();
    let last = admit(&gate, address);
    assert_eq!(outcome(&last), "welcome");
    let mut counts = [0; Count::NAMES.len()];
    counts[Count::Full as usize] = 1;
    assert_eq!(gate.usage(), Usage { clients: 2, max_clients: 2, pending: 2, welcomed: 3, counts });
    assert_eq!(gate.usage().refused(), 1);
}

#[test]
fn only_so_many_refusals_are_pending() {
    let gate = gate(0, 0);
    let pending: Vec<_> = (0..17).map(|_| admit(&gate, IpAddr::from([10, 0, 0, 1]))).collect();
    assert_eq!(pending.iter().filter(|admission| outcome(admission) == "turned away").count(), 1);
}

#[test]
fn an_address_counts_by_itself_and_loopback_not_at_all() {
    let gate = gate(100, 1);
    let table = [
        ("10.0.0.1", "welcome"),
        ("10.0.0.1", "too many connections from your address"),
        ("::ffff:10.0.0.1", "too many connections from your address"),
        ("10.0.0.2", "welcome"),
        ("2001:db8::1", "welcome"),
        ("2001:db8::2", "too many connections from your address"),
        ("2001:db8:0:1::1", "welcome"),
        ("127.0.0.1", "welcome"),
        ("127.0.0.1", "welcome"),
        ("::1", "welcome"),
        ("::1", "welcome"),
    ];
    let mut inside = Vec::new();
    for (address, expected) in table {
        inside.push(admit(&gate, address.parse().unwrap()));
        assert_eq!(outcome(&inside[inside.len() - 1]), expected, "{address}");
    }
    drop(inside);
    assert!(gate.sources.len() == 0);
    assert_eq!(gate.usage().clients, 0);
}

fn permit(admission: Admission) -> Permit {
    match admission {
        Admission::Welcome(permit) => permit,
        Admission::Refused(_, why) | Admission::TurnedAway(why) => panic!("refused: {why}"),
    }
}

#[test]
fn so_many_handshakes_are_pending_from_one_address_and_in_all() {
    let gate = open(Limits { max_pending: 3, max_pending_per_address: 2, ..Limits::unbounded(100) });
    let (one, other) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
    let mut first = permit(admit(&gate, one));
    let second = permit(admit(&gate, one));
    assert_eq!(outcome(&admit(&gate, one)), "too many handshakes under way from your address");
    let _third = permit(admit(&gate, other));
    assert!(gate.room_for_pending().is_some());
    let _fourth = permit(admit(&gate, IpAddr::from([127, 0, 0, 1])));
    assert!(gate.room_for_pending().is_none(), "loopback counts like everybody in all");
    first.settle();
    first.settle();
    assert!(!first.is_pending() && gate.room_for_pending().is_some());
    assert_eq!(outcome(&admit(&gate, one)), "welcome");
    drop((first, second));
    assert_eq!((gate.usage().clients, gate.usage().pending), (2, 2));
    assert_eq!(gate.usage().counts[Count::Pending as usize], 1);
}

#[test]
fn so_many_come_from_one_address_in_a_minute() {
    let gate = open(Limits { max_new_per_minute: 2, ..Limits::unbounded(100) });
    let one = IpAddr::from([10, 0, 0, 1]);
    let outcomes: Vec<_> = (0..3).map(|_| outcome(&admit(&gate, one))).collect();
    assert_eq!(outcomes, ["welcome", "welcome", "too many new connections from your address"]);
    assert_eq!(gate.usage().counts[Count::Hasty as usize], 1);
    assert!((0..3).all(|_| outcome(&admit(&gate, IpAddr::from([127, 9, 9, 9]))) == "welcome"));
}

#[test]
fn where_room_is_made_one_more_comes_in() {
    let gate = gate(1, 1);
    let _inside = permit(admit(&gate, [10, 0, 0, 1].into()));
    let mut asked = 0;
    let mut make_room = || {
        asked += 1;
        true
    };
    // For one who would not be let in anyway nobody has to go.
    let crowded = gate.admit("test", [10, 0, 0, 1].into(), Instant::now(), &mut make_room);
    assert_eq!(outcome(&crowded), "too many connections from your address");
    let let_in = gate.admit("test", [10, 0, 0, 2].into(), Instant::now(), &mut make_room);
    assert_eq!((outcome(&let_in).as_str(), asked), ("welcome", 1));
}

#[test]
fn who_has_to_leave_for_others_is_not_held_to_have_ended_badly() {
    let cooldown = crate::session::Cooldown { length: std::time::Duration::from_secs(60), loopback: false };
    let cooldowns = Cooldowns::new([("test", cooldown)]);
    let gate = Arc::new(Gate::new(Limits::unbounded(100), cooldowns, Rations::new([])));
    let (address, now) = (IpAddr::from([10, 0, 0, 1]), Instant::now());
    let mut ousted = permit(admit(&gate, address));
    ousted.oust();
    ousted.cool_down("test", address, now);
    let bad = permit(admit(&gate, address));
    bad.cool_down("test", address, now);
    assert_eq!(outcome(&admit(&gate, address)), "try again in 60 s");
    drop((ousted, bad));
    assert_eq!(
        (gate.usage().clients, gate.usage().pending, gate.usage().counts[Count::GaveWay as usize]),
        (0, 0, 1)
    );
}
