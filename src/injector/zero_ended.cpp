#include "injector/zero_ended.hpp"

#include <algorithm>

#include "injector/websocket.hpp"

namespace popvault::injector {

std::optional<std::string> ZeroEndedReader::next() {
  if (failed_) return std::nullopt;
  const auto begin = buffer_.begin();
  const auto from = begin + static_cast<std::ptrdiff_t>(std::max(at_, seen_));
  const auto end = std::find(from, buffer_.end(), std::uint8_t{0});
  const std::size_t size = static_cast<std::size_t>(end - begin) - at_;
  failed_ = size > kMaxMessage || (end != buffer_.end() && size == 0);
  if (failed_) return std::nullopt;
  if (end == buffer_.end()) {
    buffer_.erase(begin, begin + static_cast<std::ptrdiff_t>(at_));
    at_ = 0;
    seen_ = buffer_.size();
    return std::nullopt;
  }
  std::string out(as_text(ByteView(buffer_).subspan(at_, size)));
  at_ += size + 1;
  seen_ = at_;
  return out;
}

}  // namespace popvault::injector
