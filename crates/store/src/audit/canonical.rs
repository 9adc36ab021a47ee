//! Canonical JSON: one value, one sequence of bytes, so that a hash of it means something.
//!
//! - Objects are written with their keys sorted by UTF-8 bytes, nothing twice.
//! - No white space anywhere.
//! - Strings are UTF-8; only `"`, `\` and U+0000..U+001F are escaped, by the two-character forms where JSON has one and by
//!   `\u00xx` in lower case otherwise.
//! - Integers are written in decimal. Other numbers are written as the shortest decimal that reads back as the same
//!   number of the same width, without exponent; negative zero as `0`. What is not a number becomes `null`.
//!
//! This agrees with RFC 8785 on everything that a record holds; it differs for keys beyond the basic plane (sorted
//! there by UTF-16) and for numbers so large or small that ECMAScript would write an exponent.

use std::borrow::Cow;
use std::fmt::{self, Display};
use std::io::Write;

use serde::ser::{self, Serialize};

/// The canonical bytes of a value.
///
/// # Errors
/// The value is one that JSON has no form for: a map whose keys are not texts or integers, a key twice, or a type that
/// itself refuses to be written.
pub fn canonical_json<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CanonicalError> {
    let mut sheet = Sheet {
        out: Vec::with_capacity(2048),
        ..Sheet::default()
    };
    value.serialize(Writer { sheet: &mut sheet })?;
    Ok(sheet.out)
}

/// Why a value has no canonical form.
#[derive(Debug, thiserror::Error)]
#[error("no canonical JSON: {0}")]
pub struct CanonicalError(String);

impl ser::Error for CanonicalError {
    fn custom<T: Display>(message: T) -> Self {
        CanonicalError(message.to_string())
    }
}

/// What is written, and room to work in that all objects of one value share: a record has dozens of them, and each
/// would otherwise allocate twice.
#[derive(Default)]
struct Sheet {
    out: Vec<u8>,
    /// Entries of the objects that are open, those of the innermost last.
    entries: Vec<Entry>,
    scratch: Vec<u8>,
}

struct Entry {
    key: Cow<'static, str>,
    /// Where the entry lies in `out`. It begins with a comma.
    start: usize,
    end: usize,
}

struct Writer<'a> {
    sheet: &'a mut Sheet,
}

impl Writer<'_> {
    fn display(self, value: impl Display) -> Result<(), CanonicalError> {
        write!(self.sheet.out, "{value}").map_err(ser::Error::custom)
    }

    fn word(self, word: &str) -> Result<(), CanonicalError> {
        self.sheet.out.extend_from_slice(word.as_bytes());
        Ok(())
    }

    /// Most values of a record are small numbers; formatting them digit by digit costs a third of `Display`.
    fn unsigned(self, mut value: u64) -> Result<(), CanonicalError> {
        let mut digits = [b'0'; 20];
        let mut used = 0usize;
        for place in digits.iter_mut().rev() {
            *place = b'0'.saturating_add(u8::try_from(value % 10).unwrap_or(0));
            used = used.saturating_add(1);
            value /= 10;
            if value == 0 {
                break;
            }
        }
        let (_, digits) = digits.split_at(digits.len().saturating_sub(used));
        self.sheet.out.extend_from_slice(digits);
        Ok(())
    }

    fn float(self, finite: bool, zero: bool, value: impl Display) -> Result<(), CanonicalError> {
        match (finite, zero) {
            (false, _) => self.word("null"),
            (true, true) => self.word("0"),
            (true, false) => self.display(value),
        }
    }
}

fn write_text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    let is_escaped = |byte: &u8| matches!(byte, 0..=0x1f | b'"' | b'\\');
    while let Some(at) = rest.iter().position(is_escaped) {
        let (plain, from) = rest.split_at(at);
        out.extend_from_slice(plain);
        let Some((special, after)) = from.split_first() else {
            break;
        };
        match special {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x09 => out.extend_from_slice(b"\\t"),
            0x0a => out.extend_from_slice(b"\\n"),
            0x0c => out.extend_from_slice(b"\\f"),
            0x0d => out.extend_from_slice(b"\\r"),
            other => out.extend_from_slice(format!("\\u{other:04x}").as_bytes()),
        }
        rest = after;
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// A list, or the payload of an enum's variant when `close` says so.
struct List<'a> {
    sheet: &'a mut Sheet,
    first: bool,
    close: &'static [u8],
}

impl<'a> List<'a> {
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CanonicalError> {
        if !std::mem::take(&mut self.first) {
            self.sheet.out.push(b',');
        }
        value.serialize(Writer {
            sheet: &mut *self.sheet,
        })
    }

    fn finish(self) {
        self.sheet.out.extend_from_slice(self.close);
    }

    fn open(sheet: &'a mut Sheet, close: &'static [u8]) -> List<'a> {
        sheet.out.push(b'[');
        List {
            sheet,
            first: true,
            close,
        }
    }
}

/// An object. Its entries are written as they come, each behind a comma, and put in order at the end.
struct Object<'a> {
    sheet: &'a mut Sheet,
    /// Where its first entry stands in `out`, and in `entries`.
    start: usize,
    first: usize,
    key: Option<Cow<'static, str>>,
    close: &'static [u8],
}

impl<'a> Object<'a> {
    fn open(sheet: &'a mut Sheet, close: &'static [u8]) -> Object<'a> {
        sheet.out.push(b'{');
        let (start, first) = (sheet.out.len(), sheet.entries.len());
        Object {
            sheet,
            start,
            first,
            key: None,
            close,
        }
    }

    fn entry<T: Serialize + ?Sized>(
        &mut self,
        key: Cow<'static, str>,
        value: &T,
    ) -> Result<(), CanonicalError> {
        let start = self.sheet.out.len();
        self.sheet.out.push(b',');
        write_text(&mut self.sheet.out, &key);
        self.sheet.out.push(b':');
        value.serialize(Writer {
            sheet: &mut *self.sheet,
        })?;
        let end = self.sheet.out.len();
        self.sheet.entries.push(Entry { key, start, end });
        Ok(())
    }

    fn finish(self) -> Result<(), CanonicalError> {
        let Sheet {
            out,
            entries,
            scratch,
        } = self.sheet;
        let own = entries.get_mut(self.first..).unwrap_or_default();
        own.sort_unstable_by(|one, other| one.key.as_bytes().cmp(other.key.as_bytes()));
        scratch.clear();
        let mut last: Option<&str> = None;
        for entry in own {
            if last == Some(entry.key.as_ref()) {
                return Err(ser::Error::custom(format_args!("key {:?} twice", entry.key)));
            }
            // The first entry of the object loses its comma.
            let start = entry.start.saturating_add(usize::from(last.is_none()));
            scratch.extend_from_slice(out.get(start..entry.end).unwrap_or_default());
            last = Some(&entry.key);
        }
        out.truncate(self.start);
        out.extend_from_slice(scratch);
        out.extend_from_slice(self.close);
        entries.truncate(self.first);
        Ok(())
    }
}

/// Opens `{"variant":` around what follows.
fn open_variant(out: &mut Vec<u8>, variant: &str) {
    out.push(b'{');
    write_text(out, variant);
    out.push(b':');
}

impl<'a> ser::Serializer for Writer<'a> {
    type Ok = ();
    type Error = CanonicalError;
    type SerializeSeq = List<'a>;
    type SerializeTuple = List<'a>;
    type SerializeTupleStruct = List<'a>;
    type SerializeTupleVariant = List<'a>;
    type SerializeMap = Object<'a>;
    type SerializeStruct = Object<'a>;
    type SerializeStructVariant = Object<'a>;

    fn serialize_bool(self, value: bool) -> Result<(), CanonicalError> {
        self.word(if value { "true" } else { "false" })
    }
    fn serialize_i8(self, value: i8) -> Result<(), CanonicalError> {
        self.display(value)
    }
    fn serialize_i16(self, value: i16) -> Result<(), CanonicalError> {
        self.display(value)
    }
    fn serialize_i32(self, value: i32) -> Result<(), CanonicalError> {
        self.display(value)
    }
    fn serialize_i64(self, value: i64) -> Result<(), CanonicalError> {
        self.display(value)
    }
    fn serialize_u8(self, value: u8) -> Result<(), CanonicalError> {
        self.unsigned(u64::from(value))
    }
    fn serialize_u16(self, value: u16) -> Result<(), CanonicalError> {
        self.unsigned(u64::from(value))
    }
    fn serialize_u32(self, value: u32) -> Result<(), CanonicalError> {
        self.unsigned(u64::from(value))
    }
    fn serialize_u64(self, value: u64) -> Result<(), CanonicalError> {
        self.unsigned(value)
    }
    fn serialize_f32(self, value: f32) -> Result<(), CanonicalError> {
        self.float(value.is_finite(), value == 0.0, value)
    }
    fn serialize_f64(self, value: f64) -> Result<(), CanonicalError> {
        self.float(value.is_finite(), value == 0.0, value)
    }
    fn serialize_char(self, value: char) -> Result<(), CanonicalError> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }
    fn serialize_str(self, value: &str) -> Result<(), CanonicalError> {
        write_text(&mut self.sheet.out, value);
        Ok(())
    }
    fn serialize_bytes(self, value: &[u8]) -> Result<(), CanonicalError> {
        self.collect_seq(value)
    }
    fn serialize_none(self) -> Result<(), CanonicalError> {
        self.word("null")
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), CanonicalError> {
        value.serialize(self)
    }
    fn serialize_unit(self) -> Result<(), CanonicalError> {
        self.word("null")
    }
    fn serialize_unit_struct(self, _name: &'static str) -> Result<(), CanonicalError> {
        self.word("null")
    }
    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<(), CanonicalError> {
        self.serialize_str(variant)
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<(), CanonicalError> {
        value.serialize(self)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), CanonicalError> {
        open_variant(&mut self.sheet.out, variant);
        value.serialize(Writer {
            sheet: &mut *self.sheet,
        })?;
        self.sheet.out.push(b'}');
        Ok(())
    }
    fn serialize_seq(self, _len: Option<usize>) -> Result<List<'a>, CanonicalError> {
        Ok(List::open(self.sheet, b"]"))
    }
    fn serialize_tuple(self, _len: usize) -> Result<List<'a>, CanonicalError> {
        Ok(List::open(self.sheet, b"]"))
    }
    fn serialize_tuple_struct(self, _name: &'static str, _len: usize) -> Result<List<'a>, CanonicalError> {
        Ok(List::open(self.sheet, b"]"))
    }
    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<List<'a>, CanonicalError> {
        open_variant(&mut self.sheet.out, variant);
        Ok(List::open(self.sheet, b"]}"))
    }
    fn serialize_map(self, _len: Option<usize>) -> Result<Object<'a>, CanonicalError> {
        Ok(Object::open(self.sheet, b"}"))
    }
    fn serialize_struct(self, _name: &'static str, _len: usize) -> Result<Object<'a>, CanonicalError> {
        Ok(Object::open(self.sheet, b"}"))
    }
    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<Object<'a>, CanonicalError> {
        open_variant(&mut self.sheet.out, variant);
        Ok(Object::open(self.sheet, b"}}"))
    }
}

/// Four traits of serde for one and the same list.
macro_rules! list_traits {
    ($($name:ident $method:ident),*) => {$(
        impl ser::$name for List<'_> {
            type Ok = ();
            type Error = CanonicalError;
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CanonicalError> {
                self.element(value)
            }
            fn end(self) -> Result<(), CanonicalError> {
                self.finish();
                Ok(())
            }
        }
    )*};
}

list_traits!(
    SerializeSeq serialize_element,
    SerializeTuple serialize_element,
    SerializeTupleStruct serialize_field,
    SerializeTupleVariant serialize_field
);

/// Two traits of serde for one and the same object.
macro_rules! object_traits {
    ($($name:ident),*) => {$(
        impl ser::$name for Object<'_> {
            type Ok = ();
            type Error = CanonicalError;
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                value: &T,
            ) -> Result<(), CanonicalError> {
                self.entry(Cow::Borrowed(key), value)
            }
            fn end(self) -> Result<(), CanonicalError> {
                self.finish()
            }
        }
    )*};
}

object_traits!(SerializeStruct, SerializeStructVariant);

impl ser::SerializeMap for Object<'_> {
    type Ok = ();
    type Error = CanonicalError;
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), CanonicalError> {
        let text = String::from_utf8(canonical_json(key)?).map_err(ser::Error::custom)?;
        // A text comes quoted and escaped and is read back; an integer is its own text.
        let key = match text.as_bytes().first() {
            Some(b'"') => serde_json::from_str(&text).map_err(ser::Error::custom)?,
            Some(b'-' | b'0'..=b'9') => text,
            _ => return Err(ser::Error::custom("a key is neither text nor integer")),
        };
        self.key = Some(Cow::Owned(key));
        Ok(())
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CanonicalError> {
        let key = self.key.take().ok_or(fmt::Error).map_err(ser::Error::custom)?;
        self.entry(key, value)
    }
    fn end(self) -> Result<(), CanonicalError> {
        self.finish()
    }
}

#[cfg(test)]
#[path = "canonical_tests.rs"]
mod tests;
