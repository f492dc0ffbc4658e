// Selects of months and years, and the form in which a field wants its value.

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

// {month, year} of an option that is both, such as "04 / 31", "April 2031" or the value "2031-04"; else null.
const optionDate = option => {
  for (const text of [option.label || option.text, option.value]) {
    const plain = words(text);
    const at = plain.match(/^(\d{1,2}) (20\d\d|\d\d)$/) || plain.match(/^(\d\d)(20\d\d|\d\d)$/);
    const back = plain.match(/^(20\d\d) ?(\d{1,2})$/);
    const named = plain.match(/(?:^| )(20\d\d)(?: |$)/);
    const month = at ? +at[1] : back ? +back[2] : named ? MONTHS.findIndex(names => names.test(plain)) + 1 : 0;
    const year = at ? +at[2] % 100 : back ? +back[1] % 100 : named ? +named[1] % 100 : 0;
    if (month >= 1 && month <= 12) return {month, year: 2000 + year};
  }
  return null;
};
const isDateSelect = options => {
  const dates = options.map(optionDate).filter(Boolean);
  const soon = new Date().getFullYear() - 1;
  return dates.length >= 12 && dates.length >= options.length - 2 && new Set(dates.map(date => date.year)).size > 1 &&
      dates.every(({year}) => year >= soon && year <= soon + 30);
};

// Which part of an expiry date a select offers: a field, or null.
const selectPart = el => {
  const options = [...el.options].slice(0, 500);
  if (isDateSelect(options)) return FIELD.exp;
  const months = new Set(options.map(optionMonth).filter(Boolean));
  if (months.size === 12 && options.length <= 14) return FIELD.expMonth;
  const years = options.map(optionYear).filter(Boolean);
  const next = new Date().getFullYear() + 1;
  if (years.length >= 3 && years.length >= options.length - 2 && years.includes(next) && Math.min(...years) >= next - 15)
    return FIELD.expYear;
  return null;
};

// Shape: bits 0-2 the separator (0 none, 1 "/", 2 " / ", 3 "-", 4 " ", 5 "."), 8: four-digit year, 16: year first,
// 32: number in groups of four, 64: given name alone, 128: family name alone. Of a box among several, from bit 8 on:
// how many characters stand before it (5 bits), how many it takes (5 bits), and 1 << 18 for the last one, which takes the
// rest. Of an identity's field: 1 without the country's prefix, 2 the prefix alone, 4 both address lines.
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
  const part = (el.getAttribute('autocomplete') || '').match(/cc-(given|family)-name/);
  if (field === FIELD.holder && part) return part[1] === 'given' ? 64 : 128;
  if (field === FIELD.holder) {
    const given = list.some(s => IS_GIVEN.test(s.text)), family = list.some(s => IS_FAMILY.test(s.text));
    return given === family ? 0 : given ? 64 : 128;
  }
  if (field === FIELD.number && el.pattern && !(el.maxLength > 0 && el.maxLength < 19) &&
      !matches(el, '4242424242424242') && matches(el, '4242 4242 4242 4242')) return 32;
  return 0;
};
