// The messages between popvaultd, popvault-injector and popvault-browser: what decodes must encode to the same bytes again.
#include <cstdlib>

#include "rpc/guard_protocol.hpp"
#include "rpc/injector_protocol.hpp"

namespace {

using namespace popvault;
using namespace popvault::injector;

template <class Message>
void round_trip(ByteView data) {
  const auto message = Message::decode(data);
  if (!message) return;
  const Bytes again = message->encode();
  if (!std::equal(again.begin(), again.end(), data.begin(), data.end())) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView all{data, size};
  round_trip<Job>(all);
  round_trip<Ready>(all);
  round_trip<BundleNotice>(all);
  round_trip<Done>(all);
  round_trip<injector::Signal>(all);
  round_trip<guard::Configure>(all);
  round_trip<guard::Started>(all);
  round_trip<guard::Failed>(all);
  round_trip<guard::Processors>(all);
  round_trip<guard::Open>(all);
  round_trip<guard::Signal>(all);
  return 0;
}
