//! From the toolstack's first node to sound on the card, and back to nothing held.

use ring_backend::backend::Backend;
use ring_backend::link::Direction;
use ring_backend::plane::{Limits, Plane};
use ring_backend::world::{DomId, Nanos};
use ring_backend::xenstore::Client;
use tests::fake::card::{FakeCard, STEREO_48K};
use tests::fake::front::Front;
use tests::fake::frontend::Params;
use tests::fake::guest::Guest;
use tests::fake::player::Player;
use tests::fake::seed::Seed;
use tests::fake::stage::liberal;
use tests::fake::store::{Store, Wire};
use tests::fake::toolstack::{Toolstack, Vsnd};
use tests::fake::xen::FakeXen;

/// The backend's domain.
const BACKEND: u16 = 7;
/// How often the world is looked at.
const TICK_NANOS: u64 = 100_000;

struct House {
    store: Store,
    toolstack: Toolstack,
    wire: Wire,
    xen: FakeXen,
    card: FakeCard,
    backend: Backend<Plane<FakeXen>>,
    players: Vec<Player>,
    now: Nanos,
    due: Option<Nanos>,
}

impl House {
    fn new() -> Self {
        Self::with(8, Limits::default())
    }

    fn with(devices: usize, limits: Limits) -> Self {
        let store = Store::new();
        let toolstack = Toolstack::new(&store, BACKEND);
        let plane = Plane::new(limits, STEREO_48K);
        let mut backend = Backend::with_plane(plane, devices, Client::new());
        backend.describe_card("fake", 48_000);
        Self {
            wire: store.connect(BACKEND, 1),
            store,
            toolstack,
            xen: FakeXen::new(),
            card: FakeCard::new(STEREO_48K, 16_000),
            backend,
            players: Vec::new(),
            now: Nanos(1_000_000_000),
            due: None,
        }
    }

    fn run(&mut self, millis: u64) {
        let end = self.now.plus_millis(millis);
        while self.now < end {
            self.tick();
        }
    }

    fn tick(&mut self) {
        self.now = Nanos(self.now.0 + TICK_NANOS);
        self.card.run_to(self.now);
        let card = Some(&mut self.card);
        self.due = self
            .backend
            .poll(self.now, &mut self.xen, card, &mut self.wire);
        for player in &mut self.players {
            player.sense(self.now);
            if player.next().is_some_and(|at| at <= self.now) {
                player.run(self.now);
            }
            player.watch(self.now);
        }
    }

    /// Attaches a card with one playback stream and connects it with rings of a real shape.
    fn attach(&mut self, dom: u16) -> (Guest, Front) {
        self.toolstack.attach(&Vsnd::card(dom, 0, 1, 0));
        self.run(1);
        let guest = Guest::new(&self.store, &self.toolstack, dom, 0, 1);
        assert_eq!(guest.backend_state(), 2);
        let front = self.connect(dom, &guest);
        (guest, front)
    }

    /// Connects an offered device with rings of a real shape.
    fn connect(&mut self, dom: u16, guest: &Guest) -> Front {
        let front = Front::new(&self.xen, DomId(dom));
        let link = front.link(liberal(Direction::Playback));
        for (node, value) in [
            ("ring-ref", link.ring_ref.0),
            ("event-channel", link.ring_port.0),
            ("evt-ring-ref", link.event_ref.0),
            ("evt-event-channel", link.event_port.0),
        ] {
            guest.write(&format!("0/0/{node}"), &value.to_string());
        }
        guest.set_state(3);
        // One that flaps its state is not looked at for up to a second.
        for _ in 0..20 {
            self.run(60);
            if guest.backend_state() == 4 {
                break;
            }
        }
        assert_eq!(guest.backend_state(), 4, "{}", self.store.dump());
        guest.set_state(4);
        front
    }

    fn play(&mut self, front: Front, samples: &[i16]) {
        let octets = samples.iter().flat_map(|s| s.to_le_bytes()).collect();
        let params = Params::stereo(4800, 1200);
        self.players
            .push(Player::new(front, params, octets, self.now));
    }

    fn data(&self, path: &str) -> Option<String> {
        self.store
            .read(&self.toolstack.home(&format!("data/{path}")))
    }
}

/// Stereo noise without a sample of 0.
fn noise(seed: u64, frames: usize) -> Vec<i16> {
    let mut seed = Seed::new(seed);
    let samples = (0..2 * frames).map(|_| seed.below(16_000) as i16 - 8000);
    samples.map(|sample| sample | 1).collect()
}

#[test]
fn an_attached_guest_is_heard_and_a_destroyed_one_leaves_nothing_behind() {
    let mut house = House::new();
    let (_, front) = house.attach(3);
    let sound = noise(1, 48_000);
    house.play(front, &sound);
    house.run(700);
    let line = house.data("guest/3/0/stream-0").expect("a line");
    assert!(
        line.starts_with("playing=1 format=s16_le rate=48000 channels=2 "),
        "{line}"
    );
    assert!(line.contains(" xruns=0 "), "{line}");
    // Another guest comes and is destroyed while the first one plays.
    let (_, front) = house.attach(4);
    house.run(100);
    house.xen.destroy(DomId(4));
    drop(front);
    house.toolstack.destroy(4, 0);
    house.run(1_200);
    assert!(!house.store.exists(&house.toolstack.back(4, 0, "")));
    assert!(house.players[0].finished());
    let heard = house.card.samples();
    let first = heard.iter().position(|&sample| sample != 0).expect("sound");
    assert!(
        heard[first..].starts_with(&sound),
        "bit by bit what was written"
    );
    // The first one goes too, and takes all with it.
    house.players.clear();
    house.toolstack.destroy(3, 0);
    house.run(1_000);
    assert_eq!(house.xen.held(), (0, 0), "pages and ports");
    assert_eq!(
        house.backend.plane().free_octets(),
        Limits::default().arena_octets
    );
    assert_eq!(house.data("guest/3"), None);
    assert_eq!(house.due, None, "the domain sleeps without a timer");
}

#[test]
fn a_guest_destroyed_while_it_plays_is_unmapped_at_once() {
    let mut house = House::new();
    let (_, front) = house.attach(3);
    house.play(front, &noise(2, 96_000));
    house.run(500);
    assert_eq!(house.xen.held(), (2, 2));
    house.players.clear();
    house.xen.destroy(DomId(3));
    house.toolstack.destroy(3, 0);
    house.run(1);
    assert_eq!(house.xen.held(), (0, 0));
    house.run(500);
    assert!(!house.store.exists(&house.toolstack.back(3, 0, "")));
}

#[test]
fn rings_that_are_not_granted_are_said_in_the_devices_directory() {
    let mut house = House::new();
    house.toolstack.attach(&Vsnd::card(3, 0, 1, 0));
    house.run(1);
    let mut guest = Guest::new(&house.store, &house.toolstack, 3, 0, 1);
    guest.publish();
    house.run(100);
    let error = house.toolstack.back(3, 0, "error");
    let error = house.store.read(&error).expect("is told");
    assert!(error.starts_with("stream 0: grant status -"), "{error}");
    assert_eq!(house.xen.held(), (0, 0));
    assert_eq!(guest.backend_state(), 6);
}

#[test]
fn a_guest_that_comes_and_goes_a_thousand_times_leaves_nothing_and_disturbs_nobody() {
    const ROUNDS: u32 = 1_000;
    let mut house = House::new();
    let (_, front) = house.attach(3);
    // As long as it takes; what is not played by then is not compared.
    let sound = noise(1, 48_000 * 140);
    house.play(front, &sound);
    house.run(1_000);
    let before = house.data("held").expect("a line");
    let mut seed = Seed::new(20);
    let mut other = None;
    for round in 0..ROUNDS {
        let guest = match other.take() {
            Some(guest) => guest,
            None => {
                house.toolstack.attach(&Vsnd::card(4, 0, 1, 0));
                house.run(1);
                Guest::new(&house.store, &house.toolstack, 4, 0, 1)
            }
        };
        for _ in 0..1_000 {
            if guest.backend_state() == 2 {
                break;
            }
            house.run(10);
        }
        assert_eq!(guest.backend_state(), 2, "round {round}");
        let front = house.connect(4, &guest);
        let quiet = [0; 2 * 4_800];
        house.play(front, &quiet);
        house.run(10 + seed.below(30));
        match seed.below(4) {
            // The driver is unloaded, in mid-stream or not, and loaded again.
            0 => {
                guest.set_state(5);
                house.run(2);
                house.players.truncate(1);
                guest.set_state(6);
                house.run(seed.below(3));
                guest.set_state(1);
            }
            // It starts over without a word, or takes states that mean nothing here.
            1 => guest.set_state(1),
            2 => {
                for _ in 0..seed.below(4) {
                    guest.set_state([1, 2, 5, 6, 7, 8][seed.below(6) as usize]);
                    house.run(seed.below(2));
                }
                guest.set_state(1);
            }
            // The toolstack takes the device away while it plays.
            _ => {
                house.toolstack.detach(4, 0);
                house.run(seed.below(1_100));
                house.players.truncate(1);
                house.xen.destroy(DomId(4));
                house.toolstack.clean(4, 0);
                house.run(400);
                continue;
            }
        }
        house.players.truncate(1);
        // A guest is looked at forty times a second; this one has often used that up.
        for _ in 0..150 {
            if house.xen.held() == (2, 2) && guest.backend_state() == 2 {
                break;
            }
            house.run(10);
        }
        assert_eq!(house.xen.held(), (2, 2), "round {round}: not unmapped");
        other = Some(guest);
    }
    house.toolstack.destroy(4, 0);
    house.run(2_000);
    let after = house.data("held").expect("a line");
    // The first guest may have closed meanwhile.
    let but_buffers = |line: &str| line.split(" buffers").next().map(str::to_string);
    assert_eq!(but_buffers(&after), but_buffers(&before));
    assert_eq!(house.xen.held(), (2, 2));
    let player = &house.players[0];
    assert!(player.errors.is_empty(), "{:?}", player.errors);
    let heard = house.card.samples();
    let first = heard.iter().position(|&sample| sample != 0).expect("sound");
    let heard = &heard[first..];
    let length = heard.len().min(sound.len());
    assert!(length > 2 * 48_000 * 60, "only {length} samples");
    assert!(heard[..length] == sound[..length], "bit by bit");
}

#[test]
fn thirty_two_guests_are_all_heard_and_one_more_is_told_why_not() {
    let streams = 32;
    let limits = Limits {
        streams,
        ..Limits::default()
    };
    let mut house = House::with(streams + 8, limits);
    let sounds: Vec<Vec<i16>> = (0..streams as u64)
        .map(|guest| {
            let quiet = noise(guest, 48_000).into_iter();
            quiet.map(|sample| (sample / 16) | 1).collect()
        })
        .collect();
    let fronts: Vec<Front> = (0..streams as u16)
        .map(|guest| house.attach(100 + guest).1)
        .collect();
    for (front, sound) in fronts.into_iter().zip(&sounds) {
        house.play(front, sound);
        house.run(25);
    }
    // No stream is left for this one.
    house.toolstack.attach(&Vsnd::card(200, 0, 1, 0));
    house.run(1);
    let mut late = Guest::new(&house.store, &house.toolstack, 200, 0, 1);
    late.publish();
    house.run(100);
    let told = house.toolstack.back(200, 0, "error");
    assert_eq!(
        house.store.read(&told).as_deref(),
        Some("too many streams: the audio domain can serve 0 more")
    );
    house.run(1_500);
    assert!(house.players.iter().all(Player::finished));
    // Each began after the one before: what is left over at first is the next one's beginning. The
    // first one's last frame fades out, so all are compared up to there.
    let mut rest = house.card.samples();
    let mut end = None;
    for (guest, sound) in sounds.iter().enumerate() {
        let at = rest.iter().position(|&sample| sample != 0);
        let at = at.unwrap_or_else(|| panic!("guest {guest} is not heard"));
        let end = *end.get_or_insert(at + sound.len());
        assert!(at < end - 2 * 4_800, "guest {guest} began too late");
        for (sample, own) in rest[at..end].iter_mut().zip(sound) {
            *sample -= own;
        }
        if guest + 1 == streams {
            assert!(rest[..end].iter().all(|&sample| sample == 0), "bit by bit");
        }
    }
}

#[test]
fn a_guest_that_plays_has_closed_and_nothing_is_mapped_when_it_learns_that_its_card_went() {
    let mut house = House::new();
    let (_, front) = house.attach(3);
    house.play(front, &noise(3, 96_000));
    house.run(150);
    house.toolstack.detach(3, 0);
    let state = house.toolstack.back(3, 0, "state");
    let told = |house: &House| house.store.read(&state).as_deref() == Some("6");
    while !told(&house) {
        assert!(house.now < Nanos(3_000_000_000), "it is told");
        house.tick();
    }
    assert_eq!(house.players[0].errors, [-5], "what it played was refused");
    assert!(house.players[0].finished());
    assert_eq!(house.xen.held(), (0, 0));
    house.run(400);
    assert!(!house.store.exists(&house.toolstack.back(3, 0, "")));
}
