//! From text to a tree: lexer, parser and the tree itself. Meaning (names, types, rules) is the
//! checker's.

pub(crate) mod ast;
mod directives;
mod lexer;
mod parser;

pub(crate) use parser::parse;
