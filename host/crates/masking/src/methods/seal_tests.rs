use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use proptest::prelude::*;

use super::super::vectors::unhex;
use super::*;

/// RFC 9180, appendix A.2.1: base mode of this suite, its one vector that applies. Of its values
/// all three exports are compared, and the six encryptions by its key and nonces with the AEAD.
#[test]
fn the_vector_of_the_rfc_holds() {
    let private = unhex("8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb");
    let opener = Opener::new(&private).unwrap();
    assert_eq!(
        opener.public_key().to_vec(),
        unhex("4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a")
    );
    let enc = unhex("1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a");
    let enc: [u8; 32] = enc.try_into().unwrap();
    let info = unhex("4f6465206f6e2061204772656369616e2055726e");
    let exports = [
        (
            "",
            "4bbd6243b8bb54cec311fac9df81841b6fd61f56538a775e7c80a9f40160606e",
        ),
        (
            "00",
            "8c1df14732580e5501b00f82b10a1647b40713191b7c1240ac80e2b68808ba69",
        ),
        (
            "54657374436f6e74657874",
            "5acb09211139c43b3090489a9da433e8a30ee7188ba8b0a9a1ccf0c229283e53",
        ),
    ];
    for (context, expected) in exports {
        let mut exported = [0; 32];
        opener
            .export(&enc, &info, &unhex(context), &mut exported)
            .unwrap();
        assert_eq!(exported.to_vec(), unhex(expected));
    }
    let key = unhex("ad2744de8e17f4ebba575b3f5f5a8fa1f69c2a07f6e7500bc60ca6e3e3ec1c91");
    let cipher = ChaCha20Poly1305::new_from_slice(&key).unwrap();
    let encryptions = [
        (
            "436f756e742d30",
            "7f",
            "1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28",
        ),
        (
            "436f756e742d31",
            "7e",
            "6b53c051e4199c518de79594e1c4ab18b96f081549d45ce015be002090bb119e85285337cc95ba5f59992dc98c",
        ),
        (
            "436f756e742d32",
            "7d",
            "71146bd6795ccc9c49ce25dda112a48f202ad220559502cef1f34271e0cb4b02b4f10ecac6f48c32f878fae86b",
        ),
        (
            "436f756e742d34",
            "7b",
            "63357a2aa291f5a4e5f27db6baa2af8cf77427c7c1a909e0b37214dd47db122bb153495ff0b02e9e54a50dbe16",
        ),
        (
            "436f756e742d323535",
            "80",
            "18ab939d63ddec9f6ac2b60d61d36a7375d2070c9b683861110757062c52b8880a5f6b3936da9cd6c23ef2a95c",
        ),
        (
            "436f756e742d323536",
            "557f",
            "7a4a13e9ef23978e2c520fd4d2e757514ae160cd0cd05e556ef692370ca53076214c0c40d4c728d6ed9e727a5b",
        ),
    ];
    for (aad, end, sealed) in encryptions {
        let nonce = "5c4d98150661b848853b547f";
        let nonce = unhex(&format!("{}{end}", &nonce[..24 - end.len()]));
        let nonce: [u8; 12] = nonce.try_into().unwrap();
        let mut text = b"Beauty is truth, truth beauty".to_vec();
        let tag = cipher
            .encrypt_inout_detached(&nonce.into(), &unhex(aad), text.as_mut_slice().into())
            .unwrap();
        assert_eq!([&text[..], &tag[..]].concat(), unhex(sealed));
    }
    println!("hpke: 3 of 3 exports, 6 of 6 encryptions of the suite's vector in base mode");
}

fn opener() -> Opener {
    Opener::new(&[7; 32]).unwrap()
}

fn context() -> SealContext {
    let sealer = Sealer::new(&opener().public_key()).unwrap();
    sealer.context(&mut Random::new().unwrap()).unwrap()
}

#[test]
fn keys_are_32_bytes_or_their_text() {
    let public = opener().public_key();
    assert!(
        Sealer::new(URL_SAFE.encode(public).as_bytes()).unwrap().0
            == Sealer::new(&public).unwrap().0
    );
    let text = URL_SAFE.encode([7; 32]);
    assert_eq!(Opener::new(text.as_bytes()).unwrap().public_key(), public);
    for bad in [&b""[..], &[1; 31], &[1; 33], &[1; 44]] {
        assert_eq!(Sealer::new(bad).err(), Some(PUBLIC));
        assert!(Opener::new(bad).is_err());
    }
}

/// A public key of order 1, whose secret everybody knows.
#[test]
fn nothing_is_sealed_to_a_key_that_gives_no_secret() {
    let sealer = Sealer::new(&[0; 32]).unwrap();
    let context = sealer.context(&mut Random::new().unwrap());
    assert_eq!(context.err(), Some(PUBLIC));
}

#[test]
fn a_context_ends_before_its_numbers_do() {
    let mut context = context();
    context.next = CONTEXT_VALUES - 1;
    let mut sealed = Vec::new();
    assert_eq!(context.encrypt(b"d", b"v", &mut sealed), Ok(()));
    let length = sealed.len();
    assert_eq!(
        context.encrypt(b"d", b"v", &mut sealed),
        Err(Refusal::Spent)
    );
    assert_eq!(sealed.len(), length);
}

#[test]
fn values_of_several_contexts_open_in_any_order_and_nobody_elses() {
    proptest!(|(values: [Vec<u8>; 4], bit: prop::sample::Index, domain: Vec<u8>)| {
        let (mut one, mut two) = (context(), context());
        let mut opener = opener();
        let mut other = Opener::new(&[8; 32]).unwrap();
        let mut sealed = [const { Vec::new() }; 4];
        for (place, out) in sealed.iter_mut().enumerate() {
            let context = if place % 2 == 0 { &mut one } else { &mut two };
            context.encrypt(&domain, &values[place], out).unwrap();
            prop_assert_eq!(out.len(), values[place].len() + SEAL_OVERHEAD);
        }
        for place in [3, 0, 1, 2] {
            let mut value = b"kept".to_vec();
            prop_assert_eq!(opener.decrypt(&domain, &sealed[place], &mut value), Ok(()));
            prop_assert_eq!(&value[4..], &values[place]);
        }
        let mut value = Vec::new();
        let longer = [&domain[..], b"x"].concat();
        prop_assert_eq!(opener.decrypt(&longer, &sealed[0], &mut value), Err(Refusal::Closed));
        prop_assert_eq!(other.decrypt(&domain, &sealed[0], &mut value), Err(Refusal::Closed));
        let short = &sealed[0][..SEAL_OVERHEAD - 1];
        prop_assert_eq!(opener.decrypt(&domain, short, &mut value), Err(Refusal::Closed));
        let bit = bit.index(8 * sealed[0].len());
        sealed[0][bit / 8] ^= 1 << (bit % 8);
        prop_assert_eq!(opener.decrypt(&domain, &sealed[0], &mut value), Err(Refusal::Closed));
        prop_assert!(value.is_empty());
    });
}
