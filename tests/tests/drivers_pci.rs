//! The PCI front-end finds its card behind a backend, or says what is wrong.

use drivers::pci::audio::{self, AudioError};
use drivers::pci::front::{OpError, PciFront, Pirq};
use drivers::pci::handshake::{HandshakeError, Offer, connect};
use drivers::pci::{Address, StoreError};
use drivers::{Clock, Micros};
use tests::hda_sim::pciback::{Function, Manners, Pciback};

const ICH6: u32 = 0x2668_8086;
const AUDIO: u32 = 0x0403_0001;
const BRIDGE: u32 = 0x0601_0000;
const OFFER: Offer = Offer { page: 9, port: 3 };

fn qemu() -> Function {
    Function::new(ICH6, AUDIO, 0xFEBF_0000)
}

/// A PCH: the card is function 3 of a device whose others came along.
fn pch() -> Vec<Function> {
    let mut bridge = Function::new(0xA305_8086, BRIDGE, 0);
    bridge.virtual_address = "0000:00:00.00";
    let mut card = Function::new(0xA348_8086, 0x0403_8010, 0x60_4410_0004);
    card.virtual_address = "0000:00:00.03";
    card.host_address = "0000:00:1f.3";
    // A list of capabilities: power management, MSI, PCI Express.
    card.space[0x06] = 0x10;
    card.space[0x34] = 0x50;
    card.space[0x50..0x52].copy_from_slice(&[0x01, 0x60]);
    card.space[0x60..0x62].copy_from_slice(&[0x05, 0x70]);
    card.space[0x70..0x72].copy_from_slice(&[0x10, 0x00]);
    card.space[0x79] = 0x28;
    card.space[0x44] = 0x07;
    vec![bridge, card]
}

fn meet(backend: &Pciback) -> Result<Vec<drivers::pci::handshake::Function>, HandshakeError> {
    connect(&mut backend.clone(), backend, OFFER).map(|found| found.to_vec())
}

fn front(backend: &Pciback) -> PciFront<Pciback, Pciback> {
    PciFront::new(backend.clone(), backend.clone())
}

#[test]
fn the_card_of_qemu_is_found_and_switched_on() {
    let backend = Pciback::new(Manners::default(), vec![qemu()]);
    let functions = meet(&backend).expect("a backend");
    for (name, value) in [("pci-op-ref", "9"), ("event-channel", "3"), ("magic", "7")] {
        let node = backend.node(&format!("device/pci/0/{name}"));
        assert_eq!(node.as_deref(), Some(value));
    }
    assert_eq!(backend.node("device/pci/0/state").as_deref(), Some("4"));

    let mut front = front(&backend);
    let card = audio::find(&mut front, &functions).expect("a card");
    assert_eq!(card.id, ICH6);
    assert_eq!(card.registers, 0xFEBF_0000);
    card.enable(&mut front).expect("it is enabled");
    assert_eq!(backend.space(0)[4] & 6, 6);
    card.tune(&mut front).expect("dropped writes do no harm");
    assert_eq!(front.enable_msi(card.address), Ok(Pirq(55)));
    assert_eq!(backend.msi(), Some(card.address));
    front.disable_msi(card.address).expect("MSI ends");
    assert_eq!(backend.msi(), None);
    assert_eq!(card.line_interrupt(&mut front), Ok(Pirq(17)));
    card.disable_dma(&mut front).expect("DMA ends");
    assert_eq!(backend.space(0)[4] & 6, 2);
}

#[test]
fn the_card_is_found_behind_other_functions_with_a_64_bit_bar() {
    let backend = Pciback::new(Manners::default(), pch());
    let functions = meet(&backend).expect("a backend");
    let card = audio::find(&mut front(&backend), &functions).expect("a card");
    assert_eq!(Some(card.address), Address::parse("0000:00:00.3"));
    assert_eq!(card.host, Address::parse("0000:00:1f.3"));
    assert_eq!(card.registers, 0x60_4410_0000);
}

#[test]
fn the_card_is_tuned_where_the_backend_lets_it() {
    for (permissive, refuses) in [(false, false), (false, true), (true, false)] {
        let manners = Manners {
            permissive,
            refuses,
            ..Manners::default()
        };
        let backend = Pciback::new(manners, pch());
        let functions = meet(&backend).expect("a backend");
        let mut front = front(&backend);
        let card = audio::find(&mut front, &functions).expect("a card");
        card.tune(&mut front).expect("it is tried");
        let space = backend.space(1);
        let (class, snoop) = if permissive { (0, 0x20) } else { (7, 0x28) };
        assert_eq!((space[0x44], space[0x79]), (class, snoop));
    }
}

#[test]
fn a_list_of_capabilities_that_never_ends_is_left() {
    let mut function = pch().swap_remove(1);
    function.space[0x50..0x52].copy_from_slice(&[0x01, 0x50]);
    let backend = Pciback::new(Manners::default(), vec![function]);
    let functions = meet(&backend).expect("a backend");
    let mut front = front(&backend);
    let card = audio::find(&mut front, &functions).expect("a card");
    card.tune(&mut front).expect("it ends");
}

#[test]
fn without_a_card_there_is_no_audio_function() {
    let backend = Pciback::new(Manners::default(), pch()[..1].to_vec());
    let functions = meet(&backend).expect("a backend");
    assert_eq!(
        audio::find(&mut front(&backend), &functions),
        Err(AudioError::NoAudioFunction)
    );
}

#[test]
fn registers_in_io_space_or_nowhere_are_refused() {
    for bar in [0xC001, 0] {
        let card = Function::new(ICH6, AUDIO, bar);
        let backend = Pciback::new(Manners::default(), vec![card]);
        let functions = meet(&backend).expect("a backend");
        assert_eq!(
            audio::find(&mut front(&backend), &functions),
            Err(AudioError::NoRegisters)
        );
    }
}

#[test]
fn a_domain_without_pci_devices_is_told_so_at_once() {
    let backend = Pciback::new(Manners::default(), vec![qemu()]);
    backend.set_node("device/pci/0/backend", None);
    assert_eq!(meet(&backend), Err(HandshakeError::NoDevice));
    assert_eq!(backend.now(), Micros(0));
    assert_eq!(backend.node("device/pci/0/state"), None);
}

#[test]
fn a_backend_that_gets_nowhere_is_given_up_after_ten_seconds() {
    for (begins, ends, error) in [
        (1, 1, HandshakeError::BackendNotReady),
        (3, 3, HandshakeError::BackendNotConnected),
        (5, 4, HandshakeError::BackendClosed),
        (3, 6, HandshakeError::BackendClosed),
    ] {
        let manners = Manners {
            begins,
            ends,
            ..Manners::default()
        };
        let backend = Pciback::new(manners, vec![qemu()]);
        assert_eq!(meet(&backend), Err(error));
        assert!(backend.now() < Micros::millis(10_100));
    }
}

#[test]
fn what_the_backend_says_of_its_functions_need_not_make_sense() {
    let backend = Pciback::new(Manners::default(), vec![qemu()]);
    let directory = backend.node("device/pci/0/backend").expect("a path");
    for (count, vdev, error) in [
        ("-1", "0000:00:00.00", HandshakeError::NoFunction),
        ("99999999999", "gibberish", HandshakeError::NoFunction),
        ("1", &"0".repeat(200), HandshakeError::NoFunction),
    ] {
        backend.set_node(&format!("{directory}/num_devs"), Some(count));
        backend.set_node(&format!("{directory}/vdev-0"), Some(vdev));
        assert_eq!(meet(&backend), Err(error));
        backend.set_node(&format!("{directory}/state"), Some("3"));
    }
    backend.set_node("device/pci/0/backend", Some(&"x".repeat(200)));
    assert_eq!(
        meet(&backend),
        Err(HandshakeError::Store(StoreError::TooLong))
    );
}

#[test]
fn an_operation_without_answer_ends_the_channel_after_two_seconds() {
    let manners = Manners {
        silent_from: Some(2),
        ..Manners::default()
    };
    let backend = Pciback::new(manners, vec![qemu()]);
    let functions = meet(&backend).expect("a backend");
    let mut front = front(&backend);
    let before = backend.now();
    let found = audio::find(&mut front, &functions);
    assert_eq!(found, Err(AudioError::Op(OpError::NoAnswer)));
    assert!(backend.now().since(before) < Micros::millis(2100));
    // The page is still the backend's: the next operation does not touch it, and does not wait.
    let before = backend.now();
    let address = functions[0].address;
    assert_eq!(front.enable_msi(address), Err(OpError::NoAnswer));
    assert_eq!(backend.now(), before);
}

#[test]
fn false_wake_ups_do_not_end_an_operation() {
    let manners = Manners {
        false_wakes: 1000,
        delay: Micros::millis(1500),
        ..Manners::default()
    };
    let backend = Pciback::new(manners, vec![qemu()]);
    let functions = meet(&backend).expect("a backend");
    assert!(audio::find(&mut front(&backend), &functions).is_ok());
}

#[test]
fn refusals_carry_the_backends_error() {
    let manners = Manners {
        no_msi: Some(-5),
        ..Manners::default()
    };
    let backend = Pciback::new(manners, vec![qemu()]);
    let functions = meet(&backend).expect("a backend");
    let mut front = front(&backend);
    let address = functions[0].address;
    assert_eq!(front.enable_msi(address), Err(OpError::Refused(-5)));
    let nobody = Address {
        devfn: 0x40,
        ..address
    };
    assert_eq!(front.enable_msi(nobody), Err(OpError::Refused(-1)));
}
