//! Words that stand before a value and say what it is.

use std::sync::LazyLock;

/// Words for other numbers.
pub(super) static OTHERS: LazyLock<Words> = LazyLock::new(|| Words::new(OTHER_WORDS));

const OTHER_WORDS: &str = "order|invoice|imei|serial|part no|part number|isbn|issn|sku|ticket|account|acct|routing|tracking|card|\
    kreditkarte|iban|passport|license|licence|npi|ssn|nhs|tax|reference|ref|vin|model|version|build|\
    timestamp|commit|page|pages|doi|konto|rechnung|bestell|commande|facture|pedido|factura|fattura|ordine|\
    zip|plz|id|mrn|ean|upc|article|case|social security|itin|nric|mykad|uidai|nino|insurance|abn|tfn|\
    medicare|aadhaar|pan|cpf|cnpj|pesel|nip|regon|siren|siret|ико|ico|ičo|dič|cuit|cuil|rut|nif|nie|dni|bsn|\
    personnummer|cpr|hetu|инн|снилс|паспорт|сумма|eur|usd|amount|total|price|rfc|clabe|bsb|sort code|sin|\
    mac|port|rodné číslo|cnp|身份证|订单|注文|주문|주민등록번호|マイナンバー|個人番号|fødselsnummer|fnr|henkilötunnus|sécu|nir|\
    sécurité sociale|nik|ktp|ประชาชน|рнокпп|іпн|curp";

/// Words made ready to be looked for.
#[derive(Debug)]
pub(super) struct Words {
    /// By the last byte of a word.
    ending: Vec<Vec<&'static str>>,
    /// For each last byte, the bytes before it in some word, a bit for each value of their low six bits.
    earlier: [u64; 256],
}

impl Words {
    /// Prepares words that are parted by `|`.
    pub(super) fn new(words: &'static str) -> Words {
        let mut all = Words {
            ending: vec![Vec::new(); 256],
            earlier: [0; 256],
        };
        for word in words.split('|') {
            let [.., earlier, last] = word.as_bytes() else {
                continue;
            };
            let last = usize::from(*last);
            if let (Some(ending), Some(bits)) = (all.ending.get_mut(last), all.earlier.get_mut(last)) {
                ending.push(word);
                *bits |= 1 << (earlier & 63);
            }
        }
        all
    }

    /// Where the last of the words that begins a word ends in `text` (in small letters). Short words must be whole.
    pub(super) fn last_in(&self, text: &str) -> Option<usize> {
        let bytes = text.as_bytes();
        (2..=bytes.len()).rev().find(|end| {
            let (Some(earlier), Some(last)) = (bytes.get(end - 2), bytes.get(end - 1)) else {
                return false;
            };
            let last = usize::from(*last);
            let bits = self.earlier.get(last).copied().unwrap_or(0);
            bits >> (earlier & 63) & 1 == 1
                && self
                    .ending
                    .get(last)
                    .into_iter()
                    .flatten()
                    .any(|word| ends_with(text, *end, word))
        })
    }
}

/// Whether `word` ends at `end` of `text` and begins a word there, or is one.
fn ends_with(text: &str, end: usize, word: &str) -> bool {
    let before = text.get(..end).and_then(|text| text.strip_suffix(word));
    let (Some(before), Some(after)) = (before, text.get(end..)) else {
        return false;
    };
    let (before, after) = (before.chars().next_back(), after.chars().next());
    let begins = !word.starts_with(|first: char| first.is_ascii_alphabetic())
        || !before.is_some_and(|before| before.is_alphabetic() && before < '\u{2e80}');
    let whole = word.chars().count() > 4
        || !after.is_some_and(|after| after.is_alphabetic() && after < '\u{2e80}')
        || !word.is_ascii()
        || is_stem(word);
    begins && whole
}

/// Short words that go on: `telefono`, `mobil`, `teléfono`.
fn is_stem(word: &str) -> bool {
    matches!(word, "tel" | "cell" | "llam" | "mob" | "puh" | "ruf")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_several_words_counts() {
        for (text, end) in [
            ("order 5 of the invoice ", Some(22)),
            ("border ", None),
            ("id: ", Some(2)),
            ("idle ", None),
            ("注文", Some(6)),
        ] {
            assert_eq!(OTHERS.last_in(text), end, "{text}");
        }
    }
}
