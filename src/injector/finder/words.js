// The finder: finds the fields of a card, an identity or a login in one document, fills them and reads them back. The
// files of this folder are put together, those of one kind of record in the order of CMakeLists.txt, into one function
// whose `api` is kept.
//
// Runs in an isolated world: the page's scripts share the DOM with it, but not its objects, prototypes or
// variables. The injector evaluates this file once per document and keeps the object it returns; every later
// call goes through that object, so a call can reach no other document. What goes back is numbers and flags
// only, never a value and never text of the page, but for the few characters of a price.
//
// The numbers are those of Field and Why in rpc/injector_protocol.hpp, and of Shape in src/injector/values.hpp.

const FIELD = {number: 0, exp: 1, expMonth: 2, expYear: 3, cvc: 4, holder: 5,
  name: 6, givenName: 7, familyName: 8, email: 9, phone: 10, address: 11, address2: 12, city: 13, state: 14, postalCode: 15,
  country: 16, username: 17, password: 18, totp: 19};
const KIND = {card: 0, identity: 1, login: 2};
const WHY = {ok: 0, missing: 1, hidden: 2, tooSmall: 3, covered: 4, wrongType: 7, notKept: 8, noOption: 9};
// How sure a match is. A token of the HTML standard beats a name or label, which beats a placeholder, which
// beats text that only stands nearby.
const TIER = {token: 4, named: 3, placeholder: 2, near: 1};

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
  'card ?holder', 'holder ?name', '\\b(card|cc) ?(first|given|last|family|sur) ?name',
  '(first|given|last|family|sur) ?name (on|of) (the |your )?card', 'name ?on ?(the |your )?card', '^(cc|card|credit card) ?name$', 'card ?owner',
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
  'ギフト', 'ポイント', '会員'].join('|'));
const IS_OTHER_LABEL = new RegExp([
  'order (number|no\\b|id)', 'customer ?(number|id|card)', 'invoice', 'tracking', '\\btax\\b', '\\bvat\\b',
  'licen[cs]e', 'student', 'konto ?nummer', 'kundennummer', '\\bmobile'].join('|'));
// A second field for the same value. Where it is the only one, it is the field.
const IS_REPEAT = /\bconfirm|\brepeat|\bre ?(enter|type)|\bverify\b|\bagain\b|wiederhol|bestatig|erneut|\brepet|\brepit|\bripet|herhaal|bevestig|powtorz|potwierd|確認|确认/;
// One half of the holder's name.
const IS_GIVEN = /\b(first|given|fore) ?name|vorname|prenom\b|voornaam/;
const IS_FAMILY = /\b(last|family|sur) ?name|nachname|familienname|achternaam/;
const IS_EMAIL = /\be ?mail|\bcorreo\b|courriel|poczta|メール|邮箱/;
const IS_PHONE = /phone|\btel\b|telefon|telephone|\bmobile\b|\bmobil\b|\bhandy|\bcell\b|\bmovil\b|cellulare|電話|电话/;
const IS_PAYMENT = /credit|debit|kredit|bank ?card|payment card|bancaire|credito|kreditowej/;

const says = (text, list) => list.test(text) && !(list !== IS_CVC && IS_OTHER.test(text) && !IS_PAYMENT.test(text));
