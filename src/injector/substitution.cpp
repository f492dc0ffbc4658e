#include "injector/substitution.hpp"

#include "wire/echo.hpp"

namespace popvault::injector {
namespace {

// What the arena that was made before the filter has room for, beside the bundle.
constexpr std::size_t kMostBody = 128 * 1024;
constexpr std::size_t kHeadRoom = 1024;
constexpr Shape kLongYear{8};

}  // namespace

Substitution::Substitution(const Values& card, bool has_cvc, bool has_holder)
    : number_(card.text(Field::number, Shape{})),
      month_(card.text(Field::exp_month, Shape{})),
      year_(card.text(Field::exp_year, kLongYear)) {
  if (has_cvc) cvc_ = card.text(Field::cvc, Shape{});
  if (has_holder) holder_ = card.text(Field::holder, Shape{});
}

wire::Values Substitution::values() const {
  const auto view = [](const SecretBytes& bytes) { return bytes.reveal(SecretAccess{}); };
  return {view(number_), view(month_), view(year_), view(cvc_), view(holder_)};
}

bool Substitution::fits(const wire::Plan& plan) const {
  return wire::fits(plan, values()) && wire::rendered_size(plan, values()) <= kMostBody;
}

Step<void> Substitution::send(Cdp& cdp, const Held& held, const wire::Plan& plan, bool& sent) const {
  const std::size_t size = wire::base64_size(wire::rendered_size(plan, values()));
  SecretFrame frame(size + kHeadRoom + held.id.size() + held.session.size());
  Cdp::begin_frame(frame, "Fetch.continueRequest", held.session);
  frame.plain("{\"requestId\":").plain(json_quote(held.id)).plain(",\"interceptResponse\":true,\"postData\":\"");
  wire::Base64Sink sink([&frame](std::uint8_t c) { frame.secret_byte(c); });
  wire::render(plan, values(), [&sink](std::uint8_t byte) { sink(byte); });
  sink.finish();
  frame.plain("\"}");
  PV_TRY(cdp.channel().still_wanted());
  const auto id = cdp.send_secret(frame, held.session);
  // A frame that was cut off may have been read.
  sent = id || id.error().outcome != Outcome::stopped;
  if (!id) return tl::unexpected(id.error());
  PV_ASSIGN(const Cdp::Reply reply, cdp.wait(*id));
  if (!reply.ok) return stop(Outcome::failed);
  return {};
}

bool Substitution::echoes(const Held& held, ByteView body) const {
  wire::EchoCheck check(number_.reveal(SecretAccess{}));
  check.feed(body);
  for (const auto& [name, value] : held.answer_headers)
    if (wire::holds_number(name, number_.reveal(SecretAccess{})) || wire::holds_number(value, number_.reveal(SecretAccess{})))
      return true;
  return check.found();
}

}  // namespace popvault::injector
