//! Texts of many languages, signs and formats in which views must show nothing.

use portcullis_core::Channel;

use crate::samples::{ALL, scan, scan_plain};

/// Natural texts: scripts that need joiners and marks, emoji, mathematics, code, logs.
const TEXTS: &[&str] = &[
    "The committee will meet on Tuesday at 10:30 to go over last month's figures; please bring your notes.",
    "Die Vögel zwitschern früh am Morgen, während die Straßenbahn müde durch die Gassen fährt.",
    "Le garçon a mangé des crêpes à la crème, puis il s’est endormi près de la cheminée.",
    "El niño pequeño soñó con un dragón que vivía en una montaña lejana y cantaba por las noches.",
    "O coração da cidade é um mercado onde se vendem pães, queijos e maçãs todas as manhãs.",
    "La perché si può dire che l'estate è già finita, quando le foglie cadono così presto?",
    "De oude schipper vertelde elke avond hetzelfde verhaal over de storm van zesenvijftig.",
    "Wczoraj zażółciłem gęślą jaźń, a dziś piszę o tym długi i zupełnie niepotrzebny list.",
    "Příliš žluťoučký kůň úpěl ďábelské ódy, zatímco děti běžely přes louku k řece.",
    "Árvíztűrő tükörfúrógép: ez a mondat minden ékezetes betűt tartalmaz, amit használunk.",
    "Vaikka sataa, aiomme silti lähteä metsään poimimaan mustikoita ja kanttarelleja.",
    "Også i år blæser det så kraftigt, at færgen må blive i havnen på øen.",
    "İstanbul'un ışıkları yağmurda parlıyor, çocuklar ığdır ağacının altında gülüyordu.",
    "Tất cả mọi người đều được hưởng những quyền tự do như nhau, không phân biệt đối xử.",
    "Все люди рождаются свободными; рос у дома старый сад, и в нём сорок ворон сорили.",
    "Усі люди народжуються вільними і рівними у своїй гідності та правах, сіль і хліб.",
    "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι, και το νησί μας είναι ωραίο τον Μάιο.",
    "Բոլոր մարդիկ ծնվում են ազատ ու հավասար իրենց արժանապատվությամբ։",
    "ყველა ადამიანი იბადება თავისუფალი და თანასწორი თავისი ღირსებით.",
    "כל בני האדם נולדו בני חורין; שִׁיר הַשִּׁירִים נכתב לפני זמן רב (ראו \u{200f}עמוד 12\u{200e}).",
    "يولد جميع الناس أحرارًا، والكِتابُ عَلى الطّاوِلَة، ومـــرحـــبـــا بكم في بيتنا.",
    "می‌خواهم کتاب‌های تازه‌ای بخرم؛ نمی‌دانم که کتاب‌خانه‌ها امروز باز هستند یا نه.",
    "क्‍या आप कल दिल्‍ली जाएँगे? मुझे वहाँ की मिठाइयाँ और पुराने क़िले बहुत पसंद हैं।",
    "ഇന്ന് മഴ പെയ്യുമോ? അവന്‍ വീട്ടില്‍ നിന്ന് വന്നു, അവള്‍ ചായ ഉണ്ടാക്കി.",
    "আজ আকাশে মেঘ নেই, র‍্যাম্প পেরিয়ে আমরা নদীর ধারে হাঁটতে যাব।",
    "இன்று காலை நான் சந்தைக்குச் சென்று பழங்களும் பூக்களும் வாங்கினேன்.",
    "වේලාවට පැමිණි ශ්‍රී ලංකාවේ සිසුන්ට ගුරුවරයා ස්තුති කළේය.",
    "วันนี้อากาศดีมาก เราไปกินข้าวที่ร้านริมแม่น้ำแล้วค่อยกลับบ้านกันนะ",
    "မနက်ဖြန် ဈေးသွားပြီး ငါးနဲ့ ဟင်းသီးဟင်းရွက် ဝယ်မယ်။",
    "ថ្ងៃនេះ\u{200b}ខ្ញុំ\u{200b}ទៅ\u{200b}សាលា\u{200b}រៀន\u{200b}ជាមួយ\u{200b}មិត្តភក្តិ\u{200b}របស់\u{200b}ខ្ញុំ។",
    "今日は天気がいいので、ｶﾒﾗを持って公園へ行きました。ＪＲの駅から５分です！",
    "我们昨天在北京吃了烤鸭，价格是１２８元（含税），房间在８８号楼的左边。",
    "오늘은 날씨가 좋아서 공원에 갔어요ㅋㅋㅋ 커피는 4,500원이었습니다. (주)한국㈜",
    "Ọjọ́ dára lónìí, àwọn ọmọdé ń ṣeré lábẹ́ igi ọ̀pẹ ní ìlú wa.",
    "Ua ola ka ʻōlelo Hawaiʻi ma nā kula, a he nani ke kai ma Waikīkī.",
    "👩‍👩‍👧‍👦 Family day! ❤️🏳️‍🌈 1️⃣2️⃣3️⃣ 🇩🇪🇫🇷🇮🇹 🏴󠁧󠁢󠁥󠁮󠁧󠁿 👍🏽 ☎️ ™ ® ©",
    "Let 𝑓: ℝⁿ → ℝ be convex; then ∇²𝑓(𝐱) ⪰ 0 for all 𝐱 ∈ ℝⁿ, so ‖𝐱‖₂ ≤ √n·‖𝐱‖∞ (see Eq. ①).",
    "H₂O boils at 100 °C; CO₂ at −78 °C; E = mc², x₁ + x₂ ≥ ½, ﬁnally the ﬂow is 3 × 10⁻⁶ m³/s.",
    "|`I n d e x`| A | B | C |\n|---|---|---|---|\n| a | b | c | d |\n\n- [ ] x\n- [x] y\n* * * * *\n. . . . . .",
    "fn main() { let v: Vec<u8> = \"a\\tb\\n\".bytes().map(|b| b ^ 0x20).collect(); println!(\"{v:?}\\u{e9}\"); }",
    "<div class=\"a\"><p>He<b>ll</b>o &amp; welcome, caf&eacute; &#8211; 5&nbsp;&euro;</p><!-- nothing --><br/></div>",
    "curl 'https://example.org/search?q=caf%C3%A9+cr%C3%A8me&lang=fr&page=2' -H 'Accept: */*' | jq '.a[] | .b'",
    "2024-05-01T10:11:12Z INFO req=4f2a9c1be77d4a10b1 path=/a/b%20c status=200 bytes=5120 h264 utf8 sha256 i18n k8s",
    "commit da39a3ee5e6b4b0d3255bfef95601890afd80709\nAuthor: nobody\n\n    Fix the thing in foo_bar_baz_qux_function_name",
    "00000000: 4865 6c6c 6f2c 2077 6f72 6c64 210a 0000  Hello, world!...\n00:1a:2b:3c:4d:5e fe80::1ff:fe23:4567:890a",
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
    "Subject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe?=\nContent-Transfer-Encoding: quoted-printable\n\nEin langer Satz, der um=\ngebrochen wird=2E",
    "J. R. R. Tolkien, C. S. Lewis and A. A. Milne walked i n  t o  a bar; W.H.O., U.N.E.S.C.O. and N.A.T.O. did not.",
    "x = a*b + c**d; y = `ls -l`; z ~= 3; if (a|b) { foo^=bar; } // N.B.: 1st, 2nd, 3rd, 4th -- see §5.1.2 on p. 12–14",
    "... --- ... is what they sent. .- -... -.-. are the first three letters, and ---------- is a ruler -- -- -- --.",
    "Gur dhvpx oebja sbk vf abg fb dhvpx jura vg enva; gb or be abg gb or, gung vf gur dhrfgvba nfxrq ol znal.",
    "A long word-\nbreak in a hyphen-\nated text, e.g. self-\nemployed people in north-\neastern regions.",
];

#[test]
fn views_show_nothing_in_natural_text() {
    for text in TEXTS {
        for channel in [Channel::User, Channel::ToolResult, Channel::Assistant] {
            assert_eq!(
                scan(text, channel, &ALL),
                scan_plain(text, channel, &ALL),
                "{text}"
            );
        }
    }
}
