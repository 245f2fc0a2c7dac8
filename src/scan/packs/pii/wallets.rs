//! Addresses of coins, which lead to people.

use aws_lc_rs::digest::{SHA256, digest};

use super::super::super::matcher::kind::{Check, Kind, Left, Shape};
use super::super::super::matcher::number::{Asked, Number};
use super::super::super::matcher::seal;
use super::super::sample::Draw;
use super::free;

numbers! {
    "bitcoin" Medium "address of Bitcoin, Litecoin, Dogecoin or Tron"
    [free("[13LMDT]n{24}n?{9}"), free("bc1[02-9ac-hj-np-z]{39}[02-9ac-hj-np-z]?{20}"), free("ltc1[02-9ac-hj-np-z]{39}[02-9ac-hj-np-z]?{20}")] []
    "base58check, bech32, bech32m" is_coin,
    not ["1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa" "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2" "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy"
         "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4" "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"];

    "ethereum" Medium "address of Ethereum and of what runs on it"
    [free("0[x]h{40}")] []
    "EIP-55 where it is of both cases" is_ethereum,
    not ["0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed" "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359" "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB"
         "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb" "0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045"];
}

/// The letters of base58, by their value.
const BASE58: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

fn is_coin(text: &[u8]) -> bool {
    let bech32 = ["bc1", "ltc1"]
        .into_iter()
        .find_map(|name| Some((name, text.strip_prefix(name.as_bytes())?)));
    match bech32 {
        // BIP 173 and BIP 350: what a whole string leaves.
        Some((name, data)) => {
            let rest = seal::bech32(name, &data.to_ascii_uppercase());
            matches!(rest, Some(1 | 0x2BC8_30A3))
        }
        None => is_base58check(text),
    }
}

/// A version, 20 bytes, and the first four of their double SHA-256.
fn is_base58check(text: &[u8]) -> bool {
    let Some(bytes) = base58(text) else {
        return false;
    };
    let Some((payload, check)) = bytes.split_last_chunk::<4>() else {
        return false;
    };
    let twice = digest(&SHA256, digest(&SHA256, payload).as_ref());
    twice.as_ref().starts_with(check)
}

/// The 25 bytes of an address.
fn base58(text: &[u8]) -> Option<[u8; 25]> {
    let mut bytes = [0_u8; 25];
    for letter in text {
        let value = BASE58.iter().position(|known| known == letter)?;
        let mut carry = u32::try_from(value).ok()?;
        for byte in bytes.iter_mut().rev() {
            carry += u32::from(*byte) * 58;
            let [low, ..] = carry.to_le_bytes();
            *byte = low;
            carry >>= 8;
        }
        if carry != 0 {
            return None;
        }
    }
    Some(bytes)
}

/// A made-up address of the oldest kind.
pub(in crate::scan::packs) fn drawn(draw: &mut Draw) -> String {
    let mut bytes = [0_u8; 25];
    for (to, from) in bytes.iter_mut().skip(1).zip(draw.bytes(20)) {
        *to = from;
    }
    let payload = bytes.first_chunk::<21>().copied().unwrap_or_default();
    let twice = digest(&SHA256, digest(&SHA256, &payload).as_ref());
    for (to, from) in bytes.iter_mut().skip(21).zip(twice.as_ref()) {
        *to = *from;
    }
    let mut letters = Vec::new();
    while bytes.iter().any(|byte| *byte != 0) {
        let mut rest = 0_u32;
        for byte in &mut bytes {
            let value = rest << 8 | u32::from(*byte);
            *byte = u8::try_from(value / 58).unwrap_or_default();
            rest = value % 58;
        }
        letters.extend(BASE58.get(rest as usize).map(|letter| char::from(*letter)));
    }
    letters.push('1');
    letters.into_iter().rev().collect()
}

/// EIP-55: a letter is a capital where the hash of the small letters has a nibble of 8 or more.
fn is_ethereum(text: &[u8]) -> bool {
    let Some(body) = text.strip_prefix(b"0x") else {
        return false;
    };
    let has = |is: fn(&u8) -> bool| body.iter().any(is);
    if !(has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase)) {
        return true;
    }
    let hash = keccak256(&body.to_ascii_lowercase());
    let nibbles = hash.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    body.iter().zip(nibbles).all(|(byte, nibble)| {
        !byte.is_ascii_alphabetic() || byte.is_ascii_uppercase() == (nibble > 7)
    })
}

/// Keccak-256 as Ethereum has it, of less than a block.
fn keccak256(text: &[u8]) -> [u8; 32] {
    const RATE: usize = 136;
    let mut block = [0_u8; 200];
    for (to, from) in block.iter_mut().zip(text) {
        *to = *from;
    }
    for (place, mark) in [(text.len(), 1), (RATE - 1, 0x80)] {
        if let Some(byte) = block.get_mut(place) {
            *byte ^= mark;
        }
    }
    let (words, _) = block.as_chunks::<8>();
    let mut state = [0_u64; 25];
    for (to, from) in state.iter_mut().zip(words) {
        *to = u64::from_le_bytes(*from);
    }
    keccak::Keccak::new().with_f1600(|f1600| f1600(&mut state));
    let mut hash = [0; 32];
    let bytes = state.iter().flat_map(|word| word.to_le_bytes());
    for (to, from) in hash.iter_mut().zip(bytes) {
        *to = from;
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_match_published_vectors() {
        for address in [
            "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
            "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy",
            "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
            "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
        ] {
            assert!(is_coin(address.as_bytes()), "{address}");
            let wrong = address.replace(['1', '5'], "7");
            assert!(!is_coin(wrong.as_bytes()), "{wrong}");
        }
        // From EIP-55.
        assert!(is_ethereum(b"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"));
        assert!(is_ethereum(b"0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb"));
        assert!(!is_ethereum(b"0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"));
        assert!(is_ethereum(b"0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed"));
    }
}
