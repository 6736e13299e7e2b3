//! Addresses: a word for a street and a number, in the languages of the lists here.

use std::collections::HashSet;
use std::sync::LazyLock;

use crate::cell::Cell;
use crate::name::folded;

/// Words for streets that stand alone.
const WORDS: &str = "\
street st road rd avenue ave lane ln drive dr boulevard blvd court ct way terrace close crescent square \
highway hwy parkway pkwy place plaza trail circle turnpike pike ridge row mews mount shore shores walk \
alley bypass causeway causway crossing cove creek estate expressway extension falls ferry field fields flat \
flats ford forest forge fork forks fort freeway garden gardens gateway glen glens green greens grove \
groves harbor harbors haven heights hill hills hollow inlet island islands isle junction junctions key keys \
knoll knolls lake lakes landing light lights loaf lock locks lodge loop mall manor meadow meadows mill \
mills mission motorway mountain mountains neck orchard oval overpass park parks parkways pass \
passage path pines plain plains plazas point points port ports prairie radial ramp ranch rapid rapids rest ridges \
river route rue run shoal shoals skyway spring springs spur spurs squares stravenue stream summit throughway \
trace track trafficway tunnel underpass union unions valley valleys via viaduct view views village ville \
vista walks wall wells curve divide camp canyon cape center centers centre club cliff cliffs coast common corner corners course \
brook brooks burg branch bridge bluff bend beach bayou arcade annex \
strasse str platz allee ring weg gasse ufer damm chemin impasse quai calle avenida avda paseo pasaje \
cuesta glorieta ronda rambla urbanizacion vial acceso canada alameda camino c plaza viale piazza corso vicolo strada \
stretto contrada borgo rotonda canale incrocio ulica ul aleja al aleje plac pl os osiedle rondo skwer straat laan plein rua travessa \
praca praia rodovia estrada largo morro esplanada ladeira loteamento lago lagoa favela feira fazenda estacao distrito \
condominio conjunto colonia chacara campo area aeroporto alameda jardim nucleo parque passarela patio quadra recanto residencial setor \
sitio trecho trevo vale vereda vila viaduto via gata vag gade vej nagar marg chowk salai ganj road circle zila path";

/// Endings of words for streets in languages that join words.
const ENDINGS: &str = "\
strasse str. str weg platz allee gasse ring ufer damm straat laan plein steeg dreef pad hof baan singel dijk kade \
gatan vagen grand torget stigen gade vej alle stien torv vaenget boulevarden parken haven \
bakken marken stræde straede";

static STREETS: LazyLock<HashSet<&str>> = LazyLock::new(|| WORDS.split(' ').collect());

pub(crate) fn address(cell: &Cell<'_>) -> bool {
    is_address(cell.text)
}

pub(crate) fn is_address(text: &str) -> bool {
    if text.len() > 200 || text.len() < 6 || text.contains(['@', '=', '{', '_', ':', '?', '!']) {
        return false;
    }
    let words: Vec<String> = text
        .split([' ', ',', '\n', '\t'])
        .filter(|word| !word.is_empty())
        .map(folded)
        .collect();
    let numbered = words.iter().any(|word| is_number(word));
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    numbered
        && letters >= 4
        && words.len() >= 2
        && words.len() <= 25
        && words.iter().any(|word| is_street(word))
}

/// A house's number: digits, with a letter, a range or a staircase.
fn is_number(word: &str) -> bool {
    let word = word.trim_matches(['.', '#', '(', ')']);
    word.starts_with(|c: char| c.is_ascii_digit())
        && word.len() <= 9
        && word.chars().all(|c| {
            c.is_ascii_digit() || c == '-' || c == '/' || c == '\\' || c.is_ascii_lowercase()
        })
        && word.chars().filter(char::is_ascii_lowercase).count() <= 2
}

fn is_street(word: &str) -> bool {
    let plain = word.trim_matches('.');
    if plain == "c/" || STREETS.contains(plain) {
        return true;
    }
    plain.len() > 5 && ENDINGS.split(' ').any(|end| word.ends_with(end))
}
