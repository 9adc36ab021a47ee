//! Logits of windows that `train/` has cut, by the arithmetic that ships: thresholds are those of this runtime.
//!
//! `windows MODEL LENGTHS TOKENS OUT [LAYER]`: a folder; little-endian u16, the lengths of windows and all their ids; OUT gets seven f32 a window,
//! four logits, the glance's first member, the glance, the sieve;
//! with a layer, what the encoder's states before it come to.
//! `train/export.py --runtime` and `train/ablate.py --runtime` run it.

#![allow(clippy::unwrap_used, reason = "a tool of the training")]

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use portcullis_infer::BuiltIn;

fn words(path: &str) -> Vec<u16> {
    let bytes = std::fs::read(path).unwrap();
    bytes
        .chunks_exact(2)
        .map(|two| u16::from_le_bytes(two.try_into().unwrap()))
        .collect()
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (files, layer) = args.split_at(4);
    let [model, lengths, tokens, out]: &[String; 4] = files.try_into().unwrap();
    let layer: Option<usize> = layer.first().map(|layer| layer.parse().unwrap());
    let model = BuiltIn::from_files(Path::new(model)).unwrap();
    let (lengths, tokens) = (words(lengths), words(tokens));
    let mut windows = Vec::with_capacity(lengths.len());
    let mut rest = tokens.as_slice();
    for length in lengths {
        let (window, more) = rest.split_at(usize::from(length));
        windows.push(window);
        rest = more;
    }
    let next = AtomicUsize::new(0);
    let work = || {
        let mut read = Vec::new();
        while let Some((at, window)) =
            Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|at| Some((at, windows.get(at)?)))
        {
            if let Some(layer) = layer {
                read.push((at, model.states(window, layer).unwrap()));
                continue;
            }
            let [any, injection, jailbreak, extraction] = model.logits(window).unwrap();
            let [sieve, member, glance] = model.early_scores(window).unwrap();
            read.push((
                at,
                vec![any, injection, jailbreak, extraction, member, glance, sieve],
            ));
        }
        read
    };
    let cores = std::thread::available_parallelism().unwrap().get();
    let mut all = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap())
            .collect::<Vec<_>>()
    });
    all.sort_by_key(|(at, _)| *at);
    let bytes: Vec<u8> = all
        .iter()
        .flat_map(|(_, numbers)| numbers.iter().flat_map(|number| number.to_le_bytes()))
        .collect();
    std::fs::write(out, bytes).unwrap();
}
