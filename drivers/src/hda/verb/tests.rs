use super::*;

#[test]
fn commands_have_the_fields_of_the_specification() {
    let codec = CodecAddress::new(2).unwrap();
    let verb = Verb::parameter(Parameter::Connections);
    assert_eq!(verb.command(codec, Nid(0x14)), 0x214F_000E);
    let level = Level {
        mute: false,
        gain: 0x4A,
    };
    assert_eq!(Verb::amp(Amp::Output, level).bits(), 0x3_B04A);
    let off = Level {
        mute: true,
        gain: 0,
    };
    assert_eq!(Verb::amp(Amp::Input(3), off).bits(), 0x3_7380);
    assert_eq!(Verb::stream(StreamTag::ONE, 0).bits(), 0x7_0610);
    let format = StreamFormat::stereo_48k(SampleBits::B16);
    assert_eq!(Verb::format(format).bits(), 0x2_0011);
    assert_eq!(StreamFormat::stereo_48k(SampleBits::B32).get(), 0x41);
    assert_eq!(Verb::eapd_on().bits(), 0x7_0C02);
}

#[test]
fn codec_addresses_end_at_14() {
    assert!(CodecAddress::new(14).is_some());
    assert_eq!(CodecAddress::new(15), None);
}
