#include "cli/identity_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "backup/age_file.hpp"
#include "base/display.hpp"
#include "cli/secret_input.hpp"
#include "os/descriptor.hpp"

namespace popvault::cli {
namespace {

// In any case of letters, as somebody may type it.
bool looks_like_a_key(std::string_view text) {
  static constexpr std::string_view kHead = "AGE-SECRET-KEY-";
  const auto same = [](char a, char b) { return (a >= 'a' && a <= 'z' ? a - 'a' + 'A' : a) == b; };
  return text.size() >= kHead.size() &&
         std::equal(kHead.begin(), kHead.end(), text.begin(), [&](char b, char a) { return same(a, b); });
}

}  // namespace

Result<SecretBytes> identity_in(const SecretBytes& text) {
  const std::string_view all = as_text(text.reveal(SecretAccess{}));
  SecretBytes found;
  for (std::size_t at = 0; at < all.size();) {
    const std::size_t end = std::min(all.find('\n', at), all.size());
    std::string_view line = all.substr(at, end - at);
    at = end + 1;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.front() == '#') continue;
    if (!found.empty()) return fail(Errc::invalid_field, "identity file has more than one key in it");
    PV_ASSIGN(found, parse_identity(SecretBytes::copy_of(as_bytes(line))));
  }
  if (found.empty()) return fail(Errc::invalid_field, "identity file has no key in it");
  return found;
}

Result<SecretBytes> read_identity_file(const std::string& path) {
  if (looks_like_a_key(path))
    return fail(Errc::usage,
                "a secret is never an argument, where others can read it; --identity takes a file");
  Descriptor file;
  if (path != "-") {
    file = Descriptor(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
    if (!file && (errno == ENOENT || errno == ENOTDIR))
      return fail(Errc::not_found, escape_for_terminal(path));
    if (!file) return fail_errno(errno, "opening " + escape_for_terminal(path));
  }
  PV_ASSIGN(const SecretBytes text,
            read_secret_all(file ? file.get() : 0, kMaxIdentityFile, "identity file"));
  return identity_in(text);
}

}  // namespace popvault::cli
