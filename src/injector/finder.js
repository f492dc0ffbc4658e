// Finds card fields in one document, fills them and reads them back.
//
// Runs in an isolated world: the page's scripts share the DOM with it, but not its objects, prototypes or
// variables. The injector evaluates this file once per document and keeps the object it returns; every later
// call goes through that object, so a call can reach no other document. What goes back is numbers and flags
// only, never a value and never text of the page.
//
// The numbers are those of Field and Why in rpc/injector_protocol.hpp, and of Shape in src/injector/values.hpp.
globalThis.popvault = (() => {
'use strict';

const FIELD = {number: 0, exp: 1, expMonth: 2, expYear: 3, cvc: 4, holder: 5};
const WHY = {ok: 0, missing: 1, hidden: 2, tooSmall: 3, covered: 4, wrongType: 7, notKept: 8, noOption: 9};
// How sure a match is. A token of the HTML standard beats a name or label, which beats a placeholder, which
// beats text that only stands nearby.
const TIER = {token: 4, named: 3, placeholder: 2, near: 1};

// ---- Words -------------------------------------------------------------------------------------------

// "creditCard_numberÉ" -> "credit card numbere": one form for names, ids and labels of several languages.
const words = text => {
  const plain = (text || '').slice(0, 300).replace(/([a-z0-9])([A-Z])/g, '$1 $2')
      .replace(/[\s!-/:-@[-`{-~\u00a0-\u00bf\u2000-\u206f\u3000-\u303f\uff01-\uff0f\uff1a-\uff20]+/g, ' ').toLowerCase().trim();
  if (!/[^ -~]/.test(plain)) return plain;
  return plain.normalize('NFD').replace(/[\u0300-\u036f]/g, '').normalize('NFC');
};

const IS_CVC = new RegExp([
  'cvc', 'cvv', '\\bcvn', 'ccv\\b', '\\bcsc\\b', '\\bcid\\b', '\\bcvd\\b', 'security ?code', '\\bcard ?code',
  'card ?(security|verification)', 'card ?validation', 'verification (number|value)', 'kartenpruf',
  'pruf(nummer|ziffer)', 'sicherheits ?(code|nummer)', 'cryptogramme', 'code de (securite|verification)',
  'codigo de (seguridad|seguranca)', 'codice (di )?sicurezza', '(beveiligings|veiligheids) ?code',
  'kod (bezpieczenstwa|zabezpieczajacy)', 'セキュリティ ?コード', '安全码'].join('|'));
const IS_EXPIRY = new RegExp([
  '\\bexp\\b', '\\bexp ?(date|month|year|mm|yy|m|y)\\b', 'expir', 'valid (thru|through|until|to|till)',
  '\\bgultig', 'ablauf', 'verfall', 'fin de validite', 'caduc', 'vencim', '\\bvence', 'scaden', 'verval',
  'geldig tot', 'validade', 'wazn', '有効期限', '有效期', '\\bmm ?(yy|jj|aa|rr)'].join('|'));
const IS_MONTH = /month|\bmm\b|\b(exp|cc)mm?\b|monat|\bmois\b|\bmes\b|\bmese\b|maand|miesiac|月/;
const IS_YEAR = /year|\b(exp|cc)?yy(yy)?\b|jahr|\bjj(jj)?\b|annee|\baa(aa)?\b|\bano\b|\banno\b|jaar|\brok\b|\brr(rr)?\b|年/;
const IS_HOLDER = new RegExp([
  'card ?holder', 'holder ?name', 'name ?on ?(the |your )?card', '^(cc|card|credit card) ?name$', 'card ?owner',
  'name as (it )?(appears|on|shown)', 'karten ?inhaber', 'titulaire', 'titular', 'intestatario', 'kaarthouder',
  'naam op', 'nome (no|impresso no|sulla)', 'posiadacz', 'na karcie', '名義', 'nom (sur|figurant)'].join('|'));
const IS_NUMBER = new RegExp([
  '\\b(credit|debit|payment|bank)? ?card ?(number|num|no\\b|nr\\b)', '\\b(credit|debit)card ?(number|num|no\\b)',
  '\\bcc ?(number|num|no\\b|nr\\b)', '\\bccn\\b', '\\bpan\\b', '^(cc|card|credit ?card|debit ?card)$',
  'number (on|of) (the |your )?card', 'karten ?(nummer|nr\\b)', '\\bnumero (de |da |do |della |di |la |votre |sua )*(carte|tarjeta|carta|cartao)',
  'kaart ?nummer', 'numer karty', 'カード ?番号', '卡号'].join('|'));

// Things that look like a card field and are not. The first list holds for labels and for names, the second
// for what people read only: a name such as order[card_number] says nothing against it.
const IS_OTHER = new RegExp([
  '\\bgift', 'geschenk', 'cadeau', 'regalo', 'podarunk', '\\bpromo', 'coupon', 'voucher', 'gutschein', 'discount',
  'rabatt', 'loyal', 'fidel', 'treue', 'reward', '\\biban\\b', '\\bbic\\b', 'routing', 'sort ?code', 'phone',
  '\\btel\\b', 'telefon', 'nickname', '\\balias\\b', 'search', '\\bsuche', 'passport', '\\bssn\\b', '\\bzip\\b',
  'postal', '\\bplz\\b', '\\botp\\b', 'one ?time', '\\bsms\\b', '2fa', 'captcha', 'birth', 'geburt', 'naiss',
  'nacimiento', '\\bdob\\b', 'issue ?(date|month|year|number)', 'start ?date', 'valid from',
  'last ?(4|four)', 'e ?mail', 'library', 'account ?(number|num|no\\b|nr\\b)', 'member(ship)? ?(number|card|id|no\\b)',
  'confirm', 'ギフト', 'ポイント', '会員'].join('|'));
const IS_OTHER_LABEL = new RegExp([
  'order (number|no\\b|id)', 'customer ?(number|id|card)', 'invoice', 'tracking', '\\btax\\b', '\\bvat\\b',
  'licen[cs]e', 'student', 'konto ?nummer', 'kundennummer', '\\bmobile'].join('|'));
const IS_PAYMENT = /credit|debit|kredit|bank ?card|payment card|bancaire|credito|kreditowej/;

const says = (text, list) => list.test(text) && !(list !== IS_CVC && IS_OTHER.test(text) && !IS_PAYMENT.test(text));

// ---- What an element says about itself -----------------------------------------------------------------

const TOKENS = {
  'cc-number': FIELD.number, 'cc-exp': FIELD.exp, 'cc-exp-month': FIELD.expMonth, 'cc-exp-year': FIELD.expYear,
  'cc-csc': FIELD.cvc, 'cc-name': FIELD.holder};
const OTHER_TOKEN = new RegExp('^(name|honorific-.*|given-name|additional-name|family-name|nickname|username|' +
    '(new|current)-password|one-time-code|organization.*|street-address|address-.*|country.*|postal-code|' +
    'cc-given-name|cc-additional-name|cc-family-name|cc-type|transaction-.*|language|bday.*|sex|url|photo|' +
    'tel.*|email|impp)$');

// The field that the autocomplete attribute names; -1 when it names something else; null when it says nothing.
const token = el => {
  const list = (el.getAttribute('autocomplete') || '').toLowerCase().split(/\s+/).filter(Boolean);
  for (const word of list) if (word in TOKENS) return TOKENS[word];
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

// ---- Selects and formats ---------------------------------------------------------------------------------

const MONTHS = [
  'jan|gen|ene|sty|ledna', 'feb|fev|lut', 'mar|maa|mrt|mae', 'apr|avr|abr|kwi', 'may|mai|mag|mei|maj', 'jun|juin|giu|cze',
  'jul|juil|lug|lip', 'aug|aou|ago|sie', 'sep|set|wrz', 'oct|okt|ott|out|paz', 'nov|lis', 'dec|dez|dic|gru']
    .map(names => new RegExp('(^|\\s)(' + names + ')[a-z]*(\\s|$)'));

// 1 to 12 for an option that is a month, else 0. Its text decides; its value only if the text says nothing:
// values may count from zero.
const optionMonth = option => {
  const read = text => {
    const plain = words(text);
    const digits = plain.match(/^(\d{1,2})(\s|月|$)/) || plain.match(/(?:^|\s)(\d{1,2})$/);
    if (digits && +digits[1] >= 1 && +digits[1] <= 12) return +digits[1];
    return MONTHS.findIndex(names => names.test(plain)) + 1;
  };
  return read(option.label || option.text) || (option.text.trim() ? 0 : read(option.value));
};

const optionYear = option => {
  for (const text of [option.label || option.text, option.value]) {
    const year = (text || '').match(/(?:^|\D)(20\d\d|\d\d)(?:\D|$)/);
    if (year) return +year[1] < 100 ? 2000 + +year[1] : +year[1];
  }
  return 0;
};

// Which part of an expiry date a select offers: a field, or null.
const selectPart = el => {
  const options = [...el.options].slice(0, 200);
  const months = new Set(options.map(optionMonth).filter(Boolean));
  if (months.size === 12 && options.length <= 14) return FIELD.expMonth;
  const years = options.map(optionYear).filter(Boolean);
  const next = new Date().getFullYear() + 1;
  if (years.length >= 3 && years.length >= options.length - 2 && years.includes(next) && Math.min(...years) >= next - 15)
    return FIELD.expYear;
  return null;
};

// Shape: bits 0-2 the separator (0 none, 1 "/", 2 " / ", 3 "-", 4 " ", 5 "."), 8: four-digit year, 16: year first,
// 32: number in groups of four.
const SAMPLES = [['12/30', 1], ['12 / 30', 2], ['12/2030', 9], ['1230', 0], ['122030', 8], ['12 / 2030', 10],
  ['12-30', 3], ['12-2030', 11], ['2030-12', 27]];
const shapeOfText = raw => {
  const form = (raw || '').match(/(?:mm|m|月)(\s*[/\-.]?\s*)(y{2,4}|j{2,4}|a{2,4}|r{2,4})/i) ||
      (raw || '').match(/(?:^|\s)(?:0\d|1[0-2])(\s*[/\-.]\s*)(20\d\d|\d\d)(?:\s|$)/);
  if (!form) return null;
  const gap = form[1];
  const mark = gap.trim();
  const base = mark === '/' ? (gap === '/' ? 1 : 2) : mark === '-' ? 3 : mark === '.' ? 5 : gap ? 4 : 0;
  return base | (form[2].length === 4 ? 8 : 0);
};
const sizeOf = shape => [0, 1, 3, 1, 1, 1][shape & 7] + 2 + (shape & 8 ? 4 : 2);
const matches = (el, text) => {
  try {
    return new RegExp('^(?:' + el.pattern + ')$', 'u').test(text);
  } catch {
    return true;
  }
};

const expiryShape = (el, list) => {
  const limit = el.maxLength > 0 ? el.maxLength : 99;
  if (el.type === 'month') return 27;
  if (el.type === 'number') return limit >= 6 ? 8 : 0;
  let shape = null;
  for (const signal of [...list].sort((a, b) => (a.tier === TIER.placeholder ? 0 : 1) - (b.tier === TIER.placeholder ? 0 : 1)))
    if (shape === null) shape = shapeOfText(signal.raw);
  const fits = s => sizeOf(s) <= limit && (!el.pattern || matches(el, SAMPLES.find(row => row[1] === s)?.[0] ?? ''));
  if (shape !== null && fits(shape)) return shape;
  const four = shape !== null && (shape & 8);
  const order = SAMPLES.map(row => row[1]).sort((a, b) => ((b & 8) === four) - ((a & 8) === four));
  if (shape === null && limit === 7) order.unshift(9);
  if (shape === null && limit === 6) order.unshift(8);
  return order.find(fits) ?? 1;
};

const yearShape = (el, list) => {
  const limit = el.maxLength > 0 ? el.maxLength : 99;
  if (limit < 4) return 0;
  if (el.type === 'number' && +el.max > 0 && +el.max < 100) return 0;
  const four = list.some(s => /\b(yyyy|jjjj|aaaa|rrrr|20\d\d)\b/i.test(s.raw));
  const two = list.some(s => /(^|[^a-z])(yy|jj|aa|rr)([^a-z]|$)/i.test(s.raw) || /^\d\d$/.test(s.raw.trim()));
  if (el.pattern && !matches(el, '2030') && matches(el, '30')) return 0;
  return two && !four ? 0 : 8;
};

const shapeOf = (el, field, list) => {
  if (el.tagName === 'SELECT') return 0;
  if (field === FIELD.exp) return expiryShape(el, list);
  if (field === FIELD.expYear) return yearShape(el, list);
  if (field === FIELD.number && el.pattern && !matches(el, '4242424242424242') && matches(el, '4242 4242 4242 4242')) return 32;
  return 0;
};

// ---- Classifying ---------------------------------------------------------------------------------------

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

const isControl = el => el.tagName === 'SELECT' ? !el.multiple
    : el.tagName === 'INPUT' && /^(text|tel|number|password|search|url|email|month)$/.test(el.type);

// Also without a disabled fieldset around it.
const editable = el => !el.matches(':disabled') && !el.readOnly;

const classify = el => {
  const list = signals(el);
  const named = token(el);
  if (named === -1 || isOther(list)) return null;
  let found = named !== null ? {field: named, tier: TIER.token} : byWords(el, list);
  if (el.tagName === 'SELECT') {
    const part = selectPart(el);
    if (part === null) return found && found.tier === TIER.token ? {...found, wrong: true, shape: 0} : null;
    // What the options are counts more than what the label says: "Expiry date" stands before both.
    found = {field: part, tier: found ? found.tier : TIER.near};
  }
  if (!found) return null;
  // A search box or a month picker only where the standard's token or the date itself says so.
  if (/^(search|url|email)$/.test(el.type) && found.tier !== TIER.token) return null;
  if (el.type === 'month' && found.field !== FIELD.exp) return null;
  return {...found, shape: shapeOf(el, found.field, list), wrong: !editable(el)};
};

// ---- Visibility ------------------------------------------------------------------------------------------

const parentOf = node => node.assignedSlot || node.parentElement || node.getRootNode().host || null;

const seeThrough = style => {
  const filter = style.filter.match(/opacity\(([\d.]+)(%?)\)/);
  return parseFloat(style.opacity) * (filter ? filter[1] / (filter[2] ? 100 : 1) : 1);
};
const clippedAway = style => /^(inset\((5\d|[6-9]\d|100)|circle\(0|polygon\(0(px|%)? 0(px|%)?(, 0(px|%)? 0(px|%)?)*\))/.test(style.clipPath) ||
    (/^(absolute|fixed)$/.test(style.position) && /^rect\((0|1)(px)?,? (0|1)(px)?,? (0|1)(px)?,? (0|1)(px)?\)$/.test(style.clip));

const rendered = el => {
  if (!el.isConnected || !el.getClientRects().length) return false;
  if (getComputedStyle(el).visibility !== 'visible') return false;
  let opacity = 1;
  for (let node = el; node; node = parentOf(node)) {
    const style = getComputedStyle(node);
    opacity *= seeThrough(style);
    if (opacity < 0.1 || clippedAway(style) || node.inert) return false;
  }
  return true;
};

const centre = el => {
  const box = el.getBoundingClientRect();
  return {x: box.left + box.width / 2, y: box.top + box.height / 2};
};
const inView = ({x, y}) => x >= 0 && y >= 0 && x < innerWidth && y < innerHeight;

// Brings the element's centre into the viewport where that is possible.
const reach = el => {
  if (inView(centre(el))) return true;
  el.scrollIntoView({block: 'center', inline: 'center', behavior: 'instant'});
  return inView(centre(el));
};

// True when a click at the point would go to the element or to its own label, at each level of shadow trees.
const onTop = (el, x, y) => {
  for (let node = el; node;) {
    const scope = node.getRootNode();
    const hit = scope.elementFromPoint(x, y);
    if (!hit) return false;
    const own = hit === node || node.contains(hit) || (node === el && hit.closest('label')?.control === el) ||
        (node !== el && hit.contains(node));
    if (!own) return false;
    node = scope.host || null;
  }
  return true;
};

// True when the point is outside of a box around the element that shows nothing beyond its edges.
const cutOff = (el, x, y) => {
  for (let node = parentOf(el); node && node !== document.documentElement && node !== document.body; node = parentOf(node)) {
    if (getComputedStyle(node).overflow === 'visible') continue;
    const box = node.getBoundingClientRect();
    if (x < box.left || x > box.right || y < box.top || y > box.bottom) return true;
  }
  return false;
};

const visibleWhy = (el, minWidth, minHeight) => {
  if (!rendered(el)) return WHY.hidden;
  const box = el.getBoundingClientRect();
  if (box.width < minWidth || box.height < minHeight) return WHY.tooSmall;
  if (!reach(el)) return WHY.hidden;
  const {x, y} = centre(el);
  if (onTop(el, x, y)) return WHY.ok;
  return cutOff(el, x, y) ? WHY.hidden : WHY.covered;
};
// A field in a frame that is no more than a dot is one as well.
const fieldWhy = el => innerWidth < 20 || innerHeight < 10 ? WHY.tooSmall : visibleWhy(el, 10, 8);

// ---- Scanning --------------------------------------------------------------------------------------------

const closedRoots = new Set();
const candidates = [];   // elements; an index here is how the injector names one
const indexOf = new Map();
const groups = new Map();

const number = el => {
  if (!indexOf.has(el)) indexOf.set(el, candidates.push({el}) - 1);
  return indexOf.get(el);
};
// One number per form. Fields without a form belong together per shadow tree.
const groupOf = el => {
  const key = el.form || el.getRootNode();
  if (!groups.has(key)) groups.set(key, groups.size);
  return groups.get(key);
};

const roots = () => {
  const out = [document, ...[...closedRoots].filter(root => root.host.isConnected)];
  let suspects = 0;
  for (const root of out) {
    for (const el of root.querySelectorAll('*')) {
      if (el.shadowRoot) out.push(el.shadowRoot);
      else if (el.tagName.includes('-') && ![...closedRoots].some(closed => closed.host === el)) ++suspects;
    }
  }
  return {out: [...new Set(out)], suspects};
};

// Two short boxes under one label "Expiry" are month and year, in this order.
const splitDates = list => {
  const short = list.filter(c => c.field === FIELD.exp && candidates[c.index].el.maxLength > 0 && candidates[c.index].el.maxLength <= 2);
  if (short.length !== 2 || short[0].group !== short[1].group) return;
  short[0].field = FIELD.expMonth;
  short[1].field = FIELD.expYear;
  for (const one of short) one.shape = 0;
};

const scan = () => {
  const found = [];
  const {out, suspects} = roots();
  for (const root of out) {
    for (const el of root.querySelectorAll('input,select')) {
      if (!isControl(el)) continue;
      const what = classify(el);
      if (!what) continue;
      const index = number(el);
      const why = fieldWhy(el) || (what.wrong ? WHY.wrongType : WHY.ok);
      const shy = !!el.closest('[aria-hidden="true"]') || el.tabIndex < 0;
      found.push({index, field: what.field, tier: what.tier * 2 - (shy ? 1 : 0), why, shape: what.shape,
                  group: groupOf(el), required: el.required || el.getAttribute('aria-required') === 'true'});
      Object.assign(candidates[index], {field: what.field, shape: what.shape});
    }
  }
  splitDates(found);
  for (const one of found) candidates[one.index].field = one.field;
  return {origin: self.origin, url: location.protocol, complete: document.readyState === 'complete', suspects,
          found: found.map(c => {
            const at = centre(candidates[c.index].el);
            return [c.index, c.field, c.tier, c.why, c.shape, c.group, c.required ? 1 : 0, inView(at) ? 1 : 0, at.x, at.y];
          })};
};

// ---- Reading back ----------------------------------------------------------------------------------------

const digits = text => text.replace(/\D/g, '');

// {month, year} of what stands in an expiry field, the year with two digits; null when it is no date.
const readExpiry = text => {
  const yearFirst = text.match(/^\s*(\d{4})\D+(\d{1,2})\s*$/);
  if (yearFirst) return {month: +yearFirst[2], year: +yearFirst[1] % 100};
  const split = text.match(/^\s*(\d{1,2})\D+(\d{2}|\d{4})\s*$/);
  if (split) return {month: +split[1], year: +split[2] % 100};
  const plain = digits(text);
  if (plain !== text.trim() || (plain.length !== 4 && plain.length !== 6)) return null;
  return {month: +plain.slice(0, 2), year: +plain.slice(2) % 100};
};

// `expect` is the digits of number and code, the holder's name, or MMYYYY.
const kept = ({el, field, expect}) => {
  if (!el.isConnected) return false;
  const month = +expect.slice(0, 2), year = +expect.slice(2);
  if (el.tagName === 'SELECT') {
    const option = el.selectedOptions[0];
    if (!option) return false;
    return field === FIELD.expMonth ? optionMonth(option) === month : optionYear(option) === year;
  }
  const value = el.value;
  switch (field) {
    case FIELD.number: return digits(value) === expect && !/\p{L}/u.test(value);
    case FIELD.cvc: return value.trim() === expect;
    case FIELD.holder: {
      const plain = text => text.trim().replace(/\s+/g, ' ').toLowerCase();
      return plain(value) === plain(expect);
    }
    case FIELD.exp: {
      const date = readExpiry(value);
      return !!date && date.month === month && date.year === year % 100;
    }
    case FIELD.expMonth: return /^\s*\d{1,2}\s*$/.test(value) && +value === month;
    case FIELD.expYear: return /^\s*(\d\d|\d{4})\s*$/.test(value) && (+value === year || (value.trim().length === 2 && +value === year % 100));
  }
  return false;
};

// ---- Filling ---------------------------------------------------------------------------------------------

const STATE = {kept: 0, notKept: 1, gone: 2, noFocus: 3, noOption: 4, select: 5};

const hasFocus = el => {
  for (let node = el; node; node = node.getRootNode().host || null)
    if (node.getRootNode().activeElement !== node) return false;
  return true;
};
const focus = el => {
  if (!hasFocus(el)) el.focus({preventScroll: true});
  return hasFocus(el);
};

// Sets a control that has no text to type: a month picker, or a select that the keyboard does not move.
const assign = (el, change) => {
  change();
  el.dispatchEvent(new Event('input', {bubbles: true, composed: true}));
  el.dispatchEvent(new Event('change', {bubbles: true}));
};

// Types into the element in one step: no script of the page runs between the check of the focus and the
// insertion, so the text cannot land anywhere else. The input event is a trusted one.
const insert = (el, text) => {
  if (!focus(el)) return STATE.noFocus;
  if (el.type === 'month') {
    assign(el, () => { el.value = text; });
  } else {
    if (el.value !== '') el.select();
    document.execCommand(text ? 'insertText' : 'delete', false, text);
  }
  return STATE.kept;
};

const wantedOption = ({el, field, expect}) => [...el.options].findIndex(option => !option.disabled &&
    (field === FIELD.expMonth ? optionMonth(option) === +expect.slice(0, 2) : optionYear(option) === +expect.slice(2)));

const isEmpty = ({el, before}) => !el.isConnected ||
    (el.tagName === 'SELECT' ? el.selectedIndex === before : el.value.replace(/[\s/\-_.•]/g, '') === '');

const usable = el => fieldWhy(el) === WHY.ok && editable(el);

const fillOne = (one, text) => {
  const {el} = one;
  if (!el.isConnected || !editable(el)) return STATE.gone;
  one.touched = true;
  if (el.tagName === 'SELECT') return kept(one) ? STATE.kept : STATE.select;
  const state = insert(el, text);
  if (state !== STATE.kept) return state;
  return kept(one) ? STATE.kept : STATE.notKept;
};

return {
  scan,
  addRoot: root => { closedRoots.add(root); },
  // Where the middle of a candidate is, after it was brought into view.
  point: index => {
    reach(candidates[index].el);
    return centre(candidates[index].el);
  },
  // Whether the frame element shows the point (x, y) of its content, and where that is in this document.
  owner: (el, x, y) => {
    const sandboxed = el.tagName !== 'IFRAME' || el.hasAttribute('sandbox') || el.hasAttribute('srcdoc');
    if (!rendered(el)) return {why: WHY.hidden, sandboxed};
    const spot = () => {
      const box = el.getBoundingClientRect(), style = getComputedStyle(el);
      const scaleX = box.width / (el.offsetWidth || 1), scaleY = box.height / (el.offsetHeight || 1);
      return {x: box.left + (el.clientLeft + parseFloat(style.paddingLeft) + x) * scaleX,
              y: box.top + (el.clientTop + parseFloat(style.paddingTop) + y) * scaleY, box};
    };
    const {box} = spot();
    if (box.width < 20 || box.height < 10) return {why: WHY.tooSmall, sandboxed};
    if (!inView(spot())) el.scrollIntoView({block: 'center', inline: 'center', behavior: 'instant'});
    if (!inView(spot())) scrollBy({left: spot().x - innerWidth / 2, top: spot().y - innerHeight / 2, behavior: 'instant'});
    const at = spot();
    if (!inView(at) || at.x > at.box.right || at.y > at.box.bottom || at.x < at.box.left || at.y < at.box.top)
      return {why: WHY.hidden, sandboxed};
    return {why: onTop(el, at.x, at.y) ? WHY.ok : WHY.covered, sandboxed, x: at.x, y: at.y};
  },
  // list: [index, text, expect] per field. All fields are looked at first, so that the page is laid out once: when one
  // is not as it was checked, or a select lacks the option, nothing is typed at all.
  fill: list => {
    const ones = list.map(([index]) => candidates[index]);
    const out = ones.map((one, at) => {
      Object.assign(one, {expect: list[at][2], before: one.el.selectedIndex});
      if (!usable(one.el)) return STATE.gone;
      return one.el.tagName === 'SELECT' && wantedOption(one) < 0 ? STATE.noOption : STATE.kept;
    });
    if (out.some(state => state !== STATE.kept)) return out;
    for (const {el, field} of ones) {
      // Dots instead of digits for whoever looks at the screen.
      if (field !== FIELD.holder && el.tagName !== 'SELECT') el.style.setProperty('-webkit-text-security', 'disc', 'important');
    }
    return ones.map((one, at) => fillOne(one, list[at][1]));
  },
  // For typing by keys: the focus and an empty field first, and after each key whether the focus is still there.
  prepare: index => {
    const {el} = candidates[index];
    if (!usable(el) || !focus(el)) return false;
    if (el.tagName !== 'SELECT') {
      insert(el, '');
      el.select();
    }
    return true;
  },
  selectAll: index => {
    const {el} = candidates[index];
    if (!focus(el)) return false;
    el.select();
    return true;
  },
  length: index => candidates[index].el.value.length,
  focused: index => hasFocus(candidates[index].el),
  shows: el => el.getRootNode().activeElement === el,
  kept: index => kept(candidates[index]),
  // Which arrow key brings a select nearer to its option: 1 down, -1 up, 0 there.
  direction: index => {
    const one = candidates[index];
    return Math.sign(wantedOption(one) - one.el.selectedIndex);
  },
  choose: index => {
    const one = candidates[index];
    assign(one.el, () => { one.el.selectedIndex = wantedOption(one); });
    return kept(one);
  },
  // Leaves the last field as a user does who goes on, lets the page's handlers and its next frame run, and reads all
  // fields back. [index, kept] each.
  settle: async wait => {
    for (const {el, touched} of candidates) if (touched && hasFocus(el)) el.blur();
    await new Promise(done => setTimeout(done, 0));
    await new Promise(done => {
      requestAnimationFrame(() => setTimeout(done, 0));
      setTimeout(done, wait);
    });
    const out = candidates.flatMap((one, index) => one.touched ? [[index, kept(one)]] : []);
    for (const one of candidates) one.expect = '';
    return out;
  },
  // Empties what was typed. True when all of it reads back empty a moment later.
  clear: async () => {
    const typed = candidates.filter(one => one.touched);
    for (const one of typed) {
      const {el} = one;
      if (el.tagName === 'SELECT') assign(el, () => { el.selectedIndex = one.before; });
      else insert(el, '');
      if (!isEmpty(one)) assign(el, () => { el.value = ''; });
      if (hasFocus(el)) el.blur();
    }
    await new Promise(done => setTimeout(done, 30));
    for (const one of typed) if (isEmpty(one)) one.el.style.removeProperty('-webkit-text-security');
    for (const one of typed) one.expect = '';
    return typed.map(one => [indexOf.get(one.el), isEmpty(one)]);
  },
};
})()
