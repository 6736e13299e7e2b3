//! Names: of people, by common given and family names of a dozen languages; and, since much that is
//! called after people is none, of places and organisations.

use std::collections::HashSet;
use std::sync::LazyLock;

use crate::cell::Cell;

/// Common names, without accents, by what the plugin's authors know of a dozen languages.
static GIVEN: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    include_str!("../data/given.txt")
        .split_whitespace()
        .collect()
});
static FAMILY: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    include_str!("../data/family.txt")
        .split_whitespace()
        .collect()
});

const TITLES: &str = "\
mr mrs ms miss mx dr prof sir dame lord lady rev herr frau hr fr dipl-ing univ-prof med m mme mlle monsieur \
madame sr sra srta senor senora don dona dott dott.ssa sig sig.ra sig.na ing avv dhr mevr mw drs pan pani \
fru shri smt kumari mag dra";

const SUFFIXES: &str = "\
jr sr ii iii iv md phd dds dvm mba msc bsc b.sc ba b.a b.eng m.sc ma esq filho neto junior dphil mpa";

const PARTICLES: &str = "\
de da do dos das del della di du d' van von der den het ter ten te la le les los y e i af zu zum vom bin \
al el st san santa";

const FORMS: &str = "\
inc ltd llc llp plc corp corporation company co gmbh ag kg kgaa ohg gbr mbh ev eg sa sarl sas sasu srl spa snc sl slu sll sad \
scom coop cb sociedad bv nv vof ab hb kb aps as is ks amba ltda eireli me ei sp spj spzoo group holding holdings stiftung spolka fundacja \
gabinety fpuh ppuh p.p.u.h f.p.u.h sons fils figli hijos asociados filhos filialer zonen zn associates partners bank \
university hospital school museum hotel restaurant cafe verlag gruppe grupo gruppo compania scp slne ltda sdn";

const BEFORE_PLACES: &str = "\
north east west south new lake port fort mount saint st sainte san santa sant' santo sankt bad los las la le el \
upper lower great little old grand borgo quarto sesto settimo ost nord sud villa villeneuve puerto rio sao nova nuevo nueva";

const ENDINGS_OF_FAMILIES: &str = "\
mann sson ski ska wicz czyk etti elli ucci otti ozzi azzi uzzi aldi ardi inelli acci escu enko poulos dottir quist qvist";

const ENDINGS_OF_PLACES: &str = "\
ville burg burgh berg bury ton town ford port furt mouth chester shire land side view haven stad fort borough \
hausen dorf heim stadt bach kirchen sund koping hamn vik nec boeuf dan sur-mer les-bains \
rup strup lev olm ham wick worth field wijk veen recht dam drecht hoven";

fn among(words: &str, word: &str) -> bool {
    words.split(' ').any(|w| w == word)
}

/// In lower case and without the accents of Latin letters.
pub(crate) fn folded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars().flat_map(char::to_lowercase) {
        match c {
            'á' | 'à' | 'â' | 'ã' | 'ä' | 'å' | 'ā' | 'ą' => out.push('a'),
            'æ' => out.push_str("ae"),
            'ç' | 'ć' | 'č' => out.push('c'),
            'é' | 'è' | 'ê' | 'ë' | 'ę' | 'ě' => out.push('e'),
            'í' | 'ì' | 'î' | 'ï' | 'ı' => out.push('i'),
            'ł' => out.push('l'),
            'ñ' | 'ń' | 'ň' => out.push('n'),
            'ó' | 'ò' | 'ô' | 'õ' | 'ö' | 'ø' | 'ő' => out.push('o'),
            'ś' | 'š' | 'ş' => out.push('s'),
            'ß' => out.push_str("ss"),
            'ú' | 'ù' | 'û' | 'ü' | 'ů' | 'ű' => out.push('u'),
            'ý' | 'ÿ' => out.push('y'),
            'ź' | 'ż' | 'ž' => out.push('z'),
            '’' => out.push('\''),
            // Accents that stand on their own.
            '\u{300}'..='\u{36f}' => {}
            c => out.push(c),
        }
    }
    out
}

/// Words, folded, each with whether it begins with a capital.
fn words(text: &str) -> Vec<(String, bool)> {
    let word = |word: &str| {
        let word = word.trim_matches([',', ';']);
        let capital = word.starts_with(char::is_uppercase);
        (folded(word.trim_end_matches('.')), capital)
    };
    text.split_whitespace()
        .map(word)
        .filter(|(w, _)| !w.is_empty())
        .collect()
}

fn is_known(word: &str) -> bool {
    let listed = |part: &str| GIVEN.contains(part) || FAMILY.contains(part);
    word.split(['-', '\'']).any(listed) || is_family(word)
}

/// Whether a word ends as family names do in some languages, and few other words.
fn is_family(word: &str) -> bool {
    let ends = |end: &str| word.len() >= end.len() + 3 && word.ends_with(end);
    ENDINGS_OF_FAMILIES.split(' ').any(ends)
}

/// One to five words with capitals, among them a known name, and no word of a place or organisation.
pub(crate) fn person(cell: &Cell<'_>) -> bool {
    let text = cell.text;
    let signs = |c: char| c.is_alphabetic() || " .,'-’\u{300}\u{301}\u{308}".contains(c);
    if text.len() > 80 || !text.chars().all(signs) || text.matches(',').count() > 1 {
        return false;
    }
    let mut words = words(text);
    let before = words.len();
    let titles = words
        .iter()
        .take_while(|(word, _)| among(TITLES, word))
        .count();
    words.drain(..titles.min(before.saturating_sub(1)));
    while words.len() > 1 && words.last().is_some_and(|(word, _)| among(SUFFIXES, word)) {
        words.pop();
    }
    let titled = titles > 0 && titles < before;
    let capital = |(word, capital): &(String, bool)| *capital || among(PARTICLES, word);
    if words.is_empty() || words.len() > 6 || !words.iter().all(capital) {
        return false;
    }
    let first = words.first().map_or("", |(word, _)| word);
    let last_is_name = words.last().is_some_and(|(_, capital)| *capital);
    // As in `van Dijk`: nothing else begins so.
    let particle = words
        .iter()
        .take(words.len() - 1)
        .all(|(word, capital)| !capital && among(PARTICLES, word));
    let prefixed = words.len() > 1 && particle && text.starts_with(['v', 'd']);
    let organised = words.iter().any(|(word, _)| among(FORMS, word))
        || text.contains(" and ")
        || text.contains(" & ");
    let places = words.len() > 1 && among(BEFORE_PLACES, first);
    last_is_name
        && !organised
        && !places
        && (titled || prefixed || words.iter().any(|(word, _)| is_known(word)))
}

/// A legal form, or a word that firms and institutions have in their names.
pub(crate) fn organisation(cell: &Cell<'_>) -> bool {
    let text = cell.text;
    if text.len() > 120 || text.len() < 4 {
        return false;
    }
    let words = words(text);
    let form = |word: &str| {
        let plain: String = word.chars().filter(|c| c.is_alphabetic()).collect();
        among(FORMS, &plain)
    };
    words.len() > 1 && words.iter().skip(1).any(|(word, _)| form(word))
}

/// What stands before or at the end of names of towns.
pub(crate) fn place(cell: &Cell<'_>) -> bool {
    let words = words(cell.text);
    let (Some((first, true)), true) = (words.first(), words.len() <= 4) else {
        return false;
    };
    let last = words.last().map_or("", |(word, _)| word);
    let before = words.len() > 1 && among(BEFORE_PLACES, first);
    let end = |end: &str| last.len() > end.len() + 2 && last.ends_with(end);
    let signs = |c: char| c.is_alphabetic() || " .'-’".contains(c);
    cell.text.chars().all(signs)
        && (before || !is_known(last) && ENDINGS_OF_PLACES.split(' ').any(end))
}

/// Whether a person's name stands among these words: a title before a capital, or a given name before
/// a family name.
pub(crate) fn within(words: &[&str]) -> bool {
    let capital = |word: &str| word.starts_with(char::is_uppercase);
    words.windows(2).any(|pair| {
        let [first, second] = pair else {
            return false;
        };
        if !capital(first) || !capital(second) || first.ends_with([',', ';', '!', '?']) {
            return false;
        }
        let name = folded(second.trim_matches(['.', ',', ';', ':', '!', '?', ')', '"']));
        let first = folded(first.trim_matches(['(', '"', '.']));
        let titled = first.len() > 1
            && first != "co"
            && among(
                "mr mrs ms dr prof herr frau mme mlle sra srta dott dhr mevr pani fru shri smt",
                &first,
            );
        titled && name.len() > 1 || GIVEN.contains(first.as_str()) && FAMILY.contains(name.as_str())
    })
}
