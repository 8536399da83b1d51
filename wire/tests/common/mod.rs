//! Holds what the tests of this crate share: the test vectors, a struct and an enum as rpcc writes
//! them, and a generator of numbers from a seed.

#![allow(dead_code, reason = "each test file uses its share")]

use std::path::PathBuf;

use peers_wire::{Decode, Encode, Error, Reader, Writer};

/// One file of `docs/vectors`.
#[derive(Debug)]
pub(crate) struct Vector {
    pub(crate) name: String,
    /// Says how the bytes are to be read: `frame`, `value`, `type T`, ...
    pub(crate) kind: String,
    /// Says how the value prints, for self-describing values.
    pub(crate) shows: Option<String>,
    /// The error that reading gives, for bad bytes.
    pub(crate) error: Option<String>,
    pub(crate) bytes: Vec<u8>,
}

pub(crate) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/vectors")
}

/// All vectors, by name.
pub(crate) fn vectors() -> Vec<Vector> {
    let mut vectors: Vec<Vector> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "hex"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            parse(name, &std::fs::read_to_string(&path).unwrap())
        })
        .collect();
    vectors.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(vectors.len() > 50, "the vectors are there");
    vectors
}

pub(crate) fn vector(name: &str) -> Vector {
    vectors().into_iter().find(|vector| vector.name == name).expect("a vector of this name")
}

fn parse(name: String, text: &str) -> Vector {
    let directive = |key: &str| {
        text.lines().find_map(|line| line.strip_prefix(key)).map(|rest| rest.trim().to_owned())
    };
    let bytes = text
        .lines()
        .filter(|line| !line.starts_with('@'))
        .flat_map(|line| line.split('#').next().unwrap().split_whitespace())
        .map(|byte| u8::from_str_radix(byte, 16).unwrap())
        .collect();
    let kind = directive("@as ").expect("a line that says how to read the bytes");
    Vector { name, kind, shows: directive("@shows "), error: directive("@error "), bytes }
}

/// `struct point { x: i32, y: i32, label: option<string> }`
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Point {
    pub(crate) x: i32,
    pub(crate) y: i32,
    pub(crate) label: Option<String>,
}

impl Encode for Point {
    fn encode(&self, w: &mut Writer<'_>) {
        w.structure(|w| {
            w.write(&self.x);
            w.write(&self.y);
            w.write(&self.label);
        });
    }
}

impl<'a> Decode<'a> for Point {
    const MIN_SIZE: usize = 4;

    fn decode(r: &mut Reader<'a>) -> Result<Self, Error> {
        let mut fields = r.structure()?;
        Ok(Self { x: fields.read()?, y: fields.read()?, label: fields.trailing()? })
    }
}

/// `enum shape { dot, circle(radius: u32), named(name: string) }`
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Shape {
    Dot,
    Circle { radius: u32 },
    Named { name: String },
}

impl Encode for Shape {
    fn encode(&self, w: &mut Writer<'_>) {
        match self {
            Self::Dot => w.variant(0),
            Self::Circle { radius } => {
                w.variant(1);
                w.write(radius);
            }
            Self::Named { name } => {
                w.variant(2);
                w.write(name);
            }
        }
    }
}

impl<'a> Decode<'a> for Shape {
    const MIN_SIZE: usize = 4;

    fn decode(r: &mut Reader<'a>) -> Result<Self, Error> {
        match r.variant()? {
            0 => Ok(Self::Dot),
            1 => Ok(Self::Circle { radius: r.read()? }),
            2 => Ok(Self::Named { name: r.read()? }),
            found => Err(r.unknown_variant("shape", found)),
        }
    }
}

/// `struct tree { name: string, children: list<tree> }`
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tree {
    pub(crate) name: String,
    pub(crate) children: Vec<Self>,
}

impl Encode for Tree {
    fn encode(&self, w: &mut Writer<'_>) {
        w.structure(|w| {
            w.write(&self.name);
            w.write(&self.children);
        });
    }
}

impl<'a> Decode<'a> for Tree {
    const MIN_SIZE: usize = 4;

    fn decode(r: &mut Reader<'a>) -> Result<Self, Error> {
        let mut fields = r.structure()?;
        Ok(Self { name: fields.read()?, children: fields.read()? })
    }
}

/// `struct link { number: u32, next: option<link> }`
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Link {
    pub(crate) number: u32,
    pub(crate) next: Option<Box<Self>>,
}

impl Encode for Link {
    fn encode(&self, w: &mut Writer<'_>) {
        w.structure(|w| {
            w.write(&self.number);
            w.write(&self.next);
        });
    }
}

impl<'a> Decode<'a> for Link {
    const MIN_SIZE: usize = 4;

    fn decode(r: &mut Reader<'a>) -> Result<Self, Error> {
        let mut fields = r.structure()?;
        Ok(Self { number: fields.read()?, next: fields.trailing()? })
    }
}

/// Numbers from a seed: xorshift, the same on every machine.
#[derive(Debug)]
pub(crate) struct Numbers(pub u64);

impl Numbers {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }
}
