"""Places where a text from outside may stand: mails, tickets, records, logs, tables, code, pages, transcripts.

Every builder gets something to put somewhere and returns (before, inside, after, channel). Whether the inside is an attack or
innocent is not its business: both are built by the same hands, so that a place says nothing.
"""
import json
import re

FIRST = "Ada|Bo|Carla|Dev|Elif|Femi|Greta|Hugo|Ines|Jun|Kim|Leo|Maya|Nils|Oya|Pia|Ravi|Sven|Tess|Umar|Vera|Wim|Xenia|Yara|Zoe".split("|")
LAST = "Abel|Brandt|Costa|Diaz|Eriksen|Fofana|Gupta|Hansen|Ito|Jansen|Kovacs|Lund|Moreau|Novak|Osei|Petrov|Quinn|Rossi|Silva|Tanaka|Usman|Vogel|Weber|Yilmaz|Zhou".split("|")
DOMAINS = "nordwell.example|mail.example|corp.example|post.example.org|uni.example.edu|shop.example".split("|")
MARK = "\ue000"


def person(r):
    return f"{r.choice(FIRST)} {r.choice(LAST)}"


def address(r):
    return f"{r.choice(FIRST).lower()}.{r.choice(LAST).lower()}@{r.choice(DOMAINS)}"


def stamp(r):
    y, mo, d, h, mi, s = r.randint(2019, 2026), r.randint(1, 12), r.randint(1, 28), r.randint(0, 23), r.randint(0, 59), r.randint(0, 59)
    return r.choice([f"{y}-{mo:02}-{d:02}T{h:02}:{mi:02}:{s:02}Z", f"{y}-{mo:02}-{d:02} {h:02}:{mi:02}", f"{d:02}.{mo:02}.{y}", f"{mo}/{d}/{y}", f"{d} {'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split()[mo - 1]} {y}"])


def number(r):
    return r.choice([str(r.randint(1, 99999)), f"#{r.randint(100, 99999)}", f"{r.choice('ABCKTX')}{r.randint(10, 9999)}", f"{r.randint(1, 900)}.{r.randint(0, 99):02}"])


def value(r, fill):
    return r.choice([lambda: person(r), lambda: address(r), lambda: stamp(r), lambda: number(r), lambda: fill(12), lambda: r.choice(["open", "closed", "pending", "ok", "true", "n/a", "EUR", "high", "v2"])])()


KEYS = "id title name body text description note notes comment content subject from to date status summary message author review details reason address city price rating url category priority customer bio location label remarks answer question snippet attachment".split()


def record(r, fill, depth=0):
    out = {}
    for k in r.sample(KEYS, r.randint(2, 6)):
        roll = r.random()
        if depth < 2 and roll < 0.12:
            out[k] = record(r, fill, depth + 1)
        elif depth < 2 and roll < 0.2:
            out[k] = [value(r, fill) for _ in range(r.randint(1, 3))]
        else:
            out[k] = value(r, fill) if roll < 0.85 else r.randint(0, 5000)
    return out


def planted(r, fill, x):
    """A JSON value in which one string is, or ends or begins with, x."""
    rec = record(r, fill)
    at = rec
    while True:
        k = r.choice(list(at))
        if isinstance(at[k], dict) and r.random() < 0.7:
            at = at[k]
            continue
        old = at[k] if isinstance(at[k], str) else fill(15)
        at[k] = r.choice([MARK, MARK, f"{old} {MARK}", f"{MARK} {old}", f"{old}\n\n{MARK}", f"{fill(20)} {MARK} {fill(10)}"])
        break
    if r.random() < 0.5:
        rows = [record(r, fill) for _ in range(r.randint(1, 3))]
        rows.insert(r.randint(0, len(rows)), rec)
        rec = rows if r.random() < 0.5 else {r.choice(["results", "items", "data", "emails", "messages", "tickets", "events", "reviews"]): rows, "total": len(rows)}
    return rec


def split(text, x):
    a, b = text.split(MARK, 1)
    return a, x, b


def as_json(r, fill, x):
    rec = planted(r, fill, x)
    text = json.dumps(rec, ensure_ascii=False, indent=r.choice([None, None, 1, 2]))
    a, _, b = split(text, x)
    return a, json.dumps(x, ensure_ascii=False)[1:-1], b, r.choice(["tool_result", "tool_result", "tool_result", "document"])


def as_yaml(r, fill, x):
    lines, at = [], r.randint(0, 5)
    for i in range(6):
        k = r.choice(KEYS)
        lines.append(f"{k}: {MARK}" if i == at else f"{k}: {value(r, fill)}")
        if r.random() < 0.2:
            lines += [f"  - {value(r, fill)}" for _ in range(2)]
    return *split("\n".join(lines), x), r.choice(["tool_result", "code", "document"])


def as_table(r, fill, x):
    cols, rows = r.randint(2, 5), r.randint(2, 6)
    sep = r.choice([",", ";", "\t", " | "])
    head = r.sample(KEYS, cols)
    body = [[value(r, fill) for _ in range(cols)] for _ in range(rows)]
    body[r.randrange(rows)][r.randrange(cols)] = MARK if r.random() < 0.7 else f"{fill(8)} {MARK}"
    lines = [sep.join(head)] + [sep.join(x) for x in body]
    if sep == " | ":
        lines = [f"| {l} |" for l in lines]
        lines.insert(1, "|" + "---|" * cols)
    return *split("\n".join(lines), x), r.choice(["tool_result", "document", "email"])


def as_log(r, fill, x):
    lines = []
    at = r.randint(1, 5)
    for i in range(6):
        head = f"{stamp(r)} {r.choice(['INFO', 'WARN', 'ERROR', 'DEBUG', 'notice:'])} {r.choice(['api', 'worker-3', 'auth', 'cron', 'nginx', 'billing'])}: "
        lines.append(head + (r.choice([MARK, f"user agent \"{MARK}\"", f"message={MARK}", f"GET /search?q={MARK} 200"]) if i == at else fill(10)))
    return *split("\n".join(lines), x), "tool_result"


def as_mail(r, fill, x):
    n, m = person(r), person(r)
    head = r.choice([f"From: {address(r)}\nTo: {address(r)}\nSubject: {fill(6)}\nDate: {stamp(r)}\n\n", f"Subject: {fill(6)}\n\n", ""])
    hello = r.choice([f"Hi {m.split()[0]},", f"Dear {m},", "Hello all,", "Good morning,", "", f"{m.split()[0]} -"])
    bye = r.choice([f"Best,\n{n}", f"Kind regards\n{n}\n{address(r)}", f"-- \n{n}\n{fill(5)}", f"Cheers, {n.split()[0]}", "Sent from my phone", ""])
    parts = [fill(30) for _ in range(r.randint(1, 3))]
    parts.insert(r.randint(0, len(parts)), MARK)
    text = head + hello + "\n\n" + "\n\n".join(parts) + "\n\n" + bye
    if r.random() < 0.15:
        text = head + hello + "\n\n" + "\n\n".join(p for p in parts if p != MARK) + "\n\n" + bye + "\n\n" + r.choice(["P.S. ", "> ", "", "---\n"]) + MARK
    return *split(text, x), r.choice(["email", "email", "email", "tool_result", "document"])


def as_page(r, fill, x):
    style = r.choice(['style="display:none"', 'style="color:#fff;font-size:1px"', 'class="note"', 'aria-hidden="true"', 'id="c3"', "hidden", ""])
    tag = r.choice(["div", "p", "span", "li", "td", "footer", "aside"])
    inner = r.choice([f"<{tag} {style}>{MARK}</{tag}>", f"<!-- {MARK} -->", f'<img src="p.png" alt="{MARK}">', f'<meta name="description" content="{MARK}">', f"<{tag}>{fill(10)} {MARK}</{tag}>", f'<a href="#" title="{MARK}">{fill(3)}</a>'])
    parts = [f"<p>{fill(25)}</p>" for _ in range(r.randint(1, 3))]
    parts.insert(r.randint(0, len(parts)), inner)
    text = r.choice([f"<html><head><title>{fill(5)}</title></head><body>\n<h1>{fill(5)}</h1>\n", "", f"<article><h2>{fill(4)}</h2>"]) + "\n".join(parts) + r.choice(["\n</body></html>", "", "</article>"])
    return *split(text, x), r.choice(["document", "document", "tool_result"])


def as_markdown(r, fill, x):
    inner = r.choice([MARK, f"> {MARK}", f"- {MARK}", f"[//]: # ({MARK})", f"<!-- {MARK} -->", f"**{MARK}**", f"[^1]: {MARK}", f"1. {MARK}", f"![{MARK}](a.png)", f"```\n{MARK}\n```"])
    parts = [r.choice([fill(30), f"## {fill(4)}", f"- {fill(8)}\n- {fill(8)}\n- {fill(8)}"]) for _ in range(r.randint(2, 4))]
    parts.insert(r.randint(0, len(parts)), inner)
    return *split(f"# {fill(5)}\n\n" + "\n\n".join(parts), x), r.choice(["document", "document", "tool_result", "code"])


def as_chat(r, fill, x):
    a, b = r.choice([("user", "assistant"), (person(r).split()[0], person(r).split()[0]), ("Customer", "Agent"), ("Q", "A")])
    lines = [f"{[a, b][i % 2]}: {fill(14)}" for i in range(r.randint(2, 6))]
    i = r.randrange(len(lines))
    lines[i] = lines[i].split(":")[0] + ": " + (MARK if r.random() < 0.6 else f"{fill(8)} {MARK}")
    return *split("\n".join(lines), x), r.choice(["document", "tool_result"])


def as_ticket(r, fill, x):
    lines = [f"{r.choice(['Ticket', 'Issue', 'Case'])} {number(r)}", f"Reporter: {person(r)}", f"Status: {r.choice(['open', 'waiting', 'new', 'resolved'])}", f"Title: {fill(6)}", "", fill(25)]
    lines.append("")
    lines += [f"Comment by {person(r)} ({stamp(r)}): {fill(14)}", f"Comment by {person(r)}: {MARK}"]
    if r.random() < 0.5:
        lines.append(f"Comment by {person(r)}: {fill(12)}")
    return *split("\n".join(lines), x), r.choice(["tool_result", "document"])


def as_calendar(r, fill, x):
    lines = ["BEGIN:VEVENT", f"DTSTART:{r.randint(2020, 2026)}0{r.randint(1, 9)}1{r.randint(0, 9)}T090000Z", f"SUMMARY:{fill(4)}", f"LOCATION:{fill(3)}", f"DESCRIPTION:{r.choice([MARK, fill(10) + ' ' + MARK])}", f"ORGANIZER:mailto:{address(r)}", "END:VEVENT"]
    return *split("\n".join(lines), x), r.choice(["tool_result", "email", "document"])


def as_review(r, fill, x):
    text = r.choice([f"★★★★☆ {fill(5)}\n{fill(25)} {MARK}", f"Rating: {r.randint(1, 5)}/5\n{MARK}\n{fill(20)}", f"{person(r)} wrote on {stamp(r)}:\n{fill(20)}\n{MARK}", f"1. {fill(15)}\n2. {MARK}\n3. {fill(15)}"])
    return *split(text, x), r.choice(["document", "tool_result", "tool_result"])


def as_cv(r, fill, x):
    text = f"{person(r).upper()}\n{address(r)}\n\nEXPERIENCE\n{r.randint(2008, 2020)}-{r.randint(2021, 2026)} {fill(6)}\n- {fill(12)}\n- {fill(12)}\n\nSKILLS\n{fill(8)}\n\n{r.choice(['NOTES', 'OTHER', 'REFERENCES', ''])}\n{MARK}"
    return *split(text, x), "document"


COMMENTS = ["// {}", "# {}", "/* {} */", '"""{}"""', "-- {}", "<!-- {} -->", "; {}", "/// {}", "# TO" "DO: {}", "// FIX" "ME {}", "{{/* {} */}}", 'const NOTE = "{}";', 'print("{}")', "raise ValueError('{}')", "name_{} = 1"]


def in_code(r, code, x):
    lines = code.split("\n")
    i = r.randint(0, len(lines))
    pad = re.match(r"\s*", lines[i - 1] if i else "").group()
    shape = r.choice(COMMENTS[:-1] if r.random() < 0.95 else COMMENTS)
    line = pad + shape.replace("{{", "{").replace("}}", "}").replace("{}", MARK, 1)
    return *split("\n".join(lines[:i] + [line] + lines[i:]), x), "code"


WRAPPERS = ["{}", "{}", "{}", "{}", "({})", "[{}]", "[[{}]]", "--- {} ---", "*** {} ***", "Note: {}", "> {}", "<{}>", "{{{}}}", '"{}"', "\n\n{}\n\n", "\n{}\n", "\n----\n{}\n----\n", "\n* {}", "\n\n\n\n{}", "<!-- {} -->", "<info>{}</info>", "###{}###", "[^2] {}"]
SENTENCE = re.compile(r"(?<=[.!?。！？।])\s+|\n+")


def in_text(r, host, x):
    """Between two sentences of a text, or at its end or beginning."""
    ends = [m.end() for m in SENTENCE.finditer(host)]
    roll = r.random()
    at = 0 if roll < 0.15 else len(host) if roll < 0.4 or not ends else r.choice(ends)
    w = r.choice(WRAPPERS).replace("{{", "{").replace("}}", "}")
    a, b = w.split("{}") if w.count("{}") == 1 else ("", "")
    gap = r.choice([" ", " ", "\n", "\n\n"])
    return host[:at] + (gap if at else "") + a, x, b + (gap if at < len(host) else "") + host[at:]


BUILDERS = [as_json, as_json, as_json, as_json, as_yaml, as_table, as_log, as_mail, as_mail, as_mail, as_page, as_page, as_markdown, as_markdown, as_chat, as_ticket, as_calendar, as_review, as_cv]
