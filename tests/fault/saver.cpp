// fault_saver ACTION HOME: the vault's real saves, one at a time, for test_kill_sweep.py.
//
//   prepare     makes the old state of everything
//   vault       replaces vault.enc          blob   adds a blob       remove  removes the old blob
//   mode        replaces .vault_mode        stale  clears what killed writers left
//   unsafe      replaces vault.enc in place, as no program should: the control
//   check       prints what each thing holds: "vault old mode old first there second absent temporaries 0"
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <string>

#include "os/fs.hpp"
#include "vault/blob.hpp"
#include "vault/vault_file.hpp"

namespace {

using namespace popvault;

constexpr unsigned long kMark = 0x706f7076;
constexpr std::string_view kFirst = "blb_aaaaaaaaaaaaaaaaaaaaaaaaaa";
constexpr std::string_view kSecond = "blb_bbbbbbbbbbbbbbbbbbbbbbbbbb";

SecretBytes key() { return SecretBytes::copy_of(Bytes(32, 7)); }

// Long enough for several pages, so that a torn write has something to tear.
VaultDocument document(const char* text) {
  VaultDocument out;
  out.set_text("state", text);
  out.set_text("filler", std::string(20'000, text[0]));
  return out;
}

Bytes blob(std::string_view id) { return Bytes(5'000, static_cast<std::uint8_t>(id.back())); }

void mark() { syscall(SYS_personality, kMark); }

int report(const Status& status) {
  if (status) return 0;
  std::fprintf(stderr, "%s\n", status.error().message().c_str());
  return 1;
}

int prepare(const std::string& home) {
  Fs& fs = real_fs();
  if (const auto done = write_vault(fs, home, key(), document("old")); !done) return report(done);
  if (const auto done = write_vault_mode(fs, home, VaultMode::machine_oss); !done) return report(done);
  return report(write_blob(fs, home, "card", 1, kFirst, blob(kFirst)));
}

// What a careless program would do.
int write_in_place(const std::string& home) {
  const Bytes sealed = seal_vault(key(), document("new")).value();
  mark();
  const int fd = open(vault_path(home).c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC);
  if (fd < 0) return 1;
  const std::size_t half = sealed.size() / 2;
  if (write(fd, sealed.data(), half) < 0 || write(fd, sealed.data() + half, sealed.size() - half) < 0) return 1;
  return fsync(fd) == 0 && close(fd) == 0 ? 0 : 1;
}

const char* vault_state(const std::string& home) {
  const auto file = read_vault(real_fs(), home);
  if (!file) return "unreadable";
  const auto found = open_vault(key(), *file);
  if (!found) return "broken";
  if (*found == document("old")) return "old";
  return *found == document("new") ? "new" : "neither";
}

const char* mode_state(const std::string& home) {
  const auto marker = read_vault_mode(real_fs(), home);
  if (!marker) return "broken";
  return marker->mode == VaultMode::machine_oss ? "old" : marker->mode == VaultMode::passphrase ? "new" : "neither";
}

const char* blob_state(const std::string& home, std::string_view id) {
  const auto there = list_blobs(real_fs(), home, "card", 1);
  if (!there) return "unreadable";
  bool listed = false;
  for (const std::string& name : *there) listed = listed || name == id;
  if (!listed) return "absent";
  const auto data = read_blob(real_fs(), home, "card", 1, id);
  return data && *data == blob(id) ? "there" : "broken";
}

int check(const std::string& home) {
  const auto wiped = wipe_vault_temporaries(real_fs(), home);
  if (!wiped) return report(tl::unexpected(wiped.error()));
  const auto again = wipe_vault_temporaries(real_fs(), home);
  std::printf("vault %s mode %s first %s second %s temporaries %zu\n", vault_state(home), mode_state(home),
              blob_state(home, kFirst), blob_state(home, kSecond), again ? *again : 999);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const std::string action = argv[1];
  const std::string home = argv[2];
  Fs& fs = real_fs();
  if (action == "prepare") return prepare(home);
  if (action == "check") return check(home);
  if (action == "unsafe") return write_in_place(home);
  const SecretBytes vault_key = key();
  const VaultDocument next = document("new");
  mark();
  if (action == "vault") return report(write_vault(fs, home, vault_key, next));
  if (action == "blob") return report(write_blob(fs, home, "card", 1, kSecond, blob(kSecond)));
  if (action == "remove") return report(remove_blob(fs, home, "card", 1, kFirst));
  if (action == "mode") return report(write_vault_mode(fs, home, VaultMode::passphrase));
  if (action == "stale") return wipe_vault_temporaries(fs, home) ? 0 : 1;
  return 2;
}
