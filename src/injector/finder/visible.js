// Whether a person could see the element and click on it.

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
