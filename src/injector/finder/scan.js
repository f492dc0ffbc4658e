// Looking through the document, shadow trees included.

let kind = KIND.card;    // of the record
const closedRoots = new Set();
const candidates = [];   // elements; an index here is how the injector names one
const indexOf = new Map();
const groups = new Map();

const number = el => {
  if (!indexOf.has(el)) indexOf.set(el, candidates.push({el}) - 1);
  return indexOf.get(el);
};
const isRequired = el => el.required || el.getAttribute('aria-required') === 'true';

// One number per form. Fields without a form belong together per shadow tree.
const groupOf = el => {
  const key = el.form || el.closest('form') || el.getRootNode();
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

// A field that repeats another one of its form: it says so, or it is required as well and less sure to be the one.
const markRepeats = list => {
  const usable = list.filter(c => c.why === WHY.ok);
  for (const one of usable) {
    if (one.set) continue;
    const others = usable.filter(c => c !== one && c.field === one.field && c.group === one.group && c.section === one.section);
    one.repeat = one.says ? others.some(c => !c.says) :
        one.field === FIELD.number && one.required && others.some(c => !c.says && c.tier > one.tier);
  }
};

const look = () => {
  const found = [];
  const {out, suspects} = roots();
  for (const root of out) {
    const controls = [...root.querySelectorAll(CONTROLS)].filter(isControl);
    const boxes = findBoxes(controls);
    for (const el of controls) {
      const what = boxes.get(el) || classify(el);
      if (!what) continue;
      const index = number(el);
      const why = fieldWhy(el) || (what.wrong ? WHY.wrongType : WHY.ok);
      const shy = !!el.closest('[aria-hidden="true"]') || el.tabIndex < 0;
      found.push({index, field: what.field, tier: what.tier * 2 - (shy ? 1 : 0), why, shape: what.shape,
                  group: groupOf(el), required: isRequired(el), says: what.repeats, set: what.set || 0, part: what.part || 0,
                  section: what.section || 0, fresh: what.fresh, current: what.current});
    }
  }
  splitDates(found);
  if (kind === KIND.login) dropNewPasswords(found);
  markRepeats(found);
  for (const {index, field, shape, group, section} of found) Object.assign(candidates[index], {field, shape, group, section});
  return {found, suspects};
};

const scan = what => {
  kind = what;
  const {found, suspects} = look();
  return {origin: self.origin, url: location.protocol, complete: document.readyState === 'complete', suspects,
          found: found.map(c => {
            const at = centre(candidates[c.index].el);
            return [c.index, c.field, c.tier, c.why, c.shape, c.group, c.required ? 1 : 0, inView(at) ? 1 : 0, at.x, at.y, c.repeat ? 1 : 0,
                    c.set, c.part, c.section];
          })};
};
