// The fields of a person's name and address.

const PLACES = {
  name: FIELD.name, 'given-name': FIELD.givenName, 'family-name': FIELD.familyName, email: FIELD.email,
  tel: FIELD.phone, 'tel-national': FIELD.phone, 'tel-country-code': FIELD.phone, 'street-address': FIELD.address,
  'address-line1': FIELD.address, 'address-line2': FIELD.address2, 'address-level2': FIELD.city,
  'address-level1': FIELD.state, 'postal-code': FIELD.postalCode, country: FIELD.country, 'country-name': FIELD.country};
const NATIONAL = 1, PREFIX = 2, ALL_LINES = 4;  // bits of the shape
const SECTION = {shipping: 1, other: 2, billing: 3};

const IS_PREFIX = /(phone|\btel|mobile|dial|calling|country) ?(number )?(country )?(calling |dialling |dialing )?(code|prefix)\b|dial ?code|vorwahl|indicatif|prefijo/;
const IS_POSTAL = /\bzip|\bpostal|post ?code|\bplz\b|postleitzahl|\bcode postal|\bcp\b|codigo postal|\bcap\b|\bcep\b|postnummer|kod pocztowy|postcode|郵便/;
const IS_COUNTRY = /\bcountry|\bland$|\bland\b(?! ?line)|\bpays\b|\bpais\b|\bpaese\b|\bkraj\b|国/;
const IS_STATE = /\bstate\b|province|\bregion\b|\bcounty\b|bundesland|prefecture|\bkanton|provincia|\bestado\b|wojewodztwo|都道府県|\bstaat\b/;
const IS_CITY = /\bcity\b|\btown|\bort\b|stadt\b|\bville\b|ciudad|\bcitta\b|cidade|plaats|miasto|municipality|suburb|locality|wohnort|市区/;
const IS_ADDRESS2 = /(address|addr|street|adresse|strasse|direccion|line) ?(line ?)?(2|two|3)\b|\bapt\b|apartment|\bsuite\b|\bunit\b|\bflat\b|adresszusatz|complement|address extra|additional address/;
const IS_ADDRESS = /address|\baddr\b|\bstreet|adresse|anschrift|strasse|straße|\brue\b|direccion|indirizzo|endereco|\badres\b|ulica|住所/;
const IS_FULL_NAME = /\b(full|your|contact|customer|recipient|billing|shipping|first and last) ?name|^(name|fullname|nom|nombre|nome|naam)$|nom complet|nombre completo|vor und nachname|imie i nazwisko|氏名|姓名/;
// What looks like one of them and is not.
const NOT_PLACE = new RegExp([
  'search', 'coupon', 'voucher', '\\bpromo', 'gift', 'company', 'organi[sz]ation', '\\bfirma', '\\bfax', 'extension', 'user ?name',
  'nick ?name', 'pass ?word', 'middle', 'maiden', '\\bvat\\b', '\\btax', 'newsletter', 'subscribe', 'card', '\\bcvc', '\\bcvv', 'iban', 'birth',
  '\\bip address', '\\bmac address', '\\bweb ?site', '\\burl\\b', 'captcha', 'area code', 'honeypot', 'house ?(number|no)\\b',
  'hausnummer', 'referr', 'message', '\\bnotes?\\b', 'comment', 'friend'].join('|'));

const placeToken = el => {
  const list = (el.getAttribute('autocomplete') || '').toLowerCase().split(/\s+/).filter(word => word && !/^(on|off)$/.test(word));
  const last = list.filter(word => word !== 'webauthn').pop();
  if (last === undefined) return null;
  if (!(last in PLACES)) return OTHER_TOKEN.test(last) || last in TOKENS ? -1 : null;
  const shape = last === 'tel-national' ? NATIONAL : last === 'tel-country-code' ? PREFIX : 0;
  return {field: PLACES[last], tier: TIER.token, shape, list};
};

const placeOf = text => {
  if (IS_EMAIL.test(text)) return FIELD.email;
  if (IS_PREFIX.test(text)) return -PREFIX;
  if (IS_PHONE.test(text)) return FIELD.phone;
  if (IS_POSTAL.test(text)) return FIELD.postalCode;
  if (IS_COUNTRY.test(text)) return FIELD.country;
  if (IS_STATE.test(text)) return FIELD.state;
  if (IS_CITY.test(text)) return FIELD.city;
  if (IS_ADDRESS2.test(text)) return FIELD.address2;
  const given = IS_GIVEN.test(text), family = IS_FAMILY.test(text);
  if (given !== family) return given ? FIELD.givenName : FIELD.familyName;
  if (given || IS_FULL_NAME.test(text)) return FIELD.name;
  return IS_ADDRESS.test(text) ? FIELD.address : null;
};

const placeByWords = (el, list) => {
  if (el.tagName === 'INPUT' && el.type === 'email') return {field: FIELD.email, tier: TIER.named, shape: 0};
  for (const tier of [TIER.named, TIER.placeholder, TIER.near]) {
    for (const {text} of list.filter(s => s.tier === tier)) {
      // "billing_address[name]" is no address.
      const field = placeOf(text.replace(/\b(billing|shipping|delivery) (address )?(?=(full ?)?name$)/, ''));
      if (field === -PREFIX) return {field: FIELD.phone, tier, shape: PREFIX};
      if (field !== null) return {field, tier, shape: 0};
    }
  }
  return el.tagName === 'INPUT' && el.type === 'tel' ? {field: FIELD.phone, tier: TIER.near, shape: 0} : null;
};

// Which part of the form the element stands in: SECTION, 0 where nothing says so.
const sectionKind = text => {
  const bill = /\bbill(ing)?\b|\binvoice|rechnung|facturation|facturacion|fatturazione/.test(text);
  const ship = /\bship(ping)?\b|\bdeliver|recipient|lieferung|lieferanschrift|livraison|\benvio\b|spedizione/.test(text);
  return bill === ship ? 0 : bill ? SECTION.billing : SECTION.shipping;
};
const sectionAround = el => {
  let node = el.parentElement;
  for (let steps = 0; node && steps < 6 && !/^(FORM|BODY|HTML)$/.test(node.tagName); node = node.parentElement, ++steps) {
    const head = [...node.children].find(child => /^(LEGEND|H[1-6])$/.test(child.tagName));
    const own = [node.id, node.getAttribute('class'), node.getAttribute('aria-label'), byIds(node, 'aria-labelledby'), head?.textContent];
    const found = sectionKind(words(own.filter(Boolean).join(' ')));
    if (found) return found;
  }
  return 0;
};

const sections = new Map();
// Sections of one name are one: its number times four, and its SECTION.
const sectionOf = (el, list, tokens) => {
  const named = tokens.find(word => word.startsWith('section-')) || '';
  const told = tokens.includes('billing') ? SECTION.billing : tokens.includes('shipping') ? SECTION.shipping : 0;
  const found = told || sectionKind(list.map(s => s.text).join(' ')) || sectionAround(el) || (named && sectionKind(words(named))) ||
      (named ? SECTION.other : 0);
  if (!found) return 0;
  const key = named + ' ' + found;
  if (!sections.has(key)) sections.set(key, sections.size + 1);
  return sections.get(key) * 4 + found;
};

const classifyIdentity = (el, list) => {
  const token = placeToken(el);
  if (token === -1) return null;
  if (!token && list.some(s => NOT_PLACE.test(s.text.replace(/\b(discard|postcard)\b/g, '')))) return null;
  const found = token || placeByWords(el, list);
  if (!found) return null;
  if (el.tagName === 'TEXTAREA' && found.field !== FIELD.address) return null;
  if (/^(password|search|month)$/.test(el.type) || (isRich(el) && found.tier === TIER.near)) return null;
  const picks = [FIELD.state, FIELD.country, FIELD.city].includes(found.field) || found.shape === PREFIX;
  const shape = found.field === FIELD.address ? (el.tagName === 'TEXTAREA' ? ALL_LINES : 0) : found.shape;
  return {field: found.field, tier: found.tier, shape, wrong: !editable(el) || (el.tagName === 'SELECT' && !picks),
          repeats: list.some(s => IS_REPEAT.test(s.text)), section: sectionOf(el, list, token?.list || [])};
};

// One form of a word for comparing: "Île-de-France" and "ile de france".
const plainText = text => words(text).replace(/[^\p{L}\p{N}]+/gu, ' ').trim();

// Names of the country whose two-letter code is among the texts, in English and in the page's language.
const withNames = (field, list) => {
  const code = list.find(text => /^[A-Z]{2}$/.test(text));
  if (field !== FIELD.country || !code) return list;
  const out = [...list];
  for (const language of [document.documentElement.lang, 'en']) {
    try {
      if (language) out.push(new Intl.DisplayNames([language], {type: 'region'}).of(code));
    } catch {
      // no language of that name
    }
  }
  return out;
};

// Of the forms that a value has, the first that the field takes.
const fitting = (el, forms) => forms.find(text => !(el.maxLength > 0 && text.length > el.maxLength) && (!el.pattern || matches(el, text))) ??
    forms.find(text => !(el.maxLength > 0 && text.length > el.maxLength)) ?? forms[0];

const optionOf = (el, field, forms) => {
  const options = [...el.options];
  const usable = option => !option.disabled && option.text.trim() !== '';
  if (field === FIELD.phone) {
    // "Germany (+49)", "+49", "DE": the prefix stands first among the forms.
    const prefix = forms.find(text => /^\d+$/.test(text)) || '-';
    const codes = forms.filter(text => /^[A-Z]{2,3}$/.test(text));
    const by = [option => codes.includes(option.value.toUpperCase()), option => digits(option.value) === prefix && !/\p{L}{3}/u.test(option.value),
                option => (option.text.match(/\+?\s?\d[\d -]*/g) || []).some(text => digits(text) === prefix)];
    for (const test of by) {
      const at = options.findIndex(option => usable(option) && test(option));
      if (at >= 0) return at;
    }
    return -1;
  }
  const wanted = withNames(field, forms).map(plainText);
  for (const read of [option => option.value, option => option.label || option.text]) {
    const at = options.findIndex(option => usable(option) && wanted.includes(plainText(read(option))));
    if (at >= 0) return at;
  }
  // "California (CA)", "CA - California", "US-CA".
  return options.findIndex(option => usable(option) && [option.text, option.value].some(text =>
    text.split(/[()\-–,:/]/).some(part => plainText(part) !== '' && wanted.includes(plainText(part)))));
};

// Whether the field shows one of the forms of its value.
const placeKept = (el, field, forms, value) => {
  if (el.tagName === 'SELECT') return el.selectedIndex >= 0 && el.selectedIndex === optionOf(el, field, forms);
  if (value.trim() === '') return false;
  if (field === FIELD.phone) return forms.some(text => digits(text) !== '' && digits(text) === digits(value));
  if (field === FIELD.postalCode) {
    const plain = text => text.replace(/[^\p{L}\p{N}]/gu, '').toUpperCase();
    return forms.some(text => plain(text) === plain(value));
  }
  return withNames(field, forms).some(text => plainText(text) === plainText(value));
};
