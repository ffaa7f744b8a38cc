//! Agreement with the vectors of `tests/vectors`, which another implementation wrote.

use crust_core::{PeerId, Role};
use data_encoding::HEXLOWER;
use serde_json::Value;

use crate::{
    Cipher, Handshake, Identity, Keyed, Keys, NetworkKey, Opened, Opener, Sealer,
    epoch::{HEADER_LEN, RECORD_OVERHEAD, TAG_LEN},
    kdf::Secret,
    random::Random,
    resolver::X25519,
};

#[test]
fn network_keys_agree() {
    let vectors = read(include_str!("../tests/vectors/network_key.json"));
    for vector in each(&vectors) {
        let name = vector["name"].as_str().unwrap();
        let key = NetworkKey::from_name(name);
        assert_eq!(*key.as_bytes(), array(&vector["key"]), "{name}");
    }
}

#[test]
fn records_of_both_ciphers_agree_through_changes_of_keys() {
    let vectors = read(include_str!("../tests/vectors/records.json"));
    for vector in each(&vectors) {
        let cipher = cipher(&vector["cipher"]);
        let interval = vector["interval"].as_u64().unwrap();
        let secret = Secret::new(array(&vector["records"][0]["secret"]));
        let mut sealer = Sealer::with_interval(cipher, &secret, interval);
        let mut opener = Opener::with_interval(cipher, &secret, interval);
        for record in each(&vector["records"]) {
            let text = (!record["text"].is_null()).then(|| hex(&record["text"]));
            let wire = seal(&mut sealer, text.as_deref());
            assert_eq!(wire, hex(&record["wire"]), "{record}");
            assert_eq!(open(&mut opener, wire), text, "{record}");
        }
    }
}

#[test]
fn every_byte_of_a_handshake_agrees() {
    let vectors = read(include_str!("../tests/vectors/handshake.json"));
    for vector in each(&vectors) {
        let network = NetworkKey::from_bytes(array(&vector["network_key"]));
        let [first, answer, proof] = [0, 1, 2].map(|i| hex(&vector["wire"][i]));
        let expect = PeerId::from_bytes(array(&vector["listener"]["peer_id"]));
        let (keys, random) = end(&vector["dialer"], Role::Dialer, &network);
        let mut dialer = Handshake::dialer_with(&keys, Some(expect), random);
        let (keys, random) = end(&vector["listener"], Role::Listener, &network);
        let mut listener = Handshake::listener_with(&keys, random);

        assert_eq!(dialer.poll_output(), Some(first.clone()));
        listener.handle_input(&first).unwrap();
        assert_eq!(listener.poll_output(), Some(answer.clone()));
        dialer.handle_input(&answer).unwrap();
        assert_eq!(dialer.poll_output(), Some(proof.clone()));
        listener.handle_input(&proof).unwrap();

        let (mut near, mut far) = (dialer.poll_keyed().unwrap(), listener.poll_keyed().unwrap());
        let dialed = PeerId::from_bytes(array(&vector["dialer"]["peer_id"]));
        assert_eq!((near.peer, far.peer), (expect, dialed));
        let cipher = cipher(&vector["cipher"]);
        assert_eq!((near.cipher, far.cipher), (cipher, cipher));
        pass(&mut near, &mut far, &vector["first_records"]["dialer"]);
        pass(&mut far, &mut near, &vector["first_records"]["listener"]);
    }
}

/// The keys of one end, and its random bytes in the order in which it draws them.
fn end(vector: &Value, role: Role, network: &NetworkKey) -> (Keys, Random) {
    let identity = Identity::from_seed(&array(&vector["identity_seed"]));
    let static_key = X25519::from_private(array(&vector["noise_static"]));
    let keys = Keys::with_static_key(&identity, network.clone(), static_key)
        .with_aes(vector["has_aes"].as_bool().unwrap());
    let (salt, ephemeral) = (hex(&vector["salt"]), hex(&vector["noise_ephemeral"]));
    let mut script = match role {
        Role::Dialer => [salt, ephemeral].concat(),
        Role::Listener => [ephemeral, salt].concat(),
    };
    for padding in each(&vector["paddings"]).map(hex) {
        script.push(padding.len().try_into().unwrap());
        script.extend(padding);
    }
    (keys, Random::script(&script))
}

fn pass(from: &mut Keyed, to: &mut Keyed, record: &Value) {
    let text = hex(&record["text"]);
    let wire = seal(&mut from.sealer, Some(&text));
    assert_eq!(wire, hex(&record["wire"]));
    assert_eq!(open(&mut to.opener, wire), Some(text));
}

/// Seals a text, or a close.
fn seal(sealer: &mut Sealer, text: Option<&[u8]>) -> Vec<u8> {
    let Some(text) = text else {
        let mut record = [0; RECORD_OVERHEAD];
        sealer.seal_close(&mut record);
        return record.to_vec();
    };
    let mut record = [&[0; HEADER_LEN], text, &[0; TAG_LEN]].concat();
    sealer.seal(&mut record);
    record
}

fn open(opener: &mut Opener, mut record: Vec<u8>) -> Option<Vec<u8>> {
    match opener.open(&mut record).unwrap() {
        Opened::Close => None,
        Opened::Data(text) => Some(text.to_vec()),
    }
}

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn each(value: &Value) -> impl Iterator<Item = &Value> {
    let values = value.as_array().unwrap();
    assert!(!values.is_empty());
    values.iter()
}

fn hex(value: &Value) -> Vec<u8> {
    HEXLOWER.decode(value.as_str().unwrap().as_bytes()).unwrap()
}

fn array<const N: usize>(value: &Value) -> [u8; N] {
    hex(value).try_into().unwrap()
}

fn cipher(value: &Value) -> Cipher {
    [Cipher::Aes256Gcm, Cipher::ChaCha20Poly1305]
        .into_iter()
        .find(|cipher| cipher.to_string() == value.as_str().unwrap())
        .unwrap()
}
