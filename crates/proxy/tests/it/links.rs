//! What a client may get of a reply that links, loads, runs or hides: case by case, whole, and streamed at every cut.

use portcullis_core::{Action, Glob};
use portcullis_policy::{Links, Profile};

use crate::bench::{Bench, Plan, Script};
use crate::streams::{collected, wires};

/// What the model says, and what must not be left of it. An empty needle: all of it is left.
const CASES: &[(&str, &str)] = &[
    // Markdown, inline.
    ("See [it](https://evil.example/a?b=c) now.", "evil"),
    ("See [a [b] c](https://evil.example/a) now.", "evil"),
    ("See [x](https://evil.example/a_(b)_(c)) now.", "evil"),
    ("See [x](<https://evil.example/a b>) now.", "evil"),
    ("See [x](https://evil.example/a 'a \"title\"') now.", "evil"),
    ("See [x](https://evil.example/a (a title)) now.", "evil"),
    ("See [x](https://evil\\.example/a) now.", "evil"),
    ("See [x](&#104;ttps://evil.example/a) now.", "evil"),
    ("See [x](h&#x74;tps&colon;//evil.example/a) now.", "evil"),
    ("See ![x](https://evil.example/p.png?d=1) now.", "evil"),
    (
        "See ![a ![b](https://evil.example/1) c](https://evil.example/2) now.",
        "evil",
    ),
    (
        "See [![x](https://evil.example/p.png)](https://docs.example.com/) now.",
        "evil",
    ),
    ("See ![x](\n  https://evil.example/p.png\n  \"t\") now.", "evil"),
    ("See [x](//evil.example/a((b))) now.", "evil"),
    ("See [x](//evil.example/a<b) now.", "evil"),
    ("See [x](//evil.example/(a(b(c)))) now.", "evil"),
    ("See ![x](//evil.example/a\\)b) now.", "evil"),
    ("See ![x](<//evil.example/a\\>b>) now.", "evil"),
    ("See [it](https://docs.example.com/a?b=c) now.", ""),
    ("See [it](https://DOCS.example.com./a) now.", ""),
    // By reference, the definition behind, before and far away.
    ("See [it][1] now.\n\n[1]: https://evil.example/a\n", "evil"),
    (
        "[1]: <https://evil.example/a b> \"t\"\n\nSee ![it][1] now.",
        "evil",
    ),
    ("[it]:\n   //evil.example/x\n\nSee [it] now.", "evil"),
    ("> [it]: https://evil.example/x\n\nSee [it] now.", "evil"),
    // Alone.
    ("Go to https://evil.example/a?b=c, then.", "evil"),
    ("Go to <https://evil.example/a> now.", "evil"),
    ("Go to www.evil.example/a now.", "evil"),
    ("Go to HTTPS://EVIL.EXAMPLE/a now.", "EVIL"),
    ("Go to ftp://evil.example/a now.", "evil"),
    ("Go to <https://docs.example.com/a> now.", ""),
    // HTML.
    ("A <a href=\"https://evil.example/a\">x</a> b.", "evil"),
    ("A <a href='https://evil.example/a'>x</a> b.", "evil"),
    ("A <a href=https://evil.example/a>x</a> b.", "evil"),
    ("A <a\n  HREF = \"//evil.example/a\">x</a> b.", "evil"),
    ("A <a href=\"&#104;ttps://evil.example/a\">x</a> b.", "evil"),
    ("A <img src=\"https://evil.example/p.png\"> b.", "evil"),
    ("A <img src=//evil.example/p.png> b.", "evil"),
    ("A <img/src=\"https://evil.example/p.png\"/> b.", "evil"),
    (
        "A <img srcset=\"https://evil.example/1 1x, https://evil.example/2 2x\"> b.",
        "evil",
    ),
    (
        "A <img srcset=\"https://docs.example.com/1 1x, https://evil.example/2 2x\"> b.",
        "evil",
    ),
    ("A <iframe src=\"https://evil.example/\"></iframe> b.", "evil"),
    (
        "A <form action=\"https://evil.example/\"><input name=x></form> b.",
        "evil",
    ),
    (
        "A <p style=\"background:url(https://evil.example/x)\">x</p> b.",
        "evil",
    ),
    (
        "A <p style='background:url(\"//evil.example/x\")'>x</p> b.",
        "evil",
    ),
    ("A <video poster=\"https://evil.example/x\"></video> b.", "evil"),
    (
        "A <object data=\"https://evil.example/x\"></object> b.",
        "<object",
    ),
    ("A <embed src=\"https://evil.example/x\"> b.", "evil"),
    (
        "A <svg><use xlink:href=\"https://evil.example/s#a\"/></svg> b.",
        "evil",
    ),
    (
        "A <meta http-equiv=refresh content=\"0;url=https://evil.example/\"> b.",
        "evil",
    ),
    ("A <a href=\"https://docs.example.com/a\">x</a> b.", ""),
    // Code in the place of an address, and markup that runs.
    ("A [x](javascript:alert(1)) b.", "javascript"),
    ("A [x](JaVaScRiPt:alert(1)) b.", "JaVaScRiPt"),
    ("A [x](java&#115;cript:alert(1)) b.", "cript"),
    ("A [x](vbscript:msgbox(1)) b.", "vbscript"),
    ("A [x](data:text/html;base64,PHNjcmlwdD4=) b.", "data:"),
    ("A <a href=\"javascript:alert(1)\">x</a> b.", "javascript"),
    ("A <a href=\" java\tscript:alert(1)\">x</a> b.", "script:"),
    ("A <script>alert(1)</script> b.", "<script"),
    ("A <img src=x onerror=alert(1)> b.", "onerror"),
    ("A <svg onload=alert(1)> b.", "onload"),
    // Hosts in disguise.
    ("See [x](//evil.example/a) now.", "evil"),
    ("See [x](https:\\\\evil.example/a) now.", "evil"),
    ("See [x](https:/\\evil.example/a) now.", "evil"),
    ("See [x](https://docs.example.com@evil.example/a) now.", "evil"),
    ("See [x](https://docs.example.com\\@evil.example/a) now.", "evil"),
    (
        "See [x](https://docs.example.com:443@evil.example/a) now.",
        "evil",
    ),
    ("See [x](https://%65vil.example/a) now.", "vil"),
    ("See [x](https://evil%2eexample/a) now.", "evil"),
    ("See [x](https://xn--evl-rma.example/a) now.", "xn--"),
    ("See [x](http://2130706433/a) now.", "2130706433"),
    ("See [x](http://0x7f000001/a) now.", "0x7f"),
    ("See [x](http://[::1]/a) now.", "::1"),
    ("See [x](https://docs.example.com.evil.example/a) now.", "evil"),
    // Cyrillic о, Greek ο, full width, and a dot of another script.
    ("See [x](https://d\u{43e}cs.example.com/a) now.", "example.com"),
    ("See [x](https://d\u{3bf}cs.example.com/a) now.", "example.com"),
    ("See [x](https://d\u{ff4f}cs.example.com/a) now.", "example.com"),
    ("See [x](https://docs\u{3002}evil.example/a) now.", "evil"),
    ("Go to https://d\u{43e}cs.example.com/a now.", "example.com"),
    // Terminals and what nobody sees.
    ("A \u{1b}[31mred\u{1b}[0m b.", "\u{1b}"),
    (
        "A \u{1b}]8;;https://evil.example/\u{7}x\u{1b}]8;;\u{7} b.",
        "\u{1b}",
    ),
    ("A \u{9b}31m b.", "\u{9b}"),
    (
        "A \u{e0068}\u{e0069}\u{e0020}\u{e0074}\u{e0068}\u{e0065}\u{e0072}\u{e0065} b.",
        "\u{e0068}",
    ),
    ("A \u{202e}txt.exe\u{202c} b.", "\u{202e}"),
];

fn profile() -> Profile {
    let mut profile = Profile {
        links: Some(Links {
            allow: vec![Glob::new("docs.example.com")],
            ..Links::default()
        }),
        ..Profile::default()
    };
    profile.output.scripts = Action::Strip;
    profile.output.markup = Action::Strip;
    profile
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_reply_may_show_is_the_same_wherever_it_is_cut() {
    let bench = Bench::with(Plan {
        profile: profile(),
        ..Plan::default()
    })
    .await;
    let wires = wires();
    let mut wrong = Vec::new();
    for (number, (said, needle)) in CASES.iter().enumerate() {
        let wire = &wires[number % wires.len()];
        let mut left = Vec::new();
        let boundaries: Vec<usize> = said
            .char_indices()
            .map(|(at, _)| at)
            .chain([said.len()])
            .collect();
        let each: Vec<&str> = boundaries
            .windows(2)
            .map(|pair| &said[pair[0]..pair[1]])
            .collect();
        let twice = boundaries.iter().map(|at| vec![&said[..*at], &said[*at..]]);
        for deltas in [vec![*said], each].into_iter().chain(twice) {
            bench.script(Script::sse((wire.text)(&deltas)));
            let answer = bench.post(wire.path, wire.request.to_string()).await;
            let text = collected(&answer.body);
            if left.first().is_some_and(|first| *first != text) {
                wrong.push(format!(
                    "{said:?} cut as {deltas:?}: {text:?}, whole {:?}",
                    left[0]
                ));
                break;
            }
            left.push(text);
        }
        let fine = match *needle {
            "" => left[0] == *said,
            needle => !left[0].contains(needle) && left[0].len() > 3,
        };
        if !fine {
            wrong.push(format!("{said:?}: {:?}", left[0]));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}
