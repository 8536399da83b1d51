//! Records against RFC 8448, and against everything that is none.

#![allow(clippy::unwrap_used, reason = "in a test, what must work may panic")]

use super::*;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

fn secret(text: &str) -> [u8; 32] {
    hex(text).try_into().unwrap()
}

fn records(role: Role) -> Records {
    let secrets = Secrets { dialler: &[1; 32], listener: &[2; 32] };
    Records::new(Library::Graviola, role, &secrets, PublicKey([0; 32]))
}

fn both() -> (Records, Records) {
    (records(Role::Dialler), records(Role::Listener))
}

fn seal(records: &mut Records, text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    records.seal(&[IoSlice::new(text)], 0, text.len(), &mut out).unwrap();
    out
}

fn open(records: &mut Records, wire: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut plain = Vec::new();
    let (taken, _) = records.open(&mut wire.to_vec(), &mut plain)?;
    assert_eq!(taken, wire.len());
    Ok(plain)
}

/// Seals a record as no honest peer would.
fn forged(records: &mut Records, inner: u8, text: &[u8], padding: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let fill = |out: &mut Vec<u8>| {
        out.extend_from_slice(text);
        if padding > 0 {
            out.push(inner);
            out.resize(out.len() + padding - 1, 0);
        }
    };
    records.record(if padding > 0 { 0 } else { inner }, &mut out, fill).unwrap();
    out
}

/// RFC 8448, section 3: what the two ends say after the handshake.
struct Rfc8448 {
    client: [u8; 32],
    server: [u8; 32],
    ticket: Vec<u8>,
    from_client: Vec<u8>,
    from_server: Vec<u8>,
    client_bye: Vec<u8>,
    server_bye: Vec<u8>,
}

impl Rfc8448 {
    fn new() -> Self {
        Self {
            client: secret("9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5"),
            server: secret("a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643"),
            ticket: hex("17030300de3a6b8f90414a97d6959c3487680de5134a2b240e6cffac116e95d4
                1d6af8f6b580dcf3d11d63c758db289a015940252f55713e061dc13e078891a3
                8efbcf5753ad8ef170ad3c7353d16d9da773b9ca7f2b9fa1b6c0d4a3d03f75e0
                9c30ba1e62972ac46f75f7b981be63439b2999ce13064615139891d5e4c5b406
                f16e3fc181a77ca475840025db2f0a77f81b5ab05b94c01346755f69232c8651
                9d86cbeeac87aac347d143f9605d64f650db4d023e70e952ca49fe5137121c74
                bc2697687e248746d6df353005f3bce18696129c8153556b3b6c6779b37bf159
                85684f"),
            from_client: hex("1703030043a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bcab3f
                2b9819a8a5b46b395bd54a9a20441e2b62974e1f5a6292a2977014bd1e3deae6
                3aeebb21694915e4"),
            from_server: hex("17030300432e937e11ef4ac740e538ad36005fc4a46932fc3225d05f82aa1b36
                e30efaf97d90e6dffc602dcb501a59a8fcc49c4bf2e5f0a21c0047c2abf33254
                0dd032e167c2955d"),
            client_bye: hex("1703030013c9872760655666b74d7ff1153efd6db6d0b0e3"),
            server_bye: hex("1703030013b58fd67166ebf599d24720cfbe7efa7a8864a9"),
        }
    }

    fn end(&self, role: Role) -> Records {
        let secrets = Secrets { dialler: &self.client, listener: &self.server };
        Records::new(Library::Graviola, role, &secrets, PublicKey([0; 32]))
    }
}

#[test]
fn keys_are_those_of_rfc_8448() {
    let rfc = Rfc8448::new();
    let client = (hex("17422dda596ed5d9acd890e3c63f5051"), hex("5b78923dee08579033e523d9"));
    let server = (hex("9f02283b6c9c07efc26bb9f2ac92e356"), hex("cf782b88dd83549aadf1e984"));
    let dialler = rfc.end(Role::Dialler);
    assert!(dialler.are_keys((&client.0, &client.1), (&server.0, &server.1)));
    assert!(!dialler.are_keys((&server.0, &server.1), (&client.0, &client.1)));
}

#[test]
fn records_are_those_of_rfc_8448() {
    let (rfc, data) = (Rfc8448::new(), (0..50).collect::<Vec<u8>>());
    let (mut client, mut server) = (rfc.end(Role::Dialler), rfc.end(Role::Listener));
    assert_eq!(open(&mut client, &rfc.ticket), Ok(vec![]), "a ticket is no data");
    assert_eq!(open(&mut client, &rfc.from_server), Ok(data.clone()));
    assert_eq!(open(&mut server, &rfc.from_client), Ok(data.clone()));
    assert_eq!(seal(&mut client, &data), rfc.from_client);
    server.ours.next = 1; // behind the ticket, which we do not send
    assert_eq!(seal(&mut server, &data), rfc.from_server);
    let (mut client_bye, mut server_bye) = (Vec::new(), Vec::new());
    client.close(&mut client_bye);
    server.close(&mut server_bye);
    assert_eq!((&client_bye, &server_bye), (&rfc.client_bye, &rfc.server_bye));
    let mut plain = Vec::new();
    assert_eq!(client.open(&mut server_bye, &mut plain), Ok((24, true)));
    assert_eq!(server.open(&mut client_bye, &mut plain), Ok((24, true)));
    assert!(plain.is_empty());
}

#[test]
fn a_key_lasts_for_so_many_records_and_both_sides_may_change_at_once() {
    let (mut a, mut b) = both();
    a.update_after(3);
    b.update_after(2);
    let (mut keys, mut updates) = (std::collections::BTreeSet::new(), 0);
    for step in 0..20_u8 {
        let (from_a, from_b) = (seal(&mut a, &[step]), seal(&mut b, &[step, step]));
        updates += usize::from(from_a.len() > 23) + usize::from(from_b.len() > 24);
        keys.extend([a.ours.key, b.ours.key]);
        assert_eq!(open(&mut b, &from_a), Ok(vec![step]));
        assert_eq!(open(&mut a, &from_b), Ok(vec![step, step]));
        assert!(a.ours.next <= 4 && b.ours.next <= 3, "counters start anew");
    }
    assert_eq!(updates, 6 + 9);
    assert_eq!(keys.len(), updates + 2);
}

#[test]
fn one_answer_is_given_however_many_ask() {
    let (mut a, mut b) = both();
    for _ in 0..5 {
        let asks = forged(&mut a, HANDSHAKE, &[24, 0, 0, 1, 1], 0);
        a.ours.update(a.library);
        assert_eq!(open(&mut b, &asks), Ok(vec![]));
    }
    let before = b.ours.key;
    let answer = seal(&mut b, b"x");
    assert_ne!(b.ours.key, before);
    assert_eq!(answer.len(), HEADER + 5 + 17 + HEADER + 1 + 17, "one update, one record");
    assert_eq!(open(&mut a, &answer), Ok(b"x".to_vec()));
    assert!(!a.asked, "an answer asks for nothing");
    assert_eq!(seal(&mut b, b"x").len(), HEADER + 1 + 17);
}

#[test]
fn what_is_no_honest_record_ends_the_connection() {
    let ours = Fault::Ours;
    let cases: [(&str, Vec<u8>, Fault); 5] = [
        ("in clear", vec![22, 3, 3, 0, 1, 0], ours(alert::UNEXPECTED_MESSAGE)),
        ("of no kind", vec![0x89, 3, 3, 0, 1, 0], ours(alert::UNEXPECTED_MESSAGE)),
        ("too short", [vec![23, 3, 3, 0, 16], vec![0; 16]].concat(), ours(alert::DECODE_ERROR)),
        ("too long", vec![23, 3, 3, 0x41, 1], ours(alert::RECORD_OVERFLOW)),
        ("made up", [vec![23, 3, 3, 0, 17], vec![7; 17]].concat(), ours(alert::BAD_RECORD_MAC)),
    ];
    for (what, wire, fault) in cases {
        assert_eq!(open(&mut records(Role::Listener), &wire), Err(fault), "{what}");
    }
    for (what, inner, text, fault) in [
        ("of zeros", 0, &[0; 9][..], ours(alert::UNEXPECTED_MESSAGE)),
        ("of another kind", 20, &[1], ours(alert::UNEXPECTED_MESSAGE)),
        ("a long alert", ALERT, &[1, 0, 0], ours(alert::DECODE_ERROR)),
        ("a fatal alert", ALERT, &[2, 40], Fault::Theirs(40)),
        ("a strange update", HANDSHAKE, &[24, 0, 0, 1, 2], ours(alert::ILLEGAL_PARAMETER)),
        ("more behind an update", HANDSHAKE, &[24, 0, 0, 1, 0, 0], ours(alert::UNEXPECTED_MESSAGE)),
        ("half a message", HANDSHAKE, &[24, 0, 0, 2, 0], ours(alert::UNEXPECTED_MESSAGE)),
        ("three bytes", HANDSHAKE, &[24, 0, 0], ours(alert::DECODE_ERROR)),
        ("nothing", HANDSHAKE, &[], ours(alert::UNEXPECTED_MESSAGE)),
        ("another hello", HANDSHAKE, &[1, 0, 0, 0], ours(alert::UNEXPECTED_MESSAGE)),
        ("a ticket for a listener", HANDSHAKE, &[4, 0, 0, 0], ours(alert::UNEXPECTED_MESSAGE)),
        ("too much text", DATA, &[5; LONGEST + 1], ours(alert::RECORD_OVERFLOW)),
    ] {
        let (mut a, mut b) = both();
        let wire = forged(&mut a, inner, text, 0);
        assert_eq!(open(&mut b, &wire), Err(fault), "{what}");
    }
}

#[test]
fn padding_is_read_and_counts() {
    let (mut a, mut b) = both();
    let padded = forged(&mut a, DATA, b"text", 100);
    assert_eq!(open(&mut b, &padded), Ok(b"text".to_vec()));
    let most = forged(&mut a, DATA, b"text", LONGEST - 4);
    assert_eq!(open(&mut b, &most), Ok(b"text".to_vec()));
    let too_much = forged(&mut a, DATA, b"text", LONGEST - 3);
    assert_eq!(open(&mut b, &too_much), Err(Fault::Ours(alert::RECORD_OVERFLOW)));
}

#[test]
fn a_peer_that_sends_no_data_is_heard_for_32_records() {
    for inner in [DATA, HANDSHAKE] {
        let (mut a, mut b) = both();
        let quiet = |a: &mut Records| match inner {
            DATA => forged(a, DATA, &[], 0),
            _ => {
                let update = forged(a, HANDSHAKE, &[24, 0, 0, 1, 1], 0);
                a.ours.update(a.library);
                update
            }
        };
        for _ in 0..2 {
            for _ in 0..32 {
                let record = quiet(&mut a);
                assert_eq!(open(&mut b, &record), Ok(vec![]));
            }
            let data = seal(&mut a, b"data");
            assert!(open(&mut b, &data).is_ok());
        }
        let records: Vec<u8> = (0..33).flat_map(|_| quiet(&mut a)).collect();
        assert_eq!(open(&mut b, &records), Err(Fault::Ours(alert::UNEXPECTED_MESSAGE)));
    }
}

#[test]
fn nothing_follows_the_last_record() {
    let (mut a, mut b) = both();
    let mut wire = seal(&mut a, b"last words");
    a.close(&mut wire);
    let len = wire.len();
    a.close(&mut wire);
    a.fail(alert::INTERNAL_ERROR, &mut wire);
    assert_eq!(wire.len(), len);
    let mut none = Vec::new();
    assert_eq!(a.seal(&[IoSlice::new(b"x")], 0, 1, &mut none), Err(Fault::Over));
    wire.extend_from_slice(b"whatever");
    let mut plain = Vec::new();
    assert_eq!(b.open(&mut wire, &mut plain), Ok((len + 8, true)));
    assert_eq!(plain, b"last words");
}

proptest::proptest! {
    #[test]
    fn no_nonce_is_used_twice_with_a_key(limit in 1_u32..9, lengths in proptest::collection::vec(0_usize..40, 1..60)) {
        let (mut a, mut b) = both();
        a.update_after(limit);
        let mut used = std::collections::BTreeSet::new();
        for len in lengths {
            let wire = seal(&mut a, &vec![7; len]);
            // The record just made, by the key it was made with.
            proptest::prop_assert!(used.insert((a.ours.key, a.ours.next)));
            proptest::prop_assert_eq!(open(&mut b, &wire).unwrap(), vec![7; len]);
        }
    }

    #[test]
    fn parts_are_gathered_from_any_place(
        parts in proptest::collection::vec(proptest::collection::vec(0_u8.., 0..20), 0..8),
        from in 0_usize..80,
        len in 0_usize..80,
    ) {
        let whole = parts.concat();
        let (from, len) = (from.min(whole.len()), len.min(whole.len() - from.min(whole.len())));
        let slices: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
        let (mut a, mut b) = both();
        let mut out = Vec::new();
        a.seal(&slices, from, len, &mut out).unwrap();
        proptest::prop_assert_eq!(&open(&mut b, &out).unwrap()[..], &whole[from..from + len]);
    }

    #[test]
    fn what_is_owed_is_what_a_record_lacks(bytes in proptest::collection::vec(0_u8.., 0..40)) {
        let (mut a, _) = both();
        let wire = seal(&mut a, &bytes);
        for cut in 0..wire.len() {
            let missing = if cut < HEADER { HEADER - cut } else { wire.len() - cut };
            proptest::prop_assert_eq!(owed(&wire[..cut]), missing);
        }
        proptest::prop_assert_eq!(owed(&wire), 0);
    }
}

#[cfg(feature = "aws-lc-rs")]
#[test]
fn both_libraries_make_the_same_records() {
    let secrets = Secrets { dialler: &[1; 32], listener: &[2; 32] };
    let make = |library, role| Records::new(library, role, &secrets, PublicKey([0; 32]));
    let mut wires = [Library::Graviola, Library::AwsLc].map(|library| {
        let mut records = make(library, Role::Dialler);
        records.update_after(2);
        (0..5).flat_map(|step| seal(&mut records, &[step; 100])).collect::<Vec<u8>>()
    });
    assert_eq!(wires[0], wires[1]);
    let mut listener = make(Library::AwsLc, Role::Listener);
    assert_eq!(open(&mut listener, &wires[0]).unwrap().len(), 500);
    let mut listener = make(Library::AwsLc, Role::Listener);
    let last = wires[1].len() - 1;
    wires[1][last] ^= 1;
    assert_eq!(open(&mut listener, &wires[1]), Err(Fault::Ours(alert::BAD_RECORD_MAC)));
}
