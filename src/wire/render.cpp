#include "wire/render.hpp"

#include <algorithm>

#include "base/utf8.hpp"

namespace popvault::wire {
namespace {

constexpr std::size_t kMaxHolder = 100;

bool digits(ByteView text, std::size_t size) noexcept {
  return text.size() == size &&
         std::all_of(text.begin(), text.end(), [](std::uint8_t c) { return c >= '0' && c <= '9'; });
}

bool month(ByteView text) noexcept {
  if (!digits(text, 2)) return false;
  const int value = (text[0] - '0') * 10 + (text[1] - '0');
  return value >= 1 && value <= 12;
}

bool fits(const Hole& hole, const Values& values) noexcept {
  const auto wanted = static_cast<std::size_t>(std::count(hole.shape.begin(), hole.shape.end(), '#'));
  switch (hole.place) {
    case Place::number: return wanted > 0 && digits(values.number, wanted);
    case Place::cvc: return wanted > 0 && digits(values.cvc, wanted);
    case Place::holder: return values.holder.size() <= kMaxHolder && plain_text(as_text(values.holder));
    default: return month(values.exp_month) && digits(values.exp_year, 4);
  }
}

}  // namespace

bool fits(const Plan& plan, const Values& values) noexcept {
  return std::all_of(plan.pieces.begin(), plan.pieces.end(), [&](const Piece& piece) {
    const Hole* hole = std::get_if<Hole>(&piece);
    return hole == nullptr || fits(*hole, values);
  });
}

std::size_t rendered_size(const Plan& plan, const Values& values) noexcept {
  std::size_t size = 0;
  render(plan, values, [&size](std::uint8_t) { ++size; });
  return size;
}

}  // namespace popvault::wire
