//! The places that geolocation records may name, and the continent of each country (specification, appendix A).

use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Continents and their countries.
const CONTINENTS: [(&str, &str); 7] = [
    (
        "AF",
        "\
        AO BF BI BJ BW CD CF CG CI CM CV DJ DZ EG ER ET GA GH GM GN GQ GW KE KM LR LS LY MA MG ML \
        MR MU MW MZ NA NE NG RE RW SC SD SH SL SN SO SS ST SZ TD TG TN TZ UG YT ZA ZM ZW",
    ),
    ("AN", "AQ GS TF"),
    (
        "AS",
        "\
        AE AF AM AZ BD BH BN BT CC CN GE HK ID IL IN IO IQ IR JO JP KG KH KP KR KW KZ LA LB LK MM \
        MN MO MV MY NP OM PH PK PS QA SA SG SY TH TJ TM TW UZ VN YE",
    ),
    (
        "EU",
        "\
        AD AL AT AX BA BE BG BY CH CY CZ DE DK EE ES FI FO FR GB GG GI GR HR HU IE IM IS IT JE LI \
        LT LU LV MC MD ME MK MT NL NO PL PT RO RS RU SE SI SJ SK SM TR UA VA XK",
    ),
    (
        "NA",
        "\
        AG AI AW BB BL BM BQ BS BZ CA CR CU CW DM DO GD GL GP GT HN HT JM KN KY LC MF MQ MS MX NI \
        PA PM PR SV SX TC TT US VC VG VI",
    ),
    ("OC", "AS AU CK FJ FM GU KI MH MP NC NF NR NU NZ PF PG PN PW SB TK TL TO TV UM VU WF WS"),
    ("SA", "AR BO BR CL CO EC FK GF GY PE PY SR UY VE"),
];

/// The subdivisions a US record may name.
const US_STATES: &str = "\
        AK AL AR AZ CA CO CT DC DE FL GA HI IA ID IL IN KS KY LA MA MD ME MI MN MO MS MT NC ND NE \
        NH NJ NM NV NY OH OK OR PA RI SC SD TN TX UT VA VT WA WI WV WY";

static CONTINENT_OF: LazyLock<BTreeMap<&'static str, &'static str>> = LazyLock::new(|| {
    let pairs = |(continent, countries): &(&'static str, &'static str)| {
        let continent = *continent;
        countries.split(' ').map(move |country| (country, continent)).collect::<Vec<_>>()
    };
    CONTINENTS.iter().flat_map(pairs).collect()
});

/// The continent of a country by its ISO 3166-1 alpha-2 code in capitals; none if records cannot name the country.
pub fn continent_of(country: &str) -> Option<&'static str> {
    CONTINENT_OF.get(country).copied()
}

/// The codes of all continents.
pub fn continents() -> impl Iterator<Item = &'static str> {
    CONTINENTS.iter().map(|(continent, _)| *continent)
}

/// The codes of all countries that records can name, in order.
pub fn countries() -> impl Iterator<Item = &'static str> {
    CONTINENT_OF.keys().copied()
}

/// The codes of the states of the US, in order.
pub fn us_states() -> impl Iterator<Item = &'static str> {
    US_STATES.split(' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_country_has_one_continent() {
        assert_eq!(
            countries().count(),
            CONTINENTS.iter().map(|(_, list)| list.split(' ').count()).sum::<usize>()
        );
        assert!(
            countries().all(|code| code.len() == 2 && code.bytes().all(|octet| octet.is_ascii_uppercase()))
        );
        assert_eq!(continent_of("TR"), Some("EU"));
        assert_eq!(continent_of("EH"), None);
        assert_eq!(us_states().count(), 51);
    }
}
