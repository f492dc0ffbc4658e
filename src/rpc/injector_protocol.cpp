#include "rpc/injector_protocol.hpp"

#include <algorithm>

namespace popvault::injector {
namespace {

constexpr std::size_t kMaxPage = 2048;
constexpr std::size_t kMaxOriginText = 300;
constexpr std::size_t kMaxReports = 24;
constexpr std::size_t kMaxAccount = 256;
constexpr std::size_t kMaxAccounts = 16;
constexpr std::size_t kMaxSelector = 256;

ByteWriter begin(Message type, const JobId& id) {
  ByteWriter out;
  out.u8(static_cast<std::uint8_t>(type)).raw(id);
  return out;
}

// The id, when the message is of that type.
std::optional<JobId> begin(ByteReader& in, Message type) {
  const auto got = in.u8();
  const auto raw = in.take(std::tuple_size_v<JobId>);
  if (!raw || *got != static_cast<std::uint8_t>(type)) return std::nullopt;
  JobId id{};
  std::copy(raw->begin(), raw->end(), id.begin());
  return id;
}

std::optional<bool> flag(ByteReader& in) {
  const auto v = in.u8();
  if (!v || *v > 1) return std::nullopt;
  return *v == 1;
}

bool take(ByteReader& in, bool& out) {
  const auto v = in.u8();
  out = v && *v == 1;
  return v && *v <= 1;
}

bool take(ByteReader& in, std::string& out, std::size_t limit) {
  auto text = in.text(limit);
  if (text) out = std::move(*text);
  return text.has_value();
}

template <class Enum>
bool take(ByteReader& in, Enum& out, std::uint8_t count) {
  const auto v = in.u8();
  if (!v || *v >= count) return false;
  out = static_cast<Enum>(*v);
  return true;
}

void put_texts(ByteWriter& out, const std::vector<std::string>& texts) {
  out.u8(static_cast<std::uint8_t>(texts.size()));
  for (const std::string& text : texts) out.text(text);
}

bool take(ByteReader& in, std::vector<std::string>& out, std::size_t most, std::size_t limit) {
  const auto count = in.u8();
  if (!count || *count > most) return false;
  out.resize(*count);
  for (std::string& text : out)
    if (!take(in, text, limit)) return false;
  return true;
}

void put_reports(ByteWriter& out, const std::vector<FieldReport>& reports) {
  out.u8(static_cast<std::uint8_t>(reports.size()));
  for (const FieldReport& r : reports)
    out.u8(static_cast<std::uint8_t>(r.field)).u8(r.origin).u8(static_cast<std::uint8_t>(r.why));
}

std::optional<std::vector<FieldReport>> take_reports(ByteReader& in) {
  const auto count = in.u8();
  if (!count || *count > kMaxReports) return std::nullopt;
  std::vector<FieldReport> out;
  for (unsigned i = 0; i < *count; ++i) {
    const auto field = in.u8();
    const auto origin = in.u8();
    const auto why = in.u8();
    if (!why || *field >= kFieldCount || *why >= kWhyCount) return std::nullopt;
    if (*origin >= kMaxOrigins && *origin != 0xff) return std::nullopt;
    out.push_back({static_cast<Field>(*field), *origin, static_cast<Why>(*why)});
  }
  return out;
}

}  // namespace

std::string_view to_string(Field field) noexcept {
  static constexpr std::string_view kNames[] = {"number",      "exp",       "exp_month",  "exp_year", "cvc",  "holder", "name",
                                                "given_name",  "family_name", "email",    "phone",    "address", "address2",
                                                "city",        "state",     "postal_code", "country", "username",
                                                "password",    "totp"};
  return kNames[static_cast<std::size_t>(field)];
}

std::string_view to_string(Why why) noexcept {
  static constexpr std::string_view kNames[] = {"ok",        "missing",           "hidden",    "too_small",
                                                "covered",   "frame_not_allowed", "ambiguous", "wrong_type",
                                                "not_kept",  "no_such_option"};
  return kNames[static_cast<std::size_t>(why)];
}

Errc to_errc(Outcome outcome) noexcept {
  switch (outcome) {
    case Outcome::page_not_found: return Errc::page_not_found;
    case Outcome::page_ambiguous: return Errc::page_ambiguous;
    case Outcome::origin_mismatch: return Errc::origin_mismatch;
    case Outcome::origin_not_allowed: return Errc::origin_not_allowed;
    case Outcome::fields_missing: return Errc::fields_missing;
    case Outcome::fields_ambiguous: return Errc::fields_ambiguous;
    case Outcome::field_rejected: return Errc::field_rejected;
    case Outcome::navigated: return Errc::navigated;
    case Outcome::browser_unreachable: return Errc::browser_unreachable;
    case Outcome::browser_refused: return Errc::browser_refused;
    case Outcome::timeout: return Errc::timeout;
    case Outcome::stopped: return Errc::canceled;
    case Outcome::page_tainted: return Errc::page_tainted;
    case Outcome::recipe_mismatch: return Errc::recipe_mismatch;
    case Outcome::account_mismatch: return Errc::account_mismatch;
    case Outcome::no_request: return Errc::no_request;
    case Outcome::challenge: return Errc::awaiting_owner;
    case Outcome::price_mismatch: return Errc::price_mismatch;
    case Outcome::guard_lost: return Errc::guard_lost;
    case Outcome::filled:
    case Outcome::failed: break;
  }
  return Errc::injector_failed;
}

Bytes Job::encode() const {
  ByteWriter out = begin(Message::job, id);
  out.u8(by_target_id).text(page);
  put_texts(out, origins);
  out.u8(has_cvc).u8(has_holder).u8(allow_loopback_http).u32(deadline_ms);
  out.u8(static_cast<std::uint8_t>(kind)).u8(static_cast<std::uint8_t>(strength)).u8(guarded).u8(submit).u8(open_page);
  out.u32(armed_ms).u32(fields);
  out.text(aliases.number).text(aliases.exp_month).text(aliases.exp_year).text(aliases.cvc);
  put_texts(out, recipes);
  put_texts(out, accounts);
  out.text(price.selector).u64(static_cast<std::uint64_t>(price.amount_minor)).u8(price.exponent).u16(price.drift);
  return out.bytes();
}

std::optional<Job> Job::decode(ByteView message) {
  ByteReader in(message);
  Job out;
  const auto id = begin(in, Message::job);
  if (!id) return std::nullopt;
  out.id = *id;
  bool ok = take(in, out.by_target_id) && take(in, out.page, kMaxPage) && take(in, out.origins, kMaxOrigins, kMaxOriginText) &&
            !out.origins.empty() && take(in, out.has_cvc) && take(in, out.has_holder) && take(in, out.allow_loopback_http);
  out.deadline_ms = in.u32().value_or(0);
  ok = ok && take(in, out.kind, kKindCount) && take(in, out.strength, kStrengthCount) && take(in, out.guarded) &&
       take(in, out.submit) && take(in, out.open_page);
  out.armed_ms = in.u32().value_or(0);
  out.fields = in.u32().value_or(0);
  ok = ok && take(in, out.aliases.number, 19) && take(in, out.aliases.exp_month, 2) && take(in, out.aliases.exp_year, 4) &&
       take(in, out.aliases.cvc, 4) && take(in, out.recipes, kMaxRecipes, kMaxRecipe) &&
       take(in, out.accounts, kMaxAccounts, kMaxAccount) && take(in, out.price.selector, kMaxSelector);
  out.price.amount_minor = static_cast<std::int64_t>(in.u64().value_or(0));
  out.price.exponent = in.u8().value_or(0);
  out.price.drift = in.u16().value_or(0);
  if (!ok || !in.done() || out.price.amount_minor < 0 || out.price.exponent > 4) return std::nullopt;
  return out;
}

Bytes Signal::encode() const { return begin(type, id).bytes(); }

std::optional<Signal> Signal::decode(ByteView message) {
  ByteReader in(message);
  if (message.empty()) return std::nullopt;
  const auto type = static_cast<Message>(message[0]);
  if (type != Message::proceed && type != Message::armed && type != Message::wanted) return std::nullopt;
  const auto id = begin(in, type);
  if (!id || !in.done()) return std::nullopt;
  return Signal{type, *id};
}

Bytes Ready::encode() const {
  ByteWriter out = begin(Message::ready, id);
  put_reports(out, fields);
  return out.bytes();
}

std::optional<Ready> Ready::decode(ByteView message) {
  ByteReader in(message);
  const auto id = begin(in, Message::ready);
  auto fields = id ? take_reports(in) : std::nullopt;
  if (!fields || !in.done()) return std::nullopt;
  return Ready{*id, std::move(*fields)};
}

Bytes BundleNotice::encode() const { return begin(Message::bundle, id).bytes(); }

std::optional<BundleNotice> BundleNotice::decode(ByteView message) {
  ByteReader in(message);
  const auto id = begin(in, Message::bundle);
  if (!id || !in.done()) return std::nullopt;
  return BundleNotice{*id};
}

Bytes Done::encode() const {
  ByteWriter out = begin(Message::done, id);
  out.u8(static_cast<std::uint8_t>(outcome)).u8(typed).u8(cleared);
  put_reports(out, fields);
  return out.bytes();
}

std::optional<Done> Done::decode(ByteView message) {
  ByteReader in(message);
  const auto id = begin(in, Message::done);
  const auto outcome = id ? in.u8() : std::nullopt;
  if (!outcome || *outcome >= kOutcomeCount) return std::nullopt;
  const auto typed = flag(in);
  const auto cleared = typed ? flag(in) : std::nullopt;
  auto fields = cleared ? take_reports(in) : std::nullopt;
  if (!fields || !in.done()) return std::nullopt;
  return Done{*id, static_cast<Outcome>(*outcome), *typed, *cleared, std::move(*fields)};
}

}  // namespace popvault::injector
