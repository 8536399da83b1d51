//! Laws of arithmetic, for numbers of all sizes; and the same results as the machine's own numbers,
//! where those reach.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

use peers_numbers::{Number, Wrong};
use proptest::prelude::*;

fn number(value: u128) -> Number {
    value.to_string().parse().unwrap()
}

fn any_number(bytes: usize) -> impl Strategy<Value = Number> {
    proptest::collection::vec(any::<u8>(), 0..bytes).prop_map(|bytes| {
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        Number::from_bytes(&bytes[zeros..]).unwrap()
    })
}

fn machine_gcd(x: u128, y: u128) -> u128 {
    if y == 0 { x } else { machine_gcd(y, x % y) }
}

fn machine_is_prime(x: u32) -> bool {
    let x = u64::from(x);
    x > 1 && (2..).take_while(|d| d * d <= x).all(|d| x % d != 0)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn an_inverse_times_the_number_leaves_one(y in any_number(96), x in any_number(96)) {
        let one = Number::from(1);
        match y.inverse(&x) {
            Ok(z) => {
                prop_assert!(z < x);
                prop_assert_eq!(z.times(&y).modulo(&x), one.modulo(&x));
            }
            Err(Wrong::ZeroModulus) => prop_assert_eq!(x, Number::from(0)),
            Err(wrong) => {
                prop_assert_eq!(wrong, Wrong::NoInverse);
                prop_assert_ne!(x.gcd(&y), one);
            }
        }
    }

    #[test]
    fn a_common_factor_is_found_and_forbids_an_inverse(
        x in any_number(40),
        y in any_number(40),
        factor in 2_u64..,
    ) {
        let factor = Number::from(factor);
        let (x, y) = (x.times(&factor), y.times(&factor));
        prop_assert_eq!(x.gcd(&y).modulo(&factor), Ok(Number::from(0)));
        if x != Number::from(0) {
            prop_assert_eq!(y.inverse(&x), Err(Wrong::NoInverse));
        }
    }

    #[test]
    fn small_results_are_the_machines(x: u128, y: u128, a: u64, b: u64) {
        prop_assert_eq!(number(x).gcd(&number(y)), number(machine_gcd(x, y)));
        prop_assert_eq!(Number::from(a).times(&Number::from(b)), number(u128::from(a) * u128::from(b)));
        prop_assert_eq!(number(x).modulo(&number(y)).ok(), x.checked_rem(y).map(number));
        prop_assert_eq!(number(x).cmp(&number(y)), x.cmp(&y));
    }

    #[test]
    fn small_primes_are_the_machines(x: u32, y in 0_u32..2_000) {
        prop_assert_eq!(Number::from(u64::from(x)).is_prime(), machine_is_prime(x));
        prop_assert_eq!(Number::from(u64::from(y)).is_prime(), machine_is_prime(y));
    }

    #[test]
    fn a_product_is_not_prime(x in any_number(32), y in any_number(32)) {
        let product = x.times(&y);
        let trivial = [&x, &y].iter().any(|factor| **factor <= Number::from(1));
        prop_assert!(trivial || !product.is_prime());
    }

    #[test]
    fn every_spelling_leads_back(x in any_number(1_024)) {
        prop_assert_eq!(Number::from_bytes(&x.to_bytes()), Ok(x.clone()));
        prop_assert_eq!(x.to_string().parse(), Ok(x.clone()));
        prop_assert_eq!(peers_rpc::unpickle::<Number>(&peers_rpc::pickle(&x).unwrap()), Ok(x));
    }

    #[test]
    fn no_bytes_and_no_text_are_too_much(bytes: Vec<u8>, text: String) {
        if let Ok(number) = Number::from_bytes(&bytes) {
            prop_assert_eq!(number.to_bytes(), bytes);
        }
        let decimal = !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
        prop_assert_eq!(text.parse::<Number>().is_ok(), decimal);
    }
}
