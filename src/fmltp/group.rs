//! The group in which keys are agreed on ("Group").
//!
//! Generator 2, modulo the first safe prime of the form
//! 2^2048 - 2^1984 - 1 + 2^64 * (floor(2^1919 * sqrt 2) + k), which is that of k = 3215507. Nobody can have chosen it to have
//! a trapdoor, and it is none that OpenSSL knows by name: those make it write keys in another form than PKCS #3 has.
//!
//! The prime is 7 modulo 8, so 2 generates the subgroup of prime order (p - 1) / 2: a public key of ours
//! tells nothing about its secret, not even whether that is even.

use std::sync::LazyLock;

use crypto_bigint::modular::FixedMontyParams;
use crypto_bigint::{Odd, U2048};

use super::{asn1, pem};

/// How long p is, in bytes.
pub const BYTES: usize = U2048::BYTES;
/// The generator.
pub const G: u8 = 2;

/// The label of the parameters' PEM block.
pub const LABEL: &str = "DH PARAMETERS";

/// p, and what arithmetic modulo p needs.
pub(super) const ARITHMETIC: FixedMontyParams<{ U2048::LIMBS }> =
    FixedMontyParams::new_vartime(Odd::<U2048>::from_be_hex(
        "FFFFFFFFFFFFFFFFB504F333F9DE6484597D89B3754ABE9F1D6F60BA893BA84C\
         ED17AC85833399154AFC83043AB8A2C3A8B1FE6FDC83DB390F74A85E439C7B4A\
         780487363DFA2768D2202E8742AF1F4E53059C6011BC337BCAB1BC911688458A\
         460ABC722F7C4E33C6D5A8A38BB7E9DCCB2A634331F3C84DF52F120F836E582E\
         EAA4A0899040CA4A81394AB6D8FD0EFDF4D3A02CEBC93E0C4264DABCD528B651\
         B8CF341B6F8236C70104DC01FE32352F332A5E9F7BDA1EBFF6A1BE3FCA221307\
         DEA06241F7AA81C2C1FCBDDEA2F7DC3318838A2EAFF5F3B2D24F4A763FACB882\
         FDFE170FD3B1F780F9ACCE41797F2805C246785E92C680B5FFFFFFFFFFFFFFFF",
    ));

/// p as a number.
pub(super) const P: &U2048 = ARITHMETIC.modulus().as_ref();

/// The group in the form of PKCS #3, without the `privateValueLength`, as DER.
pub fn der() -> &'static [u8] {
    static DER: LazyLock<Vec<u8>> = LazyLock::new(|| asn1::group_der(P.to_be_bytes().as_ref(), &[G]));
    &DER
}

/// The group in the form of PKCS #3, without the `privateValueLength`, as a PEM block: what a client is sent.
pub fn parameters() -> &'static str {
    static PEM: LazyLock<String> = LazyLock::new(|| pem::encode(LABEL, der()));
    &PEM
}

#[cfg(test)]
mod tests;
