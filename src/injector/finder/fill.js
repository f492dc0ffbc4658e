// Reading back, typing and clearing: what the injector calls.

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

const textOf = el => isRich(el) ? el.textContent.replace(/[\u200b\ufeff]/g, '').replace(/\u00a0/g, ' ') : el.value;
const isPlace = field => field >= FIELD.name && field <= FIELD.country;
// A value that has several forms has each on a line of its own.
const formsOf = (field, text) => field === FIELD.address ? [text] : text.split('\n');

// `expect` is the digits of number and code, the holder's name, MMYYYY, or the same as the text.
const kept = ({el, field, expect}) => {
  if (!el.isConnected) return false;
  if (isPlace(field)) return placeKept(el, field, formsOf(field, expect), textOf(el));
  const month = +expect.slice(0, 2), year = +expect.slice(2);
  if (el.tagName === 'SELECT') {
    const option = el.selectedOptions[0];
    if (!option) return false;
    const date = field === FIELD.exp ? optionDate(option) : null;
    if (field === FIELD.exp) return !!date && date.month === month && date.year === year;
    return field === FIELD.expMonth ? optionMonth(option) === month : optionYear(option) === year;
  }
  const value = textOf(el);
  switch (field) {
    case FIELD.number: return digits(value) === expect && !/\p{L}/u.test(value);
    case FIELD.cvc: return value.trim() === expect;
    case FIELD.username: return value.trim() === expect.trim();
    case FIELD.password: return value === expect;
    case FIELD.totp: return digits(value) === expect && !/\p{L}/u.test(value);
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
const selectText = el => {
  if (isRich(el)) getSelection().selectAllChildren(el);
  else el.select();
};

const insert = (el, text) => {
  if (!focus(el)) return STATE.noFocus;
  if (el.type === 'month') {
    assign(el, () => { el.value = text; });
  } else {
    if (isRich(el) || el.value !== '') selectText(el);
    document.execCommand(text ? 'insertText' : 'delete', false, text);
  }
  return STATE.kept;
};

const wantedOption = ({el, field, expect}) => {
  if (isPlace(field)) return optionOf(el, field, formsOf(field, expect));
  const month = +expect.slice(0, 2), year = +expect.slice(2);
  return [...el.options].findIndex(option => {
    if (option.disabled) return false;
    const date = field === FIELD.exp ? optionDate(option) : null;
    if (field === FIELD.exp) return !!date && date.month === month && date.year === year;
    return field === FIELD.expMonth ? optionMonth(option) === month : optionYear(option) === year;
  });
};

const isEmpty = ({el, before}) => !el.isConnected ||
    (el.tagName === 'SELECT' ? el.selectedIndex === before : textOf(el).replace(/[\s/\-_.•]/g, '') === '');

const usable = el => fieldWhy(el) === WHY.ok && editable(el);

const fillOne = (one, text) => {
  const {el} = one;
  if (!el.isConnected || !editable(el)) return STATE.gone;
  one.touched = true;
  if (el.tagName === 'SELECT') return kept(one) ? STATE.kept : STATE.select;
  const state = insert(el, isPlace(one.field) ? fitting(el, formsOf(one.field, text)) : text);
  if (state !== STATE.kept) return state;
  return kept(one) ? STATE.kept : STATE.notKept;
};

// Whether a form that got a number still wants the holder's name: its field is not among those that were filled.
const lacksHolder = () => candidates.filter(one => one.touched && one.field === FIELD.number)
    .flatMap(({el}) => [...(el.form ? el.form.elements : el.getRootNode().querySelectorAll('input'))])
    .some(el => el.tagName === 'INPUT' && isControl(el) && isRequired(el) && el.value.trim() === '' && usable(el) &&
        signals(el).some(s => s.tier === TIER.named && says(s.text, IS_HOLDER)));

// The text of the price that a selector names: what can be seen of it, and only when one element shows it.
const priceText = selector => {
  let list;
  try {
    list = [...document.querySelectorAll(selector)].filter(el => rendered(el) && el.innerText.trim() !== '');
  } catch {
    return '';
  }
  const texts = new Set(list.map(el => el.innerText.trim()));
  const [text] = texts;
  return texts.size === 1 && text.length <= 64 ? text : '';
};

const api = {
  priceText,
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
  // After a country was chosen: waits until the page has changed what depends on it, and looks again for fields that
  // it made anew.
  refresh: async most => {
    const until = performance.now() + most;
    let last = performance.now();
    const watch = new MutationObserver(() => { last = performance.now(); });
    watch.observe(document, {subtree: true, childList: true, attributes: true});
    while (performance.now() < until && performance.now() - last < 80) await new Promise(done => setTimeout(done, 20));
    watch.disconnect();
    const old = candidates.filter(one => !one.touched && !(one.el.isConnected && fieldWhy(one.el) === WHY.ok));
    const {found} = look();
    for (const one of old) {
      const same = found.filter(c => c.why === WHY.ok && c.field === one.field && c.group === one.group && c.section === one.section &&
          !candidates[c.index].touched && !c.repeat);
      if (same.length === 1) one.el = candidates[same[0].index].el;
    }
    return true;
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
      if (field !== FIELD.holder && field !== FIELD.username && !isPlace(field) && el.tagName !== 'SELECT') el.style.setProperty('-webkit-text-security', 'disc', 'important');
    }
    return ones.map((one, at) => fillOne(one, list[at][1]));
  },
  // For typing by keys: the focus and an empty field first, and after each key whether the focus is still there.
  prepare: index => {
    const {el} = candidates[index];
    if (!usable(el) || !focus(el)) return false;
    if (el.tagName !== 'SELECT') {
      insert(el, '');
      selectText(el);
    }
    return true;
  },
  selectAll: index => {
    const {el} = candidates[index];
    if (!focus(el)) return false;
    selectText(el);
    return true;
  },
  length: index => textOf(candidates[index].el).length,
  focused: index => hasFocus(candidates[index].el),
  shows: el => el.getRootNode().activeElement === el,
  kept: index => kept(candidates[index]),
  // Which arrow key brings a select nearer to its option: 1 down, -1 up, 0 there, or when it is one of a place: a page
  // may do much for each country that is passed.
  direction: index => {
    const one = candidates[index];
    return isPlace(one.field) ? 0 : Math.sign(wantedOption(one) - one.el.selectedIndex);
  },
  choose: index => {
    const one = candidates[index];
    assign(one.el, () => { one.el.selectedIndex = wantedOption(one); });
    return kept(one);
  },
  // For the question what the page listens to.
  document: () => document,
  // Which of the forms of its value a field takes.
  form: index => {
    const {el, field, expect} = candidates[index];
    const forms = formsOf(field, expect);
    return forms.indexOf(fitting(el, forms));
  },
  // Leaves the last field as a user does who goes on, lets the page's handlers and its next frame run, and reads all
  // fields back: [index, kept] each. A page that does something when a field is left gets `longer` to undo it.
  settle: async (wait, longer, listens) => {
    const touched = candidates.filter(one => one.touched);
    const before = touched.map(({el}) => textOf(el));
    let busy = listens || touched.some(({el}) => ['onblur', 'onchange', 'onfocusout'].some(name => el.hasAttribute(name)));
    const watch = new MutationObserver(() => { busy = true; });
    const watched = {subtree: true, childList: true, attributes: true, characterData: true};
    for (const root of new Set([document, ...touched.map(({el}) => el.getRootNode())])) watch.observe(root, watched);
    for (const {el} of touched) if (hasFocus(el)) el.blur();
    await new Promise(done => setTimeout(done, 0));
    await new Promise(done => {
      requestAnimationFrame(() => setTimeout(done, 0));
      setTimeout(done, wait);
    });
    if (busy || touched.some(({el}, at) => textOf(el) !== before[at])) {
      const until = performance.now() + longer;
      while (performance.now() < until && touched.every(kept)) await new Promise(done => setTimeout(done, 20));
    }
    watch.disconnect();
    const rows = candidates.flatMap((one, index) => one.touched ? [[index, kept(one)]] : []);
    for (const one of candidates) one.expect = '';
    return {rows, lacksHolder: lacksHolder()};
  },
  // Empties what was typed. True when all of it reads back empty a moment later.
  clear: async () => {
    const typed = candidates.filter(one => one.touched);
    for (const one of typed) {
      const {el} = one;
      if (el.tagName === 'SELECT') assign(el, () => { el.selectedIndex = one.before; });
      else insert(el, '');
      if (!isEmpty(one)) assign(el, () => { if (isRich(el)) el.textContent = ''; else el.value = ''; });
      if (hasFocus(el)) el.blur();
    }
    await new Promise(done => setTimeout(done, 30));
    for (const one of typed) if (isEmpty(one)) one.el.style.removeProperty('-webkit-text-security');
    for (const one of typed) one.expect = '';
    return typed.map(one => [candidates.indexOf(one), isEmpty(one)]);
  },
};
