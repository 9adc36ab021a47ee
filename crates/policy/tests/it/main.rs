//! The rules as cases, and the laws that every decision keeps. No case holds a text: a decision never sees one.

mod arguments;
mod corpus;
mod laws;
mod tools;
