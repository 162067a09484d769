use super::*;
use crate::wire::random::Random;

fn read(text: &str) -> Result<(String, Vec<u8>), KeyError> {
    let block = first(text.as_bytes())?;
    Ok((String::from_utf8(block.label.to_vec()).unwrap(), block.decode()?.to_vec()))
}

#[test]
fn blocks_are_read_however_they_are_wrapped() {
    let table = [
        "-----BEGIN A B-----\nQUJD\n-----END A B-----\n",
        "-----BEGIN A B-----\r\nQUJD\r\n-----END A B-----\r\n",
        "-----BEGIN A B-----\rQUJD\r-----END A B-----",
        "-----BEGIN A B-----\n\n\nQU\n\nJD\n\n-----END A B-----\n\n",
        "-----BEGIN A B-----QUJD-----END A B-----",
        "-----BEGIN A B----- Q U J D -----END A B-----",
        "Bag Attributes\n  x: 1\n-----BEGIN A B-----\nQUJD\n-----END A B-----\ntrailing",
        "----- -----BEGIN A B-----\nQUJD\n-----END A B-----\n-----BEGIN C-----",
    ];
    for text in table {
        assert_eq!(read(text), Ok(("A B".to_owned(), b"ABC".to_vec())), "{text:?}");
    }
    assert_eq!(read("-----BEGIN -----\n-----END -----"), Ok((String::new(), Vec::new())));
}

#[test]
fn what_is_no_block_is_refused() {
    let table = [
        ("", KeyError::NoBlock),
        ("MIIB", KeyError::NoBlock),
        ("----BEGIN A-----", KeyError::NoBlock),
        ("-----begin A-----\n-----end A-----", KeyError::NoBlock),
        ("x-----BEGIN A", KeyError::NoEnd { at: 1 }),
        ("-----BEGIN A-----", KeyError::NoEnd { at: 0 }),
        ("-----BEGIN A-----\nQUJD\n", KeyError::NoEnd { at: 0 }),
        ("-----BEGIN A-----\nQUJD\n-----END B-----", KeyError::NoEnd { at: 0 }),
        ("-----BEGIN A-----\nQUJD\n-----END AA-----", KeyError::NoEnd { at: 0 }),
        ("-----BEGIN A-----\nQUJD\n-----END A----", KeyError::NoEnd { at: 0 }),
        (
            "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: DES-EDE3-CBC,00\n\nQUJD\n-----END RSA PRIVATE KEY-----",
            KeyError::LegacyEncryption,
        ),
    ];
    for (text, expected) in table {
        assert_eq!(read(text), Err(expected), "{text:?}");
    }
    let Err(KeyError::Body(error)) = read("..-----BEGIN A-----\nQU*D\n-----END A-----") else { panic!() };
    assert_eq!(error.at, 22);
}

#[test]
fn what_is_longer_than_any_key_is_not_even_looked_at() {
    let text = format!("{}-----BEGIN A-----QUJD-----END A-----", " ".repeat(BLOCK_LIMIT));
    assert_eq!(read(&text), Err(KeyError::TooLong));
    assert!(read(&text[36..]).is_ok());
}

#[test]
fn what_is_written_is_read_again() {
    for length in [0, 1, 2, 3, 47, 48, 49, 95, 96, 97, 1000] {
        let contents: Vec<u8> = (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let text = encode("A KEY", &contents);
        assert!(text.lines().all(|line| line.len() <= 64) && text.ends_with("-----END A KEY-----\n"));
        assert_eq!(read(&text), Ok(("A KEY".to_owned(), contents)));
        assert!(
            text.capacity() - text.len() < 8,
            "no copy is left behind: {} {}",
            text.capacity(),
            text.len()
        );
    }
}

#[test]
fn damaged_blocks_are_no_reason_to_panic() {
    let text = encode("PUBLIC KEY", &[7; 100]);
    let end = text.trim_end().len();
    for prefix in 0..end {
        assert!(read(&text[..prefix]).is_err(), "{prefix}");
    }
    let mut random = Random::new(23);
    for _ in 0..20_000 {
        let damaged = random.mutate(text.as_bytes());
        if let Ok(block) = first(&damaged) {
            let _ = block.decode();
        }
    }
}
