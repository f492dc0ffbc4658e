#include "vault/machine_id.hpp"

#include <pwd.h>
#include <unistd.h>

#include <cerrno>

#include "crypto/random.hpp"
#include "os/atomic_file.hpp"

namespace popvault {
namespace {

constexpr std::size_t kMaxSystemFile = 4096;
constexpr std::size_t kOwnSize = 32;

bool space(std::uint8_t c) noexcept { return c == ' ' || (c >= '\t' && c <= '\r'); }

Result<Bytes> own_machine_id(Fs& fs, const std::string& home) {
  const std::string path = home + "/.machine_id";
  Result<Bytes> kept = read_owned(fs, path, kOwnSize);
  if (kept && kept->size() != kOwnSize)
    return fail(Errc::vault_corrupt, ".machine_id does not have 32 bytes");
  if (kept || kept.error().code != Errc::not_found) return kept;
  Bytes fresh(kOwnSize);
  crypto::fill_random(fresh);
  PV_TRY(write_atomic(fs, path, fresh));
  return fresh;
}

}  // namespace

ByteView trimmed(ByteView text) noexcept {
  while (!text.empty() && space(text.front())) text = text.subspan(1);
  while (!text.empty() && space(text.back())) text = text.first(text.size() - 1);
  return text;
}

Result<Bytes> machine_id(Fs& fs, const std::string& home, const std::string& system_file) {
  const Result<Bytes> file = read_system_file(fs, system_file, kMaxSystemFile);
  if (!file && file.error().code != Errc::not_found) return file;
  if (file) {
    const ByteView id = trimmed(*file);
    if (!id.empty()) return Bytes(id.begin(), id.end());
  }
  return own_machine_id(fs, home);
}

std::string current_username() {
  const uid_t uid = ::geteuid();
  std::string buffer(1024, '\0');
  for (;;) {
    passwd entry{};
    passwd* found = nullptr;
    const int status = ::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found);
    if (status == ERANGE && buffer.size() < 1024 * 1024) {
      buffer.resize(buffer.size() * 2);
      continue;
    }
    return found != nullptr ? std::string(found->pw_name) : std::to_string(uid);
  }
}

}  // namespace popvault
