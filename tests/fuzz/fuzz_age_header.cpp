// The head of an age file of anybody: what is read is within the limits, and written again it is the same
// bytes. The whole file with a fixed key never gives more than it has.
#include <algorithm>
#include <cstdlib>

#include "backup/age_file.hpp"

using namespace popvault;

namespace {

class Source final : public ByteSource {
 public:
  explicit Source(ByteView data) : left_(data) {}
  Result<std::size_t> read(std::span<std::uint8_t> into) override {
    const std::size_t n = std::min({into.size(), left_.size(), std::size_t{97}});
    std::copy_n(left_.begin(), n, into.begin());
    left_ = left_.subspan(n);
    return n;
  }

 private:
  ByteView left_;
};

void require(bool ok) {
  if (!ok) std::abort();
}

void read_head(ByteView input) {
  Source source(input);
  TextSource text(source);
  const auto header = read_age_header(text);
  if (!header) {
    require(header.error().code == Errc::backup_invalid);
    return;
  }
  require(!header->stanzas.empty() && header->stanzas.size() <= kMaxAgeStanzas);
  require(age_header_text(header->stanzas) == header->authenticated);
  const std::string again = header->authenticated + age_header_end(header->mac);
  require(again.size() <= kMaxAgeHeader + 32 && as_text(input).starts_with(again));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView input(data, size);
  read_head(input);
  // The identity of the published vectors, so that those are whole files here.
  static const SecretBytes identity =
      parse_identity(SecretBytes::copy_of(as_bytes(
                         "AGE-SECRET-KEY-1EGTZVFFV20835NWYV6270LXYVK2VKNX2MMDKWYKLMGR48UAWX40Q2P2LM0")))
          .value();
  const SecretBytes* const identities[] = {&identity};
  Source source(input);
  auto reader = AgeReader::open(source, identities);
  if (!reader) return 0;
  SecretBytes part = SecretBytes::zeros(kAgeChunk);
  std::size_t total = 0;
  while (true) {
    const auto n = reader->read(part.reveal(SecretAccess{}));
    if (!n || *n == 0) break;
    total += *n;
  }
  require(total < size);
  return 0;
}
