// The fields of a login. A field for a new password, or for one to be typed again, is none.

const IS_TOTP = /\botp\b|\btotp\b|\b2fa\b|\bmfa\b|two ?factor|one ?time|verification ?code|authenticat(or|ion) ?(app )?code|security ?code|pass ?code|login ?code|einmal|bestatigungscode|code de verification|codigo de verificacion|\bdigit ?\d\b|認証コード|验证码/;
const IS_PASSWORD = /pass ?word|\bpasswd|\bpwd\b|passwort|kennwort|mot de passe|contrasena|\bsenha\b|wachtwoord|haslo|パスワード|密码/;
const IS_NEW = /\bnew\b|\bneue?s?\b|nouveau|nueva|create|choose|\bregister|sign ?up|\bset (a |your )?pass|confirm|repeat|\bre ?(enter|type)|again|verify (your )?pass|wiederhol|bestatig|erneut/;
const IS_CURRENT = /current|existing|\bold\b|aktuell|bisherig|actuel/;
const IS_USERNAME = /user ?(name|id)?\b|\blogin\b|log ?in (name|id)|benutzer|kennung|identifier|account (name|id)|utilisateur|usuario|utente|ユーザー/;
const IS_SIGN_IN = /log ?in|sign ?in|log ?on|anmeld|einlogg|connexion|connecter|iniciar|acced|accedi|inloggen|zaloguj|ログイン|登录|continue|weiter|next|continuer/;
const NOT_LOGIN = /search|newsletter|subscribe|coupon|voucher|gift|\bpromo|captcha|\bcard ?(number|holder)|\bcvc|\bcvv|birth|friend/;

const loginToken = el => {
  const list = (el.getAttribute('autocomplete') || '').toLowerCase().split(/\s+/);
  if (list.includes('new-password')) return -2;
  if (list.includes('current-password')) return FIELD.password;
  if (list.includes('one-time-code')) return FIELD.totp;
  if (list.includes('username')) return FIELD.username;
  return list.some(word => word in TOKENS || (OTHER_TOKEN.test(word) && !/^(email|tel)$/.test(word))) ? -1 : null;
};

// Whether the form, or the page of a field without one, is for signing in.
const signsIn = el => {
  const form = el.form || el.closest('form');
  const scope = form || el.getRootNode();
  const own = form ? [form.id, form.getAttribute('name'), form.getAttribute('class'), form.getAttribute('action')] : [];
  const buttons = [...scope.querySelectorAll('button,input[type=submit],[role=button]')].slice(0, 20);
  return IS_SIGN_IN.test(words([...own, ...buttons.map(button => button.value || button.textContent)].filter(Boolean).join(' ').slice(0, 300)));
};

const classifyLogin = (el, list) => {
  if (el.tagName === 'SELECT' || isRich(el)) return null;
  const told = loginToken(el);
  const base = {shape: 0, wrong: !editable(el), repeats: false, section: 0};
  const texts = list.map(s => s.text);
  const secret = el.type === 'password' || texts.some(text => IS_PASSWORD.test(text));
  const isNew = told === -2 || (secret && told !== FIELD.password && texts.some(text => IS_NEW.test(text)));
  if (isNew) return {...base, field: FIELD.password, tier: TIER.token, fresh: true};
  if (told === -1) return null;
  if (told !== null) return {...base, field: told, tier: TIER.token, current: told === FIELD.password};
  if (texts.some(text => NOT_LOGIN.test(text))) return null;
  const totp = list.find(s => IS_TOTP.test(s.text));
  if (totp && /^(text|tel|number|password)$/.test(el.type) && !(limitOf(el) > 8)) return {...base, field: FIELD.totp, tier: totp.tier};
  if (el.type === 'password')
    return {...base, field: FIELD.password, tier: TIER.named, current: texts.some(text => IS_CURRENT.test(text))};
  if (!/^(text|email|tel)$/.test(el.type)) return null;
  // "Show password" is a button; a text field that says so is a password that can be seen.
  const password = list.find(s => IS_PASSWORD.test(s.text));
  if (password && !list.some(s => IS_USERNAME.test(s.text))) return {...base, field: FIELD.password, tier: password.tier};
  const user = list.find(s => IS_USERNAME.test(s.text));
  if (user) return {...base, field: FIELD.username, tier: user.tier};
  const mail = el.type === 'email' || list.some(s => IS_EMAIL.test(s.text)) || (list.some(s => IS_PHONE.test(s.text)));
  return mail && signsIn(el) ? {...base, field: FIELD.username, tier: TIER.placeholder} : null;
};

// A form that asks for a new password makes an account or changes one: of it only a field that says that it is for the
// present password is left, and the name beside that.
const dropNewPasswords = found => {
  const making = new Set(found.filter(c => c.fresh).map(c => c.group));
  const keeps = new Set(found.filter(c => c.current).map(c => c.group));
  for (let at = found.length - 1; at >= 0; --at) {
    const {group, fresh, current, field} = found[at];
    const stays = !making.has(group) || (keeps.has(group) && (current || field !== FIELD.password));
    if (fresh || !stays) found.splice(at, 1);
  }
};
