//! The paths chosen for real codecs, judged by what Linux's generic parser chooses, and for
//! codecs that are cut short or made wrong.
//!
//! What needs the corpus says so where it is absent, and proves nothing then.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use drivers::hda::configuration::Configuration;
use serde_json::Value;
use tests::codec_paths::{check, line, read};
use tests::fake::seed::Seed;
use tests::hda_sim::codecs;
use tests::hda_sim::corpus::Corpus;

fn strings(list: &Value) -> Vec<&str> {
    let all = list.as_array().into_iter().flatten();
    all.filter_map(Value::as_str).collect()
}

/// All output paths of an answer, in no order.
fn outputs(answer: &Value) -> BTreeSet<&str> {
    let groups = ["out", "hp", "spk"];
    let all = groups
        .iter()
        .flat_map(|&group| strings(&answer["paths"][group]));
    all.collect()
}

fn pins(answer: &Value) -> BTreeSet<&str> {
    let last = |path: &'_ str| path.len().saturating_sub(2);
    outputs(answer)
        .into_iter()
        .map(|path| &path[last(path)..])
        .collect()
}

#[test]
fn real_codecs_play_and_record_where_linux_does() {
    let Some(corpus) = Corpus::find() else { return };
    let codecs = corpus.codecs().expect("codecs");
    let begin = Instant::now();
    let lines: Vec<Value> = codecs.iter().map(|(id, codec)| line(*id, codec)).collect();
    let took = begin.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
    let mut total = 0;
    let mut same = [0; 4];
    for answer in corpus.answers().expect("answers") {
        let linux = &answer["generic"];
        let ours = lines
            .iter()
            .find(|line| line["codec_id"] == answer["codec_id"]);
        let ours = ours.expect("a line for every codec");
        let inputs = |of| strings(&Value::clone(of)["paths"]["input"]).len();
        let alike = [
            pins(linux) == pins(ours),
            outputs(linux) == outputs(ours),
            linux["automute"] == ours["automute"],
            inputs(linux) == inputs(ours),
        ];
        if alike != [true; 4] {
            println!("codec {} differs", answer["codec_id"]);
        }
        total += 1;
        for (same, alike) in same.iter_mut().zip(alike) {
            *same += u32::from(alike);
        }
    }
    println!(
        "of {total}: same pins, output paths, watched jacks, inputs: {same:?}; {took:?} for all"
    );
    let percent = same.map(|same| 100 * same / total);
    assert!(
        percent[0] >= 99 && percent[1] >= 97 && percent[2] >= 97,
        "{percent:?}"
    );
}

#[test]
fn real_codecs_have_legal_paths_however_short_they_are_cut() {
    let Some(corpus) = Corpus::find() else { return };
    let mut paths = 0;
    for (at, (_, codec)) in corpus.codecs().expect("codecs").iter().enumerate() {
        let cuts = if at % 16 == 0 { 0 } else { codec.widgets() };
        for widgets in cuts..=codec.widgets() {
            let Some(read) = read(&codec.cut(widgets)) else {
                continue;
            };
            let configuration = Configuration::of(&read.graph);
            check(&read.graph, &configuration);
            paths += configuration.outputs().len() + configuration.inputs().len();
        }
    }
    println!("{paths} paths");
}

/// How many wrong codecs are tried; `AUDIODOM_WRONG` says another number.
fn wrong() -> u32 {
    let said = std::env::var("AUDIODOM_WRONG").ok();
    said.and_then(|said| said.parse().ok()).unwrap_or(8_000)
}

#[test]
fn codecs_made_wrong_have_legal_paths() {
    let known = codecs::all().into_iter().map(|known| known.codec);
    let real = Corpus::find().map(|corpus| corpus.codecs().expect("codecs"));
    let real = real.into_iter().flatten().map(|(_, codec)| codec);
    let all: Vec<_> = known.chain(real).collect();
    let mut seed = Seed::new(4);
    let mut paths = 0;
    for at in 0..wrong() {
        let mut codec = all[at as usize % all.len()].clone();
        for _ in 0..1 + seed.below(6) {
            codec.damage(&mut seed);
        }
        let Some(read) = read(&codec) else { continue };
        let configuration = Configuration::of(&read.graph);
        check(&read.graph, &configuration);
        paths += configuration.outputs().len() + configuration.inputs().len();
    }
    println!("{paths} paths in {} codecs", wrong());
    assert!(paths > wrong() as usize / 2);
}
