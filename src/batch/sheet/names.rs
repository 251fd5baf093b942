//! What the columns of a sheet are called, in English, French and Arabic.

use crate::domain::Operator;
use crate::domain::foreign::clean;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The number that is topped up.
    Phone,
    /// The face value.
    Amount,
    /// The plan's code, or `auto`.
    Plan,
    /// The caller's own identity of the order.
    Reference,
    /// Text for people.
    Note,
}

impl Role {
    pub(super) const ALL: [Self; 5] = [Self::Phone, Self::Amount, Self::Plan, Self::Reference, Self::Note];

    /// Our own name for such a column.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Phone => "phone",
            Self::Amount => "amount",
            Self::Plan => "plan",
            Self::Reference => "ref",
            Self::Note => "note",
        }
    }

    /// Some names of each, for a hint.
    pub(super) fn understood() -> &'static str {
        "phone: `phone`, `mobile`, `msisdn`, `téléphone`, `numéro`, `رقم الهاتف`; \
         amount: `amount`, `montant`, `المبلغ`; plan: `plan`, `offre`, `العرض`; \
         ref: `ref`, `référence`, `المرجع`; note: `note`, `nom`, `ملاحظة`"
    }

    /// Names that mean this and nothing else, as [`normal`] makes them.
    fn strong(self) -> &'static str {
        match self {
            Self::Phone => PHONE,
            Self::Amount => AMOUNT,
            Self::Plan => PLAN,
            Self::Reference => REFERENCE,
            Self::Note => NOTE,
        }
    }

    /// Names that may mean this, and give way to one that does.
    fn weak(self) -> &'static str {
        match self {
            Self::Phone => "n no nr num numero numeros number numbers رقم ارقام نمره",
            Self::Note => {
                "nom noms name names fullname nomcomplet nomprenom nometprenom prenom client clients clientname \
                 nomclient customer customername اسم اسمكامل اسمولقب لقب زبون اسمزبون عميل اسمعميل"
            }
            Self::Amount | Self::Plan | Self::Reference => "",
        }
    }
}

const PHONE: &str = "phone phones phonenumber phonenumbers phoneno phonenum phonenr telephonenumber \
    mobile mobiles mobilenumber mobileno mobilenum mobilephone mobilephonenumber cell cellphone cellnumber \
    cellphonenumber msisdn mssidn tel tels telno telnum telnumber telephone telephones numtel numtelephone \
    numerotel numerotelephone numerostelephone numeromobile nummobile numerogsm numgsm numeroportable \
    numportable numphone numerophone ntel ntelephone nmobile ngsm nportable nphone notel notelephone nomobile \
    gsm portable telmobile telportable telgsm telephoneportable telephonemobile telephonegsm numeroappel \
    numerotelephonemobile numerobeneficiaire numerodestinataire telclient telephoneclient phoneclient \
    mobileclient clientphone customerphone recipientphone \
    هاتف رقمهاتف ارقامهاتف هاتفنقال رقمهاتفنقال هاتفمحمول رقمهاتفمحمول هاتفجوال رقمهاتفجوال نقال رقمنقال محمول \
    رقممحمول جوال رقمجوال موبايل رقمموبايل موبيل رقمموبيل تلفون رقمتلفون تليفون رقمتليفون خليوي رقمخليوي";

const AMOUNT: &str = "amount amounts montant montants montantrecharge montantrecharger montantrechargement rechargeamount \
    montantflexy flexy somme sommes sum valeur valeurs value facevalue dinar dinars da dzd prix price credit \
    credits montantcredit recharge rechargement topup topupamount \
    مبلغ مبالغ مبلغشحن مبلغتعبئه قيمه قيمهشحن قيمهتعبئه رصيد شحن تعبئه سعر ثمن دينار دج";

const PLAN: &str = "plan plans plancode codeplan planname plannom offer offers offercode offre offres codeoffre \
    nomoffre typeoffre forfait forfaits codeforfait product products productcode produit produits codeproduit \
    pack package bundle formule \
    عرض عروض باقه باقات خطه منتج رمزعرض رمزباقه اسمعرض اسمباقه نوععرض نوعباقه";

/// Not `id`: sheets number their rows so, and the 1, 2, 3 of two sheets are not the same orders.
const REFERENCE: &str = "ref refs refno reference references referenceno referencenumber order orderid \
    orderno ordernumber orderref orderreference commande commandes ncommande nocommande idcommande numcommande \
    numerocommande refcommande referencecommande externalid externalref clientref customerref refclient \
    referenceclient مرجع مراجع رقممرجع رقمطلب طلب";

const NOTE: &str = "note notes remark remarks remarque remarques comment comments commentaire commentaires \
    observation observations obs memo ملاحظه ملاحظات تعليق تعليقات بيان";

const OPERATOR: &str = "operator operators operatorname operateur operateurs nomoperateur network networkname reseau \
    carrier telco provider fournisseur مشغل متعامل شبكه اسممتعامل";

/// Whether a column says whose number it is. Nothing is sent by that; a number that contradicts it is warned of.
pub(super) fn is_operator(cell: &str) -> bool {
    let name = normal(cell);
    OPERATOR.split_whitespace().any(|known| known == name)
}

/// The operator that a cell of such a column names, if it is one of the three that numbers have.
pub(super) fn operator(cell: &str) -> Option<Operator> {
    let name = normal(cell);
    let spellings = [
        (Operator::Mobilis, "mobilis atmmobilis atm موبيليس موبليس"),
        (Operator::Djezzy, "djezzy djezy ota جيزي جازي"),
        (
            Operator::Ooredoo,
            "ooredoo oredoo ooredo nedjma اوريدو اوريدوو نجمه",
        ),
    ];
    let known = |(_, names): &(Operator, &str)| names.split_whitespace().any(|known| known == name);
    spellings.into_iter().find(known).map(|(operator, _)| operator)
}

/// How sure a name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strength {
    Strong,
    Weak,
}

/// What a header cell means, if it means something here.
pub(super) fn role(cell: &str) -> Option<(Role, Strength)> {
    let name = normal(cell);
    if name.is_empty() {
        return None;
    }
    let has = |names: &str, name: &str| names.split_whitespace().any(|known| known == name);
    let strong = Role::ALL.into_iter().find(|role| has(role.strong(), &name));
    if let Some(role) = strong {
        return Some((role, Strength::Strong));
    }
    // `Montant (DA)`, `المبلغ دج`.
    let is_amount_with_unit = ["dzd", "da", "dinars", "دج", "دينار"]
        .iter()
        .filter_map(|unit| name.strip_suffix(unit))
        .any(|bare| has(AMOUNT, bare));
    if is_amount_with_unit {
        return Some((Role::Amount, Strength::Strong));
    }
    let weak = Role::ALL.into_iter().find(|role| has(role.weak(), &name));
    weak.map(|role| (role, Strength::Weak))
}

/// What a name that means nothing here was perhaps meant to be: one letter away from a name of one of `roles`. Of the names
/// that it may begin with the shortest, which is how people write it.
pub(super) fn near(cell: &str, roles: &[Role]) -> Option<(Role, &'static str)> {
    let name = normal(cell);
    let is_near = |known: &&str| known.chars().count() > 3 && strsim::damerau_levenshtein(&name, known) == 1;
    roles.iter().find_map(|role| {
        let known = role.strong().split_whitespace().find(is_near)?;
        let beginnings = role.strong().split_whitespace();
        let beginnings = beginnings.filter(|name| known.starts_with(name));
        Some((*role, beginnings.min_by_key(|name| name.len())?))
    })
}

/// Small words that names are told with or without.
const SMALL_WORDS: &[&str] = &[
    "de", "du", "des", "d", "le", "la", "l", "of", "the", "en", "in", "a",
];

/// A name without case, accents, spaces, punctuation, tatweel, vowel marks, articles and small words.
///
/// Separators of cells stay: a whole line must not look like one name.
fn normal(cell: &str) -> String {
    let mut folded = String::with_capacity(cell.len());
    // What our own files leave out must mean nothing here: else a column means one thing in a sheet and another in its
    // retry file.
    for character in clean(cell).chars().flat_map(char::to_lowercase) {
        fold(character, &mut folded);
    }
    let words = folded.split(' ').filter(|word| !SMALL_WORDS.contains(word));
    words.map(without_article).collect()
}

fn without_article(word: &str) -> &str {
    match word.strip_prefix("ال") {
        Some(bare) if bare.chars().count() >= 2 => bare,
        _ => word,
    }
}

/// One character in its plainest form; what separates words becomes a space.
fn fold(character: char, into: &mut String) {
    let plain = match character {
        'à' | 'á' | 'â' | 'ä' | 'ã' => 'a',
        'è' | 'é' | 'ê' | 'ë' => 'e',
        'ì' | 'í' | 'î' | 'ï' => 'i',
        'ò' | 'ó' | 'ô' | 'ö' => 'o',
        'ù' | 'ú' | 'û' | 'ü' => 'u',
        'ç' => 'c',
        '№' => 'n',
        'أ' | 'إ' | 'آ' | 'ٱ' => 'ا',
        'ى' | 'ی' => 'ي',
        'ک' => 'ك',
        'ة' => 'ه',
        ',' | ';' | '\t' => character,
        // Marks on letters, tatweel, direction marks: nothing at all, so that a word stays one.
        '\u{300}'..='\u{36F}'
        | '\u{640}'
        | '\u{64B}'..='\u{65F}'
        | '\u{670}'
        | '.'
        | '\u{AD}'
        | '\u{61C}'
        | '\u{200B}'..='\u{200F}'
        | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{2069}'
        | '\u{FEFF}' => return,
        'º' | 'ª' => ' ',
        other if other.is_alphanumeric() => other,
        _ => ' ',
    };
    into.push(plain);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_told_by_the_name_that_people_write() {
        let near = |name| near(name, &[Role::Amount, Role::Plan]).map(|(_, known)| known);
        assert_eq!(near("Montantt à recharger"), Some("montant"));
        assert_eq!(near("offfre"), Some("offre"));
        assert_eq!(near("pla"), Some("plan"));
        assert_eq!(near("ville"), None);
    }

    #[test]
    fn names_are_known_in_every_spelling() {
        for (role_meant, names) in [
            (
                Role::Phone,
                "phone|PHONE|Phone Number|phone_number|mobile|MSISDN|mssidn|Tél|Tel.|TÉLÉPHONE|Te\u{301}le\u{301}phone|numéro|Numéro de téléphone|NUMERO|num|N° Tél|N°|nº|№|n° de tel|GSM|Portable|Mobile No.|number|رقم|رقم الهاتف|الهاتف|هاتف|النقال|رقم الجوال|الجوال|الهـــاتف|رَقْمُ الهَاتِف|\u{200f}الهاتف\u{200f}|PhoneNumber|\u{feff}phone| phone ",
            ),
            (
                Role::Amount,
                "amount|Montant|somme|Valeur|value|Dinars|DA|DZD|Prix|price|Crédit|credit|Recharge|المبلغ|مبلغ|القيمة|الرصيد|Montant (DA)|Amount [DZD]|montant en da|MONTANT D.A.|المبلغ (دج)|المبلغ د.ج",
            ),
            (
                Role::Plan,
                "plan|Plan Code|plan_code|Offre|offer|Forfait|produit|Product|العرض|عرض|الباقة|code de l'offre",
            ),
            (
                Role::Reference,
                "ref|Réf.|Référence|reference|order|Order ID|order-id|commande|N° commande|المرجع|مرجع|رقم الطلب",
            ),
            (
                Role::Note,
                "note|Notes|remark|comment|Commentaire|Observation|nom|Name|client|customer|ملاحظة|الاسم|Nom et prénom",
            ),
        ] {
            for name in names.split('|') {
                assert_eq!(role(name).map(|(role, _)| role), Some(role_meant), "{name:?}");
            }
        }
    }

    #[test]
    fn operators_are_known_in_every_spelling() {
        for name in ["Opérateur", "operator", "RÉSEAU", "المتعامل", "Operator name"] {
            assert!(is_operator(name) && role(name).is_none(), "{name:?}");
        }
        assert_eq!(operator(" MOBILIS "), Some(Operator::Mobilis));
        assert_eq!(operator("جيزي"), Some(Operator::Djezzy));
        assert_eq!(operator("Oredoo"), Some(Operator::Ooredoo));
        assert_eq!(operator("أوريدو"), Some(Operator::Ooredoo));
        for other in ["", "Orange", "Pixx", "0555123456"] {
            assert_eq!(operator(other), None, "{other:?}");
        }
    }

    #[test]
    fn other_names_mean_nothing() {
        for name in [
            "",
            " ",
            "Ville",
            "date",
            "phone,amount",
            "phone;amount",
            "phone\tamount",
            "operator",
            "total",
            "phone2",
            "0555123456",
            "500",
            "الولاية",
            "mon montant",
            "---",
            "phone amount",
        ] {
            assert_eq!(role(name), None, "{name:?}");
        }
    }

    #[test]
    fn no_name_means_two_things() {
        let mut all: Vec<_> = Role::ALL
            .into_iter()
            .flat_map(|role| [role.strong(), role.weak()])
            .flat_map(str::split_whitespace)
            .collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn the_lists_are_in_the_form_that_is_compared() {
        for known in Role::ALL
            .into_iter()
            .flat_map(|role| [role.strong(), role.weak()])
        {
            for name in known.split_whitespace() {
                assert_eq!(normal(name), name);
            }
        }
    }
}
