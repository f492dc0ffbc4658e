// A value that is split over several boxes: a card number in three to five, a one-time code in one box per digit.

// How many characters a box takes; 0 when it does not say.
const limitOf = el => {
  if (el.tagName !== 'INPUT' || !/^(text|tel|number|password)$/.test(el.type)) return 0;
  if (el.maxLength > 0 && el.type !== 'number') return el.maxLength;
  const form = (el.pattern || '').match(/^\^?(?:\\d|\[0-9\])(?:\{(\d)\})?\*?\$?$/);
  if (form) return +(form[1] || 1);
  if (el.type === 'number' && /^9+$/.test(el.max)) return el.max.length;
  return el.hasAttribute('size') && el.size <= 6 ? el.size : el.maxLength > 0 ? el.maxLength : 0;
};

// What stands over a group of boxes.
const groupText = el => {
  const out = [];
  let node = el.parentElement;
  for (let steps = 0; node && steps < 5 && !/^(FORM|BODY)$/.test(node.tagName); node = node.parentElement, ++steps) {
    const legend = node.tagName === 'FIELDSET' ? node.querySelector('legend')?.textContent : '';
    out.push(legend, node.getAttribute('aria-label'), byIds(node, 'aria-labelledby'));
  }
  out.push(nearText(el));
  return out.filter(Boolean).map(words);
};

const NUMBER_BOXES = [[4, 4, 4, 4, 3], [4, 4, 4, 4], [4, 4, 4, 7], [4, 4, 4, 5], [4, 4, 4, 6], [4, 6, 5], [4, 6, 4]];

// The boxes that begin at list[at], or null.
const boxesAt = (list, at, limits, says, own) => {
  const run = list.slice(at, at + limits.length);
  if (run.length < limits.length || run.some((el, i) => limitOf(el) !== limits[i])) return null;
  if (run.some(el => groupOf(el) !== groupOf(run[0]) || !rendered(el))) return null;
  const found = run.map(classify);
  // Another kind of field ends it. A code field takes four digits too.
  if (found.some(what => what && what.field !== own)) return null;
  const named = found.find(what => what)?.tier;
  if (!found[0] && !groupText(run[0]).some(says)) return null;
  return {run, tier: named || TIER.near};
};

// element -> {set, part, field, tier, shape}
const findBoxes = controls => {
  const out = new Map();
  const list = controls.filter(el => el.tagName === 'INPUT');
  let sets = 0;
  for (let at = 0; at < list.length; ++at) {
    const length = limitOf(list[at]);
    let found = null, own = FIELD.number;
    if (kind === KIND.card && length === 4) {
      for (const limits of NUMBER_BOXES) found = found || boxesAt(list, at, limits, text => says(text, IS_NUMBER), own);
    } else if (kind === KIND.login && length === 1) {
      own = FIELD.totp;
      for (const size of [8, 7, 6, 5, 4]) found = found || boxesAt(list, at, Array(size).fill(1), text => IS_TOTP.test(text), own);
    }
    if (!found) continue;
    ++sets;
    let offset = 0;
    found.run.forEach((el, part) => {
      const last = part === found.run.length - 1;
      out.set(el, {set: sets, part, field: own, tier: found.tier, shape: (offset << 8) | (limitOf(el) << 13) | (last ? 1 << 18 : 0),
                   wrong: !editable(el), repeats: false, section: 0});
      offset += limitOf(el);
    });
    at += found.run.length - 1;
  }
  return out;
};
