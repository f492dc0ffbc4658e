#include "rpc/guard_protocol.hpp"

#include <algorithm>

namespace popvault::guard {
namespace {

constexpr std::size_t kMaxText = 4096;
constexpr std::size_t kMaxOriginText = 300;
constexpr std::size_t kMaxVariables = 64;

ByteWriter begin(Message type) {
  ByteWriter out;
  out.u8(static_cast<std::uint8_t>(type));
  return out;
}

bool begins(ByteReader& in, Message type) { return in.u8() == static_cast<std::uint8_t>(type); }

bool take(ByteReader& in, bool& out) {
  const auto v = in.u8();
  out = v && *v == 1;
  return v && *v <= 1;
}

bool take(ByteReader& in, std::string& out) {
  auto text = in.text(kMaxText);
  if (text) out = std::move(*text);
  return text.has_value();
}

bool take(ByteReader& in, JobId& out) {
  const auto raw = in.take(out.size());
  if (raw) std::copy(raw->begin(), raw->end(), out.begin());
  return raw.has_value();
}

void put(ByteWriter& out, const std::vector<std::string>& texts) {
  out.u16(static_cast<std::uint16_t>(texts.size()));
  for (const std::string& text : texts) out.text(text);
}

bool take(ByteReader& in, std::vector<std::string>& out, std::size_t most, std::size_t limit) {
  const auto count = in.u16();
  if (!count || *count > most) return false;
  for (unsigned i = 0; i < *count; ++i) {
    auto text = in.text(limit);
    if (!text) return false;
    out.push_back(std::move(*text));
  }
  return true;
}

}  // namespace

Bytes Configure::encode() const {
  ByteWriter out = begin(Message::configure);
  out.text(program).u8(headless).u16(port).text(profile).text(exchange).u8(require_token);
  put(out, environment);
  put(out, processors);
  return out.bytes();
}

std::optional<Configure> Configure::decode(ByteView message) {
  ByteReader in(message);
  Configure out;
  if (!begins(in, Message::configure) || !take(in, out.program) || !take(in, out.headless)) return std::nullopt;
  out.port = in.u16().value_or(0);
  const bool ok = take(in, out.profile) && take(in, out.exchange) && take(in, out.require_token) &&
                  take(in, out.environment, kMaxVariables, kMaxText) &&
                  take(in, out.processors, kMaxProcessors, kMaxOriginText);
  if (!ok || !in.done()) return std::nullopt;
  return out;
}

Bytes Started::encode() const { return begin(Message::started).u16(port).text(token).bytes(); }

std::optional<Started> Started::decode(ByteView message) {
  ByteReader in(message);
  Started out;
  if (!begins(in, Message::started)) return std::nullopt;
  out.port = in.u16().value_or(0);
  if (!take(in, out.token) || !in.done() || out.port == 0 || out.token.size() > 32) return std::nullopt;
  const bool hex = std::all_of(out.token.begin(), out.token.end(),
                               [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  if (!hex) return std::nullopt;
  return out;
}

Bytes Failed::encode() const { return begin(Message::failed).u8(static_cast<std::uint8_t>(reason)).bytes(); }

std::optional<Failed> Failed::decode(ByteView message) {
  ByteReader in(message);
  if (!begins(in, Message::failed)) return std::nullopt;
  const auto reason = in.u8();
  if (!reason || *reason >= kReasonCount || !in.done()) return std::nullopt;
  return Failed{static_cast<Reason>(*reason)};
}

Bytes Processors::encode() const {
  ByteWriter out = begin(Message::processors);
  put(out, origins);
  return out.bytes();
}

std::optional<Processors> Processors::decode(ByteView message) {
  ByteReader in(message);
  Processors out;
  if (!begins(in, Message::processors) || !take(in, out.origins, kMaxProcessors, kMaxOriginText) || !in.done())
    return std::nullopt;
  return out;
}

Bytes Open::encode() const { return begin(Message::open).raw(id).u8(static_cast<std::uint8_t>(strength)).bytes(); }

std::optional<Open> Open::decode(ByteView message) {
  ByteReader in(message);
  Open out;
  if (!begins(in, Message::open) || !take(in, out.id)) return std::nullopt;
  const auto strength = in.u8();
  if (!strength || *strength >= injector::kStrengthCount || !in.done()) return std::nullopt;
  out.strength = static_cast<Strength>(*strength);
  return out;
}

Bytes Signal::encode() const { return begin(type).raw(id).bytes(); }

std::optional<Signal> Signal::decode(ByteView message) {
  ByteReader in(message);
  Signal out;
  const auto type = in.u8();
  if (!type) return std::nullopt;
  out.type = static_cast<Message>(*type);
  if (out.type != Message::opened && out.type != Message::refused && out.type != Message::close) return std::nullopt;
  if (!take(in, out.id) || !in.done()) return std::nullopt;
  return out;
}

}  // namespace popvault::guard
