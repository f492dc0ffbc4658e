#include "rpc/injector_protocol.hpp"

#include <algorithm>

namespace popvault::injector {
namespace {

constexpr std::size_t kMaxPage = 2048;
constexpr std::size_t kMaxOriginText = 300;
constexpr std::size_t kMaxReports = 16;

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
  static constexpr std::string_view kNames[] = {"number", "exp", "exp_month", "exp_year", "cvc", "holder"};
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
    case Outcome::filled:
    case Outcome::failed: break;
  }
  return Errc::injector_failed;
}

Bytes Job::encode() const {
  ByteWriter out = begin(Message::job, id);
  out.u8(by_target_id).text(page).u8(static_cast<std::uint8_t>(origins.size()));
  for (const std::string& origin : origins) out.text(origin);
  out.u8(has_cvc).u8(has_holder).u8(allow_loopback_http).u32(deadline_ms);
  return out.bytes();
}

std::optional<Job> Job::decode(ByteView message) {
  ByteReader in(message);
  Job out;
  const auto id = begin(in, Message::job);
  const auto by_target = id ? flag(in) : std::nullopt;
  auto page = by_target ? in.text(kMaxPage) : std::nullopt;
  const auto count = page ? in.u8() : std::nullopt;
  if (!count || *count == 0 || *count > kMaxOrigins) return std::nullopt;
  out.id = *id;
  out.by_target_id = *by_target;
  out.page = std::move(*page);
  for (unsigned i = 0; i < *count; ++i) {
    auto origin = in.text(kMaxOriginText);
    if (!origin) return std::nullopt;
    out.origins.push_back(std::move(*origin));
  }
  const auto cvc = flag(in);
  const auto holder = cvc ? flag(in) : std::nullopt;
  const auto loopback = holder ? flag(in) : std::nullopt;
  const auto deadline = loopback ? in.u32() : std::nullopt;
  if (!deadline || !in.done()) return std::nullopt;
  out.has_cvc = *cvc;
  out.has_holder = *holder;
  out.allow_loopback_http = *loopback;
  out.deadline_ms = *deadline;
  return out;
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
