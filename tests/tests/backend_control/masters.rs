//! How loud dom0 wants the card itself.

use crate::site::{BACKEND, Site};
use ring_backend::master::Master;
use tests::fake::store::DOM0;

fn node(leaf: &str) -> String {
    format!("/local/domain/{BACKEND}/control/{leaf}")
}

fn set(site: &Site, leaf: &str, value: &str) {
    let node = node(leaf);
    site.store.write(DOM0, &node, value).expect("dom0 may");
}

/// What the kernel does with a change.
fn take(site: &mut Site) -> Option<Master> {
    let master = site.backend.take_master();
    if let Some(master) = &master {
        let made = format!("volume={} gain={}", master.volume, master.gain);
        site.backend.describe_levels(&made);
    }
    site.run(1_000);
    master
}

#[test]
fn what_dom0_writes_is_told_once_and_shown() {
    let mut site = Site::new(4, 1);
    set(&site, "master/volume", "-12000");
    site.run(50);
    let quiet = Master {
        volume: -12_000,
        ..Master::default()
    };
    assert_eq!(take(&mut site), Some(quiet));
    assert_eq!(take(&mut site), None);
    assert_eq!(site.data("levels").as_deref(), Some("volume=-12000 gain=0"));
    set(&site, "capture/gain", "20000");
    set(&site, "master/mute", "1");
    site.run(50);
    let all = Master {
        muted: true,
        gain: 20_000,
        ..quiet
    };
    assert_eq!(take(&mut site), Some(all));
    site.store.rm(DOM0, &node("master")).expect("dom0 may");
    site.run(50);
    let gain = Master {
        gain: 20_000,
        ..Master::default()
    };
    assert_eq!(take(&mut site), Some(gain));
}

#[test]
fn a_bad_value_keeps_what_counted_and_is_shown_with_its_node() {
    let mut site = Site::new(4, 1);
    set(&site, "master/volume", "-12000");
    site.run(50);
    let quiet = take(&mut site);
    for bad in ["1000", "loud", "", "-200001", "99999999999"] {
        set(&site, "master/volume", bad);
        site.run(50);
        assert_eq!(take(&mut site), quiet, "{bad:?}");
        let shown = site.data("levels").expect("levels");
        let told = "error=control/master/volume: bad value, what was before counts";
        assert!(shown.ends_with(told), "{shown}");
        set(&site, "master/volume", "-12000");
        site.run(50);
        assert_eq!(take(&mut site), quiet);
    }
    let shown = site.data("levels");
    assert_eq!(shown.as_deref(), Some("volume=-12000 gain=0"));
}

#[test]
fn without_a_word_of_dom0_s_nothing_changes() {
    let mut site = Site::new(4, 1);
    set(&site, "policy/3/volume", "-6000");
    site.run(1_000);
    assert_eq!(take(&mut site), None);
    assert_eq!(site.data("levels"), None);
}
