//! The group against its formula, by another's arithmetic.

use num_bigint::BigUint;

use super::*;

fn p() -> BigUint {
    BigUint::from_bytes_be(P.to_be_bytes().as_ref())
}

/// Whether `number` passes as a prime before these witnesses. One power each tells (Miller and Rabin), if the number is
/// 3 modulo 4.
fn is_prime(number: &BigUint) -> bool {
    assert_eq!(number % 4_u8, BigUint::from(3_u8));
    let one = BigUint::from(1_u8);
    let less = number - &one;
    [2_u8, 3, 5, 7, 11, 13, 17, 19].into_iter().all(|witness| {
        let power = BigUint::from(witness).modpow(&(&less / 2_u8), number);
        power == one || power == less
    })
}

#[test]
fn p_is_what_its_formula_says() {
    let two = |exponent: u32| BigUint::from(1_u8) << exponent;
    // floor(2^1919 * sqrt 2) is the root of 2 * 4^1919.
    let root = two(2 * 1919 + 1).sqrt();
    let formula = two(2048) - two(1984) - 1_u8 + two(64) * (root + 3_215_507_u32);
    assert_eq!(p(), formula);
    assert_eq!((p().bits(), BYTES), (2048, 256));
}

#[test]
fn p_is_a_safe_prime_and_2_has_prime_order() {
    let half = (p() - 1_u8) / 2_u8;
    assert!(is_prime(&p()) && is_prime(&half));
    assert_eq!(BigUint::from(G).modpow(&half, &p()), BigUint::from(1_u8));
    assert_eq!(p() % 8_u8, BigUint::from(7_u8));
    assert!(!is_prime(&(p() - 4_u8)), "the test of primes does not take everything");
}

#[test]
fn the_parameters_are_p_and_g_and_nothing_else() {
    let text = parameters();
    assert!(text.starts_with("-----BEGIN DH PARAMETERS-----\nMIIBCAKCAQEA//////////+1BPMz+d5k"), "{text}");
    assert!(text.ends_with("wIBAg==\n-----END DH PARAMETERS-----\n"), "{text}");
    assert!(text.lines().all(|line| line.len() <= 64));
    let der = pem::decode(text.as_bytes(), LABEL).unwrap();
    let group = asn1::group(&der).unwrap();
    assert_eq!((group.p, group.g, group.private_length), (P.to_be_bytes().as_ref(), &[2][..], None));
}
