use super::*;

#[test]
fn unity_gain_lies_within_the_steps() {
    assert_eq!(AmpCaps(0x8003_4A4A).unity(), 0x4A);
    assert_eq!(AmpCaps(0x0000_057F).unity(), 5);
    assert_eq!(AmpCaps(0).unity(), 0);
}

#[test]
fn the_widest_samples_win_and_other_rates_do_not() {
    assert_eq!(PcmCaps(0x001E_0560).widest_at_48k(), Some(SampleBits::B32));
    assert_eq!(PcmCaps(0x0002_01FC).widest_at_48k(), Some(SampleBits::B16));
    assert_eq!(PcmCaps(0x000E_0020).widest_at_48k(), None);
    assert_eq!(PcmCaps(0x0001_0040).widest_at_48k(), None);
    assert_eq!(PcmCaps(0).widest_at_48k(), Some(SampleBits::B16));
}

#[test]
fn a_graph_takes_no_widget_past_node_255() {
    let mut graph = Graph::new(Nid(250));
    for _ in 250..=255 {
        assert!(graph.push(Widget::default(), &[Nid(1)]));
    }
    assert!(!graph.push(Widget::default(), &[]));
    assert_eq!(graph.widgets().count(), 6);
    assert_eq!(graph.inputs(Nid(255)), &[Nid(1)]);
    assert_eq!(graph.inputs(Nid(2)), &[]);
}

#[test]
fn connections_past_the_pool_are_left_out() {
    let mut graph = Graph::new(Nid(2));
    for _ in 0..20 {
        graph.push(Widget::default(), &[Nid(9); 200]);
    }
    let all: usize = graph.widgets().map(|(n, _)| graph.inputs(n).len()).sum();
    assert_eq!(all, CONNECTIONS);
    assert!(graph.oddities() > 0);
}
