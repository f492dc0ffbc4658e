// What an ssh-agent answers, and lines of public key files. What is taken must be whole: the same answer with one byte more or
// less is not.
#include <cstdlib>

#include "cli/ssh_agent.hpp"

namespace {

using namespace popvault;
using namespace popvault::cli;

template <class Parse>
void check(ByteView data, Parse parse) {
  if (!parse(data)) return;
  Bytes longer(data.begin(), data.end());
  longer.push_back(0);
  if (parse(longer) || parse(data.first(data.size() - 1))) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView all{data, size};
  check(all, [](ByteView message) { return parse_identities(message).has_value(); });
  check(all, [](ByteView message) { return parse_signature(message).has_value(); });
  if (const auto found = parse_identities(all); found && (found->size() > kMostIdentities || found->size() * 4 > size)) std::abort();
  if (const auto key = parse_public_key_line(as_text(all)); key && fingerprint_of(key->key).size() != 50) std::abort();
  return 0;
}
