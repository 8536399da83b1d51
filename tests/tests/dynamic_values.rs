//! Promise: values of whatever types an interface file declares travel and are spelled in text so
//! that they come back the same. The files are made by chance.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

#[path = "../../rpc/dynamic/tests/kinds/mod.rs"]
mod kinds;
#[path = "../../rpc/rpcc/tests/random_files/mod.rs"]
mod random_files;

use kinds::{Random, value};
use peers_dynamic::{Typed, decode, parse};
use peers_rpc::wire::{self, Reader};
use peers_rpcc::Compiler;
use peers_rpcc::schema::{Kind, Ty};

#[test]
fn values_of_any_types_come_back_the_same() {
    let mut count = 0;
    for seed in 1..=150 {
        let files = random_files::files(seed);
        let load = |path: &std::path::Path| Ok(files[path.to_str().unwrap()].clone());
        let schema = Compiler::with_loader(load).schema("root.rpc").unwrap();
        let mut random = Random::new(seed);
        for id in schema.types() {
            if matches!(schema.ty(id).kind(), Kind::Exception(_)) {
                continue;
            }
            let ty = Ty::Named(id);
            for depth in 1..5 {
                let made = value(&schema, &ty, &mut random, depth);
                let typed = Typed::new(&schema, &ty, &made).unwrap();
                let bytes = wire::to_vec(&typed).unwrap();
                let read = decode(&schema, &ty, &mut Reader::new(&bytes)).unwrap();
                assert_eq!(read, made, "{}", schema.type_name(id));
                let text = typed.to_string();
                assert_eq!(parse(&schema, &ty, &text).as_ref(), Ok(&made), "{text}");
                count += 1;
            }
        }
    }
    assert!(count > 1_000, "only {count} were made");
}
