// A recipe from anybody: refused in one line, or valid, and then safe to ask.
#include <cstdlib>

#include "base/bytes.hpp"
#include "wire/recipe.hpp"

using namespace popvault;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = as_text(ByteView(data, size));
  const auto recipe = wire::Recipe::parse(text);
  if (!recipe) {
    const std::string& detail = recipe.error().detail;
    if (recipe.error().code != Errc::bad_recipe || detail.empty() || detail.find('\n') != detail.npos) std::abort();
    return 0;
  }
  if (recipe->mode == wire::Mode::wire && (recipe->requests.empty() || recipe->frames.empty())) std::abort();
  for (const wire::RequestRule& request : recipe->requests) {
    if (request.accounts.empty() || request.places.empty()) std::abort();
    for (const Origin& origin : request.origins)
      if (!origin.https() && !origin.loopback()) std::abort();
  }
  if (recipe->origins().empty()) std::abort();
  (void)recipe->is_challenge("https://acs.example/3ds/x");
  (void)recipe->url_patterns();
  return 0;
}
