//! Computes with numbers: the library's functions behind ours, with everything checked that makes
//! them panic.

use crate::{Number, Wrong};
use crypto_bigint::{BitOps as _, BoxedUint, ConcatenatingMul as _, Gcd as _};
use crypto_bigint::{NonZero, RandomBits as _};
use crypto_primes::hazmat::{SetBits, SmallFactorsSieveFactory};
use crypto_primes::{Flavor, sieve_and_find};
use peers_rpc::kernel::rand_core::CryptoRng;

/// Up to this size primes are drawn one by one. The library's sieve walks on from a random place,
/// which prefers primes behind wide gaps, and of two bits it knows only the number 3.
const DRAWN_BITS: u32 = 64;

impl Number {
    /// Draws a random number of exactly `bits` bits: the highest one is set.
    ///
    /// # Errors
    /// [`Wrong::RandomSize`] unless `bits` is 1 to [`MAX_MADE`](Self::MAX_MADE).
    pub fn random(bits: u32, rng: &mut impl CryptoRng) -> Result<Self, Wrong> {
        if !(1..=Self::MAX_MADE).contains(&bits) {
            return Err(Wrong::RandomSize { bits });
        }
        let mut value = BoxedUint::random_bits(rng, bits);
        // Of exactly so many bits: what a caller asks for as a size must not come out smaller.
        value.set_bit_vartime(bits - 1, true);
        Ok(value.into())
    }

    /// Draws a random prime of exactly `bits` bits; of up to 64 bits, each of them is as likely.
    /// Before each candidate is tested, which takes at most a tenth of a second, `stop` is asked
    /// whether to give up.
    ///
    /// # Errors
    /// [`Wrong::PrimeSize`] unless `bits` is 2 to [`MAX_MADE`](Self::MAX_MADE), and
    /// [`Wrong::Stopped`].
    pub fn prime(
        bits: u32,
        rng: &mut impl CryptoRng,
        stop: impl Fn() -> bool,
    ) -> Result<Self, Wrong> {
        let wrong = Wrong::PrimeSize { bits };
        if !(2..=Self::MAX_MADE).contains(&bits) {
            return Err(wrong);
        }
        if bits <= DRAWN_BITS {
            return Self::draw_prime(bits, rng, stop);
        }
        let sieve = SmallFactorsSieveFactory::new(Flavor::Any, bits, SetBits::Msb);
        let found = sieve_and_find(rng, sieve.map_err(|_| wrong)?, |_, candidate: &BoxedUint| {
            stop() || crypto_primes::is_prime(Flavor::Any, candidate)
        });
        match found {
            // The sieve takes a candidate for prime where it was told to stop.
            Ok(Some(prime)) if !stop() => Ok(prime.into()),
            Ok(Some(_)) => Err(Wrong::Stopped),
            // Neither happens: sieves of every size are made again and again.
            Ok(None) | Err(_) => Err(wrong),
        }
    }

    /// Draws numbers until one is prime, which takes some 45 attempts at most on average.
    fn draw_prime(
        bits: u32,
        rng: &mut impl CryptoRng,
        stop: impl Fn() -> bool,
    ) -> Result<Self, Wrong> {
        while !stop() {
            let candidate = Self::random(bits, rng)?;
            if candidate.is_prime() {
                return Ok(candidate);
            }
        }
        Err(Wrong::Stopped)
    }

    /// Returns whether it is prime: a strong Fermat test and a Lucas test, for which no
    /// counterexample is known.
    pub fn is_prime(&self) -> bool {
        crypto_primes::is_prime(Flavor::Any, self.as_uint())
    }

    /// Returns the greatest common divisor; with zero, the other number.
    pub fn gcd(&self, other: &Self) -> Self {
        self.as_uint().gcd_vartime(other.as_uint()).into()
    }

    /// Returns the number below `modulus` whose product with this one leaves 1 when divided by
    /// `modulus`; zero modulo 1.
    ///
    /// # Errors
    /// [`Wrong::ZeroModulus`], and [`Wrong::NoInverse`] if there is a common divisor.
    pub fn inverse(&self, modulus: &Self) -> Result<Self, Wrong> {
        let divisor = nonzero(modulus)?;
        if *modulus == Self::from(1) {
            return Ok(Self::from(0)); // the library finds none
        }
        // The library wants both in the same number of limbs, which a remainder has.
        let rest = self.as_uint().rem_vartime(&divisor);
        rest.invert_mod(&divisor).into_option().map(Self::from).ok_or(Wrong::NoInverse)
    }

    /// Returns the product.
    pub fn times(&self, other: &Self) -> Self {
        self.as_uint().concatenating_mul(other.as_uint()).into()
    }

    /// Returns what a division by `modulus` leaves.
    ///
    /// # Errors
    /// [`Wrong::ZeroModulus`].
    pub fn modulo(&self, modulus: &Self) -> Result<Self, Wrong> {
        Ok(self.as_uint().rem_vartime(&nonzero(modulus)?).into())
    }
}

fn nonzero(modulus: &Number) -> Result<NonZero<BoxedUint>, Wrong> {
    NonZero::new(modulus.as_uint().clone()).into_option().ok_or(Wrong::ZeroModulus)
}

#[cfg(test)]
mod tests {
    use super::*;
    use peers_rpc::Kernel;
    use peers_rpc::kernel::ForkedRng;
    use std::cell::Cell;
    use std::collections::{BTreeMap, BTreeSet};

    fn number(digits: &str) -> Number {
        digits.parse().unwrap()
    }

    fn rng(seed: u64) -> ForkedRng {
        Kernel::simulated(seed).handle().fork_rng()
    }

    fn prime(bits: u32, seed: u64) -> Number {
        Number::prime(bits, &mut rng(seed), || false).unwrap()
    }

    fn two_to(exponent: u32) -> Number {
        (0..exponent).fold(Number::from(1), |power, _| power.times(&Number::from(2)))
    }

    /// Prime, random, inverse: the numbers of the tutorial's two sessions.
    const SESSIONS: [[&str; 3]; 2] = [
        [
            "12068422012452744968096837547639050499594087024524176583093086680791894346605120917694374287010367045349810390926689908068593873835446912789114144316967359",
            "10172755187064037739448500743181605864161965005492925665166382699590434163638818363550123450365116104270303944864564324315158536436364807359880436581613473",
            "942362325943225370416552034194312248757903371826682469965310319026011172822534055304186507767388246541320777469968038746657763984432315922913161956294421",
        ],
        [
            "10853953617286470467569594467523706933280909558986424713789151746096643341929749658492544483416591962814591265070242229709700276777416652647195377763542557",
            "10197091234158423420892120848853851004472189026997424569111473008052749393433458441819269693787141639420540421834243361130855009463414655727596281875439852",
            "1354799878906943213183576162210890254076247291409268705150089956477317466508528448763953659353497437939139883892953960404515802199097750140274195747810645",
        ],
    ];

    #[test]
    fn the_tutorials_numbers_are_what_it_says() {
        for [x, y, z] in SESSIONS.map(|session| session.map(number)) {
            assert_eq!((x.bits(), x.is_prime()), (512, true));
            assert_eq!(x.gcd(&y), Number::from(1));
            assert_eq!(y.inverse(&x), Ok(z.clone()));
            assert_eq!(z.times(&y).modulo(&x), Ok(Number::from(1)));
        }
    }

    #[test]
    fn primes_are_told_from_what_pretends_to_be_prime() {
        for prime in [2, 3, 5, 65_537, 4_294_967_291, 18_446_744_073_709_551_557] {
            assert!(Number::from(prime).is_prime(), "{prime}");
        }
        // Carmichael numbers; squares and others that pass the test to base 2; one that passes it
        // to 2, 3, 5 and 7.
        for composite in [561, 41_041, 2_047, 1_194_649, 12_327_121, 3_215_031_751] {
            assert!(!Number::from(composite).is_prime(), "{composite}");
        }
        for conventional in [0, 1, 4, 9] {
            assert!(!Number::from(conventional).is_prime(), "{conventional}");
        }
        let mersenne = |exponent| {
            let power = two_to(exponent);
            Number::from(power.as_uint().wrapping_sub(BoxedUint::one())).is_prime()
        };
        assert!(mersenne(127) && mersenne(521) && !mersenne(67) && !mersenne(523));
    }

    #[test]
    fn common_divisors() {
        let factorial = (1..=60).fold(Number::from(1), |f, n| f.times(&Number::from(n)));
        assert_eq!(factorial.gcd(&two_to(300)), two_to(56));
        for (x, y, divisor) in
            [(12, 90, 6), (90, 12, 6), (0, 90, 90), (90, 0, 90), (0, 0, 0), (7, 7, 7)]
        {
            assert_eq!(Number::from(x).gcd(&Number::from(y)), Number::from(divisor), "{x}, {y}");
        }
    }

    #[test]
    fn inverses_of_every_kind_of_modulus() {
        let inverse = |u: &str, v: &str| number(u).inverse(&number(v)).map(|z| z.to_string());
        assert_eq!(inverse("3", "11").unwrap(), "4");
        assert_eq!(inverse("14", "11").unwrap(), "4", "larger than the modulus");
        assert_eq!(inverse("3", "18446744073709551616").unwrap(), "12297829382473034411", "even");
        assert_eq!(
            inverse(
                "1361129467683753853853498429727072845825",
                "1000000000000000000000000000000000000003"
            )
            .unwrap(),
            "657528160008374380159574005695040092050",
        );
        assert_eq!(inverse("5", "1").unwrap(), "0", "every number is the same modulo 1");
        assert_eq!(inverse("6", "9"), Err(Wrong::NoInverse));
        assert_eq!(inverse("0", "9"), Err(Wrong::NoInverse));
        assert_eq!(inverse("6", "0"), Err(Wrong::ZeroModulus));
        assert_eq!(Number::from(6).modulo(&Number::from(0)), Err(Wrong::ZeroModulus));
    }

    #[test]
    fn random_numbers_have_exactly_as_many_bits_as_asked_for() {
        let mut rng = rng(7);
        for bits in [1, 2, 7, 8, 63, 64, 65, 512, Number::MAX_MADE] {
            assert_eq!(Number::random(bits, &mut rng).unwrap().bits(), bits);
        }
        for bits in [0, Number::MAX_MADE + 1, u32::MAX] {
            assert_eq!(Number::random(bits, &mut rng), Err(Wrong::RandomSize { bits }));
        }
    }

    #[test]
    fn random_primes_are_prime_and_of_that_size() {
        for bits in [2, 3, 4, 5, 8, 16, 31, 32, 33, 63, 64, 65, 128, 256] {
            let prime = prime(bits, u64::from(bits));
            assert!(prime.bits() == bits && prime.is_prime(), "{bits}: {prime}");
        }
        for bits in [0, 1, Number::MAX_MADE + 1, u32::MAX] {
            let made = Number::prime(bits, &mut rng(1), || false);
            assert_eq!(made, Err(Wrong::PrimeSize { bits }));
        }
    }

    /// Counts how often each value comes, of `draws` that are made with one generator.
    fn counts(draws: u32, mut draw: impl FnMut(&mut ForkedRng) -> Number) -> BTreeMap<u64, u32> {
        let (mut rng, mut counts) = (rng(11), BTreeMap::new());
        for _ in 0..draws {
            let value: u64 = draw(&mut rng).to_string().parse().unwrap();
            *counts.entry(value).or_default() += 1;
        }
        counts
    }

    /// All values come, about as often as each other: within half of their fair share.
    fn assert_even(counts: &BTreeMap<u64, u32>, values: &[u64], each: u32) {
        assert!(counts.keys().eq(values), "{counts:?} instead of {values:?}");
        let fair = each / 2..each + each / 2;
        assert!(counts.values().all(|count| fair.contains(count)), "{counts:?}");
    }

    #[test]
    fn each_prime_of_a_small_size_is_as_likely() {
        for bits in 2..=8 {
            let range = 1_u64 << (bits - 1)..1 << bits;
            let primes: Vec<u64> = range.filter(|n| (2..*n).all(|d| n % d != 0)).collect();
            let draws = 200 * u32::try_from(primes.len()).unwrap();
            let counts = counts(draws, |rng| Number::prime(bits, rng, || false).unwrap());
            assert_even(&counts, &primes, 200);
        }
    }

    #[test]
    fn each_number_of_a_small_size_is_as_likely() {
        for bits in 1..=6 {
            let numbers: Vec<u64> = (1_u64 << (bits - 1)..1 << bits).collect();
            let draws = 200 * u32::try_from(numbers.len()).unwrap();
            let counts = counts(draws, |rng| Number::random(bits, rng).unwrap());
            assert_even(&counts, &numbers, 200);
        }
    }

    #[test]
    fn primes_are_found_on_both_sides_of_the_size_up_to_which_they_are_drawn() {
        for bits in [DRAWN_BITS - 1, DRAWN_BITS, DRAWN_BITS + 1] {
            let found: BTreeSet<String> =
                (0..8).map(|seed| prime(bits, seed).to_string()).collect();
            assert_eq!(found.len(), 8, "eight seeds, eight primes of {bits} bits: {found:?}");
            assert_eq!(Number::prime(bits, &mut rng(1), || true), Err(Wrong::Stopped));
        }
    }

    #[test]
    fn the_same_seed_makes_the_same_prime() {
        assert_eq!(prime(128, 3), prime(128, 3));
        assert_ne!(prime(128, 3), prime(128, 4));
    }

    #[test]
    fn a_search_gives_up_between_two_candidates() {
        let asked = Cell::new(0);
        let stop = || {
            asked.set(asked.get() + 1);
            asked.get() > 3
        };
        // Three candidates in a row are hardly ever all composite, or one of them prime, by this
        // seed.
        assert_eq!(Number::prime(Number::MAX_MADE, &mut rng(7), stop), Err(Wrong::Stopped));
        assert_eq!(asked.get(), 5, "three candidates, the fourth not tested, and the last look");
    }
}
