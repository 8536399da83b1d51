//! Promise: compiled interfaces mean the same wherever they are included, whatever names are there.
//! (The compiler's own tests try more names, against a stand-in; these are against this crate.)

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

use hostile::nests::{Link, Term};
use hostile::probe::OutOfRange;
use peers_rpc::wire::{from_slice, to_vec};

/// Holds what generated code finds around it.
#[allow(dead_code, unused, non_camel_case_types, unreachable_pub, clippy::all, clippy::pedantic)]
mod hostile {
    pub struct Vec {
        pub x: f32,
    }
    pub struct Option<'a>(pub &'a ());
    pub enum String {
        A,
    }
    pub struct Box;
    pub type Result<T> = ::std::result::Result<T, ::std::boxed::Box<dyn ::std::error::Error>>;
    pub enum Answer {
        Ok(()),
        Err(()),
        Some(()),
        None,
    }
    pub use Answer::*;
    pub mod std {}
    pub mod core {}
    pub mod peers_rpc {}
    pub struct str;
    pub type usize = ();
    pub struct u64;
    pub trait Sized {}
    /// Its methods take everything by value, and so come before those that take a reference.
    pub trait Into {
        fn into(&self) -> bool;
        fn as_ref(self) -> bool
        where
            Self: ::std::marker::Sized,
        {
            false
        }
        fn call(self)
        where
            Self: ::std::marker::Sized,
        {
        }
        fn event(self)
        where
            Self: ::std::marker::Sized,
        {
        }
        fn method(self)
        where
            Self: ::std::marker::Sized,
        {
        }
        fn read(self)
        where
            Self: ::std::marker::Sized,
        {
        }
        fn bind(self)
        where
            Self: ::std::marker::Sized,
        {
        }
    }
    impl<T> Into for T {
        fn into(&self) -> bool {
            true
        }
    }
    macro_rules! write {
        ($($any:tt)*) => {
            compile_error!("another `write`")
        };
    }

    pub mod hands {
        use super::*;
        include!("interfaces/golden/hands.rs");
    }
    pub mod nests {
        use super::*;
        include!("interfaces/golden/nests.rs");
    }
    pub mod probe {
        use super::*;
        include!("interfaces/golden/probe.rs");
    }
    pub mod shelf {
        use super::*;
        include!("interfaces/golden/shelf.rs");
    }
    pub mod stock {
        use super::*;
        include!("interfaces/golden/new_stock.rs");
    }
}

#[test]
fn compiled_interfaces_do_not_see_the_names_around_them() {
    let raised = OutOfRange::new(7, 1, 5);
    assert_eq!(raised.to_string(), "7, 1, 5");
    assert_eq!(from_slice(&to_vec(&raised).unwrap()), Ok(raised));
    let term = Term::Not { of: Some(Term::All { of: vec![Term::Unknown] }.into()) };
    assert_eq!(from_slice(&to_vec(&term).unwrap()), Ok(term));
    assert_eq!(from_slice(&to_vec(&Link::default()).unwrap()), Ok(Link::default()));
}
