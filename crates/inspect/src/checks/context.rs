//! Words that stand before a value and say what it is.

/// Words for other numbers.
pub(super) const OTHERS: &str = "order|invoice|imei|serial|part no|part number|isbn|issn|sku|ticket|account|acct|routing|tracking|card|\
    kreditkarte|iban|passport|license|licence|npi|ssn|nhs|tax|reference|ref|vin|model|version|build|\
    timestamp|commit|page|pages|doi|konto|rechnung|bestell|commande|facture|pedido|factura|fattura|ordine|\
    zip|plz|id|mrn|ean|upc|article|case|social security|itin|nric|mykad|uidai|nino|insurance|abn|tfn|\
    medicare|aadhaar|pan|cpf|cnpj|pesel|nip|regon|siren|siret|ико|ico|ičo|dič|cuit|cuil|rut|nif|nie|dni|bsn|\
    personnummer|cpr|hetu|инн|снилс|паспорт|сумма|eur|usd|amount|total|price|rfc|clabe|bsb|sort code|sin|\
    mac|port|rodné číslo|cnp|身份证|订单|注文|주문|주민등록번호|マイナンバー|個人番号|fødselsnummer|fnr|henkilötunnus|sécu|nir|\
    sécurité sociale|nik|ktp|ประชาชน|рнокпп|іпн|curp";

/// Where the last of `words` that begins a word ends in `text` (in small letters). Short words must be whole.
pub(super) fn last_word(text: &str, words: &str) -> Option<usize> {
    let ends = |word: &&str| {
        text.rmatch_indices(*word).find_map(|(at, word)| {
            let before = text.get(..at)?.chars().next_back();
            let after = text.get(at + word.len()..)?.chars().next();
            let begins = !word.starts_with(|first: char| first.is_ascii_alphabetic())
                || !before.is_some_and(|before| before.is_alphabetic() && before < '\u{2e80}');
            let whole = word.chars().count() > 4
                || !after.is_some_and(|after| after.is_alphabetic() && after < '\u{2e80}')
                || !word.is_ascii()
                || is_stem(word);
            (begins && whole).then_some(at + word.len())
        })
    };
    words.split('|').filter_map(|word| ends(&word)).max()
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
            assert_eq!(last_word(text, OTHERS), end, "{text}");
        }
    }
}
