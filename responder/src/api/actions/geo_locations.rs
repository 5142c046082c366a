//! The places that geolocation records can name.

use pulse53_core::model::places::{continents, countries, us_states};

use super::place_names;
use crate::api::error::ApiError;
use crate::api::http::Api;
use crate::api::route::{Reply, Request, Route, route};
use crate::api::xml::Xml;

pub(super) const ROUTES: &[Route] = &[
    route("GET", "geolocations", "ListGeoLocations", list),
    route("GET", "geolocation", "GetGeoLocation", get),
];

/// Most places on a page.
const PAGE_MAX: usize = 100;

/// Codes of a continent, or of a country and perhaps its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    continent: Option<&'static str>,
    country: Option<&'static str>,
    state: Option<&'static str>,
}

/// All places in the order of listings: continents, everywhere else (`*`), countries, the states of the US after it.
fn places() -> impl Iterator<Item = Place> {
    let none = Place { continent: None, country: None, state: None };
    let continents = continents().map(move |code| Place { continent: Some(code), ..none });
    let of_country = move |code| {
        let country = Place { country: Some(code), ..none };
        let states = us_states().filter(move |_| code == "US");
        std::iter::once(country).chain(states.map(move |state| Place { state: Some(state), ..country }))
    };
    continents.chain(std::iter::once("*").chain(countries()).flat_map(of_country))
}

fn write(xml: &mut Xml, place: Place) {
    let named = |xml: &mut Xml, kind: &str, code: Option<&str>, name: fn(&str) -> Option<&'static str>| {
        if let Some(code) = code {
            xml.text(&format!("{kind}Code"), code);
            xml.optional(&format!("{kind}Name"), name(code));
        }
    };
    xml.element("GeoLocationDetails", |xml| {
        named(xml, "Continent", place.continent, place_names::continent);
        named(xml, "Country", place.country, place_names::country);
        named(xml, "Subdivision", place.state, place_names::us_state);
    });
}

/// The place of three codes.
fn find(
    continent: Option<&str>,
    country: Option<&str>,
    state: Option<&str>,
) -> Result<Option<Place>, ApiError> {
    if continent.is_some() && (country.is_some() || state.is_some()) {
        return Err(ApiError::invalid_input("Give a continent code, or a country code, not both"));
    }
    if state.is_some() && country.is_none() {
        return Err(ApiError::invalid_input("A subdivision code needs a country code"));
    }
    let is_it = |place: &Place| (place.continent, place.country, place.state) == (continent, country, state);
    Ok(places().find(is_it))
}

fn get(_: &Api, request: &Request) -> Result<Reply, ApiError> {
    let codes = ["continentcode", "countrycode", "subdivisioncode"].map(|name| request.query(name));
    let [continent, country, state] = codes;
    if continent.is_none() && country.is_none() && state.is_none() {
        return Err(ApiError::invalid_input("Give a continent code or a country code"));
    }
    let place = find(continent, country, state)?;
    let missing = || ApiError::not_found("NoSuchGeoLocation", "The geolocation is not supported.");
    let place = place.ok_or_else(missing)?;
    Ok(Reply::ok(|xml| write(xml, place)))
}

fn list(_: &Api, request: &Request) -> Result<Reply, ApiError> {
    let max = request.max_items(PAGE_MAX)?;
    let names = ["startcontinentcode", "startcountrycode", "startsubdivisioncode"];
    let [continent, country, state] = names.map(|name| request.query(name));
    let all: Vec<Place> = places().collect();
    let mut from = 0;
    if continent.is_some() || country.is_some() || state.is_some() {
        let unknown =
            || ApiError::invalid_input("The listing cannot start there: there is no such geolocation");
        let start = find(continent, country, state)?.ok_or_else(unknown)?;
        from = all.iter().position(|place| *place == start).unwrap_or_default();
    }
    let page = &all[from..all.len().min(from + max)];
    let next = all.get(from + max);
    Ok(Reply::ok(|xml| {
        xml.list("GeoLocationDetailsList", page, |xml, place| write(xml, *place));
        xml.text("IsTruncated", next.is_some());
        if let Some(next) = next {
            xml.optional("NextContinentCode", next.continent);
            xml.optional("NextCountryCode", next.country);
            xml.optional("NextSubdivisionCode", next.state);
        }
        xml.text("MaxItems", max);
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_has_a_name_and_is_found_again() {
        for place in places() {
            let name = place.continent.and_then(place_names::continent);
            let name = name.or(place.state.and_then(place_names::us_state));
            let name = name.or(place.country.and_then(place_names::country));
            assert!(name.is_some(), "{place:?}");
            assert_eq!(find(place.continent, place.country, place.state).unwrap(), Some(place));
        }
        find(Some("EU"), Some("DE"), None).unwrap_err();
    }
}
