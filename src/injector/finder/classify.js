// What an element says about itself, and which field that makes it: those of a card here, the others in identity.js and
// login.js.

const TOKENS = {
  'cc-number': FIELD.number, 'cc-exp': FIELD.exp, 'cc-exp-month': FIELD.expMonth, 'cc-exp-year': FIELD.expYear,
  'cc-csc': FIELD.cvc, 'cc-name': FIELD.holder, 'cc-given-name': FIELD.holder, 'cc-family-name': FIELD.holder};
const NAME_TOKEN = /^(name|given-name|family-name)$/;
const OTHER_TOKEN = new RegExp('^(honorific-.*|additional-name|nickname|username|' +
    '(new|current)-password|one-time-code|organization.*|street-address|address-.*|country.*|postal-code|' +
    'cc-additional-name|cc-type|transaction-.*|language|bday.*|sex|url|photo|' +
    'tel.*|email|impp)$');

// The field that the autocomplete attribute names; -1 when it names something else, -2 for a name; null when it says
// nothing.
const token = el => {
  const list = (el.getAttribute('autocomplete') || '').toLowerCase().split(/\s+/).filter(Boolean);
  for (const word of list) if (word in TOKENS) return TOKENS[word];
  if (list.some(word => NAME_TOKEN.test(word))) return -2;
  return list.some(word => OTHER_TOKEN.test(word)) ? -1 : null;
};

const byIds = (el, attribute) => (el.getAttribute(attribute) || '').split(/\s+/).filter(Boolean)
    .map(id => el.getRootNode().getElementById?.(id)?.textContent || '').join(' ');

// Text before the element: the cell, the sibling or the block in front of it. At most a short line.
const nearText = el => {
  for (let node = el, steps = 0; node && steps < 3; node = node.parentElement, ++steps) {
    if (/^(FORM|BODY|FIELDSET|SECTION)$/.test(node.tagName)) break;
    for (let at = node.previousSibling; at; at = at.previousSibling) {
      if (at.nodeType === 1 && /^(INPUT|SELECT|TEXTAREA|BUTTON|SCRIPT|STYLE|IFRAME)$/.test(at.tagName)) return '';
      if (at.nodeType === 1 && at.querySelector('input,select,textarea')) return '';
      const text = at.nodeType === 1 || at.nodeType === 3 ? at.textContent.trim() : '';
      if (text) return text.length <= 80 ? text : '';
    }
  }
  return '';
};

// Own text of a label, without the options of a select inside it.
const labelText = label => {
  let out = '';
  const walk = node => {
    for (const child of node.childNodes) {
      if (child.nodeType === 3) out += ' ' + child.data;
      else if (child.nodeType === 1 && !/^(SELECT|SCRIPT|STYLE|INPUT|TEXTAREA)$/.test(child.tagName)) walk(child);
    }
  };
  walk(label);
  return out;
};

// All that names the element, the surest first: {text (in words), raw, tier, read (by people)}.
const signals = el => {
  const out = [];
  const add = (raw, tier, read) => { if (raw && raw.trim()) out.push({raw, text: words(raw), tier, read}); };
  for (const {name, value} of el.attributes) {
    if (/^data-.*(field|name|type|encrypted|checkout|stripe|recurly|testid|cse)/.test(name)) add(value, TIER.named, false);
  }
  add(el.getAttribute('name'), TIER.named, false);
  add(el.id, TIER.named, false);
  for (const label of el.labels || []) add(labelText(label), TIER.named, true);
  add(byIds(el, 'aria-labelledby'), TIER.named, true);
  add(el.getAttribute('aria-label'), TIER.named, true);
  add(el.getAttribute('placeholder'), TIER.placeholder, true);
  add(el.title, TIER.placeholder, true);
  if (!out.some(signal => signal.read && signal.tier === TIER.named)) add(nearText(el), TIER.near, true);
  return out;
};

// True when the element says that it is something else, such as a gift card.
const isOther = list => {
  const loud = list.filter(s => s.read && (IS_OTHER.test(s.text) || IS_OTHER_LABEL.test(s.text)));
  const quiet = list.filter(s => !s.read && IS_OTHER.test(s.text));
  return loud.concat(quiet).some(s => !IS_PAYMENT.test(s.text));
};

// Month, year or both, from the most specific thing that says so.
const expiryPart = (el, list) => {
  if (el.type === 'month') return FIELD.exp;
  for (const {text} of [...list].sort((a, b) => a.read - b.read)) {
    const month = IS_MONTH.test(text), year = IS_YEAR.test(text);
    if (month && year) return FIELD.exp;
    if (month) return FIELD.expMonth;
    if (year) return FIELD.expYear;
  }
  return FIELD.exp;
};

// {field, tier} by name, label and so on; null when nothing says that this is a card field.
const byWords = (el, list) => {
  for (const tier of [TIER.named, TIER.placeholder, TIER.near]) {
    for (const {text, raw} of list.filter(s => s.tier === tier)) {
      if (says(text, IS_CVC)) return {field: FIELD.cvc, tier};
      if (says(text, IS_EXPIRY)) return {field: expiryPart(el, list), tier};
      if (says(text, IS_HOLDER)) return {field: FIELD.holder, tier};
      if (says(text, IS_NUMBER)) return {field: FIELD.number, tier};
      // A processor's frame around one field needs no longer name than this.
      if (self !== top && /^number$/.test(text)) return {field: FIELD.number, tier: TIER.near};
      if (/^(cc|card|credit ?card)? ?(month|mm|monat|mois|mes|mese)$/.test(text)) return {field: FIELD.expMonth, tier: TIER.near};
      if (/^(cc|card|credit ?card)? ?(year|yy|yyyy|jahr|annee|ano|anno)$/.test(text)) return {field: FIELD.expYear, tier: TIER.near};
      if (tier === TIER.placeholder && /^([\dx•*·_]{4}[ -]?){3}[\dx•*·_]{3,4}$/i.test(raw.trim()))
        return {field: FIELD.number, tier};
    }
  }
  return null;
};

// An element that is edited as a document is: the outermost one.
const isRich = el => !/^(INPUT|SELECT|TEXTAREA)$/.test(el.tagName);
const isControl = el => el.tagName === 'SELECT' ? !el.multiple
    : el.tagName === 'INPUT' ? /^(text|tel|number|password|search|url|email|month)$/.test(el.type)
    : el.tagName === 'TEXTAREA' ? kind === KIND.identity
    : el.isContentEditable && !el.parentElement?.isContentEditable;
const CONTROLS = 'input,select,textarea,[contenteditable]';

// Also without a disabled fieldset around it.
const editable = el => !el.matches(':disabled') && !el.readOnly &&
    el.getAttribute('aria-disabled') !== 'true' && (!isRich(el) || el.getAttribute('aria-readonly') !== 'true');

const classifyCard = (el, list) => {
  const named = token(el);
  if (named === -1 || isOther(list)) return null;
  let found = named !== null && named >= 0 ? {field: named, tier: TIER.token} : byWords(el, list);
  // Somebody's name, and the name on the card only where a name or label says so.
  if (named === -2 && (found?.field !== FIELD.holder || found.tier !== TIER.named || el.tagName === 'SELECT')) return null;
  if (el.tagName === 'SELECT') {
    const part = selectPart(el);
    if (part === null) return found && found.tier === TIER.token ? {...found, wrong: true, shape: 0} : null;
    // What the options are counts more than what the label says: "Expiry date" stands before both.
    found = {field: part, tier: found ? found.tier : TIER.near};
  }
  if (!found) return null;
  if (isRich(el) && found.tier === TIER.near) return null;
  // A search box or a month picker only where the standard's token or the date itself says so.
  if (/^(search|url|email)$/.test(el.type) && found.tier !== TIER.token) return null;
  if (el.type === 'month' && found.field !== FIELD.exp) return null;
  return {...found, shape: shapeOf(el, found.field, list), wrong: !editable(el), repeats: list.some(s => IS_REPEAT.test(s.text))};
};

// {field, tier, shape, wrong, repeats, section}, or null for what is no field of the record's kind.
const classify = el => {
  const list = signals(el);
  return kind === KIND.card ? classifyCard(el, list) : kind === KIND.identity ? classifyIdentity(el, list) : classifyLogin(el, list);
};
